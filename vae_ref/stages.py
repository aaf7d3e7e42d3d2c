"""The stages that the results of the course consist of: each trains or measures one thing."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from tqdm.auto import tqdm

from vae_ref.checkpoint import Progress, load_checkpoint
from vae_ref.classifier import classifier_scores, train_classifier
from vae_ref.codecs import CODECS, LOSSLESS, has_format, lossless_bits_per_dim, measure_codec
from vae_ref.config import Config
from vae_ref.devices import CPU
from vae_ref.dogs import DogData
from vae_ref.evaluation.full import evaluate_fully
from vae_ref.evaluation.likelihoods import latent_free_bits
from vae_ref.parallel import Ranks
from vae_ref.rate_distortion import comparison_set, measure_model
from vae_ref.runs import Run, describe, training_facts
from vae_ref.trainer import Trainer
from vae_ref.weights import read_classifier, save_classifier

CLASSIFIER = "classifier.safetensors"


@dataclass(frozen=True)
class Place:
    """Where a stage works.

    Attributes:
        data: the pictures.
        root: folder the photos were read from; empty for drawn dogs.
        folder: the stage's own.
        folders: those of the stages before it, by name.
        device: where models are trained; everything else is computed by the processor.
    """

    data: DogData
    root: str
    folder: Path
    folders: dict[str, Path]
    device: torch.device = CPU

    def open(self, name: str) -> Run:
        """The run that an earlier stage trained."""
        checkpoint = load_checkpoint(self.folders[name])
        progress = Progress(**checkpoint.progress)
        model = checkpoint.build_model()
        return Run(self.folders[name], checkpoint, checkpoint.settings(), progress, model, self.data)


class Stage(Protocol):
    """A part of the work.

    Attributes:
        name: of the stage and of its folder.
        minutes: how long it takes, roughly.
        after: names of the stages whose results it uses.
    """

    @property
    def name(self) -> str: ...
    @property
    def minutes(self) -> float: ...
    @property
    def after(self) -> tuple[str, ...]: ...

    def settings(self) -> dict[str, Any]:
        """What decides the outcome, as plain values."""

    def work(self, place: Place) -> dict[str, Any]:
        """Do it, or go on where it was stopped, and return the result as plain values."""


@dataclass(frozen=True)
class Train:
    """Train a model; by epochs, so that the outcome does not depend on the machine's speed.

    Attributes:
        config: its settings; ``start_from`` names the stage whose model is continued, not its folder.
        epochs: passes over the training images.
    """

    name: str
    config: Config
    epochs: int
    minutes: float

    @property
    def after(self) -> tuple[str, ...]:
        return (self.config.start_from,) if self.config.start_from else ()

    def settings(self) -> dict[str, Any]:
        return {**self.config.as_dict(), "epochs": self.epochs}

    def work(self, place: Place) -> dict[str, Any]:
        config = self.config
        if config.start_from:
            config = dataclasses.replace(config, start_from=str(place.folders[config.start_from].resolve()))
        trainer = Trainer(config, place.data, place.folder, place.root, Ranks(device=place.device))
        return training_facts(trainer.train(epochs=self.epochs))


@dataclass(frozen=True)
class TrainClassifier:
    """Train the classifier in whose features sets of pictures are compared.

    Attributes:
        epochs: passes over the training images.
    """

    epochs: int
    minutes: float
    seed: int = 0
    name: str = "classifier"
    after: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        return {"epochs": self.epochs, "seed": self.seed}

    def work(self, place: Place) -> dict[str, Any]:
        classifier = train_classifier(place.data, self.epochs, self.seed, place.folder)
        save_classifier(classifier, place.folder / CLASSIFIER)
        return classifier_scores(classifier, place.data.test)


@dataclass(frozen=True)
class Evaluate:
    """Measure everything about a trained model.

    Attributes:
        model: the stage that trained it.
    """

    model: str
    minutes: float = 3.0

    @property
    def name(self) -> str:
        return f"{self.model}-evaluation"

    @property
    def after(self) -> tuple[str, ...]:
        return (self.model, "classifier")

    def settings(self) -> dict[str, Any]:
        return {}

    def work(self, place: Place) -> dict[str, Any]:
        run = place.open(self.model)
        classifier = read_classifier(place.folders["classifier"] / CLASSIFIER)
        return {
            **evaluate_fully(run.model, run.config, place.data, classifier),
            **describe(run.model, run.config, place.data),
            **training_facts(run.progress),
        }


@dataclass(frozen=True)
class MeasureLatentFree:
    """Measure what likelihoods with structure make of pictures without any model: the baseline of them all."""

    minutes: float = 3.0
    name: str = "latent-free"
    after: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        return {}

    def work(self, place: Place) -> dict[str, Any]:
        return latent_free_bits(place.data.train, place.data.test)


@dataclass(frozen=True)
class PlaceOnCurve:
    """Measure rate and distortion of a trained model on the pictures that codecs get too."""

    model: str
    curve: str
    minutes: float = 0.3

    @property
    def name(self) -> str:
        return f"{self.model}-rate"

    @property
    def after(self) -> tuple[str, ...]:
        return (self.model,)

    def settings(self) -> dict[str, Any]:
        return {"curve": self.curve}

    def work(self, place: Place) -> dict[str, Any]:
        run = place.open(self.model)
        point = measure_model(run.model, comparison_set(place.data.test), self.curve, self.model)
        return dataclasses.asdict(point)


@dataclass(frozen=True)
class MeasureCodecs:
    """Compress test pictures with other people's codecs."""

    minutes: float = 5.0
    name: str = "codecs"
    after: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        return {"lossy": [dataclasses.asdict(codec) for codec in CODECS], "lossless": LOSSLESS}

    def work(self, place: Place) -> dict[str, Any]:
        images = comparison_set(place.data.test).images
        lossy = [
            (codec, quality) for codec in CODECS if has_format(codec.format) for quality in codec.qualities
        ]
        points = [
            measure_codec(images, codec, quality).as_dict()
            for codec, quality in tqdm(lossy, desc="codecs", unit="setting", leave=False)
        ]
        return {"lossy": points, "lossless": {form: lossless_bits_per_dim(images, form) for form in LOSSLESS}}
