"""What all recordings for the figures have in common: pictures, a training loop, and how the result is kept."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from figures import RECORDED
from vae_ref.bound import kl_divergence
from vae_ref.devices import autocast, machine
from vae_ref.dogs import paper_dogs
from vae_ref.figures import tile
from vae_ref.networks import VAE

NUM_TRAIN, NUM_TEST, BATCH_SIZE = 8000, 500, 32
TRAIN_SEED, TEST_SEED = 90, 91
Loss = Callable[[Tensor, Tensor, Tensor, int], Tensor]


def pictures(count: int, seed: int) -> Tensor:
    """Drawn dogs, uint8, (N, 3, 64, 64)."""
    return paper_dogs(count, seed=seed)[0]


def train(
    model: VAE,
    images: Tensor,
    num_steps: int,
    loss: Loss,
    learning_rate: float,
    watch: Callable[[int], None] = lambda step: None,
) -> None:
    """Train with AdamW, its rate rising for 50 steps and falling to 0 in the last half of them.

    Args:
        model: changes.
        images: uint8, (N, 3, 64, 64).
        num_steps: batches.
        loss: from x, x_hat, the KL of each image and latent (B, L), and the step, a scalar.
        learning_rate: at its highest.
        watch: called before each step and after the last.
    """
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True
    )
    for step in tqdm(range(num_steps), leave=False):
        watch(step)
        optimizer.param_groups[0]["lr"] = learning_rate * min(
            1.0, (step + 1) / 50, 2 * (1 - step / num_steps)
        )
        rows = torch.randint(len(images), (BATCH_SIZE,), generator=generator)
        x = images[rows].float() / 255
        with autocast():
            x_hat, mu, logvar = model(x, generator)
        value = loss(x, x_hat, kl_divergence(mu[..., None], logvar[..., None]), step)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    watch(num_steps)


def origin(seconds: float, **settings: Any) -> dict[str, Any]:
    """Where a recording comes from, to be stored with it."""
    return {
        "machine": machine(),
        "python": platform.python_version(),
        "minutes": round(seconds / 60, 1),
        "training_pictures": NUM_TRAIN,
        "test_pictures": NUM_TEST,
        "batch_size": BATCH_SIZE,
        "seeds": {
            "training pictures": TRAIN_SEED,
            "test pictures": TEST_SEED,
            "weights to start from, order and noise": 0,
        },
        **settings,
    }


def write(name: str, value: dict[str, Any], sheet: Tensor | None = None, columns: int = 0) -> None:
    """Keep a recording.

    Args:
        name: of its files.
        value: what it found.
        sheet: its pictures, (N, 3, 64, 64) in [0, 1], or None.
        columns: pictures in a row of the sheet.
    """
    RECORDED.mkdir(exist_ok=True)
    entries = [f"{json.dumps(key)}: {json.dumps(entry, ensure_ascii=False)}" for key, entry in value.items()]
    text = "{\n" + ",\n".join(entries) + "\n}\n"
    (RECORDED / f"{name}.json").write_text(text, encoding="utf-8")
    if sheet is not None:
        Image.fromarray(tile(sheet, columns, gap=0)).save(RECORDED / f"{name}.webp", quality=82, method=6)
