"""Training: the terms and their averages against sums written out here, and that it really learns."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence

from vae_ref.networks import VAE
from vae_ref.training import evaluate, fit, kl_weight, train_step


class Toy(nn.Module):
    """A linear model without noise in x_hat, so that every term can be computed independently."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.mu, self.logvar, self.out = nn.Linear(12, 2), nn.Linear(12, 2), nn.Linear(2, 12)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        flat = x.flatten(1)
        return self.out(self.mu(flat)).view_as(x), self.mu(flat), self.logvar(flat)


def expected_terms(model: Toy, x: torch.Tensor, sigma: float) -> tuple[float, float]:
    with torch.no_grad():
        x_hat, mu, logvar = model(x)
    q = Independent(Normal(mu, torch.exp(0.5 * logvar)), 1)
    p = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    log_likelihood = Normal(x_hat, sigma).log_prob(x).flatten(1).sum(1)
    return -log_likelihood.mean().item(), kl_divergence(q, p).mean().item()


def best_sigma(model: Toy, x: torch.Tensor) -> float:
    with torch.no_grad():
        return (x - model(x)[0]).square().mean().sqrt().item()


@pytest.mark.parametrize(
    ("step", "warmup", "weight"), [(0, 0, 1), (9, 0, 1), (0, 4, 0), (3, 4, 0.75), (9, 4, 1)]
)
def test_kl_weight(step: int, warmup: int, weight: float) -> None:
    assert kl_weight(step, warmup) == weight


@pytest.mark.parametrize("beta", [0.0, 1.0, 3.0])
def test_train_step_reports_the_terms_before_it_steps(beta: float) -> None:
    model, x = Toy(), torch.rand(5, 3, 2, 2)
    reconstruction, kl = expected_terms(model, x, best_sigma(model, x))
    before = [parameter.clone() for parameter in model.out.parameters()]
    terms = train_step(model, x, torch.optim.SGD(model.parameters(), lr=1e-3), beta)
    assert terms["reconstruction"] == pytest.approx(reconstruction, rel=1e-4)
    assert terms["kl"] == pytest.approx(kl, rel=1e-4)
    assert terms["loss"] == pytest.approx(reconstruction + beta * kl, rel=1e-4)
    assert all(not torch.equal(a, b) for a, b in zip(before, model.out.parameters(), strict=True))


def test_a_step_forgets_the_gradients_of_the_one_before() -> None:
    model, x = Toy(), torch.rand(5, 3, 2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    train_step(model, x, optimizer)
    fresh = copy.deepcopy(model)
    fresh.zero_grad()
    train_step(model, x, optimizer)
    train_step(fresh, x, torch.optim.SGD(fresh.parameters(), lr=1e-3))
    for mine, theirs in zip(model.parameters(), fresh.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0)


def test_train_step_follows_the_gradient_of_the_bound() -> None:
    model, x = Toy().double(), torch.rand(5, 3, 2, 2, dtype=torch.float64)
    weight = model.out.weight
    at = weight[0, 0].item()

    def loss(value: float) -> float:
        with torch.no_grad():
            weight[0, 0] = value
        reconstruction, kl = expected_terms(model, x, best_sigma(model, x))
        return reconstruction + kl

    slope = (loss(at + 1e-6) - loss(at - 1e-6)) / 2e-6  # finite differences, σ refitted at each point
    with torch.no_grad():
        weight[0, 0] = at
    train_step(model, x, torch.optim.SGD(model.parameters(), lr=1.0))
    assert at - weight[0, 0].item() == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize("batches", [[7], [3, 3, 1], [6, 1]])
def test_evaluate_counts_every_image_once_whatever_its_batch(batches: list[int]) -> None:
    model, x = Toy(), torch.rand(7, 3, 2, 2)
    loader = [(part, torch.zeros(len(part))) for part in x.split(batches)]
    for sigma in (None, 0.3):
        reconstruction, kl = expected_terms(model, x, sigma or best_sigma(model, x))
        terms = evaluate(model, loader, sigma)
        assert terms["reconstruction"] == pytest.approx(reconstruction, rel=1e-4)
        assert terms["kl"] == pytest.approx(kl, rel=1e-4)
        assert terms["loss"] == pytest.approx(reconstruction + kl, rel=1e-4)


def test_evaluate_leaves_model_and_mode_alone_and_refuses_nothing() -> None:
    model = Toy().train()
    before = [parameter.clone() for parameter in model.parameters()]
    evaluate(model, [(torch.rand(2, 3, 2, 2), torch.zeros(2))])
    assert model.training
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    with pytest.raises(ValueError, match="no images"):
        evaluate(model, [])


def test_fit_averages_an_epoch_by_images_and_warms_up_by_steps() -> None:
    x = torch.rand(7, 3, 2, 2)
    loader = [(part, torch.zeros(len(part))) for part in x.split([3, 3, 1])]
    model = Toy()
    frozen = torch.optim.SGD(model.parameters(), lr=0.0)
    history = fit(model, loader, frozen, num_epochs=2, warmup_steps=6)
    terms = [expected_terms(model, part, best_sigma(model, part)) for part, _ in loader]
    for epoch, row in enumerate(history):
        loss = sum(
            len(part) * (rec + (3 * epoch + step) / 6 * kl)
            for step, ((part, _), (rec, kl)) in enumerate(zip(loader, terms, strict=True))
        )
        assert row["loss"] == pytest.approx(loss / 7, rel=1e-4)
        assert row["kl"] == pytest.approx(
            sum(len(p) * kl for (p, _), (_, kl) in zip(loader, terms, strict=True)) / 7
        )


def test_fit_learns_and_the_network_in_float64_works() -> None:
    torch.manual_seed(0)
    model = VAE(4).double()
    x = torch.rand(8, 3, 1, 1, dtype=torch.float64).expand(-1, -1, 64, 64)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    history = fit(model, [(x, torch.zeros(8))], optimizer, num_epochs=12)
    assert history[-1]["loss"] < history[0]["loss"] - 1000
    assert all(math.isfinite(value) for row in history for value in row.values())
