"""What the page shows about several models together: side by side, against codecs, under several likelihoods."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vae_ref import figures
from vae_ref.codecs import RatePoint, smallest_gain
from vae_ref.generation import generate, reconstruct
from vae_ref.networks import VAE
from vae_ref.report import charts
from vae_ref.report.page import Section, html_table

LOW, HIGH = 60.0, 300.0  # bytes a picture between which the curves are compared

# column of the comparison: where the number is, and how it is shown
COLUMNS = {
    "bits/dim": (("bits_per_dim",), "{:.3f}"),
    "KL, nats": (("kl",), "{:.0f}"),
    "bytes": (("kl_bytes",), "{:.0f}"),
    "PSNR, dB": (("psnr",), "{:.2f}"),
    "SSIM": (("ssim",), "{:.3f}"),
    "active units": (("active_units",), "{}"),
    "Fréchet, samples": (("classifier_frechet", "samples"), "{:.2f}"),
    "Fréchet, recon\u00adstructions": (("classifier_frechet", "reconstructions"), "{:.2f}"),
    "fine detail": (("high_frequency", "reconstructions"), "{:.2f}"),
    "probe": (("probe_accuracy",), "{:.1%}"),
}


def comparison_section(
    models: Mapping[str, VAE], evaluations: Mapping[str, dict[str, Any]], x: Tensor, seed: int
) -> Section:
    """The models beside each other: their numbers, the same pictures through each, and samples of each.

    Args:
        models: by their titles.
        evaluations: numbers of each.
        x: test images, (N, 3, 64, 64).
        seed: of the samples.
    """
    rows = [(name, *_cells(evaluations[name])) for name in models]
    table = html_table(
        "Numbers of the test side; a model that ignores its code is broken.",
        ("Model", "code", *COLUMNS),
        rows,
    )
    restored = torch.stack([x, *(reconstruct(model, x) for model in models.values())])
    alt = f"{len(x)} test images in the upper row, and below what each model makes of them: {', '.join(models)}."
    drawn = torch.stack(
        [generate(model, len(x), torch.Generator().manual_seed(seed)) for model in models.values()]
    )
    return Section(
        "Models side by side",
        "The Fréchet distance is measured in the features of a classifier that was trained on the same data: it is not "
        "FID. Fine detail is the power at high frequencies as a share of the test pictures’. The probe reads the class "
        "off the code.",
        [
            table,
            figures.image_grid(restored, alt, ("image", *models)),
            figures.image_grid(
                drawn, f"Samples of each model, a row each: {', '.join(models)}.", tuple(models)
            ),
        ],
    )


def _cells(evaluation: dict[str, Any]) -> Iterator[str]:
    yield "in use" if evaluation["swap_probe"]["passed"] else "ignored: broken"
    for path, form in COLUMNS.values():
        value: Any = evaluation
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        yield "–" if value is None else form.format(value)


def rate_distortion_section(measured: list[dict[str, Any]], codecs: list[dict[str, Any]]) -> Section:
    """The curves of models and codecs.

    Args:
        measured: results of ``PlaceOnCurve``, ``ModelPoint`` as plain values.
        codecs: "lossy" results of ``MeasureCodecs``, ``RatePoint`` as plain values.
    """
    exact = {point["sampled"]["setting"]: point["psnr_of_mean_code"] for point in measured}
    models = _curves([point["sampled"] for point in measured])
    theirs = _curves(codecs)
    every = [point for curves in (models, theirs) for points in curves.values() for point in points]
    rows = [
        (
            point.name,
            point.setting,
            f"{point.bytes:.0f}",
            f"{point.container_bytes:.0f}" if point.container_bytes else "–",
            f"{point.psnr:.2f}",
            f"{point.psnr_of_mean_error:.2f}",
            f"{exact[point.setting]:.2f}" if point.setting in exact else "–",
        )
        for point in every
    ]
    columns = (
        "Curve",
        "Setting",
        "Bytes",
        "of these container",
        "PSNR, dB",
        "PSNR of mean error",
        "PSNR of mean code",
    )
    text = (
        "How good a picture of 64×64 can be for how many bytes. Codecs are charged for the whole file; dotted lines "
        "show them without its container, which a plain grey picture’s file measures. Models are charged the ideal "
        "code length of their KL, and shown with pictures decoded from samples: relative entropy coding sends a sample "
        "for about two bytes more at most. Nobody has written these files. "
        + " ".join(_verdicts(models, theirs))
    )
    return Section(
        "Rate and distortion",
        text,
        [
            charts.rate_distortion(models, theirs),
            html_table("Means over the same test pictures.", columns, rows),
        ],
    )


def _curves(points: list[dict[str, Any]]) -> dict[str, list[RatePoint]]:
    curves: dict[str, list[RatePoint]] = {}
    for point in (RatePoint(**values) for values in points):
        curves.setdefault(point.name, []).append(point)
    return {name: sorted(points, key=lambda point: point.bytes) for name, points in curves.items()}


def _verdicts(models: dict[str, list[RatePoint]], codecs: dict[str, list[RatePoint]]) -> Iterator[str]:
    """What the longest curve of a model is worth against each codec between 60 and 300 bytes."""
    name, curve = max(models.items(), key=lambda item: len(item[1]))
    reach = f"which reaches from {curve[0].bytes:.0f} to {curve[-1].bytes:.0f}"
    yield f"From {LOW:.0f} to {HIGH:.0f} bytes, the curve “{name}”, {reach}:"
    for codec, points in codecs.items():
        bare = [replace(point, bytes=point.bytes - point.container_bytes) for point in points]
        yield f"{codec}, whole files: {_gain(curve, points)}; without container: {_gain(curve, bare)}."


def _gain(curve: list[RatePoint], codec: list[RatePoint]) -> str:
    """Where and by how much a model's curve lies above a codec's at its worst, in words."""
    gain = smallest_gain(curve, codec, LOW, HIGH)
    if math.isinf(gain):
        return f"none there to compare, the smallest takes {codec[0].bytes:.0f} bytes"
    place = f"{abs(gain):.1f} dB {'above' if gain > 0 else 'below'} it"
    return f"at its worst {place} where both have pictures (codec from {codec[0].bytes:.0f} bytes)"


def likelihood_section(
    evaluations: Mapping[str, dict[str, Any]],
    latent_free: Mapping[str, float],
    lossless: Mapping[str, float],
    num_dims: int,
) -> Section:
    """One table of bits per dim under ever better likelihoods, and what they hide.

    Args:
        evaluations: numbers of "vae", and of "spectrum-collapsed" and "spectrum-cured" if they were trained.
        latent_free: see ``latent_free_bits``.
        lossless: bits per dim of files by their format.
        num_dims: pixel values in a picture.
    """
    nothing = ("–", "–", "–")
    rows = [("no model: uniform", "8.000", *nothing)]
    main = evaluations["vae"]
    calibrated = main["bits_per_dim_calibrated"]
    for text, bits in (
        ("one σ = 1, the “MSE loss”", unit_sigma_bits(main, num_dims)),
        ("one σ, the best", main["bits_per_dim"]),
        ("colours: a 3×3 covariance", calibrated["colour"]),
        ("colours × spectrum, fitted after training", calibrated["spectrum"]),
        ("the same around filtered pictures, with scales", calibrated["filtered"]),
    ):
        rows.append(_likelihood_row(text, bits, main))
    for name, text in (
        ("spectrum-collapsed", "colours × spectrum, trained under it: collapsed"),
        ("spectrum-cured", "colours × spectrum, trained under it at a committed rate"),
    ):
        if name in evaluations:
            found = evaluations[name]
            rows.append(_likelihood_row(text, found["bits_per_dim_calibrated"]["filtered"], found))
    for key, text in (
        ("sigma", "no code, the mean picture: one σ"),
        ("spectrum", "no code: colours × spectrum"),
        ("scales", "no code: the same with scales"),
    ):
        rows.append((text, f"{latent_free[key]:.3f}", *nothing))
    names = {"PNG": "PNG files", "WEBP": "lossless WebP files"}
    rows += [(names[form], f"{bits:.3f}", *nothing) for form, bits in lossless.items()]
    return Section(
        "Likelihoods",
        "The same net under likelihoods that know more and more about pictures, then nets trained under the best of "
        "them, then the same likelihoods without any code. Where a likelihood explains everything, the code has "
        "nothing left to say: watch the KL and the PSNR beside the bits. What the collapsed net decodes is noise, "
        "not a blur: the filter in its likelihood replaces it by the mean picture. Only what lies below the last row "
        "without a code is owed to the code. No model is chosen by bits per dim alone.",
        [
            html_table(
                "Bits per dim are upper bounds on the test side, files are counted whole.",
                ("Likelihood", "Bits/dim", "KL, nats", "PSNR, dB", "Active units"),
                rows,
            )
        ],
    )


def _likelihood_row(text: str, bits: float, found: dict[str, Any]) -> tuple[str, str, str, str, str]:
    units = f"{found['active_units']} of {found['latent_dim']}"
    return text, f"{bits:.3f}", f"{found['kl']:.1f}", f"{found['psnr']:.2f}", units


def unit_sigma_bits(evaluation: dict[str, Any], num_dims: int) -> float:
    """Bits per dim of the same model had σ been left at 1, from its numbers at its own σ.

    Args:
        evaluation: with "reconstruction", "kl" and "sigma".
        num_dims: pixel values in a picture, D.
    """
    sigma, constant = evaluation["sigma"], 0.5 * math.log(2 * math.pi)
    # −log p(x|z) = ‖x − x̂‖² / 2σ² + D (log σ + ½ log 2π): solved for ‖x − x̂‖² / 2
    half_square = sigma**2 * (evaluation["reconstruction"] - num_dims * (math.log(sigma) + constant))
    nats = half_square + num_dims * constant + evaluation["kl"]
    return nats / (num_dims * math.log(2)) + 8
