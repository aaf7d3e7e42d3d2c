"""The reference of each chapter, handed in as a learner would: right behind the wall, with points for everything."""

from __future__ import annotations

import re
from pathlib import Path

import jupytext
import pytest

from autograder.assignments import ASSIGNMENTS, Assignment
from autograder.both_sides.target import Call, Value
from autograder.checks import checks_of
from autograder.judge.checking import judge
from autograder.wall import Limits, OwnSandbox
from autograder.wall.kernel import WalledKernel

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wall")]

FILES = {
    "dogs": ("dogs/preprocess.py",),
    "clinic": tuple(
        f"clinic/{name}.py"
        for name in (
            "pocket",
            "finding",
            "evidence",
            "probes",
            "collapse",
            "diagnosis",
            "treatment",
            "free_bits",
        )
    ),
    "tighter": ("tighter/bits.py", "tighter/likelihoods.py", "tighter/importance.py"),
    "sharper": ("sharper/conditional.py", "sharper/losses.py", "sharper/vae_gan.py"),
}
OWN_IMPORT = r"^from vae_ref\.{name}[\w.]* import (\([^)]*\)|[^\n]*)\n"


def as_one_cell(repository: Path, assignment: Assignment) -> str:
    """The chapter's files one after the other, without what they import from each other: that is hidden inside."""
    files = FILES.get(assignment.name, (f"{assignment.name}.py",))
    text = "\n".join((repository / "vae_ref" / file).read_text(encoding="utf-8") for file in files)
    text = re.sub(OWN_IMPORT.format(name=assignment.name), "", text, flags=re.MULTILINE)
    future = "from __future__ import annotations\n"
    return future + text.replace(future, "") + questions(repository, assignment, text)


def questions(repository: Path, assignment: Assignment, text: str) -> str:
    """The solutions of what has no place in the reference: short questions that are answered by a function."""
    source = repository / "solutions" / assignment.slug / f"{assignment.slug}.py"
    missing = [
        name for name in assignment.points_of if not re.search(rf"^(def|class) {name}\b", text, re.MULTILINE)
    ]
    if not missing or not source.is_file():
        return ""
    cells = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent").cells
    found = [cell.source for cell in cells if cell.metadata.get("solution") in missing]
    return "\n\nimport math\nimport os\nfrom pathlib import Path\n\n" + "\n\n".join(found)


@pytest.mark.parametrize("assignment", ASSIGNMENTS, ids=lambda assignment: assignment.slug)
def test_the_reference_is_right_behind_the_wall(repository: Path, assignment: Assignment) -> None:
    with WalledKernel(OwnSandbox(assignment.number, Limits())) as kernel:
        run = kernel.run(as_one_cell(repository, assignment))
        assert not run.reason, run.reason
        for name, check in checks_of(assignment.slug).items():
            verdict = judge(check, kernel, assignment.points_of[name], seed=7)
            assert verdict.passed, (name, [f.problem for f in verdict.findings if not f.passed])


AS_ANSWER = """
from autograder.both_sides.toys import Tiny
class VAE(Tiny):
    def __init__(self, latent_dim):
        super().__init__(latent_dim, 64, 0)
"""


def test_the_models_that_checks_hand_out_are_no_answers() -> None:
    with WalledKernel(OwnSandbox(4, Limits())) as kernel:
        kernel.run(AS_ANSWER)
        verdict = judge(checks_of("04_networks")["VAE"], kernel, 7, seed=7)
        assert verdict.score == 0 and verdict.findings[0].problem == "VAE is not defined."
    with WalledKernel(OwnSandbox(5, Limits())) as kernel:
        assert not kernel.run(AS_ANSWER).reason
        assert isinstance(kernel.call("VAE", Call((3,), keep="model")), Value)
