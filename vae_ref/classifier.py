"""A small classifier trained on the course's own pictures: its features are where sets of pictures are compared.

It names the breed of a photo, and reads all ten factors off a paper dog. What it had to learn for that is what
``classifier_frechet`` looks at. It takes no part in any VAE.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from vae_ref.config import require_same
from vae_ref.devices import autocast
from vae_ref.dogs import FACTOR_NAMES, FACTORS, Batches, DogData, DogSet, augment
from vae_ref.dogs.dataset import take
from vae_ref.errors import CourseError
from vae_ref.files import write_atomically

FEATURE_DIM = 64
TOTAL_VARIANCE = 16.0  # of the features: a thousand paper dogs are then about 0.1 from a thousand others
FILE_NAME = "classifier.pt"
BATCH_SIZE = 64
LEARNING_RATE = 2e-3
LABEL_SMOOTHING = 0.1
SECONDS_BETWEEN_CHECKPOINTS = 30.0
MAX_SHIFT = 6  # pixels by which a training photo is moved


class _Block(nn.Module):
    """x + f(x) with two 3×3 convolutions. Not the VAE's: a ruler should not change with what it measures."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Conv2d(channels, channels, 3, padding=1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)  # starts as the identity
        self.body = nn.Sequential(
            nn.GroupNorm(8, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GroupNorm(8, channels),
            nn.SiLU(),
            last,
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Classifier(nn.Module):
    """64 features of a picture, and what the data's task reads off them.

    Args:
        task: "breed": logits of 120 breeds; "factors": the ten factors, each scaled to [-1, 1], the
            background, which is a place on a circle, as cosine and sine.

    Attributes:
        scale: scalar that brings the features of training pictures to a total variance of 16.

    Raises:
        ValueError: there is no such task.
    """

    scale: Tensor

    def __init__(self, task: str) -> None:
        super().__init__()
        num_outputs = {"breed": 120, "factors": len(FACTORS) + 1}
        if task not in num_outputs:
            raise ValueError(f"task must be 'breed' or 'factors', got {task!r}")
        self.task = task
        self.body = nn.Sequential(
            nn.Conv2d(3, 32, 4, stride=2, padding=1),  # (B, 32, 32, 32)
            _Block(32),
            nn.Conv2d(32, 64, 2, stride=2),  # (B, 64, 16, 16)
            _Block(64),
            nn.Conv2d(64, 96, 2, stride=2),  # (B, 96, 8, 8)
            _Block(96),
            nn.Conv2d(96, 64, 2, stride=2),  # (B, 64, 4, 4)
            nn.GroupNorm(8, 64),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(1024, FEATURE_DIM),
        )
        self.head = nn.Linear(FEATURE_DIM, num_outputs[task])
        self.register_buffer("scale", torch.tensor(1.0))

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, 3, 64, 64) in [0, 1] to scaled features, (B, 64)."""
        return self.body(2 * x - 1).to(x.dtype) * self.scale

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, 3, 64, 64) in [0, 1] to the task's outputs, (B, 120 or 11)."""
        return self.head(self.body(2 * x - 1)).to(x.dtype)


def factor_targets(factors: Tensor) -> Tensor:
    """Bring factors (B, 10) in their own units to what a classifier predicts, (B, 11), see there."""
    low, high = torch.tensor(list(FACTORS.values())).T
    scaled = 2 * (factors - low) / (high - low) - 1
    background = FACTOR_NAMES.index("background")
    angle = math.pi * scaled[:, background]  # once round the circle
    rest = [i for i in range(len(FACTORS)) if i != background]
    return torch.cat([scaled[:, rest], torch.stack([angle.cos(), angle.sin()], dim=1)], dim=1)


def train_classifier(data: DogData, epochs: int, seed: int, out: Path) -> Classifier:
    """Train the classifier of a data set, or continue where an earlier call was stopped.

    Args:
        data: the pictures; only their training side is used.
        epochs: passes over the training images, at least 1: the outcome does not depend on the machine's speed.
        seed: of the weights, the order of images and their variation.
        out: folder of the checkpoint.

    Returns:
        The classifier, ready for use.

    Raises:
        CourseError: the folder holds a classifier of other data or settings, or cannot be written.
    """
    torch.manual_seed(seed)
    model = Classifier("breed" if data.train.factors is None else "factors")
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.05)
    settings = {"task": model.task, "seed": seed, "epochs": epochs, "data": data.fingerprint}
    state = {"step": 0}
    if (out / FILE_NAME).exists():
        state = _resume(out / FILE_NAME, settings, model, optimizer)
    parts = (settings, state, model, optimizer)
    _loop(data.train, epochs * math.ceil(len(data.train) / BATCH_SIZE), out / FILE_NAME, *parts)
    _fit_scale(model, data.train)
    _save(out / FILE_NAME, *parts)
    return model.eval()


def _loop(
    dogs: DogSet,
    goal: int,
    path: Path,
    settings: dict[str, Any],
    state: dict[str, Any],
    model: Classifier,
    optimizer: torch.optim.Optimizer,
) -> None:
    last_save = time.perf_counter()
    model.train()
    with tqdm(total=goal, initial=state["step"], desc="classifier", unit="step") as bar:
        for rows in _rows(len(dogs), state["step"], settings["seed"]):
            if state["step"] >= goal:
                break
            share = state["step"] / goal
            for group in optimizer.param_groups:
                ramp = min(1.0, (state["step"] + 1) / 100)
                group["lr"] = LEARNING_RATE * ramp * (0.01 + 0.495 * (1 + math.cos(math.pi * share)))
            with autocast():
                loss = _loss(model, dogs, rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            state["step"] += 1
            bar.update()
            bar.set_postfix_str(f"loss {loss.item():.3f}", refresh=False)
            if time.perf_counter() - last_save > SECONDS_BETWEEN_CHECKPOINTS:
                _save(path, settings, state, model, optimizer)
                last_save = time.perf_counter()


def _rows(count: int, step: int, seed: int) -> Iterator[Tensor]:
    """Endless batches of row numbers from a step on; an epoch's order depends on seed and epoch alone."""
    steps_per_epoch = math.ceil(count / BATCH_SIZE)
    while True:
        epoch, first = divmod(step, steps_per_epoch)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        for rows in torch.randperm(count, generator=generator).split(BATCH_SIZE)[first:]:
            yield rows
            step += 1


def _loss(model: Classifier, dogs: DogSet, rows: Tensor) -> Tensor:
    x, labels = take(dogs, rows)
    if model.task == "breed":
        return functional.cross_entropy(model(_vary(x)), labels, label_smoothing=LABEL_SMOOTHING)
    assert dogs.factors is not None  # the task was chosen by their presence
    return functional.mse_loss(model(x), factor_targets(torch.from_numpy(dogs.factors[rows.numpy()])))


def _vary(x: Tensor) -> Tensor:
    """Mirror, brighten and shift each photo at random; what moves in at an edge repeats the edge."""
    padded = functional.pad(augment(x), (MAX_SHIFT,) * 4, mode="replicate")
    offsets = torch.randint(0, 2 * MAX_SHIFT + 1, (len(x), 2)).tolist()
    size = x.shape[-1]
    return torch.stack([p[:, i : i + size, j : j + size] for p, (i, j) in zip(padded, offsets, strict=True)])


@torch.no_grad()
def _fit_scale(model: Classifier, dogs: DogSet) -> None:
    """Make the total variance of the training pictures' features ``TOTAL_VARIANCE``."""
    model.eval()
    model.scale.fill_(1.0)
    features = torch.cat([model.features(x) for x, _ in Batches(dogs, 256)])
    model.scale.fill_((TOTAL_VARIANCE / features.var(dim=0).sum()).sqrt().item())


@torch.no_grad()
def classifier_scores(model: Classifier, dogs: DogSet) -> dict[str, float]:
    """How well a classifier knows pictures it was not trained on.

    Args:
        model: a trained classifier.
        dogs: the pictures; they need factors where the task is to read them.

    Returns:
        "breed_accuracy", the share of right first guesses; or for each factor, and in the mean as
        "r2", the share of its variance that is explained.
    """
    outputs = torch.cat([model(x) for x, _ in Batches(dogs, 256)])
    if model.task == "breed":
        return {"breed_accuracy": (outputs.argmax(dim=1).numpy() == np.asarray(dogs.labels)).mean().item()}
    targets = factor_targets(torch.from_numpy(np.asarray(dogs.factors)))
    explained = 1 - (outputs - targets).square().mean(dim=0) / targets.var(dim=0, unbiased=False)
    names = [name for name in FACTOR_NAMES if name != "background"] + ["background_cos", "background_sin"]
    return {"r2": explained.mean().item(), **dict(zip(names, explained.tolist(), strict=True))}


def _save(
    path: Path,
    settings: dict[str, Any],
    state: dict[str, Any],
    model: Classifier,
    optimizer: torch.optim.Optimizer,
) -> None:
    content = {
        "settings": settings,
        "state": state,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random_state": torch.get_rng_state(),
    }
    write_atomically(path, lambda file: torch.save(content, file))


def _resume(
    path: Path, settings: dict[str, Any], model: Classifier, optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        require_same(saved["settings"], settings, str(path.parent))
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        torch.set_rng_state(saved["random_state"])
        return saved["state"]
    except CourseError:
        raise
    except Exception as error:  # torch raises many kinds of errors for damaged files
        reason = str(error).split("\n")[0]
        raise CourseError(f"cannot read {path} ({reason}); delete it and train again") from error
