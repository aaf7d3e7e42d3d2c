"""Trained models that come with the course: tensors and plain text in safetensors files, never code.

Half precision on disk, float32 in memory. Beside each model NAME stand NAME.md, its model card, and NAME.json with
the card's numbers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from vae_ref.config import Config
from vae_ref.errors import CourseError
from vae_ref.files import write_atomically
from vae_ref.models import build_model, fill
from vae_ref.networks import VAE

if (
    TYPE_CHECKING
):  # its module needs chapters that a learner's code may not see, and only two functions need it
    from vae_ref.classifier import Classifier

FOLDER = Path(__file__).parent
NAMES = ("paper", "stanford", "stanford-two-level", "stanford-vae-gan")
FORMAT = "1"


@dataclass(frozen=True)
class Origin:
    """Where weights come from.

    Attributes:
        config: the settings of the training.
        fingerprint: of the data.
    """

    config: Config
    fingerprint: str


def load_weights(name: str) -> tuple[VAE, Origin]:
    """Load a trained model of the course, ready for evaluation.

    Args:
        name: one of ``NAMES``.

    Raises:
        CourseError: there is no such model, or its file is damaged or holds another model.
    """
    shipped = [known for known in NAMES if (FOLDER / f"{known}.safetensors").is_file()]
    if name not in shipped:
        raise CourseError(f"there are no weights named {name!r}; choose one of {', '.join(shipped)}")
    return read_model(FOLDER / f"{name}.safetensors")


def load_classifier(data: str) -> Classifier:
    """Load the classifier trained on "paper" or "stanford", ready for use.

    Raises:
        CourseError: there is none for such data, or its file is damaged.
    """
    return read_classifier(FOLDER / f"classifier-{data}.safetensors")


def read_classifier(path: Path) -> Classifier:
    """Load the classifier in a file that ``save_classifier`` wrote; raises as ``read_model`` does."""
    from vae_ref.classifier import Classifier

    tensors, text = _read(path)
    classifier = Classifier(_entry(path, text, "task"))
    _fill(classifier, tensors, path)
    return classifier


def save_weights(model: VAE, config: Config, fingerprint: str, path: Path) -> None:
    """Write a model's weights with the settings that say how to build it.

    Args:
        model: the trained model.
        config: the settings of its training.
        fingerprint: of the data it was trained on.
        path: the file; an older one is replaced.

    Raises:
        CourseError: a weight does not fit into half precision, or the file cannot be written.
    """
    # of the run that a VAE-GAN started from, its name: the place is of no use on other machines
    settings = {**config.as_dict(), "start_from": Path(config.start_from).name}
    _write(model, {"config": json.dumps(settings), "fingerprint": fingerprint}, path)


def save_classifier(classifier: Classifier, path: Path) -> None:
    """Write a classifier's weights; raises as ``save_weights`` does."""
    _write(classifier, {"task": classifier.task}, path)


def read_model(path: Path) -> tuple[VAE, Origin]:
    """Load the model in a file that ``save_weights`` wrote.

    Raises:
        CourseError: there is no file, it is damaged, or its tensors do not belong to the model it names.
    """
    tensors, text = _read(path)
    settings = _settings(path, _entry(path, text, "config"))
    unknown = sorted(settings.keys() - Config.__dataclass_fields__.keys())
    if unknown:
        raise CourseError(f"{path} was made with the setting {unknown[0]!r}, unknown here; update the course")
    config = Config(**settings)
    model = build_model(config)
    _fill(model, tensors, path)
    return model, Origin(config, _entry(path, text, "fingerprint"))


def _write(module: nn.Module, text: dict[str, str], path: Path) -> None:
    tensors = {}
    for name, tensor in module.state_dict().items():
        # a number on its own, like σ, keeps its digits: it costs two bytes
        half = tensor.half() if tensor.is_floating_point() and tensor.numel() > 1 else tensor
        if not bool(half.isfinite().all()):
            raise CourseError(
                f"the weights {name} have values that half precision cannot hold; nothing was written"
            )
        tensors[name] = half.contiguous()
    content = save(tensors, {"format": FORMAT, **text})
    write_atomically(path, lambda file: file.write(content))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise CourseError(f"there is no file {path}; install the course again, or choose other weights")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no dictionary
            text = file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise CourseError(f"cannot read {path} ({error}); install the course again") from error
    if text.get("format") != FORMAT:
        raise CourseError(f"{path} has format {text.get('format')}, this version reads {FORMAT}")
    return tensors, text


def _entry(path: Path, text: dict[str, str], name: str) -> str:
    if name not in text:
        raise CourseError(f"{path} does not say its {name}: it holds something else than was asked for")
    return text[name]


def _settings(path: Path, text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except (TypeError, ValueError) as error:
        raise CourseError(f"cannot read {path} (its settings: {error}); install the course again") from error


def _fill(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    fill(module, tensors, str(path))
    module.eval()


__all__ = [
    "NAMES",
    "Origin",
    "load_classifier",
    "load_weights",
    "read_classifier",
    "read_model",
    "save_classifier",
    "save_weights",
]
