"""Tables made from what the course says of itself: its assignments, and the cards of the models it ships."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path

from autograder.assignments import ASSIGNMENTS
from vae_ref.weights import FOLDER, NAMES
from vae_ref.weights.cards import SPREAD, TITLES, render_card

TERM = Path(__file__).resolve().parents[1] / "benchmarks" / "class_of_200.json"
HEADING = re.compile(r"^#", re.MULTILINE)


def results() -> str:
    """The models of the course side by side, then the card of each, in MyST markdown."""
    cards = [json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in NAMES]
    rows = [
        f"| {text} | " + " | ".join(_over_seeds(card, key, form) for card in cards) + " |"
        for key, (form, text) in SPREAD.items()
    ]
    titles = " | ".join(TITLES[card["name"]] for card in cards)
    overview = "\n".join([f"| | {titles} |", "|---" * (len(cards) + 1) + "|", *rows])
    details = [f"(card-{card['name']})=\n{HEADING.sub('##', render_card(card))}" for card in cards]
    return overview + "\n\n" + "\n".join(details)


def _over_seeds(card: dict, key: str, form: str) -> str:
    values = [numbers[key] for numbers in card["seeds"].values()]
    spread = f" ± {form.format(statistics.stdev(values))}" if len(values) > 1 else ""
    return form.format(statistics.mean(values)) + spread


def assignments() -> str:
    """A row for each assignment: what an instructor plans with."""
    rows = [
        f"| {a.number} | [{a.title}]({a.slug}.md) | {a.minutes} | {a.difficulty} of 5 | {a.points} | "
        f"{sum(a.answers.values()) or '—'} |"
        for a in ASSIGNMENTS
    ]
    head = "| | assignment | minutes | difficulty | points | of these by hand |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows]) + "\n"


def term() -> str:
    """How long each step of the simulated term took, as ``python -m benchmarks.class_of_200`` found."""
    found = json.loads(TERM.read_text(encoding="utf-8"))
    rows = [f"| {step} | {_clock(seconds)} |" for step, seconds in found["seconds"].items()]
    machine = found["machine"]
    return (
        f"{found['learners']} learners, {found['hand_ins']} hand-ins, {found['workers']} graded at a time "
        f"({machine['processor'].partition(',')[0]}, {machine['cores']} cores, {machine['date']}):\n\n"
        + "\n".join(["| step | time |", "|---|---|", *rows])
        + f"\n\nThe corrected check moved the scores of {found['learners_moved']} learners; "
        f"`moved/` gives the reason of each in {found['lines_of_moves']} lines.\n"
    )


def _clock(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
