"""The page of ``vae-ref reproduce``: one run at length, and all others beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vae_ref.checkpoint import load_checkpoint
from vae_ref.dogs import DogData
from vae_ref.plans import MAIN, TITLES
from vae_ref.report import write_page
from vae_ref.report.beside_cards import cards_section, compare
from vae_ref.report.results import comparison_section, likelihood_section, rate_distortion_section
from vae_ref.report.sections import example_images
from vae_ref.stages import Evaluate, Place, PlaceOnCurve, Stage


def write_results(
    stages: Sequence[Stage],
    results: dict[str, dict[str, Any]],
    folders: dict[str, Path],
    data: DogData,
    out: Path,
) -> Path:
    """Write ``index.html`` and ``metrics.json`` from the results of all stages.

    Args:
        stages: all of them, finished.
        results: of each, by its name.
        folders: of each, by its name.
        data: the pictures.
        out: folder of the page.

    Returns:
        The page.

    Raises:
        CourseError: a file cannot be written.
    """
    run = Place(data, "", out, folders).open(MAIN)
    evaluations = {stage.model: results[stage.name] for stage in stages if isinstance(stage, Evaluate)}
    models = {TITLES[name]: load_checkpoint(folders[name]).build_model() for name in evaluations}
    points = [results[stage.name] for stage in stages if isinstance(stage, PlaceOnCurve)]
    codecs, titled = results["codecs"], {TITLES[name]: found for name, found in evaluations.items()}
    more = [
        cards_section(data.name, evaluations),
        comparison_section(models, titled, example_images(run, 10), run.config.seed),
        rate_distortion_section(points, codecs["lossy"]),
        likelihood_section(evaluations, results["latent-free"], codecs["lossless"], data.test.images[0].size),
    ]
    beside = [{**vars(row), "within": row.within} for row in compare(data.name, evaluations)]
    return write_page(run, evaluations[MAIN], out, more, {"stages": results, "beside_cards": beside})
