"""Questions whose answer is one of a few words: a function without arguments returns it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from torch import Generator

from autograder.both_sides.target import Call
from autograder.judge.definitions import Probe


def asked(g: Generator) -> list[Probe]:
    """The one question there is."""
    return [Probe(Call(()), "your answer")]


def one_of(choices: Collection[str], right: str, wanted: str) -> Callable[[list[Any], list[Probe]], str]:
    """A judge of the answer that says which one it is not, and never which one it is.

    Args:
        choices: the words, in small letters.
        right: the one that is right.
        wanted: the sentence for whoever returns something else.
    """

    def problem(results: list[Any], _: list[Probe]) -> str:
        (answer,) = results
        if not isinstance(answer, str) or answer.strip().lower() not in choices:
            return wanted
        chosen = answer.strip().lower()
        return "" if chosen == right else f'It is not "{chosen}".'

    return problem
