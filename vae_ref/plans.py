"""What ``vae-ref reproduce`` does for each data set.

Minutes are estimates for two free cores: the bar and ``--minutes`` go by them, the outcome does not.
"""

from __future__ import annotations

import dataclasses

from vae_ref.config import DEFAULTS, TWO_LEVEL, Config, sharpened, under_spectrum
from vae_ref.stages import (
    Evaluate,
    MeasureCodecs,
    MeasureLatentFree,
    PlaceOnCurve,
    Stage,
    Train,
    TrainClassifier,
)

MAIN = "vae"  # the stage whose model most of the page is about
TITLES = {
    "vae": "VAE",
    "two-level": "two levels",
    "vae-gan": "VAE-GAN",
    "spectrum-collapsed": "collapsed",
    "spectrum-cured": "cured",
}
TWO_LEVEL_RATES = (330, 550, 1700)  # nats, beside the main one: 60, 99 and 307 bytes a picture


def plan(data: str, scale: float = 1.0) -> list[Stage]:
    """The stages for a data set, each after those it uses.

    Args:
        data: "paper" or "stanford".
        scale: factor on the length of every training; a training has at least one epoch.
    """
    return _paper(scale) if data == "paper" else _stanford(scale)


def training_minutes(data: str) -> float:
    """How long the trainings of a plan take together."""
    return sum(stage.minutes for stage in plan(data) if isinstance(stage, Train | TrainClassifier))


def _paper(scale: float) -> list[Stage]:
    return [
        MeasureCodecs(),
        MeasureLatentFree(),
        TrainClassifier(_epochs(9, scale), minutes=4 * scale),
        _train("vae", DEFAULTS["paper"], epochs=45, minutes=9, scale=scale),
        Evaluate("vae"),
        PlaceOnCurve("vae", TITLES["vae"]),
    ]


def _stanford(scale: float) -> list[Stage]:
    single = DEFAULTS["stanford"]
    collapsed = dataclasses.replace(single, likelihood="spectrum", rate=None)
    stages: list[Stage] = [
        MeasureCodecs(),
        MeasureLatentFree(),
        TrainClassifier(_epochs(23, scale), minutes=12 * scale),
        _train("vae", single, epochs=20, minutes=5, scale=scale),
        _train("two-level", TWO_LEVEL, epochs=20, minutes=10, scale=scale),
        _train("vae-gan", sharpened(single, "vae"), epochs=8, minutes=5, scale=scale),
        _train("spectrum-collapsed", collapsed, epochs=3, minutes=2, scale=scale),
        _train("spectrum-cured", under_spectrum(single, "vae"), epochs=3, minutes=2, scale=scale),
    ]
    for rate in TWO_LEVEL_RATES:
        config = dataclasses.replace(TWO_LEVEL, rate=float(rate))
        stages.append(_train(f"two-level-{rate}", config, epochs=8, minutes=4, scale=scale))
    trained = [stage.name for stage in stages if isinstance(stage, Train)]
    stages += [Evaluate(name, minutes=6) for name in trained if name in TITLES]
    stages += [PlaceOnCurve("vae", TITLES["vae"]), PlaceOnCurve("vae-gan", TITLES["vae-gan"])]
    stages += [PlaceOnCurve(name, TITLES["two-level"]) for name in trained if name.startswith("two-level")]
    return stages


def _train(name: str, config: Config, epochs: int, minutes: float, scale: float) -> Train:
    return Train(name, config, _epochs(epochs, scale), minutes * scale)


def _epochs(epochs: int, scale: float) -> int:
    return max(1, round(epochs * scale))
