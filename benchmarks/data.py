"""Which pictures are measured on: photos if there are any, drawn dogs otherwise."""

from __future__ import annotations

from vae_ref.dogs import DogData, load_paper, load_stanford


def open_data(source: str) -> DogData:
    """Open a data set.

    Args:
        source: "paper" for drawn dogs, or the folder with Stanford Dogs' three archives.

    Raises:
        CourseError: the archives are missing or broken.
    """
    return load_paper() if source == "paper" else load_stanford(source)
