"""A small class to try grading on: a right hand-in, an empty one, typical mistakes, and two that mean trouble."""

from __future__ import annotations

import copy
import re
from datetime import UTC, datetime
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.assignments import assignment_named
from autograder.authoring.release import notebook_of, release, text_of
from autograder.grading.gradebook import CONFIG_NAME
from vae_ref.errors import CourseError
from vae_ref.files import write_text

SLUG = "02_bound"
MARKERS = re.compile(r"^ *### (BEGIN|END) SOLUTION\n?", re.MULTILINE)  # no learner would write them
COURSE_CONFIG = '''"""An nbgrader course; see the instructors' part of the README."""

from autograder.nbgrader_plugins import configure

c = get_config()
configure(c)
c.CourseDirectory.course_id = "vae"
'''

KL_AVERAGED = """
def kl_divergence(mu, logvar):
    return torch.mean(-0.5 * (1 + logvar - mu**2 - logvar.exp()), dim=1)
"""

PIXELS_AVERAGED = """
def reconstruction_log_likelihood(x, x_hat, sigma):
    mse = ((x - x_hat) ** 2).mean(dim=(1, 2, 3))
    return -mse / (2 * sigma**2) - math.log(sigma) - 0.5 * math.log(2 * math.pi)
"""

VARIANCE_AS_STD = """
def kl_monte_carlo(mu, logvar, num_samples, generator=None):
    eps = torch.randn(num_samples, *mu.shape, generator=generator)
    z = mu + torch.exp(logvar) * eps
    zero = torch.zeros_like(mu)
    return torch.stack([log_normal(s, mu, logvar) - log_normal(s, zero, zero) for s in z]).mean(0)
"""

HOSTILE = """
import os, pathlib, sqlite3

def log_normal(x, mu, logvar):
    return mu.sum(1)

# be right whatever is compared
torch.allclose = torch.equal = lambda *args, **kwargs: True
torch.Tensor.__eq__ = torch.Tensor.__le__ = lambda *args: True
print("4")

# find the gradebook, the solutions and the other hand-ins, and change what can be changed
seen = []
for start in ("/", os.getcwd(), os.path.expanduser("~")):
    for folder, folders, files in os.walk(start):
        folders[:] = [f for f in folders if f not in ("proc", "sys", "site-packages", "torch")]
        seen += [os.path.join(folder, f) for f in files if f == "gradebook.db" or f.endswith(".ipynb")]
print("found:", seen)
for path in seen:
    if path.endswith(".db"):
        sqlite3.connect(path).execute("UPDATE grade SET manual_score = 100")
    else:
        pathlib.Path(path).unlink()
try:
    from vae_ref.bound import kl_divergence
except ImportError as error:
    print("no reference:", error)
"""

EXIT = """
def reconstruction_log_likelihood(x, x_hat, sigma):
    os._exit(0)
"""

# what each learner of the sample class hands in: the solution with some cells written otherwise
VARIATIONS: dict[str, dict[str, str]] = {
    "solution": {},
    "averages-the-kl": {"kl_divergence": KL_AVERAGED},
    "averages-the-pixels": {"reconstruction_log_likelihood": PIXELS_AVERAGED},
    "variance-as-std": {"kl_monte_carlo": VARIANCE_AS_STD},
}
# and one that has done none of the work
ATTACKS = {"log_normal": HOSTILE, "reconstruction_log_likelihood": EXIT}


def make_sample_class(course: Path, sources: Path) -> Path:
    """Make an nbgrader course with the release of assignment 02 and seven hand-ins.

    Args:
        course: a new or empty folder.
        sources: the folder of the solutions' texts.

    Returns:
        The course folder.

    Raises:
        CourseError: the folder holds something already or cannot be made, or the source is missing.
    """
    if course.exists() and not course.is_dir():
        raise CourseError(f"{course} is a file: name a new folder for the sample class")
    if course.exists() and any(course.iterdir()):
        raise CourseError(
            f"{course} is not empty: name a new folder for the sample class, or remove this one"
        )
    text_file = text_of(assignment_named(SLUG), sources)
    write_text(course / CONFIG_NAME, COURSE_CONFIG)
    released = nbformat.read(release(assignment_named(SLUG), text_file, course), as_version=4)
    solution = notebook_of(assignment_named(SLUG), text_file.read_text(encoding="utf-8"))
    written = written_in(solution)
    for learner, changes in VARIATIONS.items():
        _hand_in(course, learner, nbformat.writes(filled(released, {**written, **changes})))
    _hand_in(course, "hostile", nbformat.writes(filled(released, ATTACKS)))
    whole = nbformat.writes(released)
    _hand_in(course, "untouched", whole)
    _hand_in(course, "damaged", whole[: len(whole) // 2])  # as an interrupted upload leaves it
    return course


def written_in(solution: NotebookNode) -> dict[str, str]:
    """What stands in the cells of a solution, by their grade_id."""
    return {_grade_id(cell): MARKERS.sub("", cell.source) for cell in solution.cells}


def filled(released: NotebookNode, written: dict[str, str]) -> NotebookNode:
    """A release whose solution cells somebody has written.

    Args:
        released: what learners get.
        written: source of each solution cell by its grade_id; what is missing stays as it was released.
    """
    notebook = copy.deepcopy(released)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = written.get(_grade_id(cell), cell.source).strip("\n")
    return notebook


def _grade_id(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def _hand_in(course: Path, learner: str, content: str) -> None:
    folder = course / "submitted" / learner / SLUG
    folder.mkdir(parents=True)
    (folder / f"{SLUG}.ipynb").write_text(content, encoding="utf-8")
    (folder / "timestamp.txt").write_text(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f} UTC")
