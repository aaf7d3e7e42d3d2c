"""The check of ``mixing_layer``: a question with four answers, of which the right one is not shown."""

from __future__ import annotations

from typing import Any

from autograder.both_sides.target import Call
from autograder.judge.definitions import Check, Misconception, Part, Probe

RIGHT = "B"
LETTERS = "ABCD"


def _choice(results: list[Any], _: list[Probe]) -> str:
    (answer,) = results
    answer = answer.strip().upper() if isinstance(answer, str) else answer
    if answer not in tuple(LETTERS):
        return f'Return one of the letters {", ".join(LETTERS)} as a text, such as "A".'
    return "" if answer == RIGHT else f"It is not {answer}."


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


MIXING_LAYER = Check(
    name="mixing_layer",
    asks="the letter of the layer through which dogs of a batch see each other while training",
    section="normalisation",
    oracle=None,
    parts=(Part("answer", 1, lambda g: [Probe(Call(), "your answer")], _choice),),
    misconceptions=(
        _m("mixing-group-norm", "normalisation",
           "the groups of GroupNorm are groups of channels, not of images: each image has its own mean and spread.",
           lambda: "A"),
        _m("mixing-layer-norm", "normalisation",
           "LayerNorm takes mean and spread over the last axes, which all belong to one image.",
           lambda: "C"),
        _m("mixing-dropout", "normalisation",
           "Dropout is random in training, but what it drops for one image does not depend on the others.",
           lambda: "D"),
    ),
    equivalents=(lambda: RIGHT, lambda: f" {RIGHT.lower()}"),
)
