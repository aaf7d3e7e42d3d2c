"""The page of results: one self-contained HTML file, with the same numbers beside it as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vae_ref.files import write_text
from vae_ref.report.page import Section, render
from vae_ref.report.sections import run_sections
from vae_ref.runs import Run, measure

NAMES = {"paper": "paper dogs", "stanford": "Stanford Dogs"}


def write_report(run: Run, out: Path) -> Path:
    """Measure a run and write ``index.html`` and ``metrics.json``.

    Args:
        run: the run.
        out: folder, made if needed; older files of these names are replaced.

    Returns:
        The page.

    Raises:
        CourseError: a file cannot be written.
    """
    return write_page(run, measure(run), out)


def write_page(
    run: Run,
    metrics: dict[str, Any],
    out: Path,
    more: Sequence[Section] = (),
    beside: dict[str, Any] | None = None,
) -> Path:
    """Write the page of a run whose numbers are known.

    Args:
        run: the run that the page is about.
        metrics: its numbers.
        out: folder, made if needed.
        more: sections about other runs, set before this one's.
        beside: what ``metrics.json`` holds besides this run's numbers.

    Returns:
        The page.

    Raises:
        CourseError: a file cannot be written.
    """
    name = NAMES[run.config.data]
    lead = (
        f"A variational autoencoder learnt to squeeze {name} of 64×64 pixels into "
        f"{metrics['latent_dim']} numbers, in {metrics['training_seconds'] / 60:.1f} minutes of training. "
        "Bits per dimension, rate and the look of the samples disagree with each other: read them together."
    )
    title = f"What the autoencoder learnt about {name}"
    page = render(title, lead, metrics, [*more, *run_sections(run, metrics)])
    write_text(out / "metrics.json", json.dumps({**metrics, **(beside or {})}, indent=1) + "\n")
    write_text(out / "index.html", page)
    return out / "index.html"
