"""Every patient of the ward is exposed, the healthy model passes, and looking leaves no trace."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, LowRankMultivariateNormal, Normal, kl_divergence

from vae_ref.clinic import (
    PROBES,
    WARD,
    Patient,
    PocketVAE,
    ask_the_price,
    compare_with_prior,
    count_active_units,
    examine,
    free_bits_kl,
    practise,
    swap_codes,
    uses_latent,
)
from vae_ref.dogs import paper_dogs
from vae_ref.networks import VAE

LATENT_DIM = 6
IMAGES = paper_dogs(40, seed=1)[0].float() / 255


def admitted(kind: type[PocketVAE]) -> PocketVAE:
    torch.manual_seed(0)
    return kind(LATENT_DIM).settle(IMAGES)


@pytest.fixture(scope="module")
def healthy() -> PocketVAE:
    return admitted(PocketVAE)


# ---- the healthy model --------------------------------------------------------------------------------------------


def test_the_healthy_model_passes_every_probe(healthy: PocketVAE) -> None:
    assert [finding for finding in examine(healthy, IMAGES) if not finding.healthy] == []
    assert uses_latent(healthy, IMAGES)


def test_it_has_the_highest_likelihood_of_its_kind_and_a_tight_bound(healthy: PocketVAE) -> None:
    def log_p(weight: Tensor, mean: Tensor, variance: float) -> float:
        noise = torch.full((IMAGES[0].numel(),), variance)
        return LowRankMultivariateNormal(mean, weight, noise).log_prob(IMAGES.flatten(1)).mean().item()

    weight, mean = (p.detach() for p in (healthy.decoder.paint.weight, healthy.decoder.paint.bias))
    variance = healthy.sigma.item() ** 2
    best = log_p(weight, mean, variance)
    for worse in (
        (1.05 * weight, mean, variance),
        (0.95 * weight, mean, variance),
        (weight, mean + 0.01, variance),
    ):
        assert log_p(*worse) < best
    assert log_p(weight, mean, 1.05 * variance) < best > log_p(weight, mean, 0.95 * variance)
    with torch.no_grad():
        losses = [healthy.loss(IMAGES, torch.Generator().manual_seed(seed)).item() for seed in range(10)]
    # the posterior is exact, so the bound is log p but for sampling noise and for pixels cut to [0, 1]
    assert -sum(losses) / 10 == pytest.approx(best, abs=15)


def test_its_probes_read_what_theory_says(healthy: PocketVAE) -> None:
    assert ask_the_price(healthy, IMAGES).value == pytest.approx(1, abs=0.3)
    assert compare_with_prior(healthy, IMAGES).value < 1e-4
    assert count_active_units(healthy, IMAGES).value == LATENT_DIM


def test_training_improves_a_model_that_is_not_at_its_best() -> None:
    model = admitted(PocketVAE)
    with torch.no_grad():
        model.decoder.paint.weight.mul_(0.5)
    losses = practise(model, IMAGES, 10, lr=1e-4)
    assert losses[-1] < losses[0] - 100 and len(losses) == 10


# ---- the ward -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patient", WARD, ids=lambda patient: patient.name)
def test_every_patient_is_exposed_by_its_probe_and_cured_by_the_reference(
    patient: Patient, healthy: PocketVAE
) -> None:
    found = patient.exposed_by(admitted(patient.broken), IMAGES)
    assert not found.healthy, found
    assert patient.exposed_by(healthy, IMAGES).healthy
    assert patient.symptom and patient.cure and patient.broken.__doc__ and found.message


@pytest.mark.parametrize("patient", WARD, ids=lambda patient: patient.name)
def test_a_patient_has_one_defect(patient: Patient) -> None:
    assert patient.broken.__bases__ == (PocketVAE,)
    methods = {name for name, value in vars(patient.broken).items() if callable(value)} - {
        "__init__",
        "settle",
    }
    pairs = {frozenset({"encode", "decode"})}  # a skip has two ends
    assert len(methods) == 1 or methods in pairs


def test_every_probe_but_the_prior_is_the_one_for_some_patient_and_all_names_differ() -> None:
    assert {patient.exposed_by for patient in WARD} == set(PROBES) - {compare_with_prior}
    assert len({patient.name for patient in WARD}) == len(WARD) == 11
    relu = next(patient for patient in WARD if patient.name == "ReluMean")
    assert not compare_with_prior(admitted(relu.broken), IMAGES).healthy


def test_the_collapsed_model_has_the_better_number() -> None:
    strong = admitted(next(patient.broken for patient in WARD if patient.name == "StrongDecoder"))
    healthy = admitted(PocketVAE)
    with torch.no_grad():
        assert strong.loss(IMAGES).item() <= healthy.loss(IMAGES).item() + 10
        silent = strong.loss(IMAGES).item()
        strong.encoder.load_state_dict(healthy.encoder.state_dict())
        strong.decoder.load_state_dict(healthy.decoder.state_dict())
        assert strong.loss(IMAGES).item() > silent + 10  # with this likelihood, a code that speaks is a loss


def test_the_price_is_the_weight_that_the_kl_was_given() -> None:
    averaged = admitted(next(patient.broken for patient in WARD if patient.name == "AveragedKL"))
    assert ask_the_price(averaged, IMAGES).value == pytest.approx(1 / LATENT_DIM, abs=0.05)


# ---- uses_latent --------------------------------------------------------------------------------------------------


class ForwardSkip(PocketVAE):
    """Honest in encode and decode, but forward hands the image over."""

    def forward(self, x: Tensor, generator=None) -> tuple[Tensor, Tensor, Tensor]:
        x_hat, mu, logvar = super().forward(x, generator)
        return 0.1 * x_hat + 0.9 * x, mu, logvar


class OneShotSkip(PocketVAE):
    """Keeps the image for one decoding only."""

    seen: Tensor | None = None

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.seen = x
        return super().encode(x)

    def decode(self, z: Tensor) -> Tensor:
        seen, self.seen = self.seen, None
        return (
            super().decode(z) if seen is None or len(seen) != len(z) else 0.2 * super().decode(z) + 0.8 * seen
        )


class WeakSkip(PocketVAE):
    """Mixes a little of the last image it saw into every picture."""

    seen: Tensor | None = None

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.seen = x
        return super().encode(x)

    def decode(self, z: Tensor) -> Tensor:
        return super().decode(z) if self.seen is None else 0.75 * super().decode(z) + 0.25 * self.seen


class SkipInEvaluation(OneShotSkip):
    def decode(self, z: Tensor) -> Tensor:
        return PocketVAE.decode(self, z) if self.training else super().decode(z)


class Deaf(PocketVAE):
    """Decodes the same picture whatever the code."""

    def decode(self, z: Tensor) -> Tensor:
        return super().decode(0 * z)


@pytest.mark.parametrize("kind", [ForwardSkip, OneShotSkip, WeakSkip, SkipInEvaluation, Deaf])
@pytest.mark.parametrize("training", [True, False])
def test_models_that_do_not_need_their_code_are_found(kind: type[PocketVAE], training: bool) -> None:
    assert not uses_latent(admitted(kind).train(training), IMAGES)
    assert not swap_codes(admitted(kind), IMAGES).healthy


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("batch", [2, 3, 40])
def test_a_model_that_needs_its_code_is_believed(healthy: PocketVAE, training: bool, batch: int) -> None:
    assert uses_latent(healthy.train(training), IMAGES[:batch])


class Normalised(PocketVAE):
    """With batch statistics and dropout, which change when a model is run in the wrong mode."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__(latent_dim)
        self.batch, self.drop = nn.BatchNorm1d(latent_dim, affine=False), nn.Dropout(0.5)

    def decode(self, z: Tensor) -> Tensor:
        return super().decode(self.drop(self.batch(z)))


def test_probes_leave_no_trace() -> None:
    model = admitted(Normalised).train()
    model.drop.eval()
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    state = torch.random.get_rng_state()
    examine(model, IMAGES)
    uses_latent(model, IMAGES)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (IMAGES[:1], r"at least 2 different images to compare, got shape \(1, 3, 64, 64\)"),
        (IMAGES[:1].expand(4, -1, -1, -1), "at least 2 different images"),
        (IMAGES[:0], "at least one image"),
        (255 * IMAGES, r"x must lie in \[0, 1\]"),
        (IMAGES / 0, r"x must lie in \[0, 1\] without NaN"),
        (IMAGES[:, :2], r"x must have shape \(B, 3, H, W\)"),
        (IMAGES.byte(), "x must be a floating-point tensor"),
    ],
)
@pytest.mark.parametrize("function", [uses_latent, *PROBES], ids=lambda function: function.__name__)
def test_probes_refuse_images_that_show_nothing(function, x: Tensor, says: str, healthy: PocketVAE) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        function(healthy, x)


@pytest.mark.parametrize("spoiled", [math.nan, math.inf])
@pytest.mark.parametrize("where", ["encoder.mu", "encoder.logvar"])
def test_a_model_whose_numbers_are_none_is_unhealthy_and_breaks_no_probe(spoiled: float, where: str) -> None:
    torch.manual_seed(0)
    model = VAE(4)
    torch.nn.init.constant_(model.get_parameter(f"{where}.bias"), spoiled)
    findings = examine(model, IMAGES[:4])
    assert len(findings) == len(PROBES)
    names = {finding.probe for finding in findings if not finding.healthy}
    if where == "encoder.mu":
        assert {"swap_codes", "count_active_units", "ask_the_price", "compare_with_prior"} <= names
    else:
        assert {"ask_the_price", "compare_with_prior", "compare_sampler_with_logvar"} <= names


@pytest.mark.parametrize("logvar", [1000.0, -1000.0])
def test_a_logvar_of_a_thousand_breaks_no_probe(logvar: float) -> None:
    torch.manual_seed(0)
    model = VAE(4)
    torch.nn.init.constant_(model.encoder.logvar.bias, logvar)
    findings = examine(model, IMAGES[:4])
    assert all(math.isfinite(finding.value) for finding in findings), findings
    assert not {f.probe: f for f in findings}["compare_with_prior"].healthy


def test_settle_and_practise_refuse_what_they_cannot_use(healthy: PocketVAE) -> None:
    with pytest.raises(ValueError, match="more than 6 images for as many latents, got 6"):
        healthy.settle(IMAGES[:6])
    with pytest.raises(ValueError, match="num_steps must be at least 1, got 0"):
        practise(healthy, IMAGES, 0)


def test_an_untrained_network_can_be_examined() -> None:
    torch.manual_seed(0)
    assert len(examine(VAE(4), IMAGES[:4])) == len(PROBES)


# ---- free bits ----------------------------------------------------------------------------------------------------


def codes(batch: int = 7, latent_dim: int = 5) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    scale = torch.linspace(0.01, 1, latent_dim, dtype=torch.float64)
    return tuple(scale * torch.randn(2, batch, latent_dim, generator=g, dtype=torch.float64))


@pytest.mark.parametrize("floor", [0.0, 0.1, 0.5, 100.0])
def test_free_bits_by_hand(floor: float) -> None:
    mu, logvar = codes()
    expected = 0.0
    for j in range(5):
        q, p = (
            Normal(mu[:, j], torch.exp(0.5 * logvar[:, j])),
            Normal(torch.zeros(7).double(), torch.ones(7).double()),
        )
        expected += max(floor, kl_divergence(q, p).mean().item())
    result = free_bits_kl(mu, logvar, floor)
    assert result.shape == () and result.item() == pytest.approx(expected)
    assert result >= 5 * floor


def test_without_a_floor_it_is_the_mean_kl_and_below_the_floor_nothing_pulls() -> None:
    mu, logvar = (value.requires_grad_() for value in codes())
    q = Independent(Normal(mu, torch.exp(0.5 * logvar)), 1)
    p = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    torch.testing.assert_close(free_bits_kl(mu, logvar, 0.0), kl_divergence(q, p).mean())
    free_bits_kl(mu, logvar, 0.1).backward()
    pulled = mu.grad.abs().sum(0) > 0
    of_each = kl_divergence(Normal(mu, torch.exp(0.5 * logvar)), Normal(0.0, 1.0)).mean(0)
    assert pulled.tolist() == (of_each > 0.1).tolist() and 0 < pulled.sum() < 5


def test_the_floor_is_for_the_mean_over_images_not_for_each() -> None:
    mu = torch.tensor(
        [[2.0], [0.0]]
    )  # KL 2 and 0: their mean 1 is above a floor of 0.5, the second alone is not
    assert free_bits_kl(mu, torch.zeros(2, 1), 0.5).item() == 1


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda mu, logvar: free_bits_kl(mu, logvar, -0.1), "floor must be 0 or more nats, got -0.1"),
        (lambda mu, logvar: free_bits_kl(mu, logvar, math.nan), "floor must be 0 or more nats, got nan"),
        (lambda mu, logvar: free_bits_kl(mu[0], logvar[0], 0.1), r"mu must have shape \(B, L\)"),
        (lambda mu, logvar: free_bits_kl(mu[:0], logvar[:0], 0.1), "at least one image"),
        (lambda mu, logvar: free_bits_kl(mu, logvar[:, :1], 0.1), "the same shape"),
    ],
)
def test_free_bits_names_bad_input(call, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call(*codes())
