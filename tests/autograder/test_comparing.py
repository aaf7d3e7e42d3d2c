"""What distinguishes a result from the one wanted: where the line is drawn, and what is said beyond it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.both_sides.wire import Seed
from autograder.judge.comparing import Difference, difference, few, kind


def t(*values: Any, dtype: torch.dtype | None = None) -> Tensor:
    return torch.tensor(values, dtype=dtype)


SAME = [
    (t(1.0, 2.0), t(1.0, 2.0, dtype=torch.float64)),  # learners compute in another precision than the oracle
    (t(1, 2), t(1, 2)),
    (t(True), t(True)),
    (t(1000.1), t(1000.0)),  # one part in 10,000 and 0.0001
    (t(0.00009), t(0.0)),
    (3.0, 3),
    (torch.tensor(3), 3),
    (torch.tensor(0.5), 0.5),
    (0.50001, 0.5),
    ("a", "a"),
    (None, None),
    (torch.tensor(True), True),
    ({"a": 1, "b": t(2.0)}, {"b": t(2.0), "a": 1}),
    ((1, t(2.0)), [1, t(2.0)]),
    ([1], (1,)),
    (Seed(1), Seed(2)),  # of the same kind: nothing else is known about what checks have no word for
]


@pytest.mark.parametrize(("got", "wanted"), SAME, ids=str)
def test_what_is_the_same_has_no_difference(got: Any, wanted: Any) -> None:
    assert difference(got, wanted) is None


DIFFERENT = [
    (1.5, t(1.5), "returned a float, not a tensor", None),
    (t(1.0, 2.0), t(1.0, 2.0, 3.0), "returned shape (2,), not (3,)", ("1, 2", "1, 2, 3")),
    (t(1), t(1.5), "returned torch.int64, not floating point numbers", ("1", "1.5")),
    (t(1.5), t(1), "returned torch.float32, not torch.int64", ("1.5", "1")),
    (t(1), t(True), "returned torch.int64, not torch.bool", ("1", "True")),
    (t(math.nan, 1.0, math.inf), t(1.0, 2.0, 3.0), "returned 2 values that are not finite", ("nan, 1, inf", "1, 2, 3")),
    (t(1, 2), t(1, 3), "is off", ("1, 2", "1, 3")),
    (t(1000.11), t(1000.0), "is off", ("1000", "1000")),
    (t(5.0, 1000.2), t(5.0, 1000.0), "is off", ("5, 1000", "5, 1000")),
    (t(0.00011), t(0.0), "is off", ("0.00011", "0")),
    ("x", 0.5, "returned a str, not a number", None),
    (True, 1, "returned a bool, not a number", None),
    (t(5), 5, "returned a Tensor, not a number", None),
    (4, 3, "returned 4, not 3", None),
    (torch.tensor(4), 3, "returned 4, not 3", None),
    (1.23456789, 2.0, "is off", ("1.23457", "2")),
    (math.nan, 2.0, "returned 1 values that are not finite", ("nan", "2")),
    ("b", "a", "returned b, not a", None),
    (1, True, "returned 1, not True", None),
    (0.0, None, "returned 0.0, not None", None),
    (t(1, 2), True, "returned tensor([1, 2]), not True", None),
    ("x" * 99, "a", f"returned {'x' * 60}, not a", None),
    ([1], {"a": 1}, "returned a list, not a dictionary", None),
    ({"b": 1, 2: 1}, {"a": 1}, "returned other keys than asked for", ("b, 2", "a")),
    ({"a": t(1.0)}, {"a": t(2.0)}, "is off at 'a'", ("1", "2")),
    (1.5, [1, 2], "returned a float, not 2 things", None),
    ([1], [1, 2], "returned 1 things, not 2", None),
    ([t(1.0), 2], [t(3.0), 2], "is off in the first of 2 results", ("1", "3")),
    ([1, 1, 1, 2], [1, 1, 1, 1], "returned 2, not 1 in the fourth of 4 results", None),
    ([1, 1, 1, 1, 2], [1, 1, 1, 1, 1], "returned 2, not 1 in the 5th of 5 results", None),
    (1.5, Seed(1), "returned a float", None),
]  # fmt: skip


@pytest.mark.parametrize(("got", "wanted", "problem", "seen"), DIFFERENT, ids=str)
def test_what_differs_is_said_in_words_and_a_few_numbers(
    got: Any, wanted: Any, problem: str, seen: tuple[str, str] | None
) -> None:
    assert difference(got, wanted) == Difference(problem, seen)


@pytest.mark.parametrize("inside", [lambda x: x, lambda x: {"a": x}, lambda x: [x], lambda x: x.item()])
def test_a_tolerance_and_its_factor_count_wherever_the_number_stands(inside: Any) -> None:
    wanted, tolerance = inside(torch.tensor(1.0)), torch.tensor(0.5)
    on_the_line, beyond, far = (inside(torch.tensor(x)) for x in (1.5, 1.625, 2.125))
    assert difference(on_the_line, wanted, tolerance) is None
    assert difference(on_the_line, wanted) is not None
    assert difference(beyond, wanted, tolerance) is not None
    assert difference(beyond, wanted, tolerance, slack=2.0) is None
    assert difference(far, wanted, tolerance, slack=2.0) is not None


def test_other_keys_are_listed_as_far_as_anybody_reads_them() -> None:
    found = difference({"k" * 50 + str(n): n for n in range(10)}, {})
    assert found is not None and found.seen == (", ".join(["k" * 40] * 8), "")


def test_few_numbers_stand_for_many() -> None:
    assert few(t(1.0, 2.5, 3.0)) == "1, 2.5, 3"
    assert few(t(1, 2, 3, 4)) == "1, 2, 3, …"
    assert few(t(1.23456, 2.0), count=1) == "1.235, …"
    assert few(torch.zeros(0)) == ""


def test_a_kind_has_its_article() -> None:
    assert [kind(x) for x in (1, "a", ValueError(), ArithmeticError())] == [
        "an int",
        "a str",
        "a ValueError",
        "an ArithmeticError",
    ]
