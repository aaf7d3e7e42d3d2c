"""Likelihoods against torch.distributions, scipy, mpmath and numerical integration; all of them are normalised."""

import itertools
import math

import mpmath
import pytest
import torch
from scipy.fft import dctn
from sklearn.linear_model import LinearRegression
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from vae_ref.bound import reconstruction_log_likelihood
from vae_ref.dogs import NOISE_SIGMA, draw_paper_dogs, entropy_floor, paper_dogs
from vae_ref.tighter import (
    ColourLikelihood,
    JointMoments,
    Likelihood,
    SharedSigmaLikelihood,
    SpectrumLikelihood,
    UniformLikelihood,
    WienerFilter,
    beta_from_sigma,
    bits_per_dim,
    colour_covariance,
    colour_log_likelihood,
    dct_matrix,
    dequantise,
    discretised_log_likelihood,
    mean_picture,
    sigma_from_beta,
    to_middle,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth_residuals(count: int, size: int, rough: bool = True) -> Tensor:
    """Correlated colours, low frequencies strong, some images rougher than others."""
    g = generator(3)
    noise = torch.randn(count, 3, size, size, generator=g, dtype=torch.float64)
    frequency = torch.arange(size, dtype=torch.float64)
    fall = 1 / (1 + frequency[:, None] + frequency)
    mix = torch.tensor([[1.0, 0.2, 0.0], [0.9, 0.1, 0.2], [0.8, -0.3, 0.1]], dtype=torch.float64)
    basis = dct_matrix(size)
    residuals = torch.einsum("cd,bdhw->bchw", mix, basis.T @ (noise * fall) @ basis)
    scale = torch.exp(0.7 * torch.randn(count, 1, 1, 1, generator=g, dtype=torch.float64)) if rough else 1.0
    return 0.1 * scale * residuals


def fitted_spectrum(num_scales: int, size: int = 4, iterations: int = 10) -> SpectrumLikelihood:
    likelihood = SpectrumLikelihood(size, num_scales).double()
    return likelihood.fit(list(smooth_residuals(400, size).split(150)), num_iterations=iterations)


# ---- β and σ, bits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.1, 1.0, 3.0])
def test_beta_and_sigma_ask_for_the_same_picture(sigma: float) -> None:
    # losses with the same minima everywhere: their gradients are parallel
    x, x_hat = torch.rand(2, 1, 3, 4, 4, dtype=torch.float64).unbind()
    mu = torch.randn(1, 5, dtype=torch.float64)
    leaves = [x_hat.requires_grad_(), mu.requires_grad_()]
    squares, kl = (x - x_hat).square(), 0.5 * mu.square().sum()
    bound = -reconstruction_log_likelihood(x, x_hat, sigma).sum() + kl
    wanted = torch.autograd.grad(bound, leaves, retain_graph=True)
    beta = beta_from_sigma(sigma)
    for loss, scale in (
        (0.5 * squares.sum() + beta * kl, sigma**2),
        (squares.sum() + 2 * beta * kl, 2 * sigma**2),
        (squares.mean() + 2 * beta / squares.numel() * kl, 2 * sigma**2 / squares.numel()),
    ):
        for a, b in zip(torch.autograd.grad(loss, leaves, retain_graph=True), wanted, strict=True):
            torch.testing.assert_close(a, scale * b)
    assert sigma_from_beta(beta) == pytest.approx(sigma)


def test_the_numbers_that_the_text_gives_for_beta() -> None:
    assert beta_from_sigma(0.1) == pytest.approx(0.01)
    assert 2 * beta_from_sigma(0.1) / 12288 == pytest.approx(0.0000016, abs=5e-8)
    assert sigma_from_beta(1 * 12288 / 2) == pytest.approx(78, abs=0.5)


def test_dequantised_levels_stay_in_their_intervals_around_the_middle() -> None:
    x = (torch.arange(256).float() / 255).expand(2000, 1, 1, 256)
    y = dequantise(x, generator())
    assert ((256 * y - (255 * x).round() - 0.5).abs() < 0.5 + 1e-4).all()  # float32 rounds at the edges
    torch.testing.assert_close(y.mean(0), to_middle(x[0]), atol=1.5e-4, rtol=0)  # 6 standard errors
    assert torch.equal(y, dequantise(x, generator()))
    assert dequantise(x[:1].bfloat16()).dtype == torch.bfloat16
    assert dequantise(x[:1].to("meta")).device.type == "meta"


# ---- discretised Gaussian -----------------------------------------------------------------------------------------

LEVELS = (torch.arange(256).double() / 255)[:, None]  # 256 images of one pixel


@pytest.mark.parametrize("sigma", [1e-3, 0.02, 0.3, 5.0, 1e4])
@pytest.mark.parametrize("centre", [0.0, 0.4987, 1.0])
def test_the_256_levels_have_probability_one(sigma: float, centre: float) -> None:
    log_p = discretised_log_likelihood(LEVELS, torch.full_like(LEVELS, centre), sigma)
    assert (log_p <= 0).all()
    assert torch.logsumexp(log_p, 0).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("sigma", [1e-4, 1e-2, 0.5, 1e3])
def test_each_level_agrees_with_high_precision_arithmetic(sigma: float) -> None:
    centre = 0.3
    log_p = discretised_log_likelihood(LEVELS, torch.full_like(LEVELS, centre), sigma)

    def tail(z: mpmath.mpf) -> mpmath.mpf:  # 1 − Φ(z); differences of this lose nothing at 80 digits and more
        return mpmath.erfc(z / mpmath.sqrt(2)) / 2

    with mpmath.workdps(60):
        for level in (0, 1, 76, 77, 200, 254, 255):
            low = (mpmath.mpf(level) - 0.5 - 255 * mpmath.mpf(centre)) / (255 * mpmath.mpf(sigma))
            high = low + 1 / (255 * mpmath.mpf(sigma))
            if low + high < 0:
                low, high = -high, -low
                open_end = level == 0
            else:
                open_end = level == 255
            exact = tail(low) if open_end else tail(low) - tail(high)
            if level in (0, 255) and not open_end:
                exact = 1 - tail(high)
            assert log_p[level].item() == pytest.approx(float(mpmath.log(exact)), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("sigma", [1e-6, 1e-4, 1.0, 1e3, 1e18])
def test_gradients_of_the_discretised_likelihood_are_finite_in_the_far_tails(sigma: float) -> None:
    x = torch.tensor([[0.0, 1.0, 0.0, 1.0, 128 / 255]])
    x_hat = torch.tensor([[1.0, 0.0, 0.0, 1.0, 0.0]], requires_grad=True)
    log_sigma = torch.tensor(math.log(sigma), requires_grad=True)
    value = discretised_log_likelihood(x, x_hat, log_sigma.exp())
    value.sum().backward()
    assert value.dtype == torch.float32
    assert value.isfinite().all() and x_hat.grad.isfinite().all() and log_sigma.grad.isfinite()
    assert x_hat.grad[0, 0] < 0 < x_hat.grad[0, 1]


def test_gradcheck_of_the_discretised_likelihood() -> None:
    x = (torch.randint(0, 256, (2, 6), generator=generator()) / 255).double()
    x[0, 0], x[1, 1] = 0, 1
    x_hat = torch.rand(2, 6, generator=generator(1), dtype=torch.float64, requires_grad=True)
    sigma = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, s: discretised_log_likelihood(x, a, s), (x_hat, sigma))


def test_the_true_model_of_paper_dogs_reaches_their_entropy_floor() -> None:
    images, factors = paper_dogs(16, seed=5)
    clean, x = draw_paper_dogs(factors), images.float() / 255
    num_dims = x[0].numel()
    bits = -discretised_log_likelihood(x, clean, NOISE_SIGMA) / (num_dims * math.log(2))
    # an entropy's spread is about 0.7 nats a pixel, so 16 · 12,288 pixels leave 0.0023 bits; five of those
    assert bits.mean().item() == pytest.approx(entropy_floor(), abs=0.012)
    # a density of dequantised pixels pays ½ log₂ 2πe(2² + 1/6) = 3.0765; and no other picture or σ does better
    y = dequantise(x, generator())
    sigma = (y - to_middle(clean)).square().mean().sqrt()
    density = bits_per_dim(reconstruction_log_likelihood(y, to_middle(clean), sigma), num_dims)
    assert density.mean().item() == pytest.approx(3.0765, abs=0.012)
    for x_hat, s in ((clean + 0.01, NOISE_SIGMA), (clean, 1.3 * NOISE_SIGMA), (clean, 0.7 * NOISE_SIGMA)):
        worse = -discretised_log_likelihood(x, x_hat.clamp(0, 1), s) / (num_dims * math.log(2))
        assert worse.mean() > bits.mean() + 0.01


# ---- colours ------------------------------------------------------------------------------------------------------


def covariance() -> Tensor:
    root = torch.randn(3, 3, generator=generator(4), dtype=torch.float64)
    return root @ root.T + 0.1 * torch.eye(3, dtype=torch.float64)


def test_colour_log_likelihood_agrees_with_torch_distributions() -> None:
    x, x_hat = torch.rand(2, 4, 3, 5, 6, dtype=torch.float64).unbind()
    oracle = MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance())
    expected = oracle.log_prob((x - x_hat).permute(0, 2, 3, 1)).sum(dim=(1, 2))
    torch.testing.assert_close(colour_log_likelihood(x, x_hat, covariance()), expected)
    same = 0.04 * torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(
        colour_log_likelihood(x, x_hat, same), reconstruction_log_likelihood(x, x_hat, 0.2)
    )


def test_the_fitted_covariance_is_the_most_likely_one() -> None:
    residuals = smooth_residuals(30, 4)
    best = colour_covariance(residuals.split(7))
    pixels = residuals.transpose(0, 1).flatten(1)
    torch.testing.assert_close(best, pixels @ pixels.T / pixels.shape[1])
    zero = torch.zeros_like(residuals)
    at_best = colour_log_likelihood(residuals, zero, best).sum()
    for i in range(3):
        for j in range(i + 1):
            change = torch.zeros(3, 3, dtype=torch.float64)
            change[i, j] = change[j, i] = 0.01 * best.diagonal().min()
            for sign in (1, -1):
                assert colour_log_likelihood(residuals, zero, best + sign * change).sum() < at_best


def test_grey_residuals_have_a_covariance_that_can_be_used() -> None:
    grey = 0.1 * torch.randn(5, 1, 8, 8, generator=generator()).expand(-1, 3, -1, -1)
    for likelihood in (ColourLikelihood(), SpectrumLikelihood(8), SpectrumLikelihood(8, 2)):
        assert likelihood.fit([grey]).log_prob(grey, torch.zeros_like(grey)).isfinite().all()


# ---- spectrum -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 4, 7, 64])
def test_the_cosine_transform_is_orthonormal_and_that_of_scipy(size: int) -> None:
    matrix = dct_matrix(size)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(size, dtype=torch.float64))
    image = torch.rand(size, size, dtype=torch.float64)
    torch.testing.assert_close(
        matrix @ image @ matrix.T, torch.from_numpy(dctn(image.numpy(), norm="ortho")), atol=1e-10, rtol=0
    )


@pytest.mark.parametrize("num_scales", [1, 3])
def test_spectrum_is_the_gaussian_with_the_full_covariance_that_it_implies(num_scales: int) -> None:
    likelihood = fitted_spectrum(num_scales)
    # the 48×48 map, one unit residual at a time, with scipy's transform
    columns = []
    for unit in torch.eye(48, dtype=torch.float64).view(48, 3, 4, 4):
        white = torch.einsum("cd,dhw->chw", likelihood.whiten, unit)
        columns.append(torch.from_numpy(dctn(white.numpy(), axes=(1, 2), norm="ortho")).flatten())
    inverse = torch.linalg.inv(torch.stack(columns, dim=1))
    full = inverse @ torch.diag(likelihood.variance.flatten()) @ inverse.T
    full = (full + full.T) / 2
    x, x_hat = 0.3 * torch.rand(2, 6, 3, 4, 4, dtype=torch.float64)
    terms = [
        weight + MultivariateNormal(x_hat.flatten(1), torch.exp(2 * scale) * full).log_prob(x.flatten(1))
        for weight, scale in zip(likelihood.log_weight, likelihood.log_scale, strict=True)
    ]
    expected = torch.logsumexp(torch.stack(terms), dim=0)
    torch.testing.assert_close(likelihood.log_prob(x, x_hat), expected, rtol=1e-5, atol=1e-4)
    assert likelihood.log_weight.exp().sum().item() == pytest.approx(1)


@pytest.mark.parametrize("num_scales", [1, 3])
def test_spectrum_integrates_to_one_over_the_colours_of_a_pixel(num_scales: int) -> None:
    likelihood = fitted_spectrum(num_scales, size=1)
    # a grid along the axes in which the density is round, ±9 standard deviations of the widest scale
    points = torch.linspace(-9, 9, 91, dtype=torch.float64)
    white = torch.cartesian_prod(points, points, points) * likelihood.log_scale.exp().max()
    to_colours = torch.linalg.inv(likelihood.whiten) * likelihood.variance.flatten().sqrt()
    pixels = (white @ to_colours.T)[:, :, None, None]
    cell = ((points[1] - points[0]) * likelihood.log_scale.exp().max()) ** 3 * torch.linalg.det(
        to_colours
    ).abs()
    density = likelihood.log_prob(pixels, torch.zeros_like(pixels)).exp()
    assert (density.sum() * cell).item() == pytest.approx(1, abs=1e-3)


def test_closed_form_variances_are_the_most_likely_ones() -> None:
    residuals = smooth_residuals(200, 4)
    likelihood = SpectrumLikelihood(4).double().fit([residuals])
    zero = torch.zeros_like(residuals)
    at_best = likelihood.log_prob(residuals, zero).sum()
    for place in ((0, 0, 0), (1, 2, 3), (2, 3, 3)):
        for factor in (0.97, 1.03):
            likelihood.variance[place] *= factor
            assert likelihood.log_prob(residuals, zero).sum() < at_best
            likelihood.variance[place] /= factor


def test_em_never_lowers_the_likelihood_and_finds_the_scales() -> None:
    residuals = smooth_residuals(400, 4)
    zero = torch.zeros_like(residuals)
    curve = [
        fitted_spectrum(3, iterations=n).log_prob(residuals, zero).sum().item() for n in (0, 1, 2, 4, 8, 16)
    ]
    assert all(b >= a - 1e-6 for a, b in itertools.pairwise(curve))
    plain = fitted_spectrum(1).log_prob(residuals, zero).sum().item()
    assert curve[-1] > plain + 400 * 2  # images differ in scale by e^±0.7; a mixture gains nats on each


def test_em_ends_where_no_parameter_can_be_improved() -> None:
    residuals = smooth_residuals(400, 4)
    likelihood = fitted_spectrum(2, iterations=60)
    for name in ("variance", "log_scale"):
        leaf = getattr(likelihood, name).clone().requires_grad_()
        setattr(likelihood, name, leaf)
        (slope,) = torch.autograd.grad(
            likelihood.log_prob(residuals, torch.zeros_like(residuals)).mean(), leaf
        )
        relative = slope * leaf.detach() if name == "variance" else slope  # per unit of log λ and of log s
        assert relative.abs().max() < 1e-3, name
        setattr(likelihood, name, leaf.detach())


def test_each_likelihood_gains_where_its_structure_is_in_the_residuals() -> None:
    residuals = smooth_residuals(600, 8).float()
    train, test = list(residuals[:400].split(64)), residuals[400:]
    zero = torch.zeros_like(test)
    likelihoods: list[Likelihood] = [SharedSigmaLikelihood(), ColourLikelihood(), SpectrumLikelihood(8)]
    likelihoods.append(SpectrumLikelihood(8, num_scales=6))
    unit = SharedSigmaLikelihood().log_prob(test, zero).mean()
    numbers = [unit] + [likelihood.fit(train).log_prob(test, zero).mean() for likelihood in likelihoods]
    assert all(b > a + 10 for a, b in itertools.pairwise(numbers))


ALL = [
    UniformLikelihood(),
    SharedSigmaLikelihood(),
    ColourLikelihood(),
    SpectrumLikelihood(4),
    SpectrumLikelihood(4, num_scales=3),
]


@pytest.mark.parametrize("likelihood", ALL, ids=lambda x: type(x).__name__)
def test_every_likelihood_is_differentiable_survives_saving_and_agrees_between_float_types(
    likelihood,
) -> None:
    fresh = type(likelihood)(
        *((4, len(likelihood.log_scale)) if isinstance(likelihood, SpectrumLikelihood) else ())
    )
    residuals = [r.float() for r in smooth_residuals(60, 4).split(20)]
    likelihood.fit(residuals)
    fresh.load_state_dict(likelihood.state_dict())
    x, x_hat = torch.rand(2, 3, 3, 4, 4).unbind()
    value = likelihood.log_prob(x, x_hat)
    assert value.shape == (3,) and torch.equal(fresh.log_prob(x, x_hat), value)
    fresh.double()
    torch.testing.assert_close(
        fresh.log_prob(x.double(), x_hat.double()).float(), value, rtol=1e-3, atol=1e-2
    )
    if not isinstance(likelihood, UniformLikelihood):
        points = x_hat.double().requires_grad_()
        assert torch.autograd.gradcheck(lambda a: fresh.log_prob(x.double(), a), points)


def test_uniform_and_unit_sigma_score_known_constants() -> None:
    x = torch.rand(2, 3, 64, 64)
    assert bits_per_dim(UniformLikelihood().log_prob(x, 1 - x), 12288).tolist() == [8, 8]
    assert bits_per_dim(torch.tensor([-math.log(4)]), 1).item() == pytest.approx(10)
    unit = SharedSigmaLikelihood().log_prob(x, x)
    torch.testing.assert_close(unit, Normal(0.0, 1.0).log_prob(torch.zeros_like(x)).flatten(1).sum(1))
    assert bits_per_dim(unit, 12288)[0].item() == pytest.approx(8 + 0.5 * math.log2(2 * math.pi), abs=1e-4)


def test_the_mean_picture_is_the_best_picture_without_a_code() -> None:
    images = torch.rand(11, 3, 4, 4, generator=generator())
    mean = mean_picture(images.split(4))
    torch.testing.assert_close(mean, images.mean(0))
    residuals = images - mean
    assert (
        SharedSigmaLikelihood().fit([residuals]).sigma < SharedSigmaLikelihood().fit([residuals + 0.05]).sigma
    )


# ---- bad input ----------------------------------------------------------------------------------------------------

X = torch.rand(2, 3, 4, 4)
WRONG_CALLS = [
    (lambda: bits_per_dim(torch.zeros(2), 0), "num_dims must be at least 1, got 0"),
    (lambda: bits_per_dim(torch.zeros(2).int(), 3), "log_likelihood must be a floating-point tensor"),
    (lambda: beta_from_sigma(0), "sigma must be positive, got 0"),
    (lambda: beta_from_sigma(math.inf), "sigma must be positive, got inf"),
    (lambda: sigma_from_beta(0), "beta must be positive, got 0"),
    (lambda: sigma_from_beta(math.inf), "beta must be positive, got inf"),
    (lambda: sigma_from_beta(math.nan), "beta must be positive, got nan"),
    (lambda: dequantise((255 * X).byte()), "x must be a floating-point tensor, got torch.uint8"),
    (lambda: discretised_log_likelihood(X, X, 1.0), "^x must hold 8-bit levels k / 255"),
    (lambda: discretised_log_likelihood(-X.round(), X, 1.0), "x must hold 8-bit levels k / 255"),
    (lambda: discretised_log_likelihood(256 / 255 * X.round(), X, 1.0), "x must hold 8-bit levels k / 255"),
    (lambda: discretised_log_likelihood(2 * X.round(), X, 1.0), "x must hold 8-bit levels k / 255"),
    (lambda: discretised_log_likelihood(X / 0, X, 1.0), "x must hold 8-bit levels k / 255"),
    (lambda: discretised_log_likelihood(X.round(), X, -1.0), "sigma must be one positive number, got -1"),
    (lambda: discretised_log_likelihood(X.round(), X, 0.0), "sigma must be one positive number, got 0"),
    (lambda: discretised_log_likelihood(X.round(), X, math.inf), "sigma must be one positive number, got inf"),
    (lambda: discretised_log_likelihood(X.round(), X, torch.ones(2)), "sigma must be one positive number"),
    (lambda: discretised_log_likelihood(X.round(), X[:1], 1.0), "x and x_hat must have the same shape"),
    (lambda: colour_log_likelihood(X, X, torch.eye(4)), r"\(2, 3, 4, 4\) and \(4, 4\)"),
    (lambda: colour_log_likelihood(X, X, -torch.eye(3)), "covariance must be symmetric and positive definite"),
    (lambda: colour_log_likelihood(X, X, torch.ones(3, 3).tril() + torch.eye(3)), "must be symmetric"),
    (lambda: colour_log_likelihood(X, X, torch.eye(3).long()), "covariance must be a floating-point tensor"),
    (lambda: ColourLikelihood().fit([]), "residuals gave no batch"),
    (lambda: ColourLikelihood().fit([X[:0]]), r"residuals must be batches .* got shape \(0, 3, 4, 4\)"),
    (lambda: ColourLikelihood().fit([X[:, :2]]), r"residuals must be batches \(B, 3, H, W\), got shape \(2, 2, 4, 4\)"),
    (lambda: SharedSigmaLikelihood().fit([X / 0]), "residuals must be finite, got 96"),
    (lambda: SpectrumLikelihood(4).fit(iter([X])), "gave no batch; pass a list"),
    (lambda: SpectrumLikelihood(8).fit([X]), r"residuals must have shape \(B, 3, 8, 8\), got \(2, 3, 4, 4\)"),
    (lambda: dct_matrix(0), "size must be at least 1, got 0"),
    (lambda: to_middle((255 * X).byte()), "x_hat must be a floating-point tensor, got torch.uint8"),
    (lambda: SpectrumLikelihood(0), "size and num_scales must be at least 1, got 0 and 1"),
    (lambda: SpectrumLikelihood(64).log_prob(X, X), r"x must be \(B, \*\(3, 64, 64\)\), got \(2, 3, 4, 4\)"),
    (lambda: mean_picture([X.byte()]), "images must be a floating-point tensor"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "says"), WRONG_CALLS)
def test_wrong_input_is_named(call, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        call()


# ---- the Wiener filter --------------------------------------------------------------------------------------------


def blurred_pairs(count: int, size: int = 4) -> tuple[Tensor, Tensor]:
    """Pictures with structure, and decoded ones that know the low frequencies only, with debris in the others."""
    x = 0.5 + smooth_residuals(count, size, rough=False)
    basis = dct_matrix(size)
    known = (torch.arange(size)[:, None] + torch.arange(size) < 3).double()
    low = basis.T @ (basis @ (x - 0.5) @ basis.T * known) @ basis
    return x, 0.5 + low + 0.02 * torch.randn(x.shape, generator=generator(5), dtype=torch.float64)


def test_gains_and_offsets_are_those_of_linear_regression() -> None:
    x, x_hat = blurred_pairs(300)
    fitted = WienerFilter(4).double().fit([(x[:100], x_hat[:100]), (x[100:], x_hat[100:])])
    y, y_hat = (
        torch.from_numpy(
            dctn(torch.einsum("cd,bdhw->bchw", fitted.colours, v - 0.5).numpy(), axes=(2, 3), norm="ortho")
        )
        for v in (x, x_hat)
    )
    for place in ((0, 0, 0), (1, 2, 3), (2, 0, 1)):
        line = LinearRegression().fit(y_hat[:, *place][:, None], y[:, *place])
        assert fitted.gain[place].item() == pytest.approx(line.coef_[0], rel=1e-4, abs=1e-5)
        assert fitted.offset[place].item() == pytest.approx(line.intercept_, abs=1e-5)
    torch.testing.assert_close(fitted.colours @ fitted.colours.T, torch.eye(3, dtype=torch.float64))


def test_a_filter_keeps_what_is_known_and_drops_debris() -> None:
    x, x_hat = blurred_pairs(300)
    fitted = WienerFilter(4).double().fit([(x, x_hat)])
    filtered = fitted(x_hat)
    assert (x - filtered).square().mean() < (x - x_hat).square().mean()
    assert fitted.gain[:, 3, 3].abs().max() < 0.4 and fitted.gain[2, 0, 0] > 0.9
    exact = WienerFilter(4).double().fit([(x, x)])
    torch.testing.assert_close(exact(x), x, rtol=0, atol=1e-5)
    torch.testing.assert_close(
        WienerFilter(4)(x.float()), x.float(), rtol=0, atol=1e-6
    )  # unfitted: nothing happens


def test_moments_of_what_is_left_are_those_of_the_filtered_pictures() -> None:
    x, x_hat = blurred_pairs(200)
    moments = JointMoments(4).double()
    moments.follow(x, x_hat, 1.0)
    fitted = WienerFilter(4).double()
    fitted.set_from(moments)
    left = dct_matrix(4) @ (x - fitted(x_hat)) @ dct_matrix(4).T
    wanted = torch.einsum("bchw,bdhw->cdhw", left, left) / len(left)
    torch.testing.assert_close(fitted.residual_moments(moments), wanted, rtol=1e-3, atol=1e-8)


def test_a_filter_of_pictures_that_never_change_is_their_mean() -> None:
    x, _ = blurred_pairs(50)
    same = torch.full_like(x, 0.3)
    torch.testing.assert_close(
        WienerFilter(4).double().fit([(x, same)])(same)[0], x.mean(dim=0), rtol=0, atol=1e-5
    )


def test_a_filter_refuses_what_it_cannot_learn_from() -> None:
    with pytest.raises(ValueError, match="pairs gave no batch"):
        WienerFilter(4).fit([])
    with pytest.raises(ValueError, match="x and x_hat must have the same shape"):
        WienerFilter(4).fit([(torch.zeros(2, 3, 4, 4), torch.zeros(1, 3, 4, 4))])
    with pytest.raises(ValueError, match=r"x must have shape \(B, 3, 4, 4\), got \(2, 3, 8, 8\)"):
        WienerFilter(4).fit([(torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 8, 8))])
    with pytest.raises(ValueError, match="pairs must be finite"):
        WienerFilter(4).fit([(torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), torch.nan))])
