"""Each error of torch that is explained is one that torch still raises in these words."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from autograder.judge.plain_words import MEANINGS, meaning_of


def _changed_in_place() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    y += 1
    y.sum().backward()


def _twice() -> None:
    y = torch.ones(2, requires_grad=True).exp().sum()
    y.backward()
    y.backward()


SLIPS: dict[str, Callable[[], object]] = {
    "different sizes": lambda: torch.ones(3, 2) + torch.ones(4, 2),
    "product of matrices": lambda: nn.Linear(3, 2)(torch.ones(1, 4)),
    "number of channels": lambda: nn.Conv2d(3, 4, 3)(torch.ones(1, 1, 8, 8)),
    "no way back": lambda: torch.ones(()).backward(),
    "does not depend": lambda: torch.autograd.grad(
        torch.ones((), requires_grad=True) * 2, torch.ones((), requires_grad=True)
    ),
    "changed in place": _changed_in_place,
    "differentiated twice": _twice,
    "numpy": lambda: torch.ones(2, requires_grad=True).numpy(),
    "single yes or no": lambda: max(torch.ones(2), torch.zeros(2)),
    "single number": lambda: torch.ones(2, requires_grad=True).exp().backward(),
    "plain number": lambda: torch.exp(1.0),
    "number types": lambda: nn.Linear(2, 2)(torch.ones(1, 2, dtype=torch.float64)),
    "whole number": lambda: [1, 2][torch.ones(2)],
    "new sizes": lambda: torch.ones(6).view(4, 2),
}


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_a_slip_is_explained(slip: str) -> None:
    with pytest.raises(Exception) as raised:
        SLIPS[slip]()
    assert meaning_of(str(raised.value)), str(raised.value)


def test_every_meaning_is_met() -> None:
    met = set()
    for slip in SLIPS.values():
        with pytest.raises(Exception) as raised:
            slip()
        met.add(meaning_of(str(raised.value)))
    assert met == {f" {meaning}" for _, meaning in MEANINGS}


def test_an_error_of_ones_own_is_left_alone() -> None:
    assert meaning_of("sigma must be above 0, got -1") == ""
