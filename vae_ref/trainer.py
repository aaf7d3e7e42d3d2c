"""Training as the command does it: by the clock or by epochs, resumable, with the steps of chapter 05."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from vae_ref.checkpoint import FILE_NAME, Checkpoint, Progress, load_checkpoint, save_checkpoint, sweep
from vae_ref.config import Config, require_same
from vae_ref.devices import autocast, machine, random_states, restore_random_states
from vae_ref.dogs import Batches, DogData, DogSet, augment
from vae_ref.dogs.dataset import subset, take
from vae_ref.errors import CourseError
from vae_ref.evaluation import calibrate
from vae_ref.models import fill
from vae_ref.parallel import Ranks, distribute, parallel_step
from vae_ref.rate import adapt_log_beta
from vae_ref.recipes import Step, load_start, make_recipe
from vae_ref.training import evaluate, kl_weight

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
        ranks: the processes that train together, and where; one on the processor by default.

    Raises:
        CourseError: the folder holds a run with other settings or other data; the data are no pictures.
    """

    def __init__(
        self, config: Config, data: DogData, run: Path, root: str = "", ranks: Ranks | None = None
    ) -> None:
        self.config, self.data, self.run, self.root = config, data, run, root
        self.ranks = Ranks() if ranks is None else ranks
        self.rows, self.validation_set = split_validation(data.train, config)
        self.progress = Progress()
        sweep(run)
        saved = load_checkpoint(run) if (run / FILE_NAME).exists() else None
        if saved is not None:  # before anything is built with settings that do not belong together
            require_same(_movable(saved.settings()), _movable(config), str(run))
            require_same({"data": saved.fingerprint}, {"data": data.fingerprint}, str(run))
        self.recipe = make_recipe(config, self.ranks.device)
        self.model, self.optimizer = self.recipe.model, self.recipe.optimizer
        if saved is not None:
            self._resume(saved)
        elif config.start_from:
            load_start(self.model, config, data.fingerprint)

    def _resume(self, saved: Checkpoint) -> None:
        fill(self.model, saved.model, str(self.run))
        self.optimizer.load_state_dict(saved.optimizer)
        self.recipe.load_extra_state(saved.extra)
        self.progress = Progress(**saved.progress)
        restore_random_states(saved.random_state, self.ranks.device)

    def save(self) -> None:
        """Write the checkpoint; of several processes the first one does."""
        if self.ranks.rank > 0:
            return
        content: dict[str, Any] = {
            "config": self.config.as_dict(),
            "fingerprint": self.data.fingerprint,
            "root": self.root,
            "progress": vars(self.progress),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random_state": random_states(self.ranks.device),
            "extra": self.recipe.extra_state(),
        }
        save_checkpoint(self.run, Checkpoint(**content))

    def train(self, minutes: float | None = None, epochs: int | None = None) -> Progress:
        """Train until the run is that long, counted from its first start, and then fit the model's σ
        on the images kept aside, which belong to the training side, and its prior, if that is to be learned, on
        the codes of the others.

        The learning rate falls towards the end, so a run has one length: a longer one that was stopped early
        is another model than a shorter one that was finished.

        Args:
            minutes: training time by the clock; time between a stop and a new start does not count, other
                programs on the machine do.
            epochs: passes over the training images; exactly one of the two is given. The outcome does not
                depend on the machine's speed.

        Raises:
            CourseError: the loss is not a number any more; a checkpoint cannot be written.
        """
        steps_per_epoch = math.ceil(len(self.rows) / self.config.batch_size)
        goal = (minutes or 0) * 60 if epochs is None else epochs * steps_per_epoch
        self.progress.finished, self.progress.machine = False, machine()
        self.ranks.require_equal(self.model)
        hidden = goal <= 0 or self.ranks.rank > 0
        with tqdm(total=goal, initial=0, desc="training", bar_format=_BAR, disable=hidden) as bar:
            self._loop(goal, epochs is None, bar)
        self.ranks.require_equal(self.model)
        on_cpu = copy.deepcopy(self.model).cpu()
        calibrate(on_cpu, self.validation_set, self.config.seed)
        if on_cpu.learned_prior is not None:
            from vae_ref.sharper.flow import fit_prior  # the rest of the course does without chapter 10

            fit_prior(on_cpu, Batches(subset(self.data.train, self.rows), 256), self.config.seed)
        self.model.load_state_dict(on_cpu.state_dict())
        self.progress.finished = True
        self.save()
        return self.progress

    def _step(self) -> Step:
        """How a step is taken: by this process alone, or together with others."""
        if self.ranks.count == 1:
            return self.recipe.step
        if self.recipe.modules:
            raise CourseError(
                f"training with a {next(iter(self.recipe.modules))} takes one process; start it without torchrun"
            )
        model = distribute(self.model, self.ranks)
        return lambda x, beta: parallel_step(model, x, self.optimizer, beta, self.ranks)

    def _loop(self, goal: float, by_clock: bool, bar: tqdm) -> None:
        start = time.perf_counter() - self.progress.seconds
        cpu_start = time.process_time() - self.progress.cpu_seconds
        last_save = time.perf_counter()
        take_step, device = self._step(), self.ranks.device
        row = _Row()
        for x in self._training_images():
            done = self.ranks.agree(self.progress.seconds) if by_clock else self.progress.step
            bar.update(min(done, goal) - bar.n)
            if done >= goal:
                break
            self._set_learning_rate(done / goal)
            beta = self._beta()
            x = augment(x) if self.config.augmented else x
            try:
                with autocast(device):
                    terms = take_step(x.to(device), beta)
            except ValueError as error:  # the chapters refuse what is not a number
                raise self._lost(str(error)) from error
            if not math.isfinite(terms["loss"]):
                raise self._lost(f"the loss is {terms['loss']}")
            if self.config.rate is not None:
                self.progress.log_beta = adapt_log_beta(self.progress.log_beta, terms["kl"], self.config.rate)
            self.progress.step += 1
            self.progress.images += len(x)
            self.progress.seconds = time.perf_counter() - start
            self.progress.cpu_seconds = time.process_time() - cpu_start
            row.add(terms, len(x))
            if self.progress.step % STEPS_PER_ROW == 0:
                bar.set_postfix_str(self._finish_row(row, beta))
                row = _Row()
                # only between rows, so that a resumed run has the same rows
                if time.perf_counter() - last_save > SECONDS_BETWEEN_CHECKPOINTS:
                    self.save()
                    last_save = time.perf_counter()

    def _lost(self, reason: str) -> CourseError:
        return CourseError(
            f"{reason} at step {self.progress.step}; lower --learning-rate and use a new --out"
        )

    def _beta(self) -> float:
        if self.config.rate is None:
            return kl_weight(self.progress.step, self.config.warmup_steps)
        return math.exp(self.progress.log_beta)

    def _finish_row(self, row: _Row, beta: float) -> str:
        means = row.means()
        position = {"step": self.progress.step, "images": self.progress.images}
        self.progress.history.append({**position, "seconds": self.progress.seconds, **means, "beta": beta})
        if len(self.progress.history) % ROWS_PER_VALIDATION == 0 and self.ranks.rank == 0:
            self.progress.validation.append({**position, **self._validate()})
        return f"reconstruction {means['reconstruction']:.0f} kl {means['kl']:.0f} nats"

    def _validate(self) -> dict[str, float]:
        device = self.ranks.device
        states = random_states(device)  # watching must not change what follows
        with autocast(device):
            batches = ((x.to(device), labels) for x, labels in Batches(self.validation_set, 128))
            terms = evaluate(self.model, batches)
        restore_random_states(states, device)
        return terms

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
        factor = ramp * (LOWEST_LEARNING_RATE + (1 - LOWEST_LEARNING_RATE) * cosine)
        for optimizer in self.recipe.all_optimizers():
            for group in optimizer.param_groups:
                group["lr"] = self.config.learning_rate * factor


_BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining} {postfix}"


class _Row:
    """Averages of the terms over the steps of one row, weighted by images."""

    def __init__(self) -> None:
        self.totals: dict[str, float] = {}
        self.images = 0

    def add(self, terms: dict[str, float], images: int) -> None:
        for name, value in terms.items():
            self.totals[name] = self.totals.get(name, 0.0) + value * images
        self.images += images

    def means(self) -> dict[str, float]:
        return {name: total / self.images for name, total in self.totals.items()}


def _movable(config: Config) -> dict[str, Any]:
    """The settings, with the run that this one started from by its name: folders may be moved together."""
    return {**config.as_dict(), "start_from": Path(config.start_from).name}


def split_validation(dogs: DogSet, config: Config) -> tuple[Tensor, DogSet]:
    """Keep some training images aside, at most a tenth, chosen by the seed.

    Returns:
        The rows to train on, (N,), and the images kept aside.

    Raises:
        CourseError: there are fewer than 10 images, or they are not 8-bit pictures.
    """
    if dogs.images.dtype != np.uint8:
        raise CourseError(
            f"training images must be uint8, 0 to 255, got {dogs.images.dtype}, which can hold NaN; "
            "prepare the pictures again"
        )
    if len(dogs) < 10:
        raise CourseError(f"there are only {len(dogs)} training images; at least 10 are needed")
    order = torch.randperm(len(dogs), generator=torch.Generator().manual_seed(config.seed))
    count = min(config.num_validation, len(dogs) // 10)
    return order[count:].sort()[0], subset(dogs, order[:count].sort()[0])
