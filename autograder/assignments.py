"""The one table of the course: its chapters, and what learners write in them.

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
        chapter=CHAPTERS[0],
        minutes=90,
        difficulty=2,
        objectives=(
            "follow a photo from its file to the square that a model sees, with the dog in it",
            "say why pixels live in [0, 1], and what another scale does to a likelihood",
            "vary training pictures, and keep the others as they are",
            "measure what decoding costs, and decide where to pay it",
        ),
        points_of={
            "scale_box": 2,
            "crop_and_resize": 5,
            "to_unit_interval": 2,
            "change_of_scale": 1,
            "augment": 5,
            "make_batch": 2,
            "seconds_saved": 1,
        },
        answers={"noisy_validation": 2},
        given=("dogs/drawing.py", "dogs/sources.py", "dogs/album.py"),
    ),
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
        minutes=120,
        difficulty=3,
        objectives=(
            "draw a code so that gradients reach mean and variance",
            "estimate a gradient through the samples, and from values alone",
            "measure how much noisier the second estimate is, and say why",
            "find a path that is cut, although no error is raised and the loss falls",
            "draw from a distribution that is no Gaussian, and name those for which no such trick exists",
        ),
        points_of={
            "reparameterize": 5,
            "gradient_after_detach": 1,
            "pathwise_gradient": 4,
            "score_function_gradient": 4,
            "variance_ratio": 2,
            "draw_exponential": 2,
        },
        answers={"silent_loss": 2},
    ),
    Assignment(
        chapter=CHAPTERS[3],
        minutes=120,
        difficulty=3,
        objectives=(
            "say what shape each layer makes, how many numbers it learns and how much of the picture it sees",
            "build an encoder whose two heads may be any number",
            "build a decoder that ends in [0, 1] and draws no checkerboard",
            "join both by one sample of the code",
        ),
        points_of={
            "conv_output_side": 1,
            "receptive_field": 2,
            "conv_parameters": 1,
            "mixing_layer": 1,
            "Encoder": 5,
            "coverage": 1,
            "Decoder": 4,
            "VAE": 4,
        },
        answers={"amortised": 3},
    ),
    Assignment(
        chapter=CHAPTERS[4],
        minutes=150,
        difficulty=4,
        objectives=(
            "say which σ a loss stands for, and which losses train the same model",
            "take a training step whose loss is the negative bound in nats",
            "measure a model so that a short last batch counts as what it is",
            "train with a warm-up of the KL term and read the curves",
            "stop a training and go on as if nothing had happened",
        ),
        points_of={
            "implied_sigma": 1,
            "same_model": 1,
            "kl_weight": 2,
            "train_step": 5,
            "evaluate": 4,
            "fit": 3,
            "save_checkpoint": 2,
            "load_checkpoint": 2,
        },
        answers={"curves": 3},
    ),
    Assignment(
        chapter=CHAPTERS[5],
        minutes=100,
        difficulty=3,
        objectives=(
            "reconstruct from means and generate from the prior",
            "interpolate on the line and on the arc, and say which lengths the codes have on the way",
            "measure where codes lie, and split the KL term into information and the distance to the prior",
            "say why samples are worse than reconstructions, and two things that help",
        ),
        points_of={
            "reconstruct": 2,
            "generate": 2,
            "lerp": 1,
            "squared_norm_on_line": 1,
            "slerp": 4,
            "interpolate": 3,
            "largest_information": 1,
            "log_aggregated_posterior": 3,
        },
        answers={"cooler_samples": 3},
    ),
    Assignment(
        chapter=CHAPTERS[6],
        minutes=100,
        difficulty=3,
        objectives=(
            "collect the codes of a whole set and count the units that are in use",
            "find the directions along which they vary, and walk along one",
            "ask with a linear probe what a code knows, and with SAP whether single units know it",
            "say what such pictures and numbers cannot show",
        ),
        points_of={
            "encode_dataset": 2,
            "active_units": 2,
            "share_of_isotropic": 1,
            "principal_components": 5,
            "traverse": 2,
            "linear_probe_r2": 2,
            "sap_score": 2,
            "what_a_rotation_changes": 1,
        },
        answers={"what_it_means": 3},
    ),
    Assignment(
        chapter=CHAPTERS[7],
        minutes=150,
        difficulty=4,
        objectives=(
            "tell whether pictures come from their codes, or past them",
            "measure what a sampler, a gradient and a price reveal about a model whose code you have not read",
            "name the defect of eleven broken VAEs by their charts, and of others you have never seen",
            "repair each by replacing one method, and see the number move that has to",
            "predict which latents collapse, and keep them alive with free bits",
        ),
        points_of={
            "uses_latent": 3,
            "vital_signs": 3,
            "sampler_spread": 2,
            "gradient_reach": 2,
            "price_of_a_nat": 2,
            "surviving_units": 1,
            "diagnose": 4,
            "Donor": 4,
            "free_bits_kl": 2,
        },
        answers={"letter_to_the_author": 4},
        given=("clinic/pocket.py", "clinic/broken.py", "clinic/finding.py"),
    ),
    Assignment(
        chapter=CHAPTERS[8],
        minutes=150,
        difficulty=4,
        objectives=(
            "tighten the bound with several codes, and say whom that helps and whom it harms",
            "turn nats into bits that can be compared with files",
            "say what a weight on the KL claims about the noise of a pixel",
            "explain how a better number can throw every dog away, and keep a code alive",
        ),
        points_of={
            "log_weights": 4,
            "iwae_bound": 3,
            "encoder_signal": 1,
            "dequantise": 2,
            "bits_per_dim": 2,
            "file_bits_per_dim": 1,
            "beta_from_sigma": 2,
            "colour_log_likelihood": 3,
            "adapt_log_beta": 2,
        },
        answers={"better_number": 3},
    ),
    Assignment(
        chapter=CHAPTERS[9],
        minutes=150,
        difficulty=5,
        objectives=(
            "say why a likelihood with independent pixels paints blurred pictures, and what a second level changes",
            "play the game of decoder and discriminator so that each network follows its own loss",
            "measure sharpness, and say what each number can see and what it cannot",
            "change one thing, measure it with several seeds, and report what was found",
        ),
        points_of={
            "best_picture": 1,
            "conditional_kl": 3,
            "discriminator_loss": 2,
            "generator_loss": 1,
            "feature_matching_loss": 1,
            "vae_gan_step": 5,
            "high_frequency_share": 2,
            "posterior_sample_mse": 1,
        },
        answers={"capstone_plan": 2, "capstone_code": 3, "capstone_report": 3},
        # the networks themselves: what shipped models are made of, and no answer
        given=("sharper/discriminator.py", "sharper/two_level.py"),
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
    raise KeyError(
        f"there is no assignment named {slug!r}; there is {known} (a new one starts in autograder/assignments.py)"
    )


def assignment_asking_for(function: str) -> Assignment | None:
    """The assignment that asks learners to write ``function``, if any does."""
    return next((a for a in ASSIGNMENTS if function in a.points_of), None)
