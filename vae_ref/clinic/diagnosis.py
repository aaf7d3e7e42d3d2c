"""From evidence to a diagnosis: a chart of numbers, and the order in which to read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vae_ref.bound import elbo, optimal_sigma
from vae_ref.clinic.evidence import gradient_reach, price_of_a_nat, sampler_spread, vital_signs
from vae_ref.clinic.finding import examined
from vae_ref.clinic.probes import uses_latent
from vae_ref.networks import VAE

FEW = 8  # images whose codes are drawn


def take_chart(model: VAE, x: Tensor, num_draws: int = 100) -> dict[str, float]:
    """All evidence about a model.

    Args:
        model: a trained VAE.
        x: images it was trained on or is meant for, (B, 3, 64, 64), in [0, 1]; better 30 of them.
        num_draws: codes of an image, to see how the sampler spreads.

    Returns:
        What ``vital_signs`` gives, and uses_latent, spread_training, spread_evaluation, gradient_mu, gradient_logvar,
        price (in evaluation mode), and with one sample of the codes in training mode loss, what the model makes small,
        and bound, minus the ELBO of its pictures and codes; both in nats per image.
    """
    chart: dict[str, float] = {"uses_latent": uses_latent(model, x), **vital_signs(model, x)}
    for mode, training in (("training", True), ("evaluation", False)):
        with examined(model, training):
            chart[f"spread_{mode}"] = sampler_spread(model, x[:FEW], num_draws)
    with examined(model, training=True):
        chart["gradient_mu"], chart["gradient_logvar"] = gradient_reach(model, x)
    with examined(model, training=False):
        chart["price"] = price_of_a_nat(model, x)
    with examined(model, training=True), torch.no_grad():
        x_hat, mu, logvar = model(x)
        chart["bound"] = -elbo(x, x_hat, mu, logvar, optimal_sigma(x, x_hat)).mean().item()
    chart["loss"] = chart["bound"]
    loss: Any = getattr(model, "loss", None)
    if loss is not None:
        with examined(model, training=True), torch.no_grad():  # the same noise once more
            chart["loss"] = loss(x).item()
    return chart


def diagnose(chart: Mapping[str, float]) -> str:
    """The one defect that explains a chart.

    The order matters. A code that says nothing also has no gradient, no sign and no use, so a collapse is looked for
    first; and a defect in one place moves the price of all that comes after it, so the price is looked at last.

    Args:
        chart: as of ``take_chart``.

    Returns:
        The name of the defect as in ``WARD``, or healthy.
    """
    spreads = chart["spread_training"], chart["spread_evaluation"]
    if chart["active"] == 0:
        # likelihoods that explain what pictures do not show make the loss better than the pictures are
        return "over-strong decoder" if chart["loss"] < chart["bound"] - 1 else "starved code"
    if not chart["uses_latent"]:
        return "bypass"
    if not 0.9 < spreads[0] < 1.1:
        return "no noise in training" if spreads[0] < 0.01 and 0.9 < spreads[1] < 1.1 else "wrong spread"
    if chart["gradient_mu"] == 0:
        return "cut gradient"
    if not 0.02 < chart["negative"] < 0.98:
        return "one-sided mean"
    if chart["twice"] > 1e-6:
        return "noisy evaluation"
    if chart["lowest"] < -0.01 or chart["highest"] > 1.01:
        return "wrong range"
    if abs(chart["brightness"]) > 0.02:
        return "wrong target"
    return "cheap code" if chart["price"] < 0.5 else "healthy"
