"""One's own numbers beside those of the shipped models' cards: what differs by more than another seed does?"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import t as student

from vae_ref.plans import TITLES
from vae_ref.report.page import Section, html_table
from vae_ref.weights import FOLDER
from vae_ref.weights.cards import SPREAD

# data set and stage: the card that a finished stage at full length is to agree with
CARD_OF = {
    ("paper", "vae"): "paper",
    ("stanford", "vae"): "stanford",
    ("stanford", "two-level"): "stanford-two-level",
    ("stanford", "vae-gan"): "stanford-vae-gan",
}
LEVEL = 0.95  # share of new seeds whose number falls into the range
ROUNDING = 1e-4  # relative: what another processor's arithmetic may change where all seeds agree
SEED_ONLY = ("seed", "start_from")  # settings that may differ: a VAE-GAN starts from a folder of its own


@dataclass(frozen=True)
class Row:
    """A number of one's own and the range in which a training with another seed would put it.

    Attributes:
        model: stage that trained it.
        quantity: name of the number.
        here: its value.
        mean, spread: over the card's seeds; the standard deviation.
        low, high: the range.
    """

    model: str
    quantity: str
    here: float
    mean: float
    spread: float
    low: float
    high: float

    @property
    def within(self) -> bool:
        """Whether it is no further away than another seed may put it."""
        return self.low <= self.here <= self.high


def seed_range(values: Sequence[float]) -> tuple[float, float]:
    """Where the number of one more training falls, with the probability LEVEL, if seeds are normally distributed.

    Args:
        values: of at least two seeds.

    Returns:
        Lower and upper end: mean ± t · s · √(1 + 1/n), with Student's t of n − 1 degrees of freedom, widened by what
        another processor's rounding may change.
    """
    n = len(values)
    mean, spread = statistics.mean(values), statistics.stdev(values)
    reach = float(student.ppf(0.5 + LEVEL / 2, n - 1)) * spread * math.sqrt(1 + 1 / n) + ROUNDING * abs(mean)
    return mean - reach, mean + reach


def compare(data: str, evaluations: Mapping[str, dict[str, Any]]) -> list[Row]:
    """The numbers that cards have over their seeds, beside one's own.

    Args:
        data: "paper" or "stanford".
        evaluations: numbers of each model by its stage; models without a card are left out.
    """
    rows = []
    for stage, found in evaluations.items():
        card = read_card(data, stage)
        for quantity in SPREAD if card else ():
            values = [float(numbers[quantity]) for numbers in card["seeds"].values()]
            mean, spread = statistics.mean(values), statistics.stdev(values)
            rows.append(Row(stage, quantity, float(found[quantity]), mean, spread, *seed_range(values)))
    return rows


def read_card(data: str, stage: str) -> dict[str, Any]:
    """The card of a stage's model; empty if none was shipped."""
    name = CARD_OF.get((data, stage))
    if name is None:
        return {}
    card: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return card


def conditions(data: str, evaluations: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    """What was not done as for the cards, a sentence each: reasons why numbers may differ that are no mistake."""
    for stage, found in evaluations.items():
        card = read_card(data, stage)
        if not card:
            continue
        title, theirs = TITLES[stage], card["metrics"]
        if found["fingerprint"] != theirs["fingerprint"]:
            yield f"{title}: other pictures ({found['fingerprint']}) than the card’s ({theirs['fingerprint']})."
        share = found["training_images"] / card["training_images"]
        if abs(share - 1) > 0.01:
            yield f"{title}: trained on {share:.0%} of the card’s {card['training_images']:,} pictures."
        for name, value in theirs["config"].items():
            if name not in SEED_ONLY and found["config"].get(name) != value:
                yield f"{title}: {name} is {found['config'].get(name)!r}, on the card {value!r}."


def verdict(rows: Sequence[Row]) -> str:
    """One sentence on all rows."""
    beyond = [f"{row.quantity} of {TITLES[row.model]}" for row in rows if not row.within]
    if not rows:
        return "No card was shipped for these models."
    if not beyond:
        return f"All {len(rows)} numbers are as near to the cards’ as another seed would put them."
    return f"{len(beyond)} of {len(rows)} numbers differ by more than another seed explains: {', '.join(beyond)}."


def cards_section(data: str, evaluations: Mapping[str, dict[str, Any]]) -> Section:
    """The section of the page: verdict, conditions, and a row for each number.

    Args:
        data, evaluations: as of ``compare``.
    """
    rows = compare(data, evaluations)
    cells = [
        (
            f"{TITLES[row.model]}, {SPREAD[row.quantity][1]}",
            _show(row, row.here),
            f"{_show(row, row.mean)} ± {_show(row, row.spread)}",
            f"{_show(row, row.low)} to {_show(row, row.high)}",
            "as expected" if row.within else "differs",
        )
        for row in rows
    ]
    table = html_table(
        "The card’s mean ± standard deviation over its seeds, and where one more seed falls 19 times in 20.",
        ("Number", "here", "card", "another seed", ""),
        cells,
    )
    text = " ".join([verdict(rows), *conditions(data, evaluations)])
    if rows:
        text += " With so many numbers, one that differs by a little is no news; several of one model are."
    return Section("Beside the shipped cards", text, [table] if rows else [])


def _show(row: Row, value: float) -> str:
    return SPREAD[row.quantity][0].format(value)
