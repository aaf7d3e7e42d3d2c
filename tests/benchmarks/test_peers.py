"""Peers are what their authors published: sizes by layer list, losses by formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence

from benchmarks import losses
from benchmarks.contestants import CONTESTANTS, AntixK
from benchmarks.peers import AntixKVanillaVAE, Pythae, antixk_sigma

STANDARD = Normal(torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))


def kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """By torch.distributions, summed over the code, (B,)."""
    return kl_divergence(Normal(mu.double(), (0.5 * logvar.double()).exp()), STANDARD).sum(dim=1)


@pytest.fixture
def batch() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pictures, what a decoder made of them, and an encoder's output."""
    generator = torch.Generator().manual_seed(1)
    x, x_hat = (torch.rand(3, 3, 64, 64, generator=generator) for _ in range(2))
    mu, logvar = (torch.randn(3, 5, generator=generator) for _ in range(2))
    return x, x_hat, mu, logvar


def test_antixk_has_as_many_parameters_as_its_layer_list() -> None:
    convolutions = [(3, 32), (32, 64), (64, 128), (128, 256), (256, 512)]
    doublings = [(512, 256), (256, 128), (128, 64), (64, 32), (32, 32)]
    # a 3×3 convolution has a bias, and BatchNorm a scale and a shift, for each output channel
    blocks = sum(9 * i * o + 3 * o for i, o in convolutions + doublings)
    heads = 2 * (2048 * 128 + 128) + (128 * 2048 + 2048) + (9 * 32 * 3 + 3)
    counted = sum(p.numel() for p in AntixKVanillaVAE().parameters())
    assert counted == blocks + heads == 3_937_635  # the original, built from its repository, has this number


def test_antixk_loss_is_mean_squared_error_on_minus_one_to_one_with_its_weight() -> None:
    torch.manual_seed(0)
    model = AntixKVanillaVAE()
    x = torch.rand(4, 3, 64, 64)
    torch.manual_seed(2)
    loss = model.loss(x)
    torch.manual_seed(2)
    z, mu, logvar = model.draw(x)
    output = model.decoder(z)  # the tanh
    assert output.min().item() < -0.01 < 0.01 < output.max().item()
    expected = (output - (2 * x - 1)).square().mean() + 0.00025 * kl(mu, logvar).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_antixk_loss_is_a_bound_for_the_sigma_that_it_is_given() -> None:
    torch.manual_seed(0)
    model = AntixKVanillaVAE()
    a, b = torch.rand(2, 4, 3, 64, 64)
    num_dims, sigma = a[0].numel(), antixk_sigma(3 * 64 * 64)

    def loss_and_bound(x: Tensor) -> tuple[float, float]:
        torch.manual_seed(2)
        loss = model.loss(x).item()
        torch.manual_seed(2)
        z, mu, logvar = model.draw(x)
        log_p = Normal(model.decode(z).double(), sigma).log_prob(x.double()).flatten(1).sum(dim=1)
        return loss, (kl(mu, logvar) - log_p).mean().item()

    (loss_a, bound_a), (loss_b, bound_b) = loss_and_bound(a), loss_and_bound(0.3 * b)
    # the same function up to a factor and a constant
    assert (bound_a - bound_b) / (loss_a - loss_b) == pytest.approx(1 / 0.00025, rel=1e-3)
    assert sigma == pytest.approx((0.00025 * num_dims / 2) ** 0.5 / 2)


def test_antixk_learns_slower_after_each_epoch() -> None:
    contestant = AntixK()
    rates = []
    for contestant.images in (0, 11_999, 12_000, 24_000):
        rates.append(contestant.learning_rate(done=0.5))
    assert rates == pytest.approx([0.005, 0.005, 0.005 * 0.95, 0.005 * 0.95**2])


def test_pytorch_example_sums_everything(batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    x, x_hat, mu, logvar = batch
    by_formula = -Bernoulli(probs=x_hat.double(), validate_args=False).log_prob(x.double())
    expected = by_formula.sum() + kl(mu, logvar).sum()
    assert losses.pytorch_example(*batch).item() == pytest.approx(expected.item(), rel=1e-5)


def test_mean_cross_entropy_averages_pixels_but_not_the_code(
    batch: tuple[Tensor, Tensor, Tensor, Tensor],
) -> None:
    x, x_hat, mu, logvar = batch
    by_formula = -Bernoulli(probs=x_hat.double(), validate_args=False).log_prob(x.double())
    expected = by_formula.mean() + kl(mu, logvar).mean()
    assert losses.mean_cross_entropy(*batch).item() == pytest.approx(expected.item(), rel=1e-5)


def test_unit_variance_is_the_bound_at_sigma_one_without_its_constant(
    batch: tuple[Tensor, Tensor, Tensor, Tensor],
) -> None:
    x, x_hat, mu, logvar = batch
    log_p = Normal(x_hat.double(), 1.0).log_prob(x.double()).flatten(1).sum(dim=1)
    constant = 0.5 * x[0].numel() * torch.log(torch.tensor(2 * torch.pi)).item()
    expected = (kl(mu, logvar) - log_p).mean().item() - constant
    assert losses.unit_variance(*batch).item() == pytest.approx(expected, rel=1e-5)


def test_pythae_builds_its_own_net_and_its_loss_has_unit_variance() -> None:
    pytest.importorskip("pythae", reason="pip install -e '.[bench]'")
    torch.manual_seed(0)
    peer = Pythae(convolutional=False)
    dense = (
        12_288 * 512 + 512 + 2 * (512 * 10 + 10)
    )  # to one hidden layer, then to mean and log variance of 10
    back = 10 * 512 + 512 + 512 * 12_288 + 12_288
    assert sum(p.numel() for p in peer.parameters()) == dense + back
    x = torch.rand(4, 3, 64, 64)
    torch.manual_seed(2)
    loss = peer.loss(x)
    torch.manual_seed(2)
    z, mu, logvar = peer.draw(x)
    assert loss.item() == pytest.approx(losses.unit_variance(x, peer.decode(z), mu, logvar).item(), rel=1e-5)


@pytest.mark.parametrize("name", [name for name in CONTESTANTS if not name.startswith("pythae")])
def test_a_step_changes_every_parameter_that_gets_a_gradient(name: str) -> None:
    contestant = CONTESTANTS[name](seed=3)
    before = {key: value.clone() for key, value in contestant.model.state_dict().items()}
    contestant.step(torch.rand(4, 3, 64, 64))
    after = contestant.model.state_dict()
    parameters = dict(contestant.model.named_parameters())
    moved = [key for key in parameters if not torch.equal(before[key], after[key])]
    assert {key for key, p in parameters.items() if p.grad is not None and p.grad.any()} == set(moved)
    assert len(moved) > len(parameters) / 2
    assert (contestant.steps, contestant.images) == (1, 4)
