"""The recordings that figures play show what their chapters say of them, and say where they come from."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest

RECORDED = Path(__file__).parents[2] / "book" / "figures" / "recorded"


def recording(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    return value


@pytest.mark.parametrize("name", ["rate", "collapse"])
def test_a_recording_says_where_it_comes_from(name: str) -> None:
    origin = recording(name)["origin"]
    assert origin["machine"] and origin["minutes"] > 0 and origin["steps"] > 0 and origin["seeds"]
    assert sum(path.stat().st_size for path in RECORDED.glob(f"{name}.*")) < 150_000


def test_more_beta_less_rate_and_the_best_bound_at_one() -> None:
    points = recording("rate")["points"]
    rates, distortions = ([point[name] for point in points] for name in ("rate", "distortion"))
    assert len(points) >= 6
    assert all(a > b for a, b in itertools.pairwise(rates))
    assert all(a < b for a, b in itertools.pairwise(distortions))
    best = min(points, key=lambda point: point["rate"] + point["distortion"])
    assert best["beta"] == 1
    for point in points:
        assert point["bytes"] == pytest.approx(point["rate"] / (8 * math.log(2)), rel=0.01)


def test_networks_end_where_the_linear_model_does_and_do_better_in_between() -> None:
    found = recording("rate")
    silent, talkative = found["points"][-1], found["points"][2]
    assert silent["rate"] < 0.1 and silent["active"] == 0
    assert silent["distortion"] == pytest.approx(found["linear"][-1]["distortion"], rel=0.05)
    near = min(found["linear"], key=lambda point: abs(point["rate"] - talkative["rate"]))
    assert talkative["distortion"] < near["distortion"] / 3


def test_one_training_collapses_latent_by_latent_and_the_other_does_not() -> None:
    ill, cured = (
        [[value > 0.1 for value in kl] for kl in run["kl"]] for run in recording("collapse")["runs"]
    )
    assert not any(ill[-1]) and all(cured[-1])
    speaking = [sum(state) for state in ill]
    assert max(speaking) == len(ill[0])
    assert len(set(speaking[speaking.index(max(speaking)) :])) >= 6  # one after the other, not all at once
