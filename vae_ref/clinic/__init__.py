"""Chapter 08, when a VAE is broken: probes that tell, a ward of broken models, and free bits for silent codes."""

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
from vae_ref.clinic.ward import PROBES, WARD, Patient, examine

__all__ = [
    "PROBES",
    "WARD",
    "Finding",
    "Patient",
    "PocketVAE",
    "Probe",
    "ask_the_price",
    "compare_brightness",
    "compare_sampler_with_logvar",
    "compare_with_prior",
    "count_active_units",
    "examine",
    "follow_gradient",
    "free_bits_kl",
    "look_at_range",
    "look_for_both_signs",
    "practise",
    "reconstruct_twice",
    "swap_codes",
    "uses_latent",
]
