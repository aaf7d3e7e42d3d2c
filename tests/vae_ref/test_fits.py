"""What fitting a likelihood or a filter sets, number by number, and what was there before."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.fft import dctn
from torch import Tensor

from vae_ref.tighter import (
    JointMoments,
    SharedSigmaLikelihood,
    SpectrumLikelihood,
    WienerFilter,
    colour_covariance,
    colour_log_likelihood,
)
from vae_ref.tighter.likelihoods import DEQUANTISATION_VARIANCE
from vae_ref.tighter.wiener import eigen_colours

SIZE = 4
NUM_DIMS = 3 * SIZE**2
FLOOR = DEQUANTISATION_VARIANCE / 100


def residuals(count: int = 50, grey: bool = False) -> Tensor:
    """Correlated colours, and some pictures rougher than others."""
    g = torch.Generator().manual_seed(1)
    noise = torch.randn(count, 3, SIZE, SIZE, generator=g, dtype=torch.float64)
    scale = torch.exp(0.7 * torch.randn(count, 1, 1, 1, generator=g, dtype=torch.float64))
    mix = torch.eye(3) + 0.5
    return (
        0.1
        * scale
        * (noise[:, :1].expand_as(noise) if grey else torch.einsum("cd,bdhw->bchw", mix.double(), noise))
    )


def coefficients(likelihood: SpectrumLikelihood, of: Tensor) -> Tensor:
    """Whitened colours by frequency, with the transform of scipy."""
    white = torch.einsum("cd,bdhw->bchw", likelihood.whiten, of)
    return torch.from_numpy(dctn(white.numpy(), axes=(2, 3), norm="ortho"))


def spectrum(num_scales: int, num_iterations: int = 10, of: Tensor | None = None) -> SpectrumLikelihood:
    likelihood = SpectrumLikelihood(SIZE, num_scales).double()
    return likelihood.fit([residuals() if of is None else of], num_iterations)


# ---- one σ, one covariance ------------------------------------------------------------------------------------------


def test_the_shared_sigma_is_the_root_of_the_mean_square() -> None:
    fitted = SharedSigmaLikelihood().fit(residuals().split(7))
    assert fitted.sigma.item() == pytest.approx(residuals().square().mean().sqrt().item())


def test_a_covariance_keeps_a_hundredth_of_the_noise_of_dequantisation() -> None:
    covariance = colour_covariance([residuals(grey=True)])
    assert covariance.dtype == torch.float64
    assert torch.linalg.eigvalsh(covariance)[:2].tolist() == pytest.approx([FLOOR] * 2, rel=1e-3)


def test_a_covariance_may_be_rounded_but_not_of_another_kind() -> None:
    x = residuals(2)

    def accepted(scale: float, above: float, below: float) -> bool:
        covariance = scale * torch.eye(3, dtype=torch.float64)
        covariance[0, 1], covariance[1, 0] = above, below
        try:
            return bool(colour_log_likelihood(x, x, covariance).isfinite().all())
        except ValueError:
            return False

    assert accepted(1.0, 0.2, 0.2 * (1 + 5e-5)) and not accepted(1.0, 0.2, 0.1)
    assert not accepted(1e-6, 1e-9, 5e-9)  # what is small is no rounding where all is small


# ---- the spectrum ---------------------------------------------------------------------------------------------------


def test_before_the_fit_a_spectrum_is_white() -> None:
    plain, mixed = SpectrumLikelihood(), SpectrumLikelihood(SIZE, 3)
    assert plain.variance.shape == (3, 64, 64) and plain.log_scale.shape == (1,)
    x = residuals().float()
    torch.testing.assert_close(mixed.log_prob(x, 0 * x), SharedSigmaLikelihood().log_prob(x, 0 * x))
    # what can be computed is not saved
    assert list(mixed.state_dict()) == ["whiten", "variance", "log_scale", "log_weight"]
    with pytest.raises(ValueError, match="must be at least 1, got 4 and 0"):
        SpectrumLikelihood(SIZE, 0)


def test_one_scale_is_fitted_in_closed_form() -> None:
    fitted = spectrum(1)
    identity = fitted.whiten @ colour_covariance([residuals()]) @ fitted.whiten.T
    torch.testing.assert_close(identity, torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(
        fitted.variance, coefficients(fitted, residuals()).square().mean(0), rtol=1e-5, atol=0
    )
    assert fitted.log_scale.tolist() == spectrum(1, num_iterations=0).log_scale.tolist() == [0.0]
    assert fitted.log_weight.tolist() == [0.0]


def test_no_frequency_varies_less_than_dequantisation_lets_it() -> None:
    fitted = spectrum(1, of=residuals(grey=True))
    least = FLOOR * fitted.whiten.square().sum(dim=1)
    torch.testing.assert_close(fitted.variance[:2], least[:2, None, None].expand(2, SIZE, SIZE))


def test_scales_start_where_thirds_of_the_pictures_have_their_middle() -> None:
    start = spectrum(3, num_iterations=0)
    best = (coefficients(start, residuals()).square() / start.variance).sum(dim=(1, 2, 3)) / NUM_DIMS
    wanted = torch.quantile(best, torch.tensor([1 / 6, 3 / 6, 5 / 6], dtype=torch.float64)).sqrt()
    torch.testing.assert_close(start.log_scale.exp(), wanted, rtol=1e-5, atol=0)
    torch.testing.assert_close(start.log_weight.exp(), torch.full((3,), 1 / 3, dtype=torch.float64))


def test_a_fit_is_the_same_however_pictures_come_in_batches() -> None:
    whole = spectrum(2)
    parts = SpectrumLikelihood(SIZE, 2).double().fit(residuals().split(7))
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(getattr(parts, name), value, rtol=1e-10, atol=1e-12)


def one_step(likelihood: SpectrumLikelihood, of: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, squared scales and variances that one step of EM gives, written out with torch.distributions."""
    squares = coefficients(likelihood, of).square()
    spread = torch.exp(likelihood.log_scale)[:, None, None, None] * likelihood.variance.sqrt()
    normal = torch.distributions.Normal(torch.zeros_like(spread), spread)
    joint = normal.log_prob(squares.sqrt()[:, None]).sum(dim=(2, 3, 4)) + likelihood.log_weight
    share = torch.softmax(joint, dim=1)  # (B, K)
    energy = (squares / likelihood.variance).sum(dim=(1, 2, 3))
    scale = (share * energy[:, None]).sum(0) / (NUM_DIMS * share.sum(0))
    variance = torch.einsum("bk,bchw->kchw", share, squares) / scale[:, None, None, None]
    return share.mean(0), scale, variance.sum(0) / len(of)


@pytest.mark.parametrize("count", [50, 1])
def test_a_step_of_em_is_the_one_of_the_textbook(count: int) -> None:
    likelihood = spectrum(2, num_iterations=0)
    likelihood.log_scale.copy_(torch.tensor([-0.1, 0.15]))  # of one picture each may claim a part
    weight, scale, variance = one_step(likelihood, residuals(count))
    likelihood._improve([residuals(count)])
    torch.testing.assert_close(likelihood.log_weight.exp(), weight, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(likelihood.log_scale, 0.5 * scale.log(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(likelihood.variance, variance, rtol=1e-4, atol=0)


def test_a_scale_that_no_picture_wants_stays_where_it_is() -> None:
    likelihood = spectrum(2)
    likelihood.log_scale[1] = 20.0
    likelihood._improve([residuals()])
    assert likelihood.log_scale[1] == 20.0
    assert likelihood.log_weight[1].item() == pytest.approx(math.log(1e-6 / len(residuals())), rel=1e-6)


def test_ten_steps_are_taken_unless_told_otherwise() -> None:
    usual = SpectrumLikelihood(SIZE, 2).double().fit([residuals()])
    assert torch.equal(usual.log_scale, spectrum(2, 10).log_scale)
    assert not torch.equal(usual.log_scale, spectrum(2, 9).log_scale)


# ---- the Wiener filter ----------------------------------------------------------------------------------------------


def test_before_the_fit_a_filter_keeps_everything() -> None:
    plain = WienerFilter()
    assert plain.gain.shape == plain.offset.shape == (3, 64, 64)
    assert list(plain.state_dict()) == ["colours", "gain", "offset"]
    assert list(JointMoments(SIZE).state_dict()) == ["mean", "covariance"]


def test_moments_are_those_of_all_batches_together() -> None:
    x, x_hat = 0.5 + residuals(60).split(30)[0], 0.4 + 0.8 * residuals(60).split(30)[0].flip(0)
    moments, count = JointMoments(SIZE).double(), 0
    for a, b in zip(x.split((20, 7, 3)), x_hat.split((20, 7, 3)), strict=True):
        count += len(a)
        moments.follow(a, b, len(a) / count)
    both = torch.from_numpy(dctn((torch.cat([x, x_hat], dim=1) - 0.5).numpy(), axes=(2, 3), norm="ortho"))
    torch.testing.assert_close(moments.mean, both.mean(0), rtol=1e-5, atol=1e-6)
    around = both - both.mean(0)
    wanted = torch.einsum("bchw,bdhw->cdhw", around, around) / len(both)
    torch.testing.assert_close(moments.covariance, wanted, rtol=1e-4, atol=1e-7)


def test_pictures_may_be_less_precise_than_their_moments() -> None:
    moments = JointMoments(SIZE).double()
    moments.follow(residuals().float(), residuals().float(), 1.0)
    assert moments.mean.dtype == torch.float64 and moments.covariance.any()


def test_colours_are_directions_in_which_nothing_goes_together() -> None:
    covariance = colour_covariance([residuals()]).float()
    values, directions = eigen_colours(covariance)
    assert values.dtype == directions.dtype == torch.float32 and (values.diff() > 0).all()
    torch.testing.assert_close(
        directions @ covariance @ directions.T, torch.diag(values), rtol=1e-4, atol=1e-6
    )
