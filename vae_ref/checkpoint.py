"""Checkpoints: everything a run needs to go on as if it had never stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vae_ref.config import Config
from vae_ref.errors import CourseError
from vae_ref.files import write_atomically
from vae_ref.models import build_model, fill
from vae_ref.networks import VAE

FILE_NAME = "checkpoint.pt"
FORMAT = 2


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        step: optimizer steps taken.
        images: training images seen, repeats counted.
        seconds: time spent training.
        cpu_seconds: processor time spent training, all threads of this process together.
        machine: where it was trained last.
        finished: whether it came to its end, where σ and a learned prior are fitted.
        history: rows with "step", "images", "seconds", "loss", "reconstruction", "kl", "beta": training
            averages since the row before, nats per image.
        validation: rows with "step", "loss", "reconstruction", "kl".
        log_beta: logarithm of the KL term's weight while a rate is committed to.
    """

    step: int = 0
    images: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    machine: str = ""
    finished: bool = False
    history: list[dict[str, float]] = field(default_factory=list)
    validation: list[dict[str, float]] = field(default_factory=list)
    log_beta: float = 0.0


@dataclass
class Checkpoint:
    """A run as it is kept on disk.

    Attributes:
        config: the settings.
        fingerprint: of the data.
        root: folder the photos were read from; empty for paper dogs.
        progress: how far it has come, see ``Progress``.
        model, optimizer: their states.
        random_state: of the global generator of each kind of device in use.
        extra: states of what only training needs, by name.
    """

    config: dict[str, Any]
    fingerprint: str
    root: str
    progress: dict[str, Any]
    model: dict[str, Any]
    optimizer: dict[str, Any]
    random_state: dict[str, torch.Tensor]
    extra: dict[str, Any] = field(default_factory=dict)

    def build_model(self) -> VAE:
        """The trained model, ready for evaluation.

        Raises:
            CourseError: the tensors belong to another model.
        """
        model = build_model(self.settings())
        fill(model, self.model, "the checkpoint")
        return model.eval()

    def settings(self) -> Config:
        return Config(**self.config)


def save_checkpoint(run: Path, checkpoint: Checkpoint) -> None:
    """Replace the run's checkpoint; a crash while writing keeps the old one whole."""
    content = {"format": FORMAT, **vars(checkpoint)}
    write_atomically(run / FILE_NAME, lambda file: torch.save(content, file))


def sweep(run: Path) -> None:
    """Delete what processes that were killed while they wrote a checkpoint have left behind."""
    for torn in run.glob(f".{FILE_NAME}.*.tmp"):
        torn.unlink(missing_ok=True)


def load_checkpoint(run: Path) -> Checkpoint:
    """Read a run's checkpoint; it can hold tensors and plain values only, no code.

    Raises:
        CourseError: there is none, it is damaged, or another version of the course wrote it.
    """
    path = run / FILE_NAME
    if not path.is_file():
        raise CourseError(f"there is no checkpoint at {path}; train one with: vae-ref train --out {run}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        version = content.pop("format")
        if version == FORMAT:
            checkpoint = Checkpoint(**content)
            (
                checkpoint.settings(),
                Progress(**checkpoint.progress),
            )  # a later version may know more than this one
    except Exception as error:  # torch raises many kinds of errors for damaged files
        reason = str(error).split("\n")[0]
        raise CourseError(
            f"cannot read {path} ({reason}); delete it, or restore it, and train again"
        ) from error
    if version != FORMAT:
        raise CourseError(
            f"{path} has format {version}, this version reads {FORMAT}; train again in another folder"
        )
    return checkpoint
