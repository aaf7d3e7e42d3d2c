"""The one table of the course: its ten chapters, and what learners write in them.

The checks, the release, the masks of the wall, the book's boxes and the README's table are all made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Chapter:
    """A room of the course: one number and one name for chapter, assignment, reference module and checks."""

    number: int
    name: str  # also the module ``vae_ref.<name>``
    title: str

    @property
    def slug(self) -> str:
        """The number and the name as folders and files spell them, such as ``02_bound``."""
        return f"{self.number:02d}_{self.name}"


CHAPTERS: tuple[Chapter, ...] = (
    Chapter(1, "dogs", "The data"),
    Chapter(2, "bound", "The evidence lower bound"),
    Chapter(3, "sampling", "The reparameterization trick"),
    Chapter(4, "networks", "Encoder and decoder"),
    Chapter(5, "training", "Training"),
    Chapter(6, "generation", "Reconstruct, generate, interpolate"),
    Chapter(7, "latents", "Inside the latent space"),
    Chapter(8, "clinic", "When a VAE is broken"),
    Chapter(9, "tighter", "Tighter bounds, better likelihoods, honest numbers"),
    Chapter(10, "sharper", "Sharper dogs"),
)


@dataclass(frozen=True)
class Assignment:
    """What learners of a chapter write, and what it is worth."""

    chapter: Chapter
    minutes: int
    difficulty: int  # 1 (an easy start) to 5 (an evening with coffee)
    objectives: tuple[str, ...]
    points_of: Mapping[str, int] = field(hash=False)  # name of each thing to write → its points
    answers: Mapping[str, int] = field(default_factory=dict, hash=False)  # graded by a person: name → points
    prerequisites: str = ""  # besides the assignments before, in words
    # files of the chapter's own module that hold no answers: learners' code sees them behind the wall, too
    given: tuple[str, ...] = ()
    released: bool = True  # whether there is a notebook; without one there are checks for a plain file

    @property
    def number(self) -> int:
        return self.chapter.number

    @property
    def name(self) -> str:
        return self.chapter.name

    @property
    def title(self) -> str:
        return self.chapter.title

    @property
    def slug(self) -> str:
        return self.chapter.slug

    @property
    def points(self) -> int:
        """The sum over all things to write and all questions to answer."""
        return sum(self.points_of.values()) + sum(self.answers.values())


ASSIGNMENTS: tuple[Assignment, ...] = (
    Assignment(
        chapter=CHAPTERS[1],
        minutes=90,
        difficulty=3,
        objectives=(
            "write the log density of a diagonal Gaussian with every constant in its place",
            "compute the KL term twice, in closed form and by Monte Carlo, and see the two agree",
            "turn a reconstruction error into a log likelihood in nats",
            "assemble the evidence lower bound and say what σ and β change in it",
        ),
        points_of={
            "log_normal": 4,
            "kl_divergence": 4,
            "kl_monte_carlo": 4,
            "reconstruction_log_likelihood": 4,
            "elbo": 4,
        },
    ),
    Assignment(
        chapter=CHAPTERS[2],
        minutes=90,
        difficulty=3,
        objectives=(
            "draw a code so that gradients reach mean and variance",
            "estimate a gradient through the samples, and from values alone",
            "measure how much noisier the second estimate is",
        ),
        points_of={
            "reparameterize": 6,
            "pathwise_gradient": 7,
            "score_function_gradient": 7,
        },
        released=False,
    ),
    Assignment(
        chapter=CHAPTERS[3],
        minutes=90,
        difficulty=3,
        objectives=(
            "build an encoder whose two heads may be any number",
            "build a decoder that ends in [0, 1]",
            "join both by one sample of the code",
        ),
        points_of={"Encoder": 7, "Decoder": 6, "VAE": 7},
        released=False,
    ),
    Assignment(
        chapter=CHAPTERS[4],
        minutes=120,
        difficulty=4,
        objectives=(
            "take a training step whose loss is the negative bound in nats",
            "measure a model so that a short last batch counts as what it is",
            "train with a warm-up of the KL term and read the curves",
        ),
        points_of={"kl_weight": 3, "train_step": 7, "evaluate": 5, "fit": 5},
        released=False,
    ),
    Assignment(
        chapter=CHAPTERS[5],
        minutes=75,
        difficulty=2,
        objectives=(
            "reconstruct from means and generate from the prior",
            "interpolate on the line and on the arc, with exact ends",
        ),
        points_of={"reconstruct": 3, "generate": 3, "lerp": 3, "slerp": 6, "interpolate": 5},
        released=False,
    ),
    Assignment(
        chapter=CHAPTERS[6],
        minutes=75,
        difficulty=2,
        objectives=(
            "collect the codes of a whole set",
            "find the directions along which they vary, and walk along one",
            "count the units that are in use",
        ),
        points_of={"encode_dataset": 4, "principal_components": 8, "traverse": 4, "active_units": 4},
        released=False,
    ),
    Assignment(
        chapter=CHAPTERS[8],
        minutes=120,
        difficulty=4,
        objectives=(
            "tighten the bound with several codes",
            "turn nats into bits that can be compared with files",
            "say what a weight on the KL claims about the noise of a pixel",
        ),
        points_of={
            "log_weights": 6,
            "iwae_bound": 4,
            "bits_per_dim": 3,
            "beta_from_sigma": 3,
            "colour_log_likelihood": 4,
        },
        released=False,
    ),
)


# those with a notebook for learners
RELEASED = tuple(assignment for assignment in ASSIGNMENTS if assignment.released)


def overview() -> str:
    """A Markdown table of the chapters and what can be written and graded in each."""
    by_chapter = {assignment.chapter: assignment for assignment in RELEASED}
    rows = ["| | chapter | learners write | points | minutes |", "|---|---|---|---|---|"]
    for chapter in CHAPTERS:
        assignment = by_chapter.get(chapter)
        if assignment is None:
            rows.append(f"| {chapter.number:02d} | {chapter.title} | | | |")
        else:
            names = ", ".join(f"`{name}`" for name in assignment.points_of)
            rows.append(
                f"| {chapter.number:02d} | {chapter.title} | {names} | {assignment.points} | {assignment.minutes} |"
            )
    return "\n".join(rows)


def assignment_named(slug: str) -> Assignment:
    """The assignment with this slug.

    Raises:
        KeyError: there is none; the message lists those that exist.
    """
    for assignment in ASSIGNMENTS:
        if assignment.slug == slug:
            return assignment
    known = ", ".join(a.slug for a in ASSIGNMENTS)
    raise KeyError(f"there is no assignment named {slug!r}; there is {known}")


def assignment_asking_for(function: str) -> Assignment | None:
    """The assignment that asks learners to write ``function``, if any does."""
    return next((a for a in ASSIGNMENTS if function in a.points_of), None)
