"""Generation and latents: end points, arcs, and principal components against scikit-learn."""

import math

import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from vae_ref.generation import generate, interpolate, lerp, log_aggregated_posterior, reconstruct, slerp
from vae_ref.latents import (
    active_units,
    encode_dataset,
    linear_probe_r2,
    principal_components,
    sap_score,
    traverse,
)
from vae_ref.networks import VAE
from vae_ref.tighter import bits_per_dim


@pytest.fixture(scope="module")
def model() -> VAE:
    torch.manual_seed(0)
    return VAE(6).eval()


def test_reconstruct_has_no_noise_and_generate_comes_from_the_prior(model: VAE) -> None:
    x = torch.rand(3, 3, 64, 64)
    assert torch.equal(reconstruct(model, x), model.decode(model.encode(x)[0]))
    images = generate(model, 4, torch.Generator().manual_seed(1))
    z = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    assert torch.equal(images, model.decode(z))


@pytest.mark.parametrize("path", [lerp, slerp])
def test_paths_start_and_end_exactly(path) -> None:
    a, b = torch.randn(2, 5, 8)
    torch.testing.assert_close(path(a, b, 0.0), a)
    torch.testing.assert_close(path(a, b, 1.0), b)


def test_slerp_turns_at_constant_speed_on_the_sphere() -> None:
    a, b = torch.tensor([1.0, 0, 0], dtype=torch.float64), torch.tensor([0, 1.0, 0], dtype=torch.float64)
    for t in (0.1, 0.25, 0.7):
        angle = t * math.pi / 2
        expected = torch.tensor([math.cos(angle), math.sin(angle), 0], dtype=torch.float64)
        torch.testing.assert_close(slerp(a, b, t), expected)
    assert lerp(a, b, 0.5).norm() < 0.75  # the line cuts through the inside


def test_slerp_falls_back_to_the_line_where_there_is_no_arc() -> None:
    a = torch.tensor([[2.0, 0.0]])
    for b in (2 * a, a, -a, torch.zeros(1, 2)):
        torch.testing.assert_close(slerp(a, b, 0.25), lerp(a, b, 0.25))


@pytest.mark.parametrize("method", ["slerp", "lerp"])
def test_interpolate_ends_at_the_reconstructions(model: VAE, method: str) -> None:
    x = torch.rand(2, 3, 64, 64)
    images = interpolate(model, x[0], x[1], 5, method)
    assert images.shape == (5, 3, 64, 64)
    torch.testing.assert_close(images[[0, -1]], reconstruct(model, x))
    assert not torch.allclose(images[2], images[0])


def test_interpolate_refuses_what_it_cannot_do(model: VAE) -> None:
    x = torch.rand(3, 64, 64)
    with pytest.raises(ValueError, match="'slerp' or 'lerp', got 'cubic'"):
        interpolate(model, x, x, 5, "cubic")
    with pytest.raises(ValueError, match="at least 2, got 1"):
        interpolate(model, x, x, 1)


def test_principal_components_agree_with_scikit_learn() -> None:
    mu = torch.randn(60, 7, dtype=torch.float64) @ torch.randn(7, 7, dtype=torch.float64) + 3
    components, ratio, projected = principal_components(mu, 3)
    oracle = PCA(3).fit(mu.numpy())
    signs = (components * torch.from_numpy(oracle.components_)).sum(1, keepdim=True).sign()
    torch.testing.assert_close(components, signs * torch.from_numpy(oracle.components_))
    torch.testing.assert_close(ratio, torch.from_numpy(oracle.explained_variance_ratio_))
    torch.testing.assert_close(projected, signs.T * torch.from_numpy(oracle.transform(mu.numpy())))
    with pytest.raises(ValueError, match=r"between 1 and 7 .* got 8"):
        principal_components(mu, 8)


def test_encode_dataset_keeps_the_order(model: VAE) -> None:
    x, labels = torch.rand(5, 3, 64, 64), torch.arange(5)
    mu, found = encode_dataset(model, zip(x.split(2), labels.split(2), strict=True))
    torch.testing.assert_close(mu, model.encode(x)[0].detach())
    assert torch.equal(found, labels) and not mu.requires_grad
    with pytest.raises(ValueError, match="no images"):
        encode_dataset(model, [])


def test_traverse_changes_one_coordinate(model: VAE) -> None:
    z, values = torch.randn(6), torch.tensor([-1.0, 0.0, 2.0])
    codes = z.repeat(3, 1)
    codes[:, 4] = values
    assert torch.equal(traverse(model, z, 4, values), model.decode(codes))
    with pytest.raises(IndexError, match="between 0 and 5, got 6"):
        traverse(model, z, 6, values)


def test_active_units_counts_by_variance() -> None:
    scale = torch.tensor([1.0, 0.2, 0.05, 0.0])
    mu = 5 + scale * torch.randn(4000, 4, generator=torch.Generator().manual_seed(0))
    assert active_units(mu) == 2 and active_units(mu, threshold=0.5) == 1


def test_bits_per_dim_at_points_known_by_hand() -> None:
    assert bits_per_dim(torch.zeros(2), 12).tolist() == [8, 8]  # the uniform density
    # all of the density on one of 256 levels: log p = D log 256, no bits left
    assert bits_per_dim(torch.tensor([12 * math.log(256)]), 12).item() == pytest.approx(0, abs=1e-5)
    # unit variance without any error, the "MSE loss": 9.3 bits, worse than uniform
    unit = torch.distributions.Normal(0.0, 1.0).log_prob(torch.zeros(1, 12288)).sum(1)
    assert bits_per_dim(unit, 12288).item() == pytest.approx(9.3257, abs=1e-3)


def test_opposite_codes_are_joined_by_the_line_whatever_the_rounding() -> None:
    a = torch.randn(2000, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(slerp(a, -a, 0.3), 0.4 * a, rtol=0, atol=1e-5)
    nearly = slerp(a.double(), -a.double() + 1e-3, 0.5)  # there is an arc, however short of a half circle
    assert nearly.isfinite().all() and (nearly.norm(dim=1) > 0.9 * a.norm(dim=1)).all()


def test_the_arc_ends_exactly_at_its_ends_whatever_the_rounding() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 1000, 16, generator=generator)
    assert torch.equal(slerp(a, b, 0.0), a) and torch.equal(slerp(a, b, 1.0), b)
    ends = slerp(a[:1], b[:1], torch.tensor([[0.0], [0.5], [1.0]]))
    assert torch.equal(ends[0], a[0]) and torch.equal(ends[2], b[0])


def test_the_aggregated_posterior_is_a_mixture() -> None:
    z, mu, logvar = torch.randn(7, 3).double(), torch.randn(5, 3).double(), torch.randn(5, 3).double()
    posteriors = Independent(Normal(mu, torch.exp(0.5 * logvar)), 1)
    mixture = MixtureSameFamily(Categorical(torch.ones(5)), posteriors)
    torch.testing.assert_close(log_aggregated_posterior(z, mu, logvar), mixture.log_prob(z))
    far = log_aggregated_posterior(torch.full((1, 3), 80.0), mu, logvar.clamp(max=0))
    assert far.isfinite().all() and far < -5_000
    assert log_aggregated_posterior(z[:0], mu, logvar).shape == (0,)
    with pytest.raises(ValueError, match=r"N at least 1, got \(7, 3\), \(0, 3\)"):
        log_aggregated_posterior(z, mu[:0], logvar[:0])
    with pytest.raises(ValueError, match=r"got \(7, 2\)"):
        log_aggregated_posterior(z[:, :2], mu, logvar)


def test_a_linear_probe_agrees_with_scikit_learn() -> None:
    mu, weights = torch.randn(90, 6).double() + 2, torch.randn(6).double()
    target = mu @ weights + torch.randn(90).double() - 5
    oracle = LinearRegression().fit(mu[:50].numpy(), target[:50].numpy())
    parts = mu[:50], target[:50], mu[50:], target[50:]
    assert linear_probe_r2(*parts) == pytest.approx(oracle.score(mu[50:].numpy(), target[50:].numpy()))
    assert linear_probe_r2(mu[:50], target[:50], mu[50:], -target[50:]) < 0
    with pytest.raises(ValueError, match="the same for all 40 images"):
        linear_probe_r2(mu[:50], target[:50], mu[50:], torch.ones(40).double())
    with pytest.raises(ValueError, match=r"test_mu has shape \(40, 6\), but its target \(50,\)"):
        linear_probe_r2(mu[:50], target[:50], mu[50:], target[:50])


def test_sap_compares_regressions_on_single_latents() -> None:
    factors = torch.rand(200, 3, generator=torch.Generator().manual_seed(0)).double()
    mu = torch.cat([factors @ torch.randn(3, 3).double(), torch.ones(200, 1).double()], dim=1)
    scores = [
        sorted(
            LinearRegression().fit(column[:, None], factor).score(column[:, None], factor)
            for column in mu.T.numpy()
        )
        for factor in factors.T.numpy()
    ]
    assert sap_score(mu, factors) == pytest.approx(sum(s[-1] - s[-2] for s in scores) / 3)
    alone = torch.cat([3 - 2 * factors, torch.zeros(200, 1).double()], dim=1)
    assert sap_score(alone, factors) == pytest.approx(1, abs=0.05)  # independent factors correlate a little
    with pytest.raises(ValueError, match="L at least 2"):
        sap_score(mu[:, :1], factors)
    with pytest.raises(ValueError, match="a factor is the same"):
        sap_score(mu, torch.ones(200, 1).double())
