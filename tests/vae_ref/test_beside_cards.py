"""One's own numbers beside the cards: equal ones pass, planted deviations are flagged; and how long it will take."""

import copy
import json
import random
import statistics
from typing import Any

import pytest
import torch

from vae_ref.estimate import estimate, images_per_second, main_stage, minutes_left
from vae_ref.plans import plan
from vae_ref.report.beside_cards import CARD_OF, cards_section, compare, conditions, seed_range, verdict
from vae_ref.weights import FOLDER
from vae_ref.weights.cards import SPREAD


def as_on_the_card(data: str, stage: str, seed: str = "1") -> dict[str, Any]:
    """What an evaluation finds if all goes as it went for the card's seed."""
    card = json.loads((FOLDER / f"{CARD_OF[data, stage]}.json").read_text())
    return {**card["metrics"], **card["seeds"][seed], "training_images": card["training_images"]}


@pytest.mark.parametrize(("data", "stage"), CARD_OF)
@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_numbers_of_the_cards_own_seeds_are_as_expected(data: str, stage: str, seed: str) -> None:
    found = {stage: as_on_the_card(data, stage, seed)}
    rows = compare(data, found)
    assert [row.quantity for row in rows] == list(SPREAD) and all(row.within for row in rows)
    assert [*conditions(data, found)] == [] and verdict(rows).startswith("All 6 numbers are")
    assert "<td>differs</td>" not in cards_section(data, found).html()


@pytest.mark.parametrize("quantity", SPREAD)
@pytest.mark.parametrize("direction", [-1, 1])
def test_a_planted_deviation_is_flagged_and_nothing_else_is(quantity: str, direction: int) -> None:
    good = as_on_the_card("paper", "vae")
    values = [
        numbers[quantity] for numbers in json.loads((FOLDER / "paper.json").read_text())["seeds"].values()
    ]
    low, high = seed_range(values)
    edge = high if direction > 0 else low
    for step, flagged in ((-1e-3, False), (1e-3, True)):
        found = {"vae": {**copy.deepcopy(good), quantity: edge + direction * step * abs(edge)}}
        rows = compare("paper", found)
        assert [row.quantity for row in rows if not row.within] == ([quantity] if flagged else []) or (
            not flagged and statistics.stdev(values) == 0  # a step inwards may be wider than the range itself
        )
    page = cards_section("paper", found).html()
    assert (
        page.count("<td>differs</td>") == 1 and "1 of 6 numbers differ by more" in page and quantity in page
    )


def test_the_range_holds_one_more_seed_nineteen_times_in_twenty() -> None:
    rng = random.Random(0)
    inside, trials = 0, 4000
    for _ in range(trials):
        *values, new = (rng.gauss(1.0, 0.1) for _ in range(4))
        low, high = seed_range(values)
        inside += low <= new <= high
    assert abs(inside / trials - 0.95) < 0.015  # four standard errors


def test_what_was_not_done_as_for_the_card_is_said() -> None:
    found = as_on_the_card("paper", "vae")
    found["training_images"] //= 10
    found["fingerprint"] = "other"
    found["config"] = {**found["config"], "latent_dim": 8, "seed": 7}
    said = " ".join(conditions("paper", {"vae": found}))
    assert "10% of the card’s 426,960 pictures" in said and "other pictures (other)" in said
    assert "latent_dim is 8, on the card 16" in said and "seed" not in said


def test_models_without_a_card_are_left_out() -> None:
    assert compare("stanford", {"spectrum-cured": {}}) == []
    assert verdict([]) == "No card was shipped for these models."


def test_minutes_follow_the_speed_of_what_computes() -> None:
    stages = plan("paper")
    everything = sum(stage.minutes for stage in stages)
    assert minutes_left(stages, [], 700, 700, 700) == pytest.approx(everything)
    assert minutes_left(stages, [], 700, 350, 350) == pytest.approx(2 * everything)
    on_a_gpu = minutes_left(stages, [], 700, 7000, 700)
    assert on_a_gpu == pytest.approx(everything - 0.9 * main_stage("paper").minutes)
    assert minutes_left(stages, [stage.name for stage in stages], 700, 700, 700) == 0


def test_the_estimate_measures_and_leaves_the_noise_as_it_was() -> None:
    torch.manual_seed(3)
    wanted = torch.randn(4)
    torch.manual_seed(3)
    assert images_per_second(main_stage("paper"), seconds=0.2) > 1
    assert torch.equal(torch.randn(4), wanted)
    stages = plan("paper", 0.1)
    said = estimate(stages, ["codecs"], "paper", 10_000, torch.device("cpu"))
    assert said.startswith("5 of 6 stages to do, about ") and "on cpu" in said
    done = estimate(stages, [stage.name for stage in stages], "paper", 10_000, torch.device("cpu"))
    assert done == "all 6 stages are done; the page is written anew"
