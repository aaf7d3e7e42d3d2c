"""A committed rate: the weight of the KL term is adapted until the KL is where it was promised to be.

Minimising the distortion under the constraint KL = R has the Lagrangian  distortion + β (KL − R);  β climbs
along its own gradient, KL − R, while the model descends. In logarithms β stays positive and the same step
serves every rate:

    log β  ←  log β + η · log(KL / R)

Sources: Alemi et al., Fixing a Broken ELBO (2018); Rezende & Viola, Taming VAEs (2018), which hold the
distortion in this way instead of the rate.
"""

from __future__ import annotations

import math

STEP = 0.05  # η: at a KL that is off by the factor e, β changes by 5 % a step


def adapt_log_beta(log_beta: float, kl: float, rate: float) -> float:
    """Move log β one step towards the weight at which the KL is the rate.

    Args:
        log_beta: logarithm of the KL term's weight in the step just taken.
        kl: KL of that step's batch, nats per image.
        rate: where it should be, nats per image.

    Returns:
        The logarithm for the next step: larger if the KL was above the rate.
    """
    error = math.log(max(kl, 1e-9) / rate)
    return log_beta + STEP * min(max(error, -1.0), 1.0)  # clipped: a new model's KL is close to 0
