"""Bad input to the chapters: an error that names it, or a finite answer."""

import math

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from vae_ref import bound, generation, latents, sampling, sharper, training
from vae_ref.dogs import augment, crop_and_resize
from vae_ref.networks import VAE, Decoder, Encoder
from vae_ref.sharper import FlowPrior, TwoLevelVAE
from vae_ref.sharper.losses import discriminator_loss, feature_matching_loss, generator_loss
from vae_ref.structured import RunningSpectrum, structured_step

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
CODES = torch.zeros(2, 3)
PICTURE = Image.new("RGB", (8, 8))
SPOILED = {
    "NaN": IMAGES.index_fill(3, torch.tensor([5]), math.nan),
    "above 1": 255 * IMAGES,
    "below 0": 2 * IMAGES - 1,
    "4 channels": torch.rand(2, 4, 64, 64),
    "no batch": IMAGES[0],
    "empty": IMAGES[:0],
    "integers": (255 * IMAGES).to(torch.uint8),
    "small": IMAGES[..., ::2, ::2],
}
SAYS = {
    "NaN": r"x must lie in \[0, 1\] without NaN, got nan",
    "above 1": r"x must lie in \[0, 1\] without NaN, got 0\.\d+ to 25\d.*1 / 255",
    "below 0": r"x must lie in \[0, 1\] without NaN, got -",
    "4 channels": r"x must have shape \(B, 3, H, W\) .* got \(2, 4, 64, 64\)",
    "no batch": r"x must have shape \(B, 3, H, W\) .* got \(3, 64, 64\)",
    "empty": r"x must have shape \(B, 3, H, W\) with at least one image, got \(0, 3, 64, 64\)",
    "integers": r"x must be a floating-point tensor, got torch.uint8; .* x / 255",
    "small": r"x must have shape \(B, 3, 64, 64\), got \(2, 3, 32, 32\)",
}


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=1e-6)


JUDGE = sharper.Discriminator()
TAKE_IMAGES = {
    "train_step": lambda model, x: training.train_step(model, x, optimizer_of(model)),
    "evaluate": lambda model, x: training.evaluate(model, [(x, torch.zeros(len(x)))]),
    "fit": lambda model, x: training.fit(model, [(x, torch.zeros(len(x)))], optimizer_of(model), 1),
    "reconstruct": generation.reconstruct,
    "vae_gan_step": lambda model, x: sharper.vae_gan_step(
        model, JUDGE, x, optimizer_of(model.decoder), optimizer_of(JUDGE)
    ),
    "structured_step": lambda model, x: structured_step(
        model, RunningSpectrum(), x, optimizer_of(model), 1.0
    ),
    "encode_dataset": lambda model, x: latents.encode_dataset(model, [(x, torch.zeros(len(x)))]),
}


@pytest.fixture(scope="module")
def model() -> VAE:
    torch.manual_seed(0)
    return VAE(3)


@pytest.mark.parametrize("function", TAKE_IMAGES)
@pytest.mark.parametrize("kind", SPOILED)
def test_spoiled_images_are_refused_before_anything_changes(model: VAE, function: str, kind: str) -> None:
    before = [parameter.clone() for parameter in model.parameters()]
    mode = model.training
    with pytest.raises((TypeError, ValueError), match=SAYS[kind]):
        TAKE_IMAGES[function](model, SPOILED[kind])
    if kind != "small":  # refused before the mode is chosen
        assert model.training is mode
    model.train(mode)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("kind", ["NaN", "above 1", "integers"])
def test_interpolate_names_the_image_that_is_spoiled(model: VAE, kind: str) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^x_b must"):
        generation.interpolate(model, IMAGES[0], SPOILED[kind][0], 3)


WRONG_CALLS = [
    (lambda: bound.kl_divergence(CODES, CODES[:, :2]), r"same shape \(B, L\), got \(2, 3\) and \(2, 2\)"),
    (lambda: bound.kl_divergence(CODES.long(), CODES), "mu must be a floating-point tensor, got torch.int64"),
    (lambda: bound.kl_divergence(CODES, None), "logvar must be a floating-point tensor, got NoneType"),
    (lambda: bound.kl_monte_carlo(CODES, CODES[:1], 4), r"same shape"),
    (lambda: bound.kl_monte_carlo(CODES, CODES, 0), "num_samples must be at least 1, got 0"),
    (lambda: bound.log_normal(CODES, CODES[:, :2], CODES), r"^mu must broadcast to x's shape \(2, 3\)"),
    (lambda: bound.log_normal(CODES, CODES, CODES[:, :2]), r"^logvar must broadcast to x's shape .* got \(2, 2\)"),
    (lambda: bound.log_normal(CODES.long(), CODES, CODES), "x must be .* got torch.int64"),
    (lambda: bound.log_normal(CODES, CODES.long(), CODES), "mu must be .* got torch.int64"),
    (lambda: bound.log_normal(CODES[:1], CODES, CODES), r"mu must broadcast to x's shape \(1, 3\), got \(2, 3\)"),
    (lambda: bound.log_normal(CODES, CODES, CODES.bool()), "logvar must be .* got torch.bool"),
    (lambda: bound.optimal_sigma(IMAGES[:0], IMAGES[:0]), "x must hold at least one image"),
    (lambda: bound.optimal_sigma(IMAGES, IMAGES[:, :1]), r"\(2, 3, 64, 64\) and \(2, 1, 64, 64\)"),
    (lambda: bound.reconstruction_log_likelihood(IMAGES, IMAGES[:1], 1.0), "x and x_hat must have the same shape"),
    (lambda: bound.elbo(IMAGES, IMAGES.flatten(1), CODES, CODES), "x and x_hat must have the same shape"),
    (lambda: bound.elbo(IMAGES, IMAGES, CODES, CODES, torch.ones(2)), r"sigma must be one number .* got shape \(2,\)"),
    (lambda: bound.elbo(IMAGES, IMAGES, CODES[:1], CODES[:1]), r"mu must be \(2, L\), a row for each image"),
    (lambda: bound.elbo(IMAGES.byte(), IMAGES, CODES, CODES), "x must be a floating-point tensor"),
    (lambda: bound.elbo(IMAGES, IMAGES, CODES[0], CODES[0]), r"mu must be \(2, L\), a row for each image, got \(3,\)"),
    (lambda: bound.elbo(IMAGES, IMAGES, CODES[0, :2], CODES[0, :2]), r"mu must be \(2, L\), .* got \(2,\)"),
    (lambda: augment(SPOILED["integers"]), "x must be a floating-point tensor"),
    (lambda: augment(SPOILED["above 1"]), r"x must lie in \[0, 1\]"),
    (lambda: augment(SPOILED["NaN"]), r"x must lie in \[0, 1\] without NaN"),
    (lambda: augment(SPOILED["4 channels"]), r"x must have shape \(B, 3, H, W\)"),
    (lambda: crop_and_resize(PICTURE, (0, 0, math.nan, 4), 8), "box must be four finite numbers .* got"),
    (lambda: crop_and_resize(PICTURE, (0, 0, math.inf, 4), 8), "box must be four finite numbers"),
    (lambda: crop_and_resize(PICTURE, (0, 0, 4), 8), "box must be four finite numbers"),
    (lambda: Encoder(0), "latent_dim must be at least 1, got 0"),
    (lambda: Decoder(-2), "latent_dim must be at least 1, got -2"),
    (lambda: VAE(2.5), "latent_dim must be a whole number, got 2.5"),
    (lambda: TwoLevelVAE("8"), "top_dim must be a whole number, got '8'"),
    (lambda: Encoder(3)(SPOILED["4 channels"]), r"x must have shape \(B, 3, 64, 64\), got \(2, 4, 64, 64\)"),
    (lambda: Encoder(3)(SPOILED["no batch"]), r"x must have shape \(B, 3, 64, 64\), got \(3, 64, 64\)"),
    (lambda: Encoder(3)(SPOILED["integers"]), "x must be a floating-point tensor, got torch.uint8"),
    (lambda: Decoder(3)(CODES[:, :2]), r"z must have shape \(B, 3\), got \(2, 2\)"),
    (lambda: Decoder(3)(CODES[0]), r"z must have shape \(B, 3\), got \(3,\)"),
    (lambda: Decoder(3)(CODES.long()), "z must be a floating-point tensor, got torch.int64"),
    (lambda: TwoLevelVAE(2).encode(SPOILED["small"]), r"x must have shape \(B, 3, 64, 64\), got \(2, 3, 32, 32\)"),
    (lambda: TwoLevelVAE(2).decode(CODES), r"z must have shape \(B, 2050\), got \(2, 3\)"),
    (lambda: latents.traverse(VAE(3), torch.zeros(4), 0, torch.zeros(2)), r"z must have shape \(B, 3\), got \(2, 4\)"),
    (lambda: latents.traverse(VAE(3), CODES[0].long(), 0, torch.zeros(2)), "z must be a floating-point tensor"),
    (lambda: FlowPrior(3).log_prob(CODES[:, :2]), r"z must have shape \(B, 3\), got \(2, 2\)"),
    (lambda: FlowPrior(3)(CODES[0]), r"u must have shape \(B, 3\), got \(3,\)"),
    (lambda: discriminator_loss(CODES, CODES[:0]), r"fake_logits must hold at least one number, got shape \(0, 3\)"),
    (lambda: generator_loss(CODES.long()), "fake_logits must be a floating-point tensor"),
    (lambda: feature_matching_loss(CODES[:0], CODES[:0]), "real must hold at least one number"),
    (lambda: sampling.reparameterize(CODES, CODES[0]), "mu and logvar must have the same shape"),
    (lambda: sampling.pathwise_gradient(torch.sum, CODES[0], CODES[0], 4), r"f must map .* to \(4,\), got \(\)"),
    (lambda: sampling.pathwise_gradient(torch.sum, CODES[0], CODES[0], 4), r"f must map codes \(4, 3\) to"),
    (lambda: sampling.score_function_gradient(torch.sum, CODES, CODES, 4), r"shape \(L,\), got \(2, 3\)"),
    (lambda: sampling.pathwise_gradient(torch.sum, CODES[0], CODES[0], 0), "num_samples must be at least 1"),
    (lambda: training.kl_weight(-1, 4), "must not be negative, got -1 and 4"),
    (lambda: training.evaluate(VAE(1), [(IMAGES, CODES)], 0.0), "sigma must be positive, got 0"),
    (lambda: training.fit(VAE(1), [], optimizer_of(VAE(1)), 1), "no images in epoch 0"),
    (lambda: generation.generate(VAE(1), 0), "num_images must be at least 1, got 0"),
    (lambda: generation.lerp(CODES, CODES[:, :2], 0.5), r"codes of one length, got \(2, 3\) and \(2, 2\)"),
    (lambda: generation.slerp(CODES.int(), CODES, 0.5), "a must be a floating-point tensor"),
    (lambda: latents.traverse(VAE(3), CODES, 0, torch.zeros(2)), r"z must have shape \(L,\) .* got \(2, 3\)"),
    (lambda: latents.traverse(VAE(3), CODES[0], 0, torch.zeros(0)), r"V at least 1, got \(3,\) and \(0,\)"),
    (lambda: latents.active_units(CODES[:1]), r"N at least 2, got \(1, 3\)"),
    (lambda: latents.active_units(CODES / 0), "mu must be finite, got 6"),
    (lambda: latents.principal_components(CODES[0], 1), r"N at least 2, got \(3,\)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "says"), WRONG_CALLS)
def test_wrong_shapes_types_and_numbers_are_named(call, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        call()


def test_a_loader_that_can_be_read_once_is_named_in_the_second_epoch(model: VAE) -> None:
    with pytest.raises(ValueError, match="no images in epoch 1; pass one to iterate again"):
        training.fit(model, iter([(IMAGES, CODES)]), optimizer_of(model), num_epochs=2)


def test_empty_batches_of_codes_have_empty_results() -> None:
    assert bound.kl_divergence(CODES[:0], CODES[:0]).shape == (0,)
    assert bound.reconstruction_log_likelihood(IMAGES[:0], IMAGES[:0], 1.0).shape == (0,)


# ---- logvar far outside of what a posterior can be ----------------------------------------------------------------

FAR = {
    "log_normal": lambda mu, logvar: bound.log_normal(mu.detach() + 3, mu, logvar),
    "kl_divergence": bound.kl_divergence,
    "kl_monte_carlo": lambda mu, logvar: bound.kl_monte_carlo(mu, logvar, 8),
    "elbo": lambda mu, logvar: bound.elbo(IMAGES[:1], 1 - IMAGES[:1], mu, logvar),
    "reparameterize": sampling.reparameterize,
    "squared sample": lambda mu, logvar: sampling.reparameterize(mu, logvar).square().sum(1),
}


@pytest.mark.parametrize("function", FAR)
@pytest.mark.parametrize("value", [1000.0, -1000.0, 90.0, -90.0])
def test_a_logvar_of_a_thousand_gives_finite_values_and_gradients(function: str, value: float) -> None:
    mu = torch.randn(1, 2048).requires_grad_()
    logvar = torch.full((1, 2048), value, requires_grad=True)
    result = FAR[function](mu, logvar)
    assert result.isfinite().all()
    result.sum().backward()
    assert mu.grad.isfinite().all() and (logvar.grad is None or logvar.grad.isfinite().all())


@pytest.mark.parametrize("value", [1000.0, -1000.0])
@pytest.mark.parametrize("estimator", [sampling.pathwise_gradient, sampling.score_function_gradient])
def test_gradient_estimators_stay_finite_too(estimator, value: float) -> None:
    estimates = estimator(lambda z: z.tanh().sum(1), torch.ones(3), torch.full((3,), value), 100)
    assert estimates.isfinite().all()


def test_the_gradient_at_a_thousand_points_back() -> None:
    logvar = torch.tensor([[1000.0, -1000.0]], requires_grad=True)
    bound.kl_divergence(torch.zeros(1, 2), logvar).backward()
    assert logvar.grad[0, 0] > 0 > logvar.grad[0, 1]  # a step down the gradient brings both towards 0


def test_within_thirty_nothing_is_bounded() -> None:
    x = torch.linspace(-30, 30, 1001, dtype=torch.float64)
    assert torch.equal(bound.bounded_exp(x), torch.exp(x))
    assert torch.equal(bound.bounded_exp(x, torch.expm1), torch.expm1(x))
    beyond = torch.tensor([29.9, 31.0, 1000.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(bound.bounded_exp, beyond)


class Exploded(nn.Module):
    """A model whose encoder has run away to a logvar of 1000."""

    def __init__(self) -> None:
        super().__init__()
        self.logvar = nn.Parameter(torch.full((2,), 1000.0))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logvar = self.logvar.expand(len(x), -1)
        z = sampling.reparameterize(torch.zeros_like(logvar), logvar)
        return torch.sigmoid(z[:, :1, None, None]).expand_as(x), torch.zeros_like(logvar), logvar


def test_a_training_step_from_a_logvar_of_a_thousand_stays_finite_and_comes_back() -> None:
    model = Exploded()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    terms = training.train_step(model, IMAGES, optimizer)
    assert all(math.isfinite(value) for value in terms.values())
    assert (model.logvar < 1000).all()
