"""The shape of the package: which folder stands on which, and that what a check or a wall needs stays small."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import autograder
from autograder.assignments import ASSIGNMENTS
from autograder.wall.sandbox import modules_inside, visible_files

PACKAGE = Path(autograder.__file__).parent
# Each layer, and all that it imports of the others; it stands below them, so no two can need each other.
LAYERS: dict[str, set[str]] = {
    "tables": set(),  # files beside the folders: rooms of the course, addresses, options of commands
    "both_sides": set(),
    "hints": {"tables"},
    "judge": {"tables", "both_sides", "hints"},
    "checks": {"tables", "both_sides", "judge"},
    "wall": {"tables", "both_sides"},
    "grading": {"tables", "both_sides", "judge", "checks", "wall"},
    "learner": {"tables", "both_sides", "hints", "judge", "checks", "wall", "grading"},
    "authoring": {"tables", "both_sides", "judge", "checks", "wall", "grading"},
    "reports": {"tables", "judge", "checks", "grading"},
    "course": {"tables", "grading", "authoring", "reports"},
    # files beside the folders, too: what people call
    "faces": {
        "tables",
        "both_sides",
        "wall",
        "grading",
        "learner",
        "authoring",
        "reports",
        "course",
    },
}
BESIDE = dict.fromkeys(("addresses", "assignments", "options"), "tables") | dict.fromkeys(
    ("__init__", "__main__", "cli", "doctor", "nbgrader_plugins"), "faces"
)
LONGEST = 300
LONGER = {"assignments.py"}  # the table of the rooms; the catalogues in checks/ may be longer, too


def files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "exercises" not in path.parts)


def layer_of(path: Path) -> str:
    """The folder of a file, or what a file beside the folders belongs to."""
    first, *rest = path.relative_to(PACKAGE).with_suffix("").parts
    return first if rest else BESIDE[first]


def imported(path: Path) -> Iterator[Path]:
    """The files of the package that a file imports, wherever the statement stands."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        names = []
        if isinstance(node, ast.Import):
            names = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import"
            names = [(node.module or "", alias.name) for alias in node.names]
        for module, name in names:
            if module.split(".")[0] == "autograder":
                place = PACKAGE.joinpath(*module.split(".")[1:])
                # what is imported is a module, a name in a package, or a name in a module
                candidates = (place / f"{name}.py", place / name / "__init__.py", place / "__init__.py")
                yield next(p for p in (*candidates, place.with_suffix(".py")) if p.is_file())


def test_layers_stand_on_lower_layers_and_the_table_says_on_which() -> None:
    found: dict[str, set[str]] = {layer: set() for layer in LAYERS}
    for path in files():
        found[layer_of(path)] |= {layer_of(other) for other in imported(path)} - {layer_of(path)}
    assert found == LAYERS
    order = list(LAYERS)
    assert all(order.index(low) < order.index(high) for high, lows in LAYERS.items() for low in lows)


def test_no_file_needs_itself_by_way_of_others() -> None:
    # raises CycleError, which names the circle
    order = [*graphlib.TopologicalSorter({path: {*imported(path)} for path in files()}).static_order()]
    assert len(order) == len(files())


@pytest.mark.parametrize("folder", sorted({*LAYERS} - {"tables", "faces"}))
def test_every_folder_says_what_it_is_for(folder: str) -> None:
    tree = ast.parse((PACKAGE / folder / "__init__.py").read_bytes())
    assert ast.get_docstring(tree)


def test_both_sides_are_all_that_learners_code_sees_of_the_package() -> None:
    shared = {path.name for path in (PACKAGE / "both_sides").iterdir() if path.suffix == ".py"}
    assert {*modules_inside(ASSIGNMENTS[-1].number)} == shared
    for assignment in ASSIGNMENTS:
        inside = {name for _, name in visible_files(assignment.number) if name.startswith("autograder/")}
        allowed = {f"autograder/both_sides/{name}" for name in modules_inside(assignment.number)}
        assert inside == {"autograder/__init__.py", *allowed}
    for path in (PACKAGE / "wall" / "inside").glob("*.py"):
        assert {layer_of(other) for other in imported(path)} <= {"both_sides"}, path


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import autograder", "torch"),
        ("from autograder.cli import build_parser; build_parser()", "torch"),
        ("import autograder.nbgrader_plugins", "torch"),
        ("from autograder import check", "nbgrader"),
        ("from autograder import check", "nbformat"),
        ("from autograder import check", "autograder.wall"),
        (
            "from autograder import check; from vae_ref.bound import kl_divergence; check(kl_divergence)",
            "sympy",
        ),
    ],
)
def test_importing_little_stays_little(statement: str, absent: str) -> None:
    code = f"import sys\n{statement}\nprint({absent!r} in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stdout.split()[-1] == "False", result.stderr


def test_files_stay_short() -> None:
    long = {
        str(path.relative_to(PACKAGE))
        for path in files()
        if layer_of(path) != "checks" and len(path.read_text(encoding="utf-8").splitlines()) > LONGEST
    }
    assert long == LONGER


def test_what_a_notebook_works_with_is_imported_before_the_fork(repository: Path) -> None:
    """A warm process leaves out what is slow to import and not needed, or each hand-in would import it again."""
    source = ast.parse((PACKAGE / "wall" / "inside" / "warm.py").read_bytes())
    (table,) = (
        n.value
        for n in source.body
        if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "PREPARED_BUT_FOR"
    )
    without = eval(compile(ast.Expression(table), "warm.py", "eval"))
    shows = {"sklearn.decomposition": "sklearn", "torch._dynamo": "optim.", "torchvision": "torchvision"}
    assert shows.keys() == without.keys()
    for name, word in shows.items():
        using = {
            a.number
            for a in ASSIGNMENTS
            if word in (repository / "solutions" / a.slug / f"{a.slug}.py").read_text()
        }
        assert using and without[name] and not using & {*without[name]}, name
