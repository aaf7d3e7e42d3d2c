"""Check the functions of a plain Python file."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from autograder.assignments import Assignment, assignment_asking_for
from autograder.both_sides.target import LocalTarget, Target
from autograder.checks import checks_of
from autograder.judge.checking import Verdict, judge
from autograder.learner.notebook import NOTEBOOK_SEED
from autograder.wall import Limits, OwnSandbox, WallError, require_wall
from autograder.wall.kernel import WalledKernel
from vae_ref.errors import CourseError

MAX_FILE_BYTES = 2**20


def check_file(path: Path) -> list[Verdict]:
    """Run the file and check every function in it that an assignment asks for.

    The file runs behind the wall. On a machine that has none, it runs in this process after a warning: a learner's own
    file on the learner's own machine needs no wall, anybody else's does.

    Raises:
        CourseError: the file cannot be read, is no Python, or defines nothing that an assignment asks for.
    """
    source = _source(path)
    names = _top_level_names(source, path)
    asked = {name: a for name in names if (a := assignment_asking_for(name)) is not None}
    if not asked:
        raise CourseError(
            f"{path} defines no function that an assignment asks for; it defines {', '.join(names) or 'nothing'}"
        )
    chapter = min(assignment.number for assignment in asked.values())
    try:
        require_wall()
    except WallError as error:
        print(f"Without a wall: {error}. Only check files that you trust.", file=sys.stderr)
        return _judge_all(LocalTarget(_run_here(source, path)), asked)
    with WalledKernel(OwnSandbox(chapter, Limits(), (path.resolve().parent,))) as kernel:
        run = kernel.run(source)
        for output in run.outputs:
            if output.output_type == "error":
                _say_stopped(path, f"{output.ename}: {output.evalue}")
        return _judge_all(kernel, asked)


def _judge_all(target: Target, asked: dict[str, Assignment]) -> list[Verdict]:
    return [
        judge(checks_of(assignment.slug)[name], target, assignment.points_of[name], NOTEBOOK_SEED)
        for name, assignment in asked.items()
    ]


def _source(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > MAX_FILE_BYTES:
        raise CourseError(f"{path} has {len(content):,} bytes; at most {MAX_FILE_BYTES:,} are read")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CourseError(f"{path} is not UTF-8 text: name a Python file") from None


def _top_level_names(source: str, path: Path) -> list[str]:
    """Names that the file gives to functions, classes, variables and imports, in order."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else type(error).__name__
        raise CourseError(f"{path}{line}: this is not Python ({reason})") from None
    names: dict[str, None] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names[node.name] = None
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update({alias.asname or alias.name: None for alias in node.names})
        elif isinstance(node, ast.Assign):
            names.update({target.id: None for target in node.targets if isinstance(target, ast.Name)})
    return list(names)


def _run_here(source: str, path: Path) -> dict[str, object]:
    namespace: dict[str, object] = {"__name__": "learners_file", "__file__": str(path)}
    try:
        exec(compile(source, str(path), "exec"), namespace)
    except (Exception, SystemExit) as error:
        _say_stopped(path, f"{type(error).__name__}: {error}")
    return namespace


def _say_stopped(path: Path, what: str) -> None:
    print(f"{path} stopped with {what}. What it had defined by then is checked.", file=sys.stderr)
