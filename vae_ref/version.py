"""The version of the course; the one place that says it is pyproject.toml."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def course_version() -> str:
    """The version that is installed, such as ``0.1.0``."""
    try:
        return version("vae-course")
    except PackageNotFoundError:  # a folder of sources, run without being installed
        return "unknown, because the course is not installed"
