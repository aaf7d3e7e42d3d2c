"""Chapter 08, when a VAE is broken: probes that tell, a ward of broken models, and free bits for silent codes."""

from vae_ref.clinic.broken import BEDS
from vae_ref.clinic.collapse import surviving_units
from vae_ref.clinic.diagnosis import diagnose, take_chart
from vae_ref.clinic.evidence import gradient_reach, price_of_a_nat, sampler_spread, vital_signs
from vae_ref.clinic.finding import Finding, Probe
from vae_ref.clinic.free_bits import free_bits_kl
from vae_ref.clinic.pocket import PocketVAE, practise
from vae_ref.clinic.probes import (
    ask_the_price,
    compare_brightness,
    compare_sampler_with_logvar,
    compare_with_prior,
    count_active_units,
    follow_gradient,
    look_at_range,
    look_for_both_signs,
    reconstruct_twice,
    swap_codes,
    uses_latent,
)
from vae_ref.clinic.treatment import Donor, operate
from vae_ref.clinic.ward import PROBES, WARD, Patient, examine

__all__ = [
    "BEDS",
    "PROBES",
    "WARD",
    "Donor",
    "Finding",
    "Patient",
    "PocketVAE",
    "Probe",
    "ask_the_price",
    "compare_brightness",
    "compare_sampler_with_logvar",
    "compare_with_prior",
    "count_active_units",
    "diagnose",
    "examine",
    "follow_gradient",
    "free_bits_kl",
    "gradient_reach",
    "look_at_range",
    "look_for_both_signs",
    "operate",
    "practise",
    "price_of_a_nat",
    "reconstruct_twice",
    "sampler_spread",
    "surviving_units",
    "swap_codes",
    "take_chart",
    "uses_latent",
    "vital_signs",
]
