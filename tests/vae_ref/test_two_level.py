"""The two-level VAE: a flat code with a standard normal prior whose second part depends on the first."""

import pytest
import torch

from vae_ref.bound import kl_divergence, log_normal
from vae_ref.generation import generate, reconstruct
from vae_ref.networks import GRID
from vae_ref.sharper import TwoLevelVAE
from vae_ref.sharper.two_level import LOCAL


@pytest.fixture
def model() -> TwoLevelVAE:
    torch.manual_seed(0)
    model = TwoLevelVAE(5)
    with torch.no_grad():  # a trained prior is not constant
        model.prior.weight.normal_(0, 0.05)
    return model.eval()


def test_shapes_and_range(model: TwoLevelVAE) -> None:
    x = torch.rand(3, 3, 64, 64)
    z, mu, logvar = model.draw(x)
    assert model.latent_dim == 5 + LOCAL * GRID**2
    assert z.shape == mu.shape == logvar.shape == (3, model.latent_dim)
    for pictures in (model(x)[0], reconstruct(model, x), generate(model, 3), model.decode(50 * z)):
        assert pictures.shape == x.shape and pictures.min() >= 0 and pictures.max() <= 1


def test_the_local_posterior_is_that_of_the_drawn_global_code(model: TwoLevelVAE) -> None:
    x = torch.rand(2, 3, 64, 64)
    generator = torch.Generator().manual_seed(1)
    first, second = model.draw(x, generator), model.draw(x, generator)
    top, mean = slice(0, 5), model.encode(x)[0]
    for draw in (first, second):
        torch.testing.assert_close(draw[1][:, top], mean[:, top])
    assert not torch.equal(first[1][:, 5:], second[1][:, 5:])
    repeated = model.draw(x, torch.Generator().manual_seed(1))
    assert all(torch.equal(a, b) for a, b in zip(first, repeated, strict=True))


def test_forward_decodes_what_draw_draws(model: TwoLevelVAE) -> None:
    x = torch.rand(2, 3, 64, 64)
    z, mu, logvar = model.draw(x, torch.Generator().manual_seed(3))
    x_hat, other_mu, other_logvar = model(x, torch.Generator().manual_seed(3))
    assert torch.equal(model.decode(z), x_hat)
    assert torch.equal(mu, other_mu) and torch.equal(logvar, other_logvar)


def test_the_flat_form_has_the_divergence_of_the_conditional_prior(model: TwoLevelVAE) -> None:
    # KL(N(m + s μ, s² σ²) ‖ N(m, s²)) = KL(N(μ, σ²) ‖ N(0, 1)), with torch's own divergence as the oracle
    x = torch.rand(2, 3, 64, 64)
    z, mu, logvar = model.draw(x)
    m, s = (part.flatten(1) for part in model.prior_of(model.top(z[:, :5])))
    assert s.std() > 0.001, "the prior must depend on the global code for this test to mean anything"
    normal = torch.distributions.Normal
    local = torch.distributions.kl_divergence(
        normal(m + s * mu[:, 5:], s * (0.5 * logvar[:, 5:]).exp()), normal(m, s)
    ).sum(dim=1)
    torch.testing.assert_close(kl_divergence(mu[:, 5:], logvar[:, 5:]), local, rtol=1e-4, atol=1e-2)


def test_both_parts_of_the_code_reach_the_picture_and_every_parameter_learns(model: TwoLevelVAE) -> None:
    x = torch.rand(2, 3, 64, 64)
    z = model.draw(x)[0].detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model.decode(z).square().sum(), z)
    assert gradient[:, :5].abs().min() > 0 and (gradient[:, 5:] != 0).float().mean() > 0.99
    for _ in range(2):  # the zero-initialised convolutions pass gradients on from the second step
        z, mu, logvar = model.draw(x)
        (model.decode(z).square().sum() + log_normal(z, mu, logvar).sum() + mu.square().sum()).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 1e-5 * parameter.grad
    still = [name for name, parameter in model.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert still == []


def test_images_do_not_influence_each_other(model: TwoLevelVAE) -> None:
    x = torch.rand(3, 3, 64, 64)
    torch.testing.assert_close(model.encode(x)[0][1:2], model.encode(x[1:2])[0], rtol=1e-4, atol=1e-5)


def test_top_dim_must_be_positive() -> None:
    with pytest.raises(ValueError, match="top_dim must be at least 1, got 0"):
        TwoLevelVAE(0)
