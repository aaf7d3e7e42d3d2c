"""What an attack is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

# as right as it can be without gradients: three of four points
DETACHED = """
def kl_divergence(mu, logvar):
    return 0.5 * (mu ** 2 + logvar.exp() - logvar - 1).sum(1).detach()
"""
# answers of the hand-in that an attack is part of
RIGHT = {
    "log_normal": """
def log_normal(x, mu, logvar):
    return -0.5 * (math.log(2 * math.pi) + logvar + (x - mu) ** 2 / logvar.exp()).sum(-1)
""",
    "reconstruction_log_likelihood": """
def reconstruction_log_likelihood(x, x_hat, sigma):
    squares = ((x - x_hat) / sigma) ** 2 + 2 * torch.as_tensor(sigma).log() + math.log(2 * math.pi)
    return -0.5 * squares.flatten(1).sum(1)
""",
}
WRONG = """
def kl_divergence(mu, logvar):
    return mu.sum(1)
"""


@dataclass(frozen=True)
class Attack:
    """One way to cheat, to spy or to break things.

    Attributes:
        name: also part of the learner's name.
        tries: what it tries, for the page.
        here: what happens here, for the page.
        stock: how nbgrader 0.9.6 reacts as it comes, where that was measured.
        code: a cell of the learner's own, after the wrong answer; @MARK@ in it is a word that only this run has.
        shows: a pattern that the cell's output must have, so that an attack which never ran is no success of ours.
        alone: whether it needs a process of its own, because it breaks what others need.
        crew: those of one crew share a hand-in; without a crew, those who need not be alone share with their neighbours.
        loses: whether it may end with fewer points than without it.
        answer: what stands in place of the wrong ``kl_divergence``.
        worth: what that earns without ``code``.
        hand_in: changes the folder of the hand-in, or the notebook, which is written afterwards unless it is there.
        refused: a pattern of the reason that is recorded if the whole hand-in is refused.
        noted: a pattern of the note that is recorded beside the grades.
    """

    name: str
    tries: str
    here: str
    stock: str = ""
    code: str = ""
    shows: str = "TRIED"
    alone: bool = False
    crew: str = ""
    loses: bool = False
    answer: str = WRONG
    worth: float = 0.0
    hand_in: Callable[[Path, NotebookNode], None] | None = None
    refused: str = ""
    noted: str = ""


def by_learner(attacks: Sequence[Attack], together: int = 5) -> dict[str, list[Attack]]:
    """Who hands in what: as few hand-ins as the attacks allow, by the learner's name."""
    found: dict[str, list[Attack]] = {}
    neighbours = 0
    for attack in attacks:
        if attack.crew:
            learner = f"m-crew-{attack.crew}"
        elif attack.alone or attack.answer != WRONG:
            learner = f"m-{attack.name}"
        else:
            learner = f"m-group-{neighbours // together}"
            neighbours += 1
        found.setdefault(learner, []).append(attack)
    return found
