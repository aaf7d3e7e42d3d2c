"""Which code decides the grades of an assignment: a change of any other code grades nobody again."""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

import vae_ref
from autograder.assignments import assignment_named
from autograder.wall.sandbox import visible_files

ROOTS = {"autograder": Path(__file__).parents[1], "vae_ref": Path(vae_ref.__file__).parent}


@functools.cache
def grader_of(slug: str) -> str:
    """A short name for the code that grades an assignment.

    It changes with the assignment's checks, with all that they, the judge and the wall import, and with what learners'
    code may see of the course; not with the checks of another assignment, an export or a page.
    """
    digest = hashlib.sha256()
    for path in grading_files(slug):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def grading_files(slug: str) -> list[Path]:
    """The files behind :func:`grader_of`, in order."""
    files = set(
        _imported(["autograder.grading.apart", f"autograder.checks.{slug}", f"autograder.hints.{slug}"])
    )
    for path, _ in visible_files(assignment_named(slug).number):
        files |= {path} if path.is_file() else set(path.rglob("*.py"))
    return sorted(files)


def _imported(modules: list[str]) -> Iterator[Path]:
    """The files of modules of this project and of all that they import of it, wherever the statement stands."""
    waiting, seen = list(modules), set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        path = _file_of(name)
        if path is not None:
            yield path
            waiting += [*_names_in(path), name.rpartition(".")[0]]


def _file_of(module: str) -> Path | None:
    root, *parts = module.split(".")
    if root not in ROOTS:
        return None
    path = ROOTS[root].joinpath(*parts)
    # what is imported may also be a name in a module, which is no file
    return next((p for p in (path / "__init__.py", path.with_suffix(".py")) if p.is_file()), None)


def _names_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
