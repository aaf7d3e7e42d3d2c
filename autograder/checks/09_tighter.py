"""Checks of assignment 09, tighter bounds, better likelihoods, honest numbers.

Most functions are deterministic; their oracles run in double precision. The noise of ``dequantise`` is bounded, so
Hoeffding's inequality limits how far its statistics may be off. The weights of ``log_weights`` are random, and three
models tell what is known about them:

* Probabilistic PCA with an encoder that misses the posterior by a given shift and stretch. A log weight is a quadratic
  function of the noise, so its mean, spread and the error of both are known. Each image stands there 1,024 times, with
  4 samples each: 4,096 weights that have to be independent, of samples and of images. Statistics may be 6.5 standard
  errors away. A normal tail bounds one comparison by 8e-11 and the sixteen of a run by 2e-9; log weights are skewed to
  the left, so near that limit the tail is heavier, which 1e-6 a run leaves room for.
* The same with the exact posterior: every weight is p(x), whatever was drawn. Nothing is random there.
* A nonlinear decoder of one latent, whose p(x) is an integral done by the trapezoidal rule. The mean of its bounded
  weights may be as far away as Bernstein's inequality allows with a probability of 1e-10, whatever their distribution.
"""

from __future__ import annotations

from autograder.checks.tighter.adapt_log_beta import ADAPT_LOG_BETA
from autograder.checks.tighter.beta_from_sigma import BETA_FROM_SIGMA
from autograder.checks.tighter.bits_per_dim import BITS_PER_DIM
from autograder.checks.tighter.colour_log_likelihood import COLOUR
from autograder.checks.tighter.dequantise import DEQUANTISE
from autograder.checks.tighter.iwae_bound import IWAE_BOUND
from autograder.checks.tighter.log_weights import LOG_WEIGHTS
from autograder.checks.tighter.questions import ENCODER_SIGNAL, FILE_BITS_PER_DIM

CHECKS = (
    LOG_WEIGHTS,
    IWAE_BOUND,
    ENCODER_SIGNAL,
    DEQUANTISE,
    BITS_PER_DIM,
    FILE_BITS_PER_DIM,
    BETA_FROM_SIGMA,
    COLOUR,
    ADAPT_LOG_BETA,
)
