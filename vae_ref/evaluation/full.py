"""Every number the course reports about a model, in one place: what no single one of them tells."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from vae_ref.classifier import Classifier, classifier_scores
from vae_ref.config import Config
from vae_ref.dogs import Batches, DogData, DogSet, entropy_floor
from vae_ref.dogs.dataset import take
from vae_ref.evaluation.core import BATCH_SIZE, evaluate_model
from vae_ref.evaluation.disentanglement import dci, mutual_information_gap
from vae_ref.evaluation.frechet import (
    NUM_PICTURES,
    classifier_frechet,
    inception_distances,
    inception_network,
)
from vae_ref.evaluation.likelihoods import calibrated_bits, importance_weighted
from vae_ref.evaluation.pictures import high_frequency_share
from vae_ref.evaluation.probes import linear_probe
from vae_ref.generation import generate, reconstruct
from vae_ref.latents import encode_dataset
from vae_ref.networks import VAE
from vae_ref.trainer import split_validation


def evaluate_fully(
    model: VAE, config: Config, data: DogData, classifier: Classifier, seed: int = 0, fid: bool = False
) -> dict[str, Any]:
    """Measure everything about a model, on the test side.

    Args:
        model: a VAE whose ``sigma`` has been fitted on training images.
        config: what it was trained with; says which training images were kept aside.
        data: the pictures.
        classifier: trained on the training side of the same data.
        seed: of all noise.
        fid: also measure FID and KID, which need another network.

    Returns:
        The fields of ``Evaluation``, and beside them
        "bits_per_dim_calibrated": see ``calibrated_bits``;
        "iwae": see ``importance_weighted``;
        "probe_accuracy": breed or coat read off the mean code by a linear classifier, "probe_chance" what
        always naming the commonest class gets;
        "classifier_frechet", "high_frequency", "recognition" and "inception": see ``_compare_sets``;
        for drawn dogs "entropy_floor", "mig" and "dci".

    Raises:
        CourseError: the data cannot be measured; FID is asked for and its network is not to be had.
    """
    network = inception_network() if fid else None  # fails early or not at all
    found: dict[str, Any] = evaluate_model(model, data.test, seed).as_dict()
    held_out = split_validation(data.train, config)[1]
    found["bits_per_dim_calibrated"] = calibrated_bits(model, held_out, data.test, seed)
    found["iwae"] = importance_weighted(model, data.test, seed)
    found |= _read_codes(model, data)
    found |= _compare_sets(model, data, classifier, network, seed)
    if data.name == "paper":
        found["entropy_floor"] = entropy_floor()
    return found


def _read_codes(model: VAE, data: DogData) -> dict[str, Any]:
    codes = {}
    for side, dogs in (("train", data.train), ("test", data.test)):
        batches = tqdm(Batches(dogs, BATCH_SIZE), desc=f"codes, {side}", unit="batch", leave=False)
        codes[side] = encode_dataset(model, batches)[0].numpy()
    counts = np.bincount(data.test.labels)
    found: dict[str, Any] = {
        "probe_accuracy": linear_probe(codes["train"], data.train.labels, codes["test"], data.test.labels),
        "probe_chance": float(counts.max() / counts.sum()),
    }
    if data.train.factors is not None and data.test.factors is not None and model.latent_dim > 1:
        found["mig"] = mutual_information_gap(codes["train"], data.train.factors)
        found["dci"] = dci(codes["train"], data.train.factors, codes["test"], data.test.factors)
    return found


@torch.no_grad()
def _compare_sets(
    model: VAE, data: DogData, classifier: Classifier, network: torch.nn.Module | None, seed: int
) -> dict[str, Any]:
    """Compare sets of pictures with up to 1,000 test pictures.

    Returns:
        "classifier_frechet": distance of as many training pictures ("real"), prior samples ("samples") and
        reconstructions of the same test pictures ("reconstructions"), "samples_over_real" the ratio, and
        "num_pictures"; where the prior was learned also pictures decoded from N(0, I) ("samples_of_normal").
        "high_frequency": the share of fine detail in samples and reconstructions, as a ratio to the test
        pictures'. "recognition": how well the classifier knows the test pictures and their reconstructions.
        "inception": FID and KID of the samples, if there is a network.
    """
    generator = torch.Generator().manual_seed(seed)
    count = min(NUM_PICTURES, len(data.test), len(data.train))
    chosen = torch.randperm(len(data.test), generator=generator)[:count]
    test, _ = take(data.test, chosen)
    real, _ = take(data.train, torch.randperm(len(data.train), generator=generator)[:count])
    sizes = [len(part) for part in chosen.split(BATCH_SIZE)]
    # as pictures are: a screen and a file have 256 levels
    samples = _levels(torch.cat([generate(model, size, generator) for size in sizes]))
    restored = _levels(torch.cat([reconstruct(model, part) for part in test.split(BATCH_SIZE)]))
    sets = {"real": real, "samples": samples, "reconstructions": restored}
    if getattr(model, "learned_prior", None) is not None:
        u = [torch.randn(size, model.latent_dim, generator=generator) for size in sizes]
        sets["samples_of_normal"] = _levels(torch.cat([model.decode(part) for part in u]))
    distances = {name: classifier_frechet(classifier, pictures, test) for name, pictures in sets.items()}
    found: dict[str, Any] = {
        "classifier_frechet": {
            **distances,
            "samples_over_real": distances["samples"] / distances["real"],
            "num_pictures": count,
        },
        "high_frequency": {
            name: (high_frequency_share(sets[name]) / high_frequency_share(test)).item()
            for name in ("samples", "reconstructions")
        },
        "recognition": {
            name: _recognition(classifier, data.test, chosen, pictures)
            for name, pictures in (("real", test), ("reconstructions", restored))
        },
    }
    if network is not None:
        found["inception"] = {**inception_distances(network, test, samples), "num_pictures": count}
    return found


def _levels(x: Tensor) -> Tensor:
    return (255 * x).round() / 255


def _recognition(classifier: Classifier, dogs: DogSet, rows: Tensor, pictures: Tensor) -> float:
    """The classifier's mean score on some pictures that stand for these rows of a set."""
    index = rows.numpy()
    factors = None if dogs.factors is None else dogs.factors[index]
    images = (255 * pictures).round().to(torch.uint8).numpy()
    return next(iter(classifier_scores(classifier, DogSet(images, dogs.labels[index], factors)).values()))
