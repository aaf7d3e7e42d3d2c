"""Every patient of the ward is exposed, the healthy model passes, and looking leaves no trace."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, LowRankMultivariateNormal, Normal, kl_divergence

from vae_ref.bound import kl_divergence as kl_of_codes
from vae_ref.clinic import (
    BEDS,
    PROBES,
    WARD,
    Donor,
    Patient,
    PocketVAE,
    ask_the_price,
    compare_with_prior,
    count_active_units,
    diagnose,
    examine,
    free_bits_kl,
    gradient_reach,
    operate,
    practise,
    price_of_a_nat,
    sampler_spread,
    surviving_units,
    swap_codes,
    take_chart,
    uses_latent,
    vital_signs,
)
from vae_ref.clinic.finding import examined
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


# ---- evidence, diagnosis and repair ---------------------------------------------------------------------------------


def test_the_beds_hold_the_patients_of_the_ward() -> None:
    assert set(BEDS) == {patient.broken for patient in WARD} and len(BEDS) == len(WARD)
    assert len({patient.diagnosis for patient in WARD}) == len(WARD)
    for patient in WARD:
        assert patient.organ in vars(patient.broken) and patient.organ in vars(Donor)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "latent_dim"), [(1, 6), (21, 5), (22, 8)])
def test_patients_are_diagnosed_and_well_after_one_operation(seed: int, latent_dim: int) -> None:
    x = paper_dogs(40, seed=seed)[0].float() / 255
    torch.manual_seed(seed)
    assert diagnose(take_chart(PocketVAE(latent_dim).settle(x), x)) == "healthy"
    for patient in WARD:
        model = patient.broken(latent_dim).settle(x)
        assert diagnose(take_chart(model, x)) == patient.diagnosis
        operate(model, patient.organ)
        if patient.organ == "loss":
            PocketVAE.settle(model, x)
        assert diagnose(take_chart(model, x)) == "healthy", patient.name


@pytest.mark.slow
def test_another_organ_cures_nobody() -> None:
    for patient in WARD:
        others = {"encode", "draw", "decode", "loss"} - {patient.organ}
        for organ in others - (
            {"encode"} if patient.name == "SkipConnection" else set()
        ):  # a skip has two ends
            model = operate(admitted(patient.broken), organ)
            assert diagnose(take_chart(model, IMAGES, 30)) == patient.diagnosis
    with pytest.raises(ValueError, match="organ must be one of encode, draw, decode, loss, got 'heart'"):
        operate(admitted(PocketVAE), "heart")


def test_a_new_loss_brings_a_silent_code_back_by_training() -> None:
    starved = admitted(next(patient.broken for patient in WARD if patient.diagnosis == "starved code"))
    assert kl_of_codes(*starved.encode(IMAGES)).mean() < 1e-6
    practise(operate(starved, "loss"), IMAGES, 60)
    assert kl_of_codes(*starved.encode(IMAGES)).mean() > 5


def test_evidence_leaves_no_trace() -> None:
    model = admitted(PocketVAE)
    before = copy.deepcopy(model.state_dict())
    for training in (True, False):
        model.train(training)
        take_chart(model, IMAGES, 3)
        assert model.training == training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("beta", [0.2, 1.0, 5.0])
def test_the_price_is_found_by_slopes_as_by_differences(beta: float) -> None:
    model = PocketVAE(LATENT_DIM).settle_for(IMAGES, beta=beta)
    with examined(model, training=False):
        prices = [price_of_a_nat(model, IMAGES) for _ in range(20)]
    assert sum(prices) / 20 == pytest.approx(beta, rel=0.1)
    with examined(model, training=False):
        assert price_of_a_nat(model, IMAGES) == pytest.approx(ask_the_price(model, IMAGES).value, rel=0.02)


def test_a_silent_code_has_no_price_and_no_gradient() -> None:
    model = admitted(PocketVAE).settle_for(IMAGES, sigma=50.0)
    assert math.isnan(price_of_a_nat(model, IMAGES)) and gradient_reach(model, IMAGES) == (0, 0)
    assert vital_signs(model, IMAGES)["active"] == 0


def test_gradients_reach_as_far_as_finite_differences_say(healthy: PocketVAE) -> None:
    def error(mu: Tensor, logvar: Tensor) -> Tensor:
        x_hat = healthy.decode(mu + torch.exp(0.5 * logvar) * eps)
        return 0.5 * (IMAGES - x_hat).double().square().sum()

    with examined(healthy, training=True):
        reach = gradient_reach(healthy, IMAGES)
    with examined(healthy, training=True), torch.no_grad():
        mu, logvar = healthy.encode(IMAGES)
        eps = torch.randn_like(mu)
        # along the gradient itself the slope is its norm: take the analytic one of the linear decoder
        x_hat = healthy.decode(mu + torch.exp(0.5 * logvar) * eps)
        inside = ((x_hat > 0) & (x_hat < 1)).flatten(1)
        to_z = ((x_hat - IMAGES).flatten(1) * inside) @ healthy.decoder.paint.weight
        assert reach[0] == pytest.approx(to_z.norm().item(), rel=1e-3)
        step = 1e-3 * to_z / to_z.norm()
        slope = (error(mu + step, logvar) - error(mu - step, logvar)) / 2e-3
    assert slope.item() == pytest.approx(reach[0], rel=0.05)


def test_the_sampler_is_measured_in_the_mode_the_model_is_in() -> None:
    lazy = admitted(next(patient.broken for patient in WARD if patient.name == "NoNoiseInTraining"))
    assert sampler_spread(lazy.train(), IMAGES[:8], 20) < 1e-3
    assert sampler_spread(lazy.eval(), IMAGES[:8], 100) == pytest.approx(1, abs=0.1)


def test_as_many_latents_survive_as_the_settled_model_uses() -> None:
    variances = (torch.linalg.svdvals((IMAGES - IMAGES.mean(0)).flatten(1)) ** 2 / len(IMAGES))[:LATENT_DIM]
    for sigma, beta in ((0.1, 1.0), (3.5, 1.0), (3.5, 2.0), (5.5, 0.9), (8.0, 0.5), (78.0, 1.0)):
        mu, _ = PocketVAE(LATENT_DIM).settle_for(IMAGES, beta, sigma).encode(IMAGES)
        assert int((mu.var(0) > 1e-6).sum()) == surviving_units(variances, sigma, beta)
    for sigma, beta, says in ((0.0, 1.0, "sigma"), (1.0, -1.0, "beta"), (math.nan, 1.0, "sigma")):
        with pytest.raises(ValueError, match=f"{says} must be positive"):
            surviving_units(variances, sigma, beta)
    with pytest.raises(ValueError, match="shape"):
        surviving_units(variances[None], 1.0)


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
