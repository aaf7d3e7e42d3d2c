"""The simulated class, small: one learner of each kind."""

from __future__ import annotations

import pytest

from benchmarks.class_of_200 import KINDS, measure


@pytest.mark.slow
@pytest.mark.xdist_group("class")
def test_a_term_loses_nobody_and_explains_every_score() -> None:
    assert set(KINDS[:12]) == set(KINDS)
    found = measure(12, ("02_bound", "01_dogs"), cell_seconds=12)
    assert found["learners_moved"] >= 8 and found["hand_ins"] == 24
