"""Record what interactive figures play back: python book/record.py [rate] [collapse] [stanford]

Trains small VAEs on Paper Dogs (``rate`` and ``collapse``) and encodes photos once (``stanford``, which needs the data
set at STANFORD_DOGS_ROOT). Results go to ``book/figures/recorded`` and are committed: numbers as JSON, pictures of
drawn dogs as one WebP sheet each. Without names, all but ``stanford`` are recorded; together they take about ten
minutes on one core.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

BOOK = Path(__file__).resolve().parent
sys.path[:0] = [str(BOOK.parent), str(BOOK)]

import torch  # noqa: E402
from figures.recording import (  # noqa: E402
    NUM_TEST,
    NUM_TRAIN,
    TEST_SEED,
    TRAIN_SEED,
    origin,
    pictures,
    train,
    write,
)
from torch import Tensor  # noqa: E402

from vae_ref.bound import kl_divergence, optimal_sigma, reconstruction_log_likelihood  # noqa: E402
from vae_ref.devices import machine  # noqa: E402
from vae_ref.dogs import DogSet, load_stanford  # noqa: E402
from vae_ref.evaluation import psnr  # noqa: E402
from vae_ref.generation import reconstruct  # noqa: E402
from vae_ref.latents import active_units, encode_dataset  # noqa: E402
from vae_ref.networks import VAE  # noqa: E402
from vae_ref.rate_distortion import measure_model  # noqa: E402
from vae_ref.weights import load_weights  # noqa: E402

# ---- rate and distortion -----------------------------------------------------------------------------------
RATE_SIGMA = 0.1  # as in the figure of chapter 9
RATE_STEPS, RATE_LEARNING_RATE, RATE_DOGS = 800, 2e-3, 6
BETAS = (1 / 16, 1 / 4, 1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0)


def linear_curve(images: Tensor, num_latents: int) -> list[dict[str, float]]:
    """Rate and distortion of the best linear model, eq-reverse-water-filling, for many β."""
    flat = (images[:2000].double() / 255).flatten(1)
    flat = flat - flat.mean(0)
    # eigenvalues of the covariance through the smaller of the two products
    values = torch.linalg.eigvalsh(flat @ flat.T / len(flat)).clamp(min=0).flip(0)
    kept, lost = values[:num_latents], values[num_latents:].sum()
    curve = []
    for beta in torch.logspace(math.log10(BETAS[0]), math.log10(BETAS[-1]), 40, dtype=torch.float64):
        level = beta * RATE_SIGMA**2
        rate = 0.5 * (kept / level).clamp(min=1).log().sum()
        distortion = (kept.clamp(max=level).sum() + lost) / (2 * RATE_SIGMA**2)
        curve.append({"rate": round(rate.item(), 3), "distortion": round(distortion.item(), 2)})
    return curve


def rate_point(model: VAE, test: Tensor, beta: float) -> dict[str, float]:
    """Where a model stands: averages over unseen pictures with codes that were drawn; D without the constant of σ."""
    dogs = DogSet(test.numpy(), torch.zeros(len(test), dtype=torch.long).numpy())
    measured = measure_model(model, dogs, "trained", f"β = {beta:g}")
    x = test.float() / 255
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        z, mu, logvar = model.draw(x, generator)
        error = (x - model.decode(z)).square().flatten(1).sum(1).double().mean().item()
        rate = kl_divergence(mu, logvar).double().mean().item()
    return {
        "beta": beta,
        "rate": round(rate, 3),
        "distortion": round(error / (2 * RATE_SIGMA**2), 2),
        "active": active_units(mu),
        "psnr": round(measured.sampled.psnr, 3),
        "bytes": round(measured.sampled.bytes, 3),
    }


def record_rate() -> None:
    start = time.process_time()
    images, test = pictures(NUM_TRAIN, TRAIN_SEED), pictures(NUM_TEST, TEST_SEED)
    shown = test[:RATE_DOGS].float() / 255
    points, rows = [], [shown]
    for beta in BETAS:
        model, _ = load_weights("paper")  # well trained, so that β is all that differs
        model.learned_prior = None

        def loss(x: Tensor, x_hat: Tensor, kl: Tensor, step: int, beta: float = beta) -> Tensor:
            return (-reconstruction_log_likelihood(x, x_hat, RATE_SIGMA) + beta * kl.sum(1)).mean()

        train(model, images, RATE_STEPS, loss, RATE_LEARNING_RATE)
        points.append(rate_point(model, test, beta))
        rows.append(reconstruct(model, shown))
        print(points[-1], flush=True)
    seconds = time.process_time() - start
    write(
        "rate",
        {
            "origin": origin(
                seconds, start="the weights paper", steps=RATE_STEPS, learning_rate=RATE_LEARNING_RATE
            ),
            "sigma": RATE_SIGMA,
            "tiles": {"columns": RATE_DOGS},
            "points": points,
            "linear": linear_curve(images, model.latent_dim),
        },
        torch.cat(rows),
        RATE_DOGS,
    )


# ---- collapse ----------------------------------------------------------------------------------------------
COLLAPSE_DIMS, COLLAPSE_STEPS, COLLAPSE_LEARNING_RATE = 12, 1320, 4e-3
COLLAPSE_EVERY, COLLAPSE_DOGS = 12, 2
PICTURES_EVERY = 4  # recorded states
FIRST_WEIGHT = 1e-3


def growing_weight(step: int) -> float:
    """β rises by the same factor at each step, from 10⁻³ to 1 at four fifths of the training."""
    return FIRST_WEIGHT ** max(0.0, 1 - step / (COLLAPSE_STEPS * 4 / 5))


def averaged_loss(x: Tensor, x_hat: Tensor, kl: Tensor, step: int) -> Tensor:
    """The mistake: the error is averaged over pixels, and a factor of 100 does not make up for it."""
    return 100 * (x - x_hat).square().mean() + growing_weight(step) * kl.sum(1).mean()


def calibrated_loss(x: Tensor, x_hat: Tensor, kl: Tensor, step: int) -> Tensor:
    """The cure: the error is summed, and σ computed."""
    sigma = optimal_sigma(x, x_hat.detach())
    return (-reconstruction_log_likelihood(x, x_hat, sigma) + growing_weight(step) * kl.sum(1)).mean()


def record_collapse() -> None:
    start = time.process_time()
    images, test = pictures(NUM_TRAIN, TRAIN_SEED), pictures(NUM_TEST, TEST_SEED).float() / 255
    test = test[:200]
    steps = list(range(0, COLLAPSE_STEPS + 1, COLLAPSE_EVERY))
    runs, films = [], []
    for name, loss in (
        ("100 × error averaged over pixels", averaged_loss),
        ("error summed, σ computed", calibrated_loss),
    ):
        torch.manual_seed(0)
        model = VAE(COLLAPSE_DIMS)
        run: dict[str, Any] = {"name": name, "kl": [], "psnr": []}
        film: list[Tensor] = []

        @torch.no_grad()
        def watch(
            step: int, model: VAE = model, run: dict[str, Any] = run, film: list[Tensor] = film
        ) -> None:
            if step % COLLAPSE_EVERY:
                return
            mu, logvar = model.encode(test)
            kl = kl_divergence(mu[..., None], logvar[..., None]).mean(0)  # (L,)
            run["kl"].append([round(value, 4) for value in kl.tolist()])
            run["psnr"].append(round(psnr(test, model.decode(mu)).mean().item(), 2))
            if step % (COLLAPSE_EVERY * PICTURES_EVERY) == 0:
                film.append(model.decode(mu[:COLLAPSE_DOGS]))

        train(model, images, COLLAPSE_STEPS, loss, COLLAPSE_LEARNING_RATE, watch)
        runs.append(run)
        films.append(torch.stack(film))  # (frames, dogs, 3, 64, 64)
        print(name, sum(run["kl"][-1]), run["psnr"][-1], flush=True)
    seconds = time.process_time() - start
    sheet = torch.cat(films, dim=1).flatten(0, 1)  # one row for each frame, both runs side by side
    write(
        "collapse",
        {
            "origin": origin(
                seconds,
                steps=COLLAPSE_STEPS,
                learning_rate=COLLAPSE_LEARNING_RATE,
                latent_dim=COLLAPSE_DIMS,
                first_weight=FIRST_WEIGHT,
            ),
            "steps": steps,
            "weights": [float(f"{growing_weight(step):.4g}") for step in steps],
            "tiles": {"dogs": COLLAPSE_DOGS, "every": PICTURES_EVERY},
            "runs": runs,
        },
        sheet,
        len(films) * COLLAPSE_DOGS,
    )


# ---- directions of the model of photos ---------------------------------------------------------------------
def record_stanford() -> None:
    """Principal directions of the codes of all test photos: 6 × 192 numbers, from which no photo can be told."""
    from figures.browser import directions_of

    from vae_ref.dogs import Batches

    start = time.process_time()
    model, weights = load_weights("stanford")
    data = load_stanford(os.environ["STANFORD_DOGS_ROOT"])
    mu, _ = encode_dataset(model, Batches(data.test, 200))
    seconds = time.process_time() - start
    source = {
        "machine": machine(),
        "minutes": round(seconds / 60, 1),
        "pictures": len(mu),
        "fingerprint": data.fingerprint,
        "weights": "stanford",
        "fingerprint of its training": weights.fingerprint,
    }
    write("stanford", {"origin": source, **directions_of(mu)})


RECORDINGS = {"rate": record_rate, "collapse": record_collapse, "stanford": record_stanford}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", choices=[[], *RECORDINGS], help="what to record")
    names = parser.parse_args().names or ["rate", "collapse"]
    for name in names:
        RECORDINGS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
