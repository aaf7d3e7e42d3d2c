"""Shapes, ranges, and that the code is the only way from the picture to its reconstruction."""

import pytest
import torch

from vae_ref.networks import VAE, Decoder, Encoder


@pytest.mark.parametrize(("batch", "latent_dim"), [(1, 1), (3, 7), (2, 128)])
def test_shapes_and_range(batch: int, latent_dim: int) -> None:
    x = torch.rand(batch, 3, 64, 64)
    x_hat, mu, logvar = VAE(latent_dim)(x)
    assert x_hat.shape == x.shape and mu.shape == logvar.shape == (batch, latent_dim)
    assert Encoder(latent_dim)(x)[0].shape == (batch, latent_dim)
    far = Decoder(latent_dim)(100 * torch.randn(batch, latent_dim))
    assert far.min() >= 0 and far.max() <= 1


def test_heads_are_linear() -> None:
    encoder = Encoder(5)
    assert isinstance(encoder.mu, torch.nn.Linear) and isinstance(encoder.logvar, torch.nn.Linear)
    with torch.no_grad():
        encoder.mu.weight.zero_(), encoder.logvar.weight.zero_()
        encoder.mu.bias.copy_(torch.tensor([-50.0, -1, 0, 1, 50]))
        encoder.logvar.bias.copy_(torch.tensor([50.0, 1, 0, -1, -50]))
    mu, logvar = encoder(torch.rand(2, 3, 64, 64))
    assert mu[0].tolist() == [-50, -1, 0, 1, 50] and logvar[0].tolist() == [50, 1, 0, -1, -50]


def test_the_code_decides_the_picture() -> None:
    torch.manual_seed(0)
    model = VAE(8).eval()
    x = torch.rand(2, 3, 64, 64)
    mu, _ = model.encode(x)
    own, swapped = model.decode(mu), model.decode(mu.flip(0))
    assert torch.equal(own.flip(0), swapped)
    z = torch.randn(2, 8)
    assert (model.decode(z)[0] - model.decode(z)[1]).abs().max() > 1e-3


def test_images_do_not_influence_each_other_and_mode_does_not_matter() -> None:
    torch.manual_seed(0)
    model = VAE(4)
    with torch.no_grad():  # the residual blocks start as the identity, which would hide what is in them
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1)
    x = torch.rand(3, 3, 64, 64)
    mu, logvar = model.train().encode(x)
    x_hat = model.decode(mu)
    torch.testing.assert_close(mu[1:2], model.eval().encode(x[1:2])[0])
    torch.testing.assert_close(logvar, model.encode(x)[1])
    torch.testing.assert_close(x_hat[1:2], model.decode(mu[1:2]))


def test_forward_decodes_what_was_drawn_and_nothing_else() -> None:
    model, x = VAE(4), torch.rand(2, 3, 64, 64)
    z, mu, logvar = model.draw(x, torch.Generator().manual_seed(1))
    assert not torch.equal(z, mu)
    for mine, theirs in zip(
        model(x, torch.Generator().manual_seed(1)), (model.decode(z), mu, logvar), strict=True
    ):
        assert torch.equal(mine, theirs)


def test_generator_makes_forward_repeatable() -> None:
    model, x = VAE(4), torch.rand(2, 3, 64, 64)
    a, b, c = (model(x, torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_every_parameter_learns() -> None:
    model = VAE(4)
    for _ in range(2):  # the zero-initialised convolutions pass gradients on from the second step
        x_hat, mu, logvar = model(torch.rand(2, 3, 64, 64))
        (x_hat.square().sum() + mu.square().sum() + logvar.exp().sum()).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 1e-4 * parameter.grad
    still = [name for name, parameter in model.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert still == []


def test_latent_dim_must_be_positive() -> None:
    with pytest.raises(ValueError, match="latent_dim must be at least 1, got 0"):
        VAE(0)
