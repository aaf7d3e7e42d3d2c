"""The ward: who lies there, what ails them, what shows it, and what helps."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vae_ref.clinic.broken import (
    AveragedKL,
    DetachedSample,
    LogvarAsSigma,
    MeanReconstruction,
    NoiseInEvaluation,
    NoNoiseInTraining,
    ReluMean,
    SignedTargets,
    SkipConnection,
    StrongDecoder,
    TanhOutput,
)
from vae_ref.clinic.finding import Finding, Probe
from vae_ref.clinic.pocket import PocketVAE
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
)
from vae_ref.networks import VAE


@dataclass(frozen=True)
class Patient:
    """A row of the ward.

    Attributes:
        broken: the class; ``broken(latent_dim).settle(x)`` is the model at the end of its training.
        diagnosis: the name of the defect, as :func:`vae_ref.clinic.diagnosis.diagnose` gives it.
        organ: the method that is broken: ``encode``, ``draw``, ``decode`` or ``loss``.
        symptom: what its author sees.
        cure: what to change.
        exposed_by: the probe that was made for it; others may find it too.
    """

    broken: type[PocketVAE]
    diagnosis: str
    organ: str
    symptom: str
    cure: str
    exposed_by: Probe

    @property
    def name(self) -> str:
        return self.broken.__name__


WARD: tuple[Patient, ...] = (
    Patient(
        SkipConnection,
        "bypass",
        "decode",
        "reconstructions are superb, and samples of the prior show whatever the model saw last",
        "let nothing but the code reach the decoder",
        swap_codes,
    ),
    Patient(
        LogvarAsSigma,
        "wrong spread",
        "draw",
        "latents that the KL believes to be noise carry pictures for free, and precise ones drown in noise",
        "draw with σ = exp(logvar / 2), the σ that the KL is charged for",
        compare_sampler_with_logvar,
    ),
    Patient(
        MeanReconstruction,
        "starved code",
        "loss",
        "the KL falls to 0 and every image is decoded to the average picture",
        "sum the error over pixels, as the KL is summed over latents; reduce over the batch only",
        count_active_units,
    ),
    Patient(
        AveragedKL,
        "cheap code",
        "loss",
        "reconstructions are good and the rate is high: the code pays far more nats than they buy",
        "sum the KL over latents; if a smaller weight is meant, write it down as β",
        ask_the_price,
    ),
    Patient(
        ReluMean,
        "one-sided mean",
        "encode",
        "codes are never negative, so all images on one side of 0 look the same, and half of the prior is never used",
        "a linear head: a mean may be negative",
        look_for_both_signs,
    ),
    Patient(
        DetachedSample,
        "cut gradient",
        "draw",
        "the encoder learns from the KL alone and forgets the images, while the decoder does what it can",
        "draw where gradients are recorded: z = mu + exp(logvar / 2) · eps, without no_grad or detach",
        follow_gradient,
    ),
    Patient(
        NoiseInEvaluation,
        "noisy evaluation",
        "encode",
        "the same image is reconstructed differently each time, and measured codes flicker",
        "return mu from encode; draw in draw",
        reconstruct_twice,
    ),
    Patient(
        NoNoiseInTraining,
        "no noise in training",
        "draw",
        "an autoencoder: the KL is paid for noise that training never saw, and logvar learns nothing about the images",
        "draw in training too; what may be left out in evaluation is needed there",
        compare_sampler_with_logvar,
    ),
    Patient(
        TanhOutput,
        "wrong range",
        "decode",
        "pictures are grey and too dark, with negative pixels where images are black",
        "a sigmoid for images in [0, 1]; a tanh only if the images are scaled to [−1, 1] everywhere",
        look_at_range,
    ),
    Patient(
        SignedTargets,
        "wrong target",
        "loss",
        "the loss falls below 0 without end, and everything darker than middle grey turns black",
        "targets in [0, 1] for a cross-entropy; or a Gaussian likelihood, whose minimum is at the image",
        compare_brightness,
    ),
    Patient(
        StrongDecoder,
        "over-strong decoder",
        "loss",
        "the loss is as good as ever, the KL is 0, and every image is decoded to the same blur",
        "a likelihood that leaves the pictures to the code; where structure is wanted, free bits or a committed rate",
        count_active_units,
    ),
)

PROBES: tuple[Probe, ...] = (
    swap_codes,
    count_active_units,
    compare_with_prior,
    ask_the_price,
    compare_sampler_with_logvar,
    follow_gradient,
    look_for_both_signs,
    reconstruct_twice,
    look_at_range,
    compare_brightness,
)


def examine(model: VAE, x: Tensor) -> tuple[Finding, ...]:
    """Put a model through all probes.

    Args:
        model: a trained VAE.
        x: images it was trained on or is meant for, (B, 3, 64, 64), in [0, 1]; at least 2 different ones, better 30.

    Raises:
        TypeError, ValueError: ``x`` is not at least 2 different colour images in [0, 1].
    """
    return tuple(probe(model, x) for probe in PROBES)
