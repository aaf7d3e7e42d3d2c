"""Training as the command does it: by the clock or by epochs, resumable, with the steps of chapter 05."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from vae_ref.checkpoint import FILE_NAME, Checkpoint, Progress, load_checkpoint, save_checkpoint
from vae_ref.config import Config, require_same
from vae_ref.dogs import Batches, DogData, DogSet, augment
from vae_ref.dogs.dataset import subset, take
from vae_ref.errors import CourseError
from vae_ref.evaluation import calibrate
from vae_ref.models import build_model
from vae_ref.rate import adapt_log_beta
from vae_ref.training import evaluate, kl_weight, train_step

SECONDS_BETWEEN_CHECKPOINTS = 30.0
STEPS_PER_ROW = 25
ROWS_PER_VALIDATION = 8
LEARNING_RATE_RAMP = 100  # steps until the learning rate is at its highest
LOWEST_LEARNING_RATE = 0.02  # share of the highest that is left at the end


class Trainer:
    """A run: a model, its data and how far it has come.

    Args:
        config: the settings.
        data: the pictures.
        run: folder of the checkpoint; a run that is there already is continued.
        root: where the photos came from, kept so that later commands find them.

    Raises:
        CourseError: the folder holds a run with other settings or other data.
    """

    def __init__(self, config: Config, data: DogData, run: Path, root: str = "") -> None:
        self.config, self.data, self.run, self.root = config, data, run, root
        torch.manual_seed(config.seed)
        self.model = build_model(config)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=0.0
        )
        self.progress = Progress()
        self.rows, self.validation_set = split_validation(data.train, config)
        if (run / FILE_NAME).exists():
            self._resume(load_checkpoint(run))

    def _resume(self, saved: Checkpoint) -> None:
        require_same(saved.settings().as_dict(), self.config.as_dict(), str(self.run))
        require_same({"data": saved.fingerprint}, {"data": self.data.fingerprint}, str(self.run))
        self.model.load_state_dict(saved.model)
        self.optimizer.load_state_dict(saved.optimizer)
        self.progress = Progress(**saved.progress)
        torch.set_rng_state(saved.random_state["cpu"])

    def save(self) -> None:
        """Write the checkpoint."""
        content: dict[str, Any] = {
            "config": self.config.as_dict(),
            "fingerprint": self.data.fingerprint,
            "root": self.root,
            "progress": vars(self.progress),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random_state": {"cpu": torch.get_rng_state()},
        }
        save_checkpoint(self.run, Checkpoint(**content))

    def train(self, minutes: float | None = None, epochs: int | None = None) -> Progress:
        """Train until the run is that long, counted from its first start, and then fit the model's σ
        on the images kept aside, which belong to the training side.

        Args:
            minutes: training time.
            epochs: passes over the training images; exactly one of the two is given.

        Raises:
            CourseError: the loss is not a number any more; a checkpoint cannot be written.
        """
        steps_per_epoch = math.ceil(len(self.rows) / self.config.batch_size)
        goal = (minutes or 0) * 60 if epochs is None else epochs * steps_per_epoch
        with tqdm(total=goal, initial=0, desc="training", bar_format=_BAR, disable=goal <= 0) as bar:
            self._loop(goal, epochs is None, bar)
        calibrate(self.model, self.validation_set, self.config.seed)
        self.save()
        return self.progress

    def _loop(self, goal: float, by_clock: bool, bar: tqdm) -> None:
        start = time.perf_counter() - self.progress.seconds
        last_save = time.perf_counter()
        row = _Row()
        for x in self._training_images():
            done = self.progress.seconds if by_clock else self.progress.step
            bar.update(min(done, goal) - bar.n)
            if done >= goal:
                break
            self._set_learning_rate(done / goal)
            beta = self._beta()
            with autocast():
                x = augment(x) if self.config.augmented else x
                terms = train_step(self.model, x, self.optimizer, beta)
            if not math.isfinite(terms["loss"]):
                raise CourseError(
                    f"the loss is {terms['loss']} at step {self.progress.step}; "
                    "lower --learning-rate and use a new --out"
                )
            if self.config.rate is not None:
                self.progress.log_beta = adapt_log_beta(self.progress.log_beta, terms["kl"], self.config.rate)
            self.progress.step += 1
            self.progress.images += len(x)
            self.progress.seconds = time.perf_counter() - start
            row.add(terms, len(x))
            if self.progress.step % STEPS_PER_ROW == 0:
                bar.set_postfix_str(self._finish_row(row, beta))
                row = _Row()
                # only between rows, so that a resumed run has the same rows
                if time.perf_counter() - last_save > SECONDS_BETWEEN_CHECKPOINTS:
                    self.save()
                    last_save = time.perf_counter()

    def _beta(self) -> float:
        if self.config.rate is None:
            return kl_weight(self.progress.step, self.config.warmup_steps)
        return math.exp(self.progress.log_beta)

    def _finish_row(self, row: _Row, beta: float) -> str:
        means = row.means()
        position = {"step": self.progress.step, "images": self.progress.images}
        self.progress.history.append({**position, "seconds": self.progress.seconds, **means, "beta": beta})
        if len(self.progress.history) % ROWS_PER_VALIDATION == 0:
            state = torch.get_rng_state()  # watching must not change what follows
            with autocast():
                terms = evaluate(self.model, Batches(self.validation_set, 128))
            torch.set_rng_state(state)
            self.progress.validation.append({**position, **terms})
        return f"reconstruction {means['reconstruction']:.0f} kl {means['kl']:.0f} nats"

    def _training_images(self) -> Iterator[Tensor]:
        """Endless batches from where the run stands; an epoch's order depends on seed and epoch alone."""
        steps_per_epoch = math.ceil(len(self.rows) / self.config.batch_size)
        while True:
            epoch, first = divmod(self.progress.step, steps_per_epoch)
            generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + epoch)
            order = self.rows[torch.randperm(len(self.rows), generator=generator)]
            for rows in order.split(self.config.batch_size)[first:]:
                yield take(self.data.train, rows)[0]

    def _set_learning_rate(self, share: float) -> None:
        """Ramp up, then follow half a cosine down to the end of the run."""
        ramp = min(1.0, (self.progress.step + 1) / LEARNING_RATE_RAMP)
        cosine = 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
        rate = self.config.learning_rate * ramp * (LOWEST_LEARNING_RATE + (1 - LOWEST_LEARNING_RATE) * cosine)
        for group in self.optimizer.param_groups:
            group["lr"] = rate


_BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining} {postfix}"


class _Row:
    """Averages of the terms over the steps of one row, weighted by images."""

    def __init__(self) -> None:
        self.totals: dict[str, float] = {"loss": 0.0, "reconstruction": 0.0, "kl": 0.0}
        self.images = 0

    def add(self, terms: dict[str, float], images: int) -> None:
        for name in self.totals:
            self.totals[name] += terms[name] * images
        self.images += images

    def means(self) -> dict[str, float]:
        return {name: total / self.images for name, total in self.totals.items()}


def split_validation(dogs: DogSet, config: Config) -> tuple[Tensor, DogSet]:
    """Keep some training images aside, at most a tenth, chosen by the seed.

    Returns:
        The rows to train on, (N,), and the images kept aside.

    Raises:
        CourseError: there are fewer than 10 images.
    """
    if len(dogs) < 10:
        raise CourseError(f"there are only {len(dogs)} training images; at least 10 are needed")
    order = torch.randperm(len(dogs), generator=torch.Generator().manual_seed(config.seed))
    count = min(config.num_validation, len(dogs) // 10)
    return order[count:].sort()[0], subset(dogs, order[:count].sort()[0])


def bfloat16_is_native() -> bool:
    """Whether the processor computes in bfloat16 itself; emulated it is slower than float32."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return False
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE)
    return bool(flags and {"avx512_bf16", "amx_bf16", "bf16"} & set(flags.group(1).split()))


def autocast() -> AbstractContextManager[object]:
    """Compute the layers in bfloat16 where that is fast; the terms of the bound stay float32 either way."""
    return torch.autocast("cpu", torch.bfloat16, enabled=bfloat16_is_native())
