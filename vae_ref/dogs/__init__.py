"""Chapter 01, the data: photos to training images, and dogs drawn by code whose every factor is known."""

from vae_ref.dogs.dataset import Batches, DogData, DogSet
from vae_ref.dogs.drawing import (
    COAT_NAMES,
    FACTOR_NAMES,
    FACTORS,
    NOISE_SIGMA,
    draw_paper_dogs,
    entropy_floor,
    paper_dogs,
)
from vae_ref.dogs.paper import load_paper
from vae_ref.dogs.preprocess import augment, crop_and_resize
from vae_ref.dogs.stanford import load_stanford

__all__ = [
    "COAT_NAMES",
    "FACTORS",
    "FACTOR_NAMES",
    "NOISE_SIGMA",
    "Batches",
    "DogData",
    "DogSet",
    "augment",
    "crop_and_resize",
    "draw_paper_dogs",
    "entropy_floor",
    "load_paper",
    "load_stanford",
    "paper_dogs",
]
