"""The learned prior: a true density that can be undone, that covers the codes, and that every consumer asks."""

import copy
import math
from functools import partialmethod
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal
from torch.distributions.transforms import AffineTransform

from vae_ref.checkpoint import load_checkpoint
from vae_ref.config import Config
from vae_ref.dogs import DogData, load_paper
from vae_ref.errors import CourseError
from vae_ref.evaluation.core import evaluate_model, rate
from vae_ref.generation import generate
from vae_ref.models import build_model
from vae_ref.networks import VAE, draw_prior, log_prior
from vae_ref.sharper.flow import Coupling, FlowPrior
from vae_ref.tighter import log_weights
from vae_ref.trainer import Trainer
from vae_ref.weights import read_model, save_weights


def bent(latent_dim: int, strength: float = 0.1, dtype: torch.dtype = torch.float64) -> FlowPrior:
    """A flow that is no identity: as made, every layer would be one."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        flow = FlowPrior(latent_dim).to(dtype)
        for parameter in flow.parameters():
            parameter.data += strength * torch.randn_like(parameter)
        flow.centre.normal_()
        flow.spread.uniform_(0.5, 2)
    return flow.requires_grad_(False)


def draws(count: int, latent_dim: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, latent_dim, generator=generator, dtype=torch.float64)


def ring(count: int, seed: int) -> Tensor:
    """Codes around a circle: N(0, I) puts most of its mass where they are not."""
    generator = torch.Generator().manual_seed(seed)
    angle = 2 * math.pi * torch.rand(count, generator=generator)
    return 2 * torch.stack([angle.cos(), angle.sin()], dim=1)


@pytest.mark.parametrize("latent_dim", [2, 3, 16])
def test_what_is_bent_can_be_bent_back(latent_dim: int) -> None:
    flow, u = bent(latent_dim), draws(50, latent_dim)
    z = flow(u)
    assert (flow.inverse(z)[1] + flow.spread.log().sum()).abs().mean() > 0.05  # no volume-preserving map
    torch.testing.assert_close(flow.inverse(z)[0], u)


@pytest.mark.parametrize("latent_dim", [2, 3, 16])
def test_the_determinant_is_that_of_the_jacobian(latent_dim: int) -> None:
    flow, z = bent(latent_dim), draws(4, latent_dim)
    jacobians = torch.stack([torch.func.jacrev(lambda row: flow.inverse(row[None])[0][0])(row) for row in z])
    torch.testing.assert_close(flow.inverse(z)[1], torch.linalg.slogdet(jacobians).logabsdet)


def test_one_layer_is_the_affine_transform_of_torch() -> None:
    torch.manual_seed(0)
    layer = Coupling(5).double()
    torch.nn.init.normal_(layer.network[-1].weight, 0, 0.5)
    u = draws(6, 5)
    shift, log_scale = layer._terms(u[:, :2])
    oracle = AffineTransform(shift, log_scale.exp(), event_dim=1)
    torch.testing.assert_close(layer(u), torch.cat([u[:, :2], oracle(u[:, 2:])], dim=1))
    z, log_det = layer(u), oracle.log_abs_det_jacobian(u[:, 2:], None)
    torch.testing.assert_close(layer.inverse(z)[1], -log_det)


def test_the_density_is_one_in_all() -> None:
    flow = bent(2, strength=0.05)  # bent more, its tails would need a larger square
    side = torch.linspace(-12, 12, 301, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side) * flow.spread + flow.centre
    cell = (side[1] - side[0]) ** 2 * flow.spread.prod()
    assert (flow.log_prob(grid).exp().sum() * cell).item() == pytest.approx(1, abs=1e-4)


def test_an_unfitted_flow_is_the_normal_distribution() -> None:
    z = draws(20, 6).float()
    normal = Independent(Normal(torch.zeros(6), torch.ones(6)), 1)
    torch.testing.assert_close(FlowPrior(6).log_prob(z), normal.log_prob(z))


@pytest.mark.slow
def test_codes_it_was_fitted_to_become_likelier_and_samples_lie_among_them() -> None:
    mu, logvar = ring(2000, seed=0), torch.full((2000, 2), math.log(0.1**2))
    others = ring(500, seed=1) + 0.1 * draws(500, 2).float()
    # a short training may end in a poor optimum, and in which depends on the processor's rounding
    # the entropy of the ring: a circle of radius 2, blurred by 0.1
    best = -(math.log(2 * math.pi * 2) + 0.5 * math.log(2 * math.pi * math.e * 0.1**2))
    for seed in range(3):
        flow = FlowPrior(2).fit(mu, logvar, seed=seed, steps=1500)
        if flow.log_prob(others).mean() > best - 0.3:
            break
    gain = flow.log_prob(others) - log_prior(VAE(2), others)
    assert best - 0.3 < flow.log_prob(others).mean() < best + 0.1
    assert gain.mean() > 1.5
    radius = flow(draws(1000, 2, seed=2).float()).norm(dim=1)
    assert ((radius - 2).abs() < 0.5).double().mean() > 0.9


def test_a_fit_depends_on_its_seed_alone_and_leaves_the_global_noise_where_it_was() -> None:
    mu, logvar = ring(300, seed=0), torch.full((300, 2), -4.0)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    with torch.no_grad():  # as an evaluation would call it
        first = FlowPrior(2).fit(mu, logvar, seed=3, steps=5)
    torch.set_rng_state(state)
    flow = FlowPrior(2)
    before = torch.get_rng_state()
    flow.fit(mu, logvar, seed=4, steps=5)
    other = {name: part.clone() for name, part in flow.state_dict().items()}
    assert torch.equal(torch.get_rng_state(), before)
    flow.fit(mu, logvar, seed=3, steps=5)  # what was learned before is forgotten
    assert all(torch.equal(part, first.state_dict()[name]) for name, part in flow.state_dict().items())
    assert not torch.equal(other["layers.0.network.0.weight"], flow.layers[0].network[0].weight)
    assert not any(parameter.requires_grad for parameter in flow.parameters())


@pytest.mark.parametrize(
    ("mu", "logvar", "message"),
    [
        (torch.zeros(9, 2), torch.zeros(9, 3), r"must be \(N, 2\) .* got \(9, 2\) and \(9, 3\)"),
        (torch.zeros(9, 3), torch.zeros(9, 3), r"must be \(N, 2\) .* got \(9, 3\)"),
        (torch.zeros(1, 2), torch.zeros(1, 2), r"N at least 2, got \(1, 2\)"),
        (torch.full((9, 2), math.nan), torch.zeros(9, 2), "must be finite"),
        (torch.zeros(9, 2), torch.full((9, 2), math.inf), "must be finite"),
        (torch.zeros(9, 2, dtype=torch.long), torch.zeros(9, 2), "must be a floating-point tensor"),
    ],
)
def test_what_are_no_posteriors_is_refused(mu: Tensor, logvar: Tensor, message: str) -> None:
    flow = bent(2)
    before = {name: part.clone() for name, part in flow.state_dict().items()}
    with pytest.raises((TypeError, ValueError), match=message):
        flow.fit(mu, logvar, steps=1)
    assert all(torch.equal(part, before[name]) for name, part in flow.state_dict().items())


def test_a_flow_needs_something_to_condition_on() -> None:
    with pytest.raises(ValueError, match="at least 2, got 1"):
        FlowPrior(1)
    with pytest.raises(CourseError, match="got a vae with 1; use --prior normal"):
        Config(latent_dim=1, prior="flow")
    with pytest.raises(CourseError, match="got a two-level with 8; use --prior normal"):
        Config(latent_dim=8, model="two-level", prior="flow")


@pytest.fixture
def model() -> VAE:
    torch.manual_seed(0)
    vae = VAE(4)
    vae.learned_prior = bent(4, dtype=torch.float32)
    return vae.requires_grad_(False)


def test_codes_and_pictures_are_drawn_through_the_learned_prior(model: VAE) -> None:
    noise = torch.randn(5, 4, generator=torch.Generator().manual_seed(9))
    codes = draw_prior(model, 5, torch.Generator().manual_seed(9))
    assert torch.equal(codes, model.learned_prior(noise))
    assert torch.equal(generate(model, 5, torch.Generator().manual_seed(9)), model.decode(codes))
    model.learned_prior = None
    assert torch.equal(draw_prior(model, 5, torch.Generator().manual_seed(9)), noise)


def test_the_rate_is_a_fair_estimate_of_the_divergence_to_the_learned_prior(model: VAE) -> None:
    flow = model.learned_prior
    mu, logvar = torch.tensor([[0.3, -1.0, 0.5, 0.0]]), torch.full((1, 4), -1.0)
    posterior = Normal(mu, (0.5 * logvar).exp())
    z = posterior.sample((20_000,))[:, 0]
    wanted = (posterior.log_prob(z).sum(dim=1) - flow.log_prob(z)).mean()
    estimates = rate(model, z, mu.expand_as(z), logvar.expand_as(z))
    torch.testing.assert_close(estimates.mean(), wanted, atol=1e-3, rtol=1e-4)
    # a flow that is a normal distribution of another place and width: known in closed form
    plain = FlowPrior(4)
    plain.centre.copy_(torch.tensor([1.0, 0.0, -1.0, 0.5]))
    plain.spread.copy_(torch.tensor([0.7, 1.0, 1.5, 2.0]))
    model.learned_prior = plain.requires_grad_(False)
    exact = torch.distributions.kl_divergence(posterior, Normal(plain.centre, plain.spread)).sum()
    estimates = rate(model, z, mu.expand_as(z), logvar.expand_as(z))
    assert estimates.mean().item() == pytest.approx(exact.item(), abs=4 * estimates.std().item() / 141)


def test_importance_weights_ask_the_learned_prior(model: VAE) -> None:
    x = torch.rand(3, 3, 64, 64)

    def weights() -> Tensor:
        return log_weights(model, x, 5, torch.Generator().manual_seed(1))

    bent_weights, model.learned_prior = weights(), FlowPrior(4).requires_grad_(False)
    unbent_weights, model.learned_prior = weights(), None  # as made, a flow is N(0, I) said in another way
    torch.testing.assert_close(unbent_weights, weights())
    assert (bent_weights - unbent_weights).abs().min() > 0.01


def test_weights_take_their_prior_along(tmp_path: Path) -> None:
    config = Config(latent_dim=4, prior="flow")
    torch.manual_seed(0)
    model = build_model(config)
    model.learned_prior.fit(2 * torch.randn(100, 4) + 1, torch.zeros(100, 4), steps=5)
    save_weights(model, config, "abc", tmp_path / "model.safetensors")
    loaded, origin = read_model(tmp_path / "model.safetensors")
    assert origin.config == config
    z = draws(9, 4).float()
    torch.testing.assert_close(log_prior(loaded, z), log_prior(model, z), atol=0.05, rtol=0.01)
    assert torch.equal(loaded.learned_prior.orders, model.learned_prior.orders)


@pytest.fixture(scope="module")
def data() -> DogData:
    return load_paper(num_train=120, num_test=20)


@pytest.mark.slow
def test_training_ends_with_a_prior_that_fits_and_resumes_to_the_same(
    data: DogData, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(FlowPrior, "fit", partialmethod(FlowPrior.fit, steps=60))
    monkeypatch.setattr("vae_ref.trainer.STEPS_PER_ROW", 4)
    monkeypatch.setattr("vae_ref.trainer.SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    config = Config(data="paper", latent_dim=4, prior="flow", batch_size=20, learning_rate=2e-3)
    whole = Trainer(config, data, tmp_path / "whole")
    whole.train(epochs=6)
    learned = evaluate_model(whole.model, data.test)
    plain = copy.deepcopy(whole.model)
    plain.learned_prior = None
    assert learned.kl < evaluate_model(plain, data.test).kl

    part = Trainer(config, data, tmp_path / "part")
    save, saved = part.save, []

    def save_and_stop() -> None:
        save()
        saved.append(part.progress.step)
        if len(saved) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(part, "save", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        part.train(epochs=6)
    again = Trainer(config, data, tmp_path / "part")
    assert again.progress.step == saved[-1] == 12
    again.train(epochs=6)
    finished = load_checkpoint(tmp_path / "part").model
    assert finished.keys() == whole.model.state_dict().keys()
    assert all(torch.equal(value, whole.model.state_dict()[name]) for name, value in finished.items())
