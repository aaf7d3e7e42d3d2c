"""Open the data and the model of a run, and measure them."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vae_ref.checkpoint import Checkpoint, Progress, load_checkpoint
from vae_ref.config import Config
from vae_ref.dogs import DogData, entropy_floor, load_paper, load_stanford
from vae_ref.errors import CourseError
from vae_ref.evaluation import evaluate_model
from vae_ref.networks import VAE


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
        CourseError: photos are asked for without saying where they are, or cannot be read.
    """
    if config.data == "paper":
        return load_paper(cache=cache)
    if root is None:
        raise CourseError(
            "Stanford Dogs needs --root DIR, the folder with images.tar, annotation.tar and lists.tar; "
            "--data paper needs no files"
        )
    return load_stanford(root, cache=cache, strict=strict)


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
    return Run(folder, checkpoint, config, Progress(**checkpoint.progress), checkpoint.build_model(), data)


def measure(run: Run) -> dict[str, Any]:
    """All numbers of a run: quality on the test side, speed, and what they were measured with."""
    metrics: dict[str, Any] = evaluate_model(run.model, run.data.test).as_dict()
    if run.config.data == "paper":
        metrics["entropy_floor"] = entropy_floor()
    return {
        **metrics,
        "data": run.config.data,
        "split": "test",
        "training_images_per_second": run.progress.images / max(run.progress.seconds, 1e-9),
        "training_seconds": run.progress.seconds,
        "training_images": run.progress.images,
        "steps": run.progress.step,
        "parameters": sum(parameter.numel() for parameter in run.model.parameters()),
        "machine": machine(),
        "config": run.config.as_dict(),
        "fingerprint": run.data.fingerprint,
    }


def machine() -> str:
    """Processor, threads and torch version: what a speed was measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    found = (
        re.search(r"^model name\s*:\s*(.*)$", cpuinfo.read_text(), re.MULTILINE)
        if cpuinfo.is_file()
        else None
    )
    name = found.group(1) if found else platform.processor() or platform.machine()
    return f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}"
