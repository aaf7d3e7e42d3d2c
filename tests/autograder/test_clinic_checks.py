"""What the checks of assignment 08 rest on: patients without luck, charts that nobody has seen."""

from __future__ import annotations

import pytest
import torch

from autograder.both_sides import handling
from autograder.both_sides.toys import Patient
from autograder.checks import checks_of
from autograder.checks.clinic.sampler_spread import CLOSE, NUM_DRAWS
from vae_ref import clinic


@pytest.mark.slow
@pytest.mark.parametrize("literal", [False, True])
def test_even_noise_spreads_as_it_should_with_any_seed(literal: bool) -> None:
    worst = 0.0
    for seed in range(60):
        for count, latent_dim in ((5, 3), (4, 4), (1, 4), (5, 1)):
            model = Patient(latent_dim, 8, seed, noise="even", literal=literal)
            x = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
            with torch.no_grad():
                logvar = model.encode(x)[1]
            ratio = (logvar * torch.exp(-0.5 * logvar)).square().mean().sqrt().item() if literal else 1.0
            worst = max(worst, abs(clinic.sampler_spread(model, x, NUM_DRAWS) / ratio - 1))
    assert worst < 0.8 * CLOSE


@pytest.mark.parametrize(
    ("ailments", "uses"),
    [
        ({}, True),
        ({"leak": 0.2}, False),
        ({"shortcut": 0.3}, False),
        ({"deaf": True}, False),
        ({"quiet": 4}, False),
        ({"quiet": 2}, True),
    ],
)
def test_patients_are_as_ill_as_they_say(ailments: dict, uses: bool) -> None:
    x = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert clinic.uses_latent(Patient(4, 8, 1, **ailments), x) == uses  # type: ignore[arg-type]


def test_every_patient_of_the_ward_is_among_the_unknown_ones() -> None:
    asked = checks_of("08_clinic")["diagnose"].parts
    charts = [probe.call.args[0] for part in asked for probe in part.probes(torch.Generator().manual_seed(3))]
    assert {clinic.diagnose(chart) for chart in charts} == {"healthy", *(p.diagnosis for p in clinic.WARD)}


def test_a_transplant_replaces_one_method_and_draws_are_followed() -> None:
    model = Patient(3, 8, 1, cut="sample")
    mu, logvar = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    ill = handling.draw_from(model, mu, logvar, 5)
    assert not ill["to_mu"].any() and not ill["to_logvar"].any()
    handling.transplant(model, clinic.Donor(), "draw")
    well = handling.draw_from(model, mu, logvar, 5)
    assert torch.equal(well["to_mu"], torch.ones_like(mu))
    torch.testing.assert_close(well["to_logvar"], 0.5 * (well["z"] - mu).detach())
    torch.testing.assert_close(well["z"].detach(), ill["z"])
    assert "encode" not in vars(model)
