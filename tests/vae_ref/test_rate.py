"""The committed rate: the direction of a step, and the KL of a real training against what was promised."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from vae_ref.config import Config
from vae_ref.dogs import load_paper
from vae_ref.errors import CourseError
from vae_ref.rate import STEP, adapt_log_beta
from vae_ref.trainer import Trainer
from vae_ref.training import train_step


def test_a_kl_above_the_rate_makes_it_dearer_and_one_below_cheaper() -> None:
    assert adapt_log_beta(0.5, 110.0, 100.0) == pytest.approx(0.5 + STEP * math.log(1.1))
    assert adapt_log_beta(0.5, 90.0, 100.0) == pytest.approx(0.5 + STEP * math.log(0.9))
    assert adapt_log_beta(0.5, 100.0, 100.0) == 0.5


@pytest.mark.parametrize("kl", [0.0, 1e-30, 1e30])
def test_a_kl_far_away_moves_it_by_a_bounded_step(kl: float) -> None:
    assert abs(adapt_log_beta(0.0, kl, 100.0)) == STEP


class Small(nn.Module):
    """12 pixels, 4 latents, no hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.mu, self.logvar, self.out = nn.Linear(12, 4), nn.Linear(12, 4), nn.Linear(4, 12)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        mu, logvar = self.mu(x.flatten(1)), self.logvar(x.flatten(1))
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        return torch.sigmoid(self.out(z)).view_as(x), mu, logvar


@pytest.mark.parametrize("rate", [1.5, 6.0])
def test_the_kl_of_a_small_model_lands_on_the_rate(rate: float) -> None:
    torch.manual_seed(0)
    directions = torch.randn(4, 12)
    model = Small()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    log_beta, rates = 0.0, []
    for step in range(1200):
        optimizer.param_groups[0]["lr"] = 0.01 * (1 - step / 1200)
        x = torch.sigmoid(torch.randn(64, 4) @ directions + 0.1 * torch.randn(64, 12)).view(64, 3, 2, 2)
        terms = train_step(model, x, optimizer, math.exp(log_beta))
        log_beta = adapt_log_beta(log_beta, terms["kl"], rate)
        rates.append(terms["kl"])
    assert sum(rates[-200:]) / 200 == pytest.approx(rate, rel=0.01)
    # without the commitment this model would spend another rate
    assert abs(log_beta) > 0.1


def test_the_history_says_which_weight_was_used_and_the_run_keeps_it(tmp_path: Path) -> None:
    data = load_paper(120, 10, cache=tmp_path)
    config = Config(latent_dim=4, batch_size=4, num_validation=10, rate=2.0)
    progress = Trainer(config, data, tmp_path / "run").train(epochs=1)
    assert progress.history and all(row["beta"] > 0 for row in progress.history)
    assert progress.log_beta != 0
    assert Trainer(config, data, tmp_path / "run").progress.log_beta == progress.log_beta
    with pytest.raises(CourseError, match=r"trained with rate = 2\.0, not 3\.0"):
        Trainer(replace(config, rate=3.0), data, tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("latent_dim", 0),
        ("latent_dim", -3),
        ("rate", 0.0),
        ("rate", -1.0),
        ("rate", math.nan),
        ("model", "gan"),
    ],
)
def test_senseless_settings_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(CourseError, match=f"{name} must be .*, got {value!r}") as error:
        Config(**{name: value})  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
