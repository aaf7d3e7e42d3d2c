"""How a learner's folder is known. Every check asks, so this imports nothing that takes time."""

from __future__ import annotations

from pathlib import Path

MARK = ".vae-course"  # folder in a learner's folder: what was copied, and what the checks said


def started_folder(place: Path) -> Path | None:
    """The learner's folder that ``place`` is, or lies in; None if there is none."""
    place = place.resolve()
    return next((folder for folder in (place, *place.parents) if (folder / MARK).is_dir()), None)
