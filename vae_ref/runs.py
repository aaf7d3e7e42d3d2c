"""Open the data and the model of a run, and measure them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vae_ref.checkpoint import Checkpoint, Progress, load_checkpoint
from vae_ref.config import Config
from vae_ref.devices import machine
from vae_ref.dogs import DogData, entropy_floor, load_paper, load_stanford
from vae_ref.dogs.archives import default_photos_dir
from vae_ref.errors import CourseError
from vae_ref.evaluation import calibrate, evaluate_model
from vae_ref.networks import VAE
from vae_ref.trainer import split_validation
from vae_ref.weights import Origin, load_classifier, load_weights


@dataclass(frozen=True)
class Run:
    """A trained model with the data it belongs to."""

    folder: Path
    checkpoint: Checkpoint
    config: Config
    progress: Progress
    model: VAE
    data: DogData


def open_data(config: Config, root: Path | None, cache: Path | None, strict: bool) -> DogData:
    """Open the data a configuration names.

    Raises:
        CourseError: the photos are in neither ``root`` nor the default folder, or cannot be read.
    """
    if config.data == "paper":
        return load_paper(cache=cache)
    return load_stanford(root or default_photos_dir(), cache=cache, strict=strict)


def open_run(
    folder: Path,
    root: Path | None = None,
    cache: Path | None = None,
    strict: bool = False,
    data_name: str | None = None,
) -> Run:
    """Open a run with its data.

    Args:
        folder: where it was trained.
        root: the photos' folder, if they have moved since.
        cache: folder of the prepared pictures; the user's cache folder if None.
        strict: refuse damaged photos.
        data_name: what the run should have been trained on; anything if None.

    Raises:
        CourseError: there is no run, or its data are missing, have changed or are not the ones named.
    """
    checkpoint = load_checkpoint(folder)
    config = checkpoint.settings()
    if data_name not in (None, config.data):
        raise CourseError(f"{folder} was trained on {config.data} data, not on {data_name}: leave --data out")
    if root is None and checkpoint.root:
        root = Path(checkpoint.root)
    data = open_data(config, root, cache, strict)
    if data.fingerprint != checkpoint.fingerprint:
        raise CourseError(
            f"{folder} was trained on other {config.data} data ({checkpoint.fingerprint}) than these "
            f"({data.fingerprint}); pass the folder it was trained on with --root"
        )
    model, progress = checkpoint.build_model(), Progress(**checkpoint.progress)
    if not progress.finished:  # the training was stopped before its end, where σ is fitted
        calibrate(model, split_validation(data.train, config)[1], config.seed)
    return Run(folder, checkpoint, config, progress, model, data)


def open_weights(
    name: str,
    root: Path | None = None,
    cache: Path | None = None,
    strict: bool = False,
    data_name: str | None = None,
) -> tuple[VAE, Origin, DogData]:
    """Open weights that come with the course, with the data they were trained on.

    Args:
        name: see ``vae_ref.weights.NAMES``.
        root, cache, strict, data_name: as for ``open_run``.

    Raises:
        CourseError: there are no such weights, or the data are missing or not the ones named.
    """
    model, origin = load_weights(name)
    if data_name not in (None, origin.config.data):
        raise CourseError(
            f"the weights {name} were trained on {origin.config.data} data, not on {data_name}: leave --data out"
        )
    data = open_data(origin.config, root, cache, strict)
    if data.fingerprint != origin.fingerprint:
        warnings.warn(
            f"the weights {name} were trained on other {data.name} data ({origin.fingerprint}) than these "
            f"({data.fingerprint}): expect other numbers than their card's",
            stacklevel=2,
        )
    return model, origin, data


def measure(run: Run) -> dict[str, Any]:
    """The main numbers of a run: quality on the test side, speed, and what they were measured with."""
    metrics: dict[str, Any] = evaluate_model(run.model, run.data.test).as_dict()
    if run.config.data == "paper":
        metrics["entropy_floor"] = entropy_floor()
    return {**metrics, **describe(run.model, run.config, run.data), **training_facts(run.progress)}


def measure_fully(model: VAE, config: Config, data: DogData, fid: bool = False) -> dict[str, Any]:
    """Every number about a model's quality, see ``evaluate_fully``, and what they were measured with.

    Raises:
        CourseError: FID is asked for and its network is not to be had; the data's classifier is missing.
    """
    from vae_ref.evaluation.full import evaluate_fully  # scikit-learn: slow to import, and only needed here

    classifier = load_classifier(data.name)
    return {**evaluate_fully(model, config, data, classifier, fid=fid), **describe(model, config, data)}


def describe(model: VAE, config: Config, data: DogData) -> dict[str, Any]:
    """What was measured, on which data and machine."""
    return {
        "data": config.data,
        "split": "test",
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "machine": machine(),
        "config": config.as_dict(),
        "fingerprint": data.fingerprint,
    }


def training_facts(progress: Progress) -> dict[str, Any]:
    """Length and speed of a training."""
    return {
        "training_images_per_second": progress.images / max(progress.seconds, 1e-9),
        "training_seconds": progress.seconds,
        "training_cpu_seconds": progress.cpu_seconds,
        "training_images": progress.images,
        "steps": progress.step,
    }
