"""Chapter 09, tighter bounds and better likelihoods: what a log-likelihood means in bits, and how to earn it."""

from vae_ref.tighter.bits import beta_from_sigma, bits_per_dim, dequantise, sigma_from_beta, to_middle
from vae_ref.tighter.discretised import discretised_log_likelihood
from vae_ref.tighter.importance import iwae_bound, log_weights
from vae_ref.tighter.likelihoods import (
    ColourLikelihood,
    Likelihood,
    SharedSigmaLikelihood,
    UniformLikelihood,
    colour_covariance,
    colour_log_likelihood,
    mean_picture,
)
from vae_ref.tighter.spectrum import SpectrumLikelihood, dct_matrix
from vae_ref.tighter.wiener import JointMoments, WienerFilter

__all__ = [
    "ColourLikelihood",
    "JointMoments",
    "Likelihood",
    "SharedSigmaLikelihood",
    "SpectrumLikelihood",
    "UniformLikelihood",
    "WienerFilter",
    "beta_from_sigma",
    "bits_per_dim",
    "colour_covariance",
    "colour_log_likelihood",
    "dct_matrix",
    "dequantise",
    "discretised_log_likelihood",
    "iwae_bound",
    "log_weights",
    "mean_picture",
    "sigma_from_beta",
    "to_middle",
]
