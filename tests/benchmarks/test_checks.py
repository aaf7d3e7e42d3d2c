"""What is measured of checks: how long they take, and how close right answers come to failing."""

from __future__ import annotations

from dataclasses import replace

from torch import Generator, Tensor

from benchmarks import checks, table
from benchmarks.false_failures import measure_check, statistical_checks
from vae_ref import sampling

MACHINE = {"processor": "p", "cores": 2, "torch": "2", "python": "3", "date": "2026-01-01"}
WHERE = {"machine": MACHINE, "load_before": 0.0, "data": "paper"}


def test_times_of_a_check_have_first_calls_and_all_others() -> None:
    found = checks.measure_check("09_tighter", "beta_from_sigma")
    assert found["mistakes"] == 8
    for side in ("passing", "failing"):
        times = found[side]
        assert set(times) == {"first", "median", "p95", "processor"}
        assert 0 < times["median"] <= times["p95"] and times["processor"] > 0
    page = table.render({"checks": {**WHERE, "found": {"beta_from_sigma": found}}})
    assert "## Checks in a notebook" in page and "| `beta_from_sigma` | " in page
    head = next(line for line in page.splitlines() if "right: first" in line)
    row = next(line for line in page.splitlines() if "`beta_from_sigma`" in line)
    assert head.count("|") == row.count("|") == 10


def test_bad_luck_is_counted_and_shown() -> None:
    check = statistical_checks()["reparameterize"]
    found = measure_check(check, 3)
    assert found["judgements"] == 6 and found["comparisons"] == 6 * 32 and found["failures"] == 0
    page = table.render({"false-failures": {**WHERE, "found": {"reparameterize": found}}})
    assert f"| `reparameterize` | 6 | 192 | 0 | {found['largest']:.2f} | " in page

    def too_wide(mu: Tensor, logvar: Tensor, generator: Generator | None = None) -> Tensor:
        return sampling.reparameterize(mu, logvar + 0.3, generator)

    assert measure_check(replace(check, equivalents=(too_wide,)), 2)["failures"] == 2
