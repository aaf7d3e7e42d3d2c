"""The checks of the short questions of assignment 09."""

from __future__ import annotations

import math

import torch
from torch import Generator

from autograder.both_sides.target import Call
from autograder.checks.choices import asked, one_of
from autograder.judge.definitions import Check, Misconception, Part, Probe

CHOICES = ("rises", "stays", "falls")
RIGHT = "falls"


def _file_probe(num_bytes: int, height: int, width: int) -> Probe:
    return Probe(
        Call((num_bytes, height, width)), f"{num_bytes} bytes for an image of {height}×{width} pixels"
    )


def _file_value(g: Generator) -> list[Probe]:
    sides = torch.randint(20, 90, (3, 2), generator=g).tolist()
    sizes = torch.randint(2000, 9000, (3,), generator=g).tolist()
    return [_file_probe(size, *side) for size, side in zip(sizes, sides, strict=True)]


def _file_edges(g: Generator) -> list[Probe]:
    return [_file_probe(12_288, 64, 64), _file_probe(0, 64, 64), _file_probe(67, 1, 1)]


_is_right = one_of(CHOICES, RIGHT, 'Return one of the words "rises", "stays" and "falls".')


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


FILE_BITS_PER_DIM = Check(
    name="file_bits_per_dim",
    asks="the bits that a number of a colour picture costs in a file",
    section="yardsticks",
    oracle=lambda num_bytes, height, width: 8 * num_bytes / (3 * height * width),
    parts=(Part("value", 2, _file_value), Part("edge cases", 1, _file_edges)),
    misconceptions=(
        _m("file-bits-in-bytes", "yardsticks", "a byte has 8 bits; these are bytes per dim.",
           lambda num_bytes, height, width: num_bytes / (3 * height * width)),
        _m("file-bits-per-pixel", "yardsticks",
           "these are bits per pixel; a pixel has three numbers, and each of them is a dimension.",
           lambda num_bytes, height, width: 8 * num_bytes / (height * width)),
        _m("file-bits-plus-8", "yardsticks",
           "8 is added: a file codes levels as they are, only a density has to be told how wide a level is.",
           lambda num_bytes, height, width: 8 * num_bytes / (3 * height * width) + 8),
        _m("file-bits-from-nats", "yardsticks", "it is divided by log 2: the bits of a file are bits already.",
           lambda num_bytes, height, width: 8 * num_bytes / (3 * height * width * math.log(2))),
        _m("file-bits-of-image", "yardsticks", "these are the bits of the whole file; share them among its dimensions.",
           lambda num_bytes, height, width: 8 * num_bytes),
        _m("file-bits-one-side", "yardsticks", "only one side of the picture is counted.",
           lambda num_bytes, height, width: 8 * num_bytes / (3 * height)),
        _m("file-bits-ratio", "yardsticks", "that is how many times smaller the file is than its pixels.",
           lambda num_bytes, height, width: 3 * height * width / max(num_bytes, 1)),
    ),
    equivalents=(
        lambda num_bytes, height, width: 8 * num_bytes / (3 * height * width),
        lambda num_bytes, height, width: num_bytes / height / width / 3 * 8,
        lambda num_bytes, height, width: torch.tensor(8.0 * num_bytes).double() / (3 * height * width),
    ),
)

ENCODER_SIGNAL = Check(
    name="encoder_signal",
    asks='what the signal-to-noise ratio of the encoder\'s gradient does as K grows: "rises", "stays" or "falls"',
    section="signal-to-noise",
    oracle=None,
    parts=(Part("value", 1, asked, _is_right),),
    misconceptions=(
        _m("signal-rises", "signal-to-noise",
           "that is what the decoder's does. The nearer the bound comes to log p(x), the less it depends on the "
           "encoder: its gradient shrinks like 1/K, the noise only like 1/√K.", lambda: "rises"),
        _m("signal-stays", "signal-to-noise",
           "both gradient and noise shrink, but not alike: the one like 1/K, the other like 1/√K.", lambda: "stays"),
    ),
    equivalents=(lambda: "falls", lambda: "Falls", lambda: " falls "),
)
