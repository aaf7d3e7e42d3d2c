"""What learners' code may try, as data: the tests run every attack, and the book's page of them is made from the same.

Each attack is part of a hand-in that has two right answers and a wrong ``kl_divergence``. It must end with no more
points than the same hand-in without it, show what it is expected to show, and never print WON.
"""

from attacks.attack import DETACHED, RIGHT, WRONG, Attack, by_learner
from attacks.breaking import BREAKING
from attacks.escaping import ESCAPING
from attacks.forging import FORGING
from attacks.hand_ins import HAND_INS
from attacks.reading import READING
from attacks.showing import SHOWING

GROUPS: dict[str, tuple[Attack, ...]] = {
    "Points without work": FORGING,
    "Reading what is secret": READING,
    "Getting out": ESCAPING,
    "Breaking the grader": BREAKING,
    "Reaching the people who read": SHOWING,
    "Hand-ins that are not what they seem": HAND_INS,
}
ATTACKS = tuple(attack for group in GROUPS.values() for attack in group)

__all__ = ["ATTACKS", "DETACHED", "GROUPS", "RIGHT", "WRONG", "Attack", "by_learner", "table"]


def table() -> str:
    """All attacks as Markdown, a table for each group."""
    parts = []
    for title, group in GROUPS.items():
        rows = [f"| {a.tries} | {a.stock or '–'} | {a.here} |" for a in group]
        head = "| what is tried | nbgrader as it comes | here |\n|---|---|---|\n"
        parts.append(f"## {title}\n\n{head}" + "\n".join(rows))
    return "\n\n".join(parts) + "\n"
