"""Model cards: what stands in NAME.json, said in NAME.md, so that the two cannot tell different stories."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from vae_ref.config import Config
from vae_ref.dogs import DogData
from vae_ref.errors import CourseError
from vae_ref.evaluation import evaluate_model
from vae_ref.files import write_text
from vae_ref.runs import measure_fully, open_run
from vae_ref.weights import FOLDER, NAMES, read_model, save_weights

# core number: (how it is shown, what it is)
SPREAD = {
    "bits_per_dim": ("{:.3f}", "bits/dim, shared σ"),
    "kl": ("{:.1f}", "rate (KL), nats an image"),
    "kl_bytes": ("{:.1f}", "rate, bytes an image under an ideal coder"),
    "psnr": ("{:.2f}", "PSNR of reconstructions, dB"),
    "ssim": ("{:.3f}", "SSIM of reconstructions"),
    "active_units": ("{:.0f}", "active units"),
}

TITLES = {
    "paper": "VAE of Paper Dogs",
    "stanford": "VAE of Stanford Dogs",
    "stanford-two-level": "Two-level VAE of Stanford Dogs",
    "stanford-vae-gan": "VAE-GAN of Stanford Dogs",
}
DATA = {
    "paper": "Paper Dogs, 64×64 pictures drawn by the code of this project, under its own licence (MIT).",
    "stanford": (
        "Stanford Dogs (Khosla et al., 2011), cut to the annotated boxes, 64×64. The photos come from ImageNet, "
        "whose terms allow non-commercial research and education; they are not part of this project, and weights "
        "trained on them should be used in that spirit."
    ),
}
USE = (
    "Teaching: to see what an autoencoder of this kind learns, to compare one's own with it, to reproduce the "
    "numbers below. Not for recognising breeds, for compressing pictures, or for pictures of anything but dogs."
)


def publish(name: str, runs: list[Path], known_failures: list[str], root: Path | None) -> None:
    """Ship a trained model: write its weights, the numbers of its card and the card.

    Args:
        name: one of ``NAMES``.
        runs: folders of finished runs that differ in their seed only; the first one is shipped.
        known_failures: a sentence each, from looking at the pictures.
        root: the photos' folder, if they have moved since.

    Raises:
        CourseError: there is no such name, the first run is not finished, the runs differ in more than the seed, or a
            file cannot be written.
    """
    if name not in NAMES:
        raise CourseError(f"there are no weights named {name!r}; choose one of {', '.join(NAMES)}")
    opened = [open_run(folder, root) for folder in runs]
    shipped = opened[0]
    if not shipped.progress.finished:
        raise CourseError(f"{shipped.folder} is not finished; continue it with the command that started it")
    seeds = {}
    for run in opened:
        _require_same_but_seed(shipped.config, run.config, run.folder)
        if str(run.config.seed) in seeds:
            raise CourseError(
                f"two of the runs have the seed {run.config.seed}; pass runs of different seeds"
            )
        numbers = evaluate_model(run.model, run.data.test).as_dict()
        seeds[str(run.config.seed)] = {key: numbers[key] for key in SPREAD}
    path = FOLDER / f"{name}.safetensors"
    save_weights(shipped.model, shipped.config, shipped.data.fingerprint, path)
    model, origin = read_model(path)  # what is measured is what was written, in half precision
    card = {
        "name": name,
        "split": _split(shipped.data, shipped.config),
        "file_bytes": path.stat().st_size,
        "cpu_hours": shipped.progress.cpu_seconds / 3600,
        "training_images": shipped.progress.images,
        "steps": shipped.progress.step,
        "trained_on": shipped.progress.machine,
        "known_failures": known_failures,
        "seeds": seeds,
        "metrics": measure_fully(model, origin.config, shipped.data),
    }
    write_text(FOLDER / f"{name}.json", json.dumps(card, indent=1) + "\n")
    write_text(FOLDER / f"{name}.md", render_card(card))


def render_card(card: dict[str, Any]) -> str:
    """The card, in Markdown."""
    metrics, config = card["metrics"], card["metrics"]["config"]
    settings = ", ".join(f"{name} {value}" for name, value in config.items() if value not in (None, ""))
    failures = "\n".join(f"- {sentence}" for sentence in card["known_failures"])
    return f"""# {TITLES[card["name"]]}

Weights `{card["name"]}` of the course: {metrics["parameters"]:,} parameters, {card["file_bytes"] / 1e6:.1f} MB
in half precision. The numbers below: `vae-ref evaluate --weights {card["name"]}`.

## Intended use

{USE}

## Data

{DATA[metrics["data"]]}
Split: {card["split"]}. Fingerprint of the prepared pictures: `{metrics["fingerprint"]}`.

## Training

{card["steps"]:,} steps on {card["training_images"]:,} pictures (repeats counted), {card["cpu_hours"]:.2f} CPU hours.
Settings: {settings}.
Machine: {card["trained_on"]}.

## Quality

On {metrics["num_images"]:,} test pictures. The shipped model has seed {config["seed"]}; beside it mean ± standard
deviation over the seeds {", ".join(card["seeds"])}, each of them a training of its own.

| | shipped | over {len(card["seeds"])} seeds |
|---|---|---|
{_spread_rows(card)}

{_verdict(metrics)}

| of the shipped model | |
|---|---|
{_detail_rows(metrics)}

## Known failures

{failures}
"""


def _spread_rows(card: dict[str, Any]) -> str:
    rows = []
    for key, (form, text) in SPREAD.items():
        values = [numbers[key] for numbers in card["seeds"].values()]
        spread = f" ± {form.format(statistics.stdev(values))}" if len(values) > 1 else ""
        shipped, mean = form.format(card["metrics"][key]), form.format(statistics.mean(values))
        rows.append(f"| {text} | {shipped} | {mean}{spread} |")
    return "\n".join(rows)


def _verdict(metrics: dict[str, Any]) -> str:
    probe = metrics["swap_probe"]
    cost = (
        f"{probe['own_psnr']:.2f} dB with its own code, {probe['swapped_psnr']:.2f} dB with another image's"
    )
    return f"Swap probe: {cost}" + ("." if probe["passed"] else "; **broken: the code is ignored**.")


def _detail_rows(metrics: dict[str, Any]) -> str:
    iwae, frechet = metrics["iwae"], metrics["classifier_frechet"]
    fine, known = metrics["high_frequency"], metrics["recognition"]
    task = "breeds named" if metrics["data"] == "stanford" else "variance of the factors explained"
    rows = {
        f"bits/dim, importance-weighted, {iwae['num_samples']} codes, {iwae['num_images']} pictures": (
            f"{iwae['bits_per_dim']:.3f}"
        ),
        "bits/dim, colour covariance refitted": f"{metrics['bits_per_dim_calibrated']['colour']:.3f}",
        "bits/dim, spectrum refitted": f"{metrics['bits_per_dim_calibrated']['spectrum']:.3f}",
        "bits/dim, spectrum with scales, around filtered pictures": (
            f"{metrics['bits_per_dim_calibrated']['filtered']:.3f}"
        ),
        "σ of a pixel": f"{metrics['sigma']:.4f}",
        "class from a linear probe of the code (chance)": (
            f"{metrics['probe_accuracy']:.1%} ({metrics['probe_chance']:.1%})"
        ),
        f"Fréchet distance in our classifier's features, {frechet['num_pictures']} pictures (not FID): samples": (
            f"{frechet['samples']:.2f}"
        ),
        "the same, reconstructions": f"{frechet['reconstructions']:.2f}",
        "the same, real pictures": f"{frechet['real']:.2f}",
        "fine detail relative to real pictures: samples, reconstructions": (
            f"{fine['samples']:.2f}, {fine['reconstructions']:.2f}"
        ),
        f"our classifier, {task}: real pictures, reconstructions": (
            f"{known['real']:.1%}, {known['reconstructions']:.1%}"
        ),
    }
    if "samples_of_normal" in frechet:
        rows["the same, decoded from N(0, I) instead of the learned prior"] = (
            f"{frechet['samples_of_normal']:.2f}"
        )
    if "mig" in metrics:
        parts = metrics["dci"]
        rows["MIG"] = f"{metrics['mig']:.3f}"
        rows["DCI: disentanglement, completeness, informativeness"] = ", ".join(
            f"{parts[part]:.3f}" for part in ("disentanglement", "completeness", "informativeness")
        )
        rows["entropy floor, bits/dim"] = f"{metrics['entropy_floor']:.3f}"
    return "\n".join(f"| {text} | {value} |" for text, value in rows.items())


def _split(data: DogData, config: Config) -> str:
    kept = min(config.num_validation, len(data.train) // 10)
    kind = "official" if data.name == "stanford" else "series of their own"
    return (
        f"{kind}, {len(data.train):,} training pictures, {kept:,} of them kept aside for σ, and "
        f"{len(data.test):,} test pictures"
    )


def _require_same_but_seed(shipped: Config, other: Config, folder: Path) -> None:
    for name, value in other.as_dict().items():
        # a VAE-GAN continues the VAE of its own seed
        if name not in ("seed", "start_from") and value != getattr(shipped, name):
            raise CourseError(
                f"{folder} has {name} = {value!r}, the shipped run {getattr(shipped, name)!r}; "
                "pass runs that differ in their seed only"
            )
