"""Measures of codes and pictures, each on cases whose answer is known without the code under test."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from vae_ref import classifier
from vae_ref.classifier import Classifier, classifier_scores, factor_targets, train_classifier
from vae_ref.commands.evaluate import table
from vae_ref.config import Config
from vae_ref.dogs import FACTORS as FACTOR_LIMITS
from vae_ref.dogs import Batches, DogSet, load_paper
from vae_ref.errors import CourseError
from vae_ref.evaluation import calibrate, evaluate_model, psnr, ssim
from vae_ref.evaluation.disentanglement import dci, mutual_information_gap
from vae_ref.evaluation.frechet import (
    classifier_frechet,
    frechet_distance,
    inception_distances,
    inception_network,
)
from vae_ref.evaluation.full import evaluate_fully
from vae_ref.evaluation.likelihoods import calibrated_bits, importance_weighted, latent_free_bits
from vae_ref.evaluation.pictures import high_frequency_share
from vae_ref.evaluation.probes import linear_probe
from vae_ref.networks import VAE
from vae_ref.runs import open_run
from vae_ref.sharper import TwoLevelVAE
from vae_ref.trainer import Trainer, split_validation


def noise_pictures(count: int = 24) -> DogSet:
    levels = torch.randint(0, 256, (count, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    return DogSet(levels.to(torch.uint8).numpy(), np.zeros(count, dtype=np.int64))


def test_the_rate_is_told_by_unit_and_in_bytes() -> None:
    torch.manual_seed(0)
    model, dogs = VAE(4), noise_pictures()
    calibrate(model, dogs)
    result = evaluate_model(model, dogs)
    x = torch.from_numpy(dogs.images).float() / 255
    mu, logvar = model.encode(x)
    posterior = torch.distributions.Normal(mu, (0.5 * logvar).exp())
    units = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0, 1)).mean(dim=0)
    assert result.kl_per_unit == pytest.approx(sorted(units.tolist(), reverse=True), rel=1e-4)
    assert sum(result.kl_per_unit) == pytest.approx(result.kl)
    assert result.kl_bytes == pytest.approx(result.kl * math.log2(math.e) / 8)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((0, 3, 64, 64), np.uint8), "0 images"),
        (np.zeros((1, 3, 64, 64), np.uint8), "1 images"),
        (np.zeros((4, 4, 64, 64), np.uint8), r"got uint8 of \(4, 4, 64, 64\)"),
        (np.zeros((4, 3, 32, 32), np.uint8), r"got uint8 of \(4, 3, 32, 32\)"),
        (np.zeros((4, 3, 64, 64), np.float32), "got float32 of"),
    ],
)
def test_what_is_no_set_of_pictures_is_refused(images: np.ndarray, message: str) -> None:
    with pytest.raises(CourseError, match=message):
        evaluate_model(VAE(2), DogSet(images, np.zeros(len(images), dtype=np.int64)))


def test_psnr_and_ssim_of_known_pictures() -> None:
    x = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.8
    assert psnr(x, x + 0.1).tolist() == pytest.approx([20.0] * 3, abs=1e-3)
    assert ssim(x, x).tolist() == pytest.approx([1.0] * 3, abs=1e-5)
    # flat pictures a and b leave only the term of means: (2ab + C1) / (a² + b² + C1), C1 = 0.01²
    a, b = torch.full((1, 3, 64, 64), 0.3), torch.full((1, 3, 64, 64), 0.5)
    assert ssim(a, b).item() == pytest.approx((0.3 + 1e-4) / (0.09 + 0.25 + 1e-4), abs=1e-4)
    assert ssim(x[:1], x[:1] + 0.01).shape == (1,)


def test_high_frequency_share_of_waves_and_noise() -> None:
    t = torch.arange(64.0)
    coarse, fine = (torch.sin(2 * math.pi * cycles * t / 64).expand(1, 3, 64, 64) for cycles in (10, 20))
    assert high_frequency_share(0.5 + 0.3 * coarse) < 1e-9
    assert high_frequency_share(0.5 + 0.3 * fine) > 1 - 1e-9
    assert high_frequency_share(torch.full((2, 3, 64, 64), 0.7)) == 0
    noise = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    # white noise has equal energy everywhere: all but a disc of radius ¼ in the unit square of frequencies
    assert high_frequency_share(noise).item() == pytest.approx(1 - math.pi / 16, abs=0.01)


def gaussian(count: int, dim: int, seed: int) -> torch.Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def whitened(count: int, dim: int) -> torch.Tensor:
    """Features with mean exactly 0 and covariance exactly I."""
    centred = gaussian(count, dim, 0) - gaussian(count, dim, 0).mean(dim=0)
    return torch.linalg.qr(centred)[0] * math.sqrt(count - 1)


def test_frechet_distance_of_gaussians_in_closed_form() -> None:
    features = whitened(500, 6)
    assert frechet_distance(features, features.flip(0)) == pytest.approx(0, abs=1e-9)
    shift = torch.tensor([3.0, 0, 0, 4.0, 0, 0], dtype=torch.float64)
    assert frechet_distance(features, features + shift) == pytest.approx(25)
    scales = torch.tensor([1.0, 2.0, 3.0, 0.5, 1.0, 0.0], dtype=torch.float64)  # 0: a rank is missing
    # between N(0, I) and N(0, diag s²) it is Σ (1 − s)²
    assert frechet_distance(features, features * scales) == pytest.approx(1 + 4 + 0.25 + 1)
    assert frechet_distance(features[:, :1], features[:, :1] + 2) == pytest.approx(4)


def test_frechet_distance_agrees_with_a_matrix_square_root() -> None:
    a = gaussian(200, 8, 1) @ gaussian(8, 8, 2)
    b = gaussian(150, 8, 3) @ gaussian(8, 8, 4) + 0.3
    cov_a, cov_b = np.cov(a.numpy().T), np.cov(b.numpy().T)
    expected = (a.mean(0) - b.mean(0)).square().sum().item() + np.trace(
        cov_a + cov_b - 2 * np.real(sqrtm(cov_a @ cov_b))
    )
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (torch.zeros(5, 3), torch.zeros(5, 4)),
        (torch.zeros(1, 3), torch.zeros(5, 3)),
        (torch.zeros(5, 3), torch.full((5, 3), float("nan"))),
    ],
)
def test_frechet_distance_refuses_what_is_no_pair_of_sets(a: torch.Tensor, b: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="features must"):
        frechet_distance(a, b)


def test_classifier_frechet_sees_a_change_of_the_pictures() -> None:
    torch.manual_seed(0)
    classifier = Classifier("factors").eval()
    x = torch.rand(40, 3, 64, 64)
    assert classifier_frechet(classifier, x, x) == pytest.approx(0, abs=1e-6)
    assert classifier_frechet(classifier, x, 0.5 * x) > 100 * classifier_frechet(classifier, x, x.flip(0))


class MeanColour(torch.nn.Module):
    """Stands for the network of FID: three features, the mean colour."""

    num_features = 3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.dtype == torch.uint8
        return x.double().mean(dim=(2, 3))


def test_fid_through_torchmetrics_is_our_frechet_distance() -> None:
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.rand(2, 60, 3, 64, 64, generator=generator)
    fake = (fake * 255).round() / 255 * torch.linspace(0.5, 1, 60)[:, None, None, None]
    network = MeanColour()
    found = inception_distances(network, real, fake)
    features = [network((255 * pictures).round().to(torch.uint8)) for pictures in (real, fake)]
    assert found["fid"] == pytest.approx(frechet_distance(*features), rel=1e-3)
    assert found["kid"] > 0


def test_fid_without_its_network_says_what_is_missing(monkeypatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("torchmetrics.image.fid.FrechetInceptionDistance.__init__", unreachable)
    with pytest.raises(CourseError, match=r"cannot be downloaded \(no network\).*--fid") as error:
        inception_network()
    assert "\n" not in str(error.value)

    def missing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("torch_fidelity")

    monkeypatch.setattr("torchmetrics.image.fid.FrechetInceptionDistance.__init__", missing)
    with pytest.raises(CourseError, match=r"pip install 'vae-course\[fid\]'"):
        inception_network()


FACTORS = np.random.default_rng(0).random((4000, 4))
TEST_FACTORS = np.random.default_rng(1).random((500, 4))
ROTATION = np.linalg.qr(np.random.default_rng(2).standard_normal((4, 4)))[0]


def axes(factors: np.ndarray) -> np.ndarray:
    """A code with an axis for each factor, in another order, bent and mirrored, and a dead coordinate."""
    return np.column_stack([-factors[:, 2], np.exp(3 * factors[:, 0]), factors[:, [3, 1]], 0 * factors[:, 0]])


def rotated(factors: np.ndarray) -> np.ndarray:
    return (factors - 0.5) @ ROTATION


def noise(factors: np.ndarray) -> np.ndarray:
    return np.random.default_rng(len(factors)).standard_normal((len(factors), 5))


def test_mig_knows_axes_rotations_and_noise() -> None:
    assert mutual_information_gap(axes(FACTORS), FACTORS) > 0.97
    assert mutual_information_gap(rotated(FACTORS), FACTORS) < 0.25
    assert mutual_information_gap(noise(FACTORS), FACTORS) < 0.02
    twice = np.column_stack([axes(FACTORS), axes(FACTORS)])  # every factor told by two coordinates alike
    assert mutual_information_gap(twice, FACTORS) == pytest.approx(0, abs=1e-9)


def test_dci_knows_axes_rotations_and_noise() -> None:
    perfect = dci(axes(FACTORS), FACTORS, axes(TEST_FACTORS), TEST_FACTORS)
    assert all(value > 0.95 for value in perfect.values()), perfect
    mixed = dci(rotated(FACTORS), FACTORS, rotated(TEST_FACTORS), TEST_FACTORS)
    assert mixed["disentanglement"] < 0.5 and mixed["completeness"] < 0.5 < mixed["informativeness"], mixed
    empty = dci(noise(FACTORS), FACTORS, noise(TEST_FACTORS), TEST_FACTORS)
    assert empty["disentanglement"] < 0.05 and empty["completeness"] < 0.05, empty
    assert empty["informativeness"] < 0.05
    # two factors in one coordinate each, told by two coordinates alike: disentangled, but not complete
    twice = [np.column_stack([axes(part), axes(part)]) for part in (FACTORS, TEST_FACTORS)]
    doubled = dci(twice[0], FACTORS, twice[1], TEST_FACTORS)
    assert doubled["disentanglement"] > 0.95 and doubled["completeness"] < 0.9, doubled


def test_dead_codes_and_dead_factors() -> None:
    codes, test_codes = axes(FACTORS), axes(TEST_FACTORS)
    dead, test_dead = np.zeros_like(codes), np.zeros_like(test_codes)
    scores = dci(dead, FACTORS, test_dead, TEST_FACTORS)
    assert scores["disentanglement"] == scores["completeness"] == 0 and abs(scores["informativeness"]) < 0.05
    assert mutual_information_gap(dead, FACTORS) == 0
    constant = FACTORS.copy()
    constant[:, 1] = 3
    for measure in (mutual_information_gap, lambda c, f: dci(c, f, c, f)):
        with pytest.raises(ValueError, match="factor 1 is the same for all"):
            measure(codes, constant)
    with pytest.raises(ValueError, match="K at least 2"):
        dci(codes, FACTORS[:, :1], test_codes, TEST_FACTORS[:, :1])
    with pytest.raises(ValueError, match="the test side like the other"):
        dci(codes, FACTORS, test_codes[:, :-1], TEST_FACTORS)


@pytest.mark.parametrize("measure", [mutual_information_gap, lambda c, f: dci(c, f, c, f)])
@pytest.mark.parametrize("codes", [np.zeros((9, 3)), np.zeros((10, 1)), np.zeros(10)])
def test_codes_without_factors_are_refused(measure, codes: np.ndarray) -> None:
    with pytest.raises(ValueError, match="codes and factors must have shapes"):
        measure(codes, np.zeros((10, 2)))


def test_the_linear_probe_reads_what_is_linear_and_no_more() -> None:
    rng = np.random.default_rng(0)
    codes, test_codes = rng.standard_normal((2000, 8)), rng.standard_normal((500, 8))
    directions = rng.standard_normal((8, 3))
    labels, test_labels = (codes @ directions).argmax(1), (test_codes @ directions).argmax(1)
    assert linear_probe(codes, labels, test_codes, test_labels) > 0.9
    parity, test_parity = (np.sign(c[:, 0] * c[:, 1]) for c in (codes, test_codes))  # known, but not linearly
    assert linear_probe(codes, parity, test_codes, test_parity) == pytest.approx(0.5, abs=0.08)


class Constant(VAE):
    """Grey, whatever the code; its posterior is the prior, so every importance weight is p(x)."""

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(len(x), self.latent_dim), torch.zeros(len(x), self.latent_dim)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return torch.full((len(z), 3, 64, 64), 0.5)


def coloured_noise(count: int, seed: int) -> tuple[DogSet, torch.Tensor]:
    """Pictures of independent Gaussian pixels with correlated channels, and their covariance in [0, 1]²."""
    mix = torch.tensor([[0.10, 0, 0], [0.08, 0.04, 0], [0.06, 0.02, 0.03]])
    eps = torch.randn(count, 64, 64, 3, generator=torch.Generator().manual_seed(seed))
    levels = (255 * (0.5 + eps @ mix.T)).round().clamp(0, 255).to(torch.uint8).permute(0, 3, 1, 2)
    return DogSet(levels.contiguous().numpy(), np.zeros(count, dtype=np.int64)), mix @ mix.T


def test_better_likelihoods_cost_the_entropy_of_known_noise() -> None:
    held_out, dogs = coloured_noise(200, 0)[0], coloured_noise(60, 1)[0]
    covariance = coloured_noise(1, 0)[1].double()
    model = Constant(2)
    calibrate(model, held_out)
    gaussian_bits = 0.5 * math.log2(2 * math.pi * math.e) + 8
    # the best shared σ² is the mean of the channels' variances; the best covariance is the true one
    assert evaluate_model(model, dogs).bits_per_dim == pytest.approx(
        gaussian_bits + 0.5 * math.log2(covariance.diagonal().mean()), abs=0.01
    )
    entropy = gaussian_bits + torch.logdet(covariance).item() / (6 * math.log(2))
    found = calibrated_bits(model, held_out, dogs)
    assert found["colour"] == pytest.approx(entropy, abs=0.01)
    # 12,288 variances from 200 pictures: ½ · log₂ e · 2 / 200 bits more on others
    assert found["spectrum"] == pytest.approx(entropy + math.log2(math.e) / 200, abs=0.01)
    # the decoded picture never changes: its filter learns 12,288 means, ½ · log₂ e / 200 bits more
    assert found["filtered"] == pytest.approx(entropy + 1.5 * math.log2(math.e) / 200, abs=0.015)


def test_without_a_code_known_noise_costs_its_entropy() -> None:
    fitted_on, dogs = coloured_noise(200, 0)[0], coloured_noise(60, 1)[0]
    covariance = coloured_noise(1, 0)[1].double()
    entropy = 0.5 * math.log2(2 * math.pi * math.e) + 8 + torch.logdet(covariance).item() / (6 * math.log(2))
    found = latent_free_bits(fitted_on, dogs)
    # each of 12,288 means fitted to 200 pictures is worth 1/200 of a variance on them, and costs as much on others
    assert found["colour"] == pytest.approx(entropy + 0.5 * math.log2(math.e) * 2 / 200, abs=0.01)
    assert found["spectrum"] == pytest.approx(entropy + 1.5 * math.log2(math.e) / 200, abs=0.015)
    assert found["scales"] == pytest.approx(
        found["spectrum"], abs=0.01
    )  # all these pictures are equally rough
    assert found["sigma"] > found["colour"] + 0.5


def test_importance_weights_of_an_exact_posterior_add_nothing(monkeypatch) -> None:
    monkeypatch.setattr("vae_ref.evaluation.likelihoods.NUM_SAMPLES", 5)
    dogs = coloured_noise(60, 0)[0]
    model = Constant(2)
    calibrate(model, dogs)
    found = importance_weighted(model, dogs)
    assert found["bound"] == pytest.approx(found["elbo"], rel=1e-7)
    assert found["bits_per_dim"] == pytest.approx(evaluate_model(model, dogs).bits_per_dim, abs=1e-3)
    assert (found["num_samples"], found["num_images"]) == (5, 60)


def test_importance_weights_tighten_a_loose_bound(monkeypatch) -> None:
    monkeypatch.setattr("vae_ref.evaluation.likelihoods.NUM_SAMPLES", 8)
    monkeypatch.setattr("vae_ref.evaluation.likelihoods.NUM_IMAGES", 10)
    torch.manual_seed(0)
    dogs = coloured_noise(24, 0)[0]
    model = VAE(4)
    calibrate(model, dogs)
    found = importance_weighted(model, dogs)
    assert found["bound"] > found["elbo"] and found["num_images"] == 10
    assert importance_weighted(model, dogs) == found


@pytest.mark.parametrize("kind", [VAE, TwoLevelVAE])
def test_the_bound_is_the_mean_of_the_log_weights(kind: type[VAE], monkeypatch) -> None:
    monkeypatch.setattr("vae_ref.evaluation.likelihoods.NUM_SAMPLES", 40)
    torch.manual_seed(0)
    dogs = coloured_noise(8, 0)[0]
    model = kind(8).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    calibrate(model, dogs)
    # one has the KL in closed form given what was drawn above it, the other every density at every sample
    elbo = torch.tensor([evaluate_model(model, dogs, seed=seed).elbo for seed in range(5)])
    spread = max(elbo.std().item(), 1.0)
    assert importance_weighted(model, dogs)["elbo"] == pytest.approx(elbo.mean().item(), abs=4 * spread)


@pytest.mark.slow
def test_a_full_evaluation_has_every_number_and_repeats_it(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("vae_ref.evaluation.likelihoods.NUM_SAMPLES", 2)
    torch.manual_seed(0)
    data = load_paper(120, 40, cache=tmp_path)
    config = Config(latent_dim=3)
    model, classifier = VAE(3), Classifier("factors").eval()
    calibrate(model, data.train)
    found = evaluate_fully(model, config, data, classifier)
    for name in ("bits_per_dim", "kl", "kl_bytes", "psnr", "ssim", "active_units", "mig", "probe_accuracy"):
        assert math.isfinite(found[name]), name
    for name in ("iwae", "dci", "classifier_frechet", "high_frequency", "recognition"):
        assert all(math.isfinite(value) for value in found[name].values()), name
    assert found["classifier_frechet"]["num_pictures"] == 40
    assert found["classifier_frechet"]["samples"] > found["classifier_frechet"]["real"]
    assert found["entropy_floor"] < found["bits_per_dim"]
    torch.randn(3)
    assert evaluate_fully(model, config, data, classifier) == found
    lines = list(table(found))
    assert lines[0].startswith("BROKEN") and any("bits_per_dim " in line for line in lines)
    used = {**found, "swap_probe": {"own_psnr": 20.0, "swapped_psnr": 10.0, "passed": True}}
    assert next(iter(table(used))) == "the code is used: 20.00 dB with its own code, 10.00 dB with another's"


@pytest.mark.slow
def test_a_classifier_learns_and_continues_as_if_never_stopped(monkeypatch, tmp_path) -> None:
    data = load_paper(400, 60, cache=tmp_path / "cache")
    straight = train_classifier(data, 12, 0, tmp_path / "run")
    features = torch.cat([straight.features(x) for x, _ in Batches(data.train, 100)])
    assert features.var(dim=0).sum().item() == pytest.approx(16, rel=1e-3)
    untrained = classifier_scores(Classifier("factors").eval(), data.test)
    scores = classifier_scores(straight, data.test)
    assert scores["r2"] > untrained["r2"] + 0.3 and scores["tilt"] > 0.1, (untrained, scores)

    class Stop(Exception):
        pass

    losses = iter(range(31))

    def stop_in_the_fifth_epoch(*arguments):
        if next(losses, None) is None:
            raise Stop
        return loss_of(*arguments)

    loss_of = classifier._loss
    monkeypatch.setattr(classifier, "_loss", stop_in_the_fifth_epoch)
    monkeypatch.setattr(classifier, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    with pytest.raises(Stop):
        train_classifier(data, 12, 0, tmp_path / "stopped")
    monkeypatch.setattr(classifier, "_loss", loss_of)
    assert torch.load(tmp_path / "stopped" / "classifier.pt")["state"]["step"] == 31
    continued = train_classifier(data, 12, 0, tmp_path / "stopped")
    torch.testing.assert_close(continued.state_dict(), straight.state_dict(), rtol=0, atol=0)

    with pytest.raises(CourseError, match="trained with epochs = 12, not 13"):
        train_classifier(data, 13, 0, tmp_path / "run")
    with pytest.raises(CourseError, match="trained with seed = 0, not 1"):
        train_classifier(data, 12, 1, tmp_path / "run")
    (tmp_path / "run" / "classifier.pt").write_bytes(b"cut")
    with pytest.raises(CourseError, match="cannot read"):
        train_classifier(data, 12, 0, tmp_path / "run")


def test_factor_targets_close_the_circle_of_backgrounds() -> None:
    low, high = (torch.tensor([[limits[side] for limits in FACTOR_LIMITS.values()]]) for side in (0, 1))
    targets = [factor_targets(factors)[0] for factors in (low, high)]
    assert targets[0][:9].tolist() == [-1.0] * 9 and targets[1][:9].tolist() == [1.0] * 9
    assert torch.allclose(targets[0][9:], targets[1][9:], atol=1e-6)  # 0 and 1 are the same colour


def test_a_run_that_was_stopped_early_still_has_a_fitted_sigma(monkeypatch, tmp_path) -> None:
    data = load_paper(60, 10, cache=tmp_path / "cache")
    monkeypatch.setattr("vae_ref.runs.load_paper", lambda cache: data)
    config = Config(latent_dim=2)
    trainer = Trainer(config, data, tmp_path / "run")
    trainer.save()  # as a checkpoint within the training does
    assert trainer.model.sigma == 1
    run = open_run(tmp_path / "run")
    assert run.model.sigma == calibrate(trainer.model, split_validation(data.train, config)[1], config.seed)
