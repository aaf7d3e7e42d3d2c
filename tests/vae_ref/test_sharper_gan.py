"""The adversarial losses in closed form, and the VAE-GAN step: who moves, who stays, and what it is worth."""

import math
from collections.abc import Callable

import pytest
import torch
from scipy.spatial.distance import jensenshannon
from torch import Tensor

from vae_ref.bound import reconstruction_log_likelihood
from vae_ref.networks import VAE
from vae_ref.sharper.discriminator import Discriminator
from vae_ref.sharper.losses import discriminator_loss, feature_matching_loss, generator_loss
from vae_ref.sharper.vae_gan import vae_gan_optimizers, vae_gan_step

LATENT_DIM = 8


def logits(*shape: int, seed: int = 0, scale: float = 3.0) -> Tensor:
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_discriminator_that_does_not_know_scores_log_4_and_the_decoder_log_2() -> None:
    zeros = torch.zeros(5, 1, 8, 8)
    assert discriminator_loss(zeros, zeros).item() == pytest.approx(math.log(4))
    assert generator_loss(zeros).item() == pytest.approx(math.log(2))


def test_losses_are_the_log_probabilities_that_they_claim_to_be() -> None:
    real, fake = logits(7, 1, 3, 3), logits(5, 1, 2, 2, seed=1)  # sides need not match
    d_real, d_fake = torch.distributions.Bernoulli(logits=real), torch.distributions.Bernoulli(logits=fake)
    one = torch.tensor(1.0, dtype=torch.float64)
    judged = -d_real.log_prob(one).mean() - d_fake.log_prob(0 * one).mean()
    torch.testing.assert_close(discriminator_loss(real, fake), judged)
    torch.testing.assert_close(generator_loss(fake), -d_fake.log_prob(one).mean())


def test_the_best_discriminator_measures_the_jensen_shannon_divergence() -> None:
    # a toy world of 12 pictures; p of photos and q of fakes given as counts, so the means are exact
    generator = torch.Generator().manual_seed(0)
    p_counts, q_counts = torch.randint(1, 40, (2, 12), generator=generator)
    p, q = p_counts.double() / p_counts.sum(), q_counts.double() / q_counts.sum()
    best = torch.log(p / q)  # logit of D* = p / (p + q)
    divergence = jensenshannon(p.numpy(), q.numpy()) ** 2  # scipy gives its root, in nats

    def loss(table: Tensor) -> float:
        return discriminator_loss(table.repeat_interleave(p_counts), table.repeat_interleave(q_counts)).item()

    assert loss(best) == pytest.approx(math.log(4) - 2 * divergence)
    for seed in range(5):
        assert loss(best + logits(12, seed=seed, scale=0.1)) > loss(best)


def test_a_caught_decoder_still_learns() -> None:
    caught = torch.full((4, 1, 8, 8), -30.0, requires_grad=True)  # called fake with certainty
    (gradient,) = torch.autograd.grad(generator_loss(caught), caught)
    assert gradient.sum().item() == pytest.approx(-1)  # the saturating form would give −1e-13


@pytest.mark.parametrize("value", [1e4, -1e4])
def test_losses_stay_finite_at_extreme_logits(value: float) -> None:
    extreme = torch.full((2, 1, 8, 8), value, requires_grad=True)
    loss = (
        discriminator_loss(extreme, -extreme)
        + discriminator_loss(-extreme, extreme)
        + generator_loss(extreme)
    )
    loss.backward()
    assert loss.isfinite() and extreme.grad is not None and extreme.grad.isfinite().all()


def test_feature_matching_is_the_mean_distance_of_pairs() -> None:
    real, fake = logits(5, 4, 3, 3), logits(5, 4, 3, 3, seed=1)
    distance = torch.nn.functional.l1_loss(fake, real)
    torch.testing.assert_close(feature_matching_loss(real, fake), distance)
    assert feature_matching_loss(real, real).item() == 0
    assert feature_matching_loss(real, fake.flip(0)).item() != pytest.approx(distance.item())
    with pytest.raises(ValueError, match=r"one shape, got \(5, 4, 3, 3\) and \(4, 4, 3, 3\)"):
        feature_matching_loss(real, fake[:4])


@pytest.mark.parametrize(
    ("loss", "arguments"),
    [
        (discriminator_loss, 2),
        (generator_loss, 1),
        (lambda fake: feature_matching_loss(logits(3, 2), fake), 1),
    ],
)
def test_gradients_agree_with_finite_differences(loss: Callable[..., Tensor], arguments: int) -> None:
    inputs = [logits(3, 2, seed=seed + 1).requires_grad_(True) for seed in range(arguments)]
    assert torch.autograd.gradcheck(loss, inputs)


def test_features_of_photos_are_a_target_that_does_not_move() -> None:
    real, fake = logits(3, 2).requires_grad_(True), logits(3, 2, seed=1).requires_grad_(True)
    feature_matching_loss(real, fake).backward()
    assert real.grad is None and fake.grad is not None


def test_the_discriminator_judges_overlapping_patches_of_single_images() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator()
    x = torch.rand(3, 3, 64, 64, requires_grad=True)
    judged, features = discriminator(x)
    assert judged.shape[:2] == (3, 1)
    assert [len(layer) for layer in features] == [3] * len(features)
    torch.testing.assert_close(discriminator(x[:1])[0], judged[:1])
    # between two 4×4 blocks of the decoder there is a seam: some first feature must see both sides of it
    (seen,) = torch.autograd.grad(features[0][0, :, 8, 8].sum(), x)
    rows = seen[0].abs().sum((0, 2)).nonzero().flatten().tolist()
    assert any(row % 4 == 3 and row + 1 in rows for row in rows)


class Game:
    """A VAE that has hardly learned, its judge, and some pictures: enough to see what a step does."""

    def __init__(self, learning_rate: float = 1e-3) -> None:
        torch.manual_seed(0)
        self.model, self.discriminator = VAE(LATENT_DIM), Discriminator()
        self.model.sigma.fill_(0.2)
        with torch.no_grad():
            for (
                parameter
            ) in self.model.parameters():  # residual blocks start at 0, where half of them get no gradient
                parameter.add_(0.02 * torch.randn(parameter.shape))
        self.x = torch.rand(6, 3, 64, 64)
        self.optimizers = vae_gan_optimizers(self.model, self.discriminator, learning_rate)

    def step(self, seed: int | None = None, **weights: float) -> dict[str, float]:
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return vae_gan_step(
            self.model, self.discriminator, self.x, *self.optimizers, generator=generator, **weights
        )


def test_a_step_moves_decoder_and_discriminator_and_nothing_else() -> None:
    game = Game()
    # an optimizer that holds too much must not change the code either
    game.optimizers = (
        torch.optim.AdamW(game.model.parameters(), lr=1e-3, weight_decay=0.1),
        game.optimizers[1],
    )
    before = {
        name: value.clone()
        for part in (game.model, game.discriminator)
        for name, value in part.state_dict().items()
    }
    codes = game.model.encode(game.x)
    game.step()
    for name, value in {**game.model.state_dict(), **game.discriminator.state_dict()}.items():
        stays = name.startswith("encoder.") or name == "sigma"
        assert torch.equal(value, before[name]) == stays, name
    torch.testing.assert_close(game.model.encode(game.x), codes, rtol=0, atol=0)


def test_the_terms_are_those_of_the_pictures_before_the_step() -> None:
    game = Game()
    with torch.no_grad():
        x_hat, mu, logvar = game.model(game.x, torch.Generator().manual_seed(3))
        real_logits, real_features = game.discriminator(game.x)
        fake_logits, fake_features = game.discriminator(x_hat)
    likelihood = reconstruction_log_likelihood(game.x, x_hat, 0.2).mean().item()
    distances = [(r - f).abs().mean().item() for r, f in zip(real_features, fake_features, strict=True)]
    q = torch.distributions.Normal(mu, torch.exp(0.5 * logvar))
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1).mean().item()
    terms = game.step(seed=3, adversarial_weight=50.0, feature_weight=20.0)
    assert terms["kl"] == pytest.approx(kl, rel=1e-4)
    assert terms["reconstruction"] == pytest.approx(-likelihood, rel=1e-4)
    assert terms["discriminator"] == pytest.approx(
        discriminator_loss(real_logits, fake_logits).item(), rel=1e-4
    )
    assert terms["generator"] == pytest.approx(generator_loss(fake_logits).item(), rel=1e-4)
    assert terms["feature_matching"] == pytest.approx(sum(distances) / len(distances), rel=1e-4)
    loss = -likelihood + 50 * terms["generator"] + 20 * terms["feature_matching"]
    assert terms["loss"] == pytest.approx(loss, rel=1e-4)


def test_each_side_follows_the_gradient_of_its_own_loss() -> None:
    game = Game()
    x_hat = game.model(game.x, torch.Generator().manual_seed(3))[0]
    real_logits, real_features = game.discriminator(game.x)
    fake_logits, fake_features = game.discriminator(x_hat)
    loss = (
        -reconstruction_log_likelihood(game.x, x_hat, 0.2).mean()
        + 50 * generator_loss(fake_logits)
        + 20 * sum(map(feature_matching_loss, real_features, fake_features)) / len(real_features)
    )
    decoder, judge = list(game.model.decoder.parameters()), list(game.discriminator.parameters())
    wanted = torch.autograd.grad(loss, decoder, retain_graph=True)
    wanted += torch.autograd.grad(discriminator_loss(real_logits, fake_logits), judge)
    game.step(seed=3, adversarial_weight=50.0, feature_weight=20.0)
    for parameter, gradient in zip(decoder + judge, wanted, strict=True):
        assert parameter.grad is not None
        scale = gradient.abs().max().item()
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-4 * scale)


def test_without_adversary_it_is_training_of_the_decoder_alone() -> None:
    game = Game()
    history = [game.step(seed=0, adversarial_weight=0.0, feature_weight=0.0) for _ in range(15)]
    assert history[-1]["loss"] == history[-1]["reconstruction"]
    assert history[-1]["reconstruction"] < history[0]["reconstruction"] - 10
    assert history[-1]["discriminator"] < math.log(4)  # it watches all the same


def test_a_continued_game_is_the_same_game() -> None:
    whole, parts = Game(), Game()
    torch.manual_seed(1)
    terms = [whole.step() for _ in range(4)]
    torch.manual_seed(1)
    first = [parts.step() for _ in range(2)]
    random_state = torch.get_rng_state()
    continued = Game(learning_rate=0.7)  # everything comes from the saved states
    continued.model.load_state_dict(parts.model.state_dict())
    continued.discriminator.load_state_dict(parts.discriminator.state_dict())
    for optimizer, saved in zip(continued.optimizers, parts.optimizers, strict=True):
        optimizer.load_state_dict(saved.state_dict())
    torch.set_rng_state(random_state)
    assert first + [continued.step() for _ in range(2)] == terms
    for ours, theirs in ((whole.model, continued.model), (whole.discriminator, continued.discriminator)):
        for name, value in ours.state_dict().items():
            assert torch.equal(value, theirs.state_dict()[name]), name
