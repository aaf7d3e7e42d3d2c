"""Build the book: python book/build.py --out build/book

Generates what is generated (the boxes of assignments, the pages of released exercises), runs Jupyter Book
with every warning an error, and puts the finished pages at --out in one step: a build that fails leaves the
old pages alone. Pages whose cells ran before are taken from a cache under build/, which is given up when the
code they call changes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent
# a checkout that is not installed builds too; the attacks belong to the tests, so no package ships them
sys.path[:0] = [str(ROOT), str(BOOK), str(ROOT / "tests" / "autograder")]

import reference_pages  # noqa: E402
import social_card  # noqa: E402
import yaml  # noqa: E402
from attacks import table as table_of_attacks  # noqa: E402
from catalogue_pages import common_mistakes, kill_matrix_tables, things_to_write  # noqa: E402
from citation_page import citation  # noqa: E402
from exercise_pages import exercise_page, launch_links, write_label  # noqa: E402
from figures import make_figures  # noqa: E402
from filelock import FileLock  # noqa: E402
from interface_pages import interfaces  # noqa: E402
from jupyter_cache import get_cache  # noqa: E402

from autograder.addresses import BOOK as ADDRESS  # noqa: E402
from autograder.assignments import RELEASED, Assignment  # noqa: E402

GENERATED = BOOK / "_generated"
WORK = ROOT / "build" / "book-work"
YEAR = "2026"  # of publication, while CITATION.cff names no date
MARK = ".vae-course-book"  # tells a folder that this program made from any other


class BookError(Exception):
    """Why there is no book, in one line with its remedy."""


def assignment_box(assignment: Assignment) -> str:
    """The box at the top of a chapter, in MyST markdown."""
    bullets = "\n".join(f"* {objective}" for objective in assignment.objectives)
    things = ", ".join(f"[`{name}`](#{write_label(name)})" for name in assignment.points_of)
    elsewhere = "".join(f" · {link}" for link in launch_links(assignment))
    return f"""```{{admonition}} Assignment {assignment.number}: {assignment.title}
:class: tip assignment

**{assignment.minutes} minutes · {assignment.points} points · difficulty {assignment.difficulty} of 5**

When you have read this chapter and done the exercise, you can

{bullets}

You write {things}. [Open the exercise](_generated/{assignment.slug}.ipynb), or take it with you:
{{download}}`{assignment.slug}.ipynb <../exercises/{assignment.slug}/{assignment.slug}.ipynb>`{elsewhere}.
```
"""


def _write_if_changed(path: Path, content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and path.read_bytes() == data:
        return
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(data)
    temporary.replace(path)


def generate() -> None:
    """Write ``book/_generated``: tables, boxes and exercises of chapters, and what interactive figures need.

    Raises:
        BookError: the notebook of an exercise is missing, or the checks do not hold what they promise.
    """
    GENERATED.mkdir(exist_ok=True)
    _write_if_changed(GENERATED / "attacks_table.md", table_of_attacks())
    _write_if_changed(GENERATED / "assignments_table.md", reference_pages.assignments())
    _write_if_changed(GENERATED / "interfaces.md", interfaces())
    _write_if_changed(GENERATED / "results_tables.md", reference_pages.results())
    _write_if_changed(GENERATED / "term_table.md", reference_pages.term())
    _write_if_changed(GENERATED / "citation.md", citation(ROOT / "CITATION.cff", YEAR, ADDRESS))
    for assignment in RELEASED:
        if not (BOOK / f"{assignment.slug}.md").exists():
            continue
        exercise = ROOT / "exercises" / assignment.slug / f"{assignment.slug}.ipynb"
        if not exercise.exists():
            shown = exercise.relative_to(ROOT)
            raise BookError(f"the exercise {shown} is missing; make it with: make exercises")
        page, pictures = exercise_page(exercise.read_text(encoding="utf-8"), assignment)
        for name, picture in pictures.items():
            _write_if_changed(GENERATED / "pictures" / name, picture)
        _write_if_changed(GENERATED / exercise.name, page)
        _write_if_changed(GENERATED / f"assignment_{assignment.number:02d}.md", assignment_box(assignment))
    _write_if_changed(GENERATED / "common_mistakes_list.md", common_mistakes(BOOK))
    _write_if_changed(GENERATED / "things_to_write.json", json.dumps(things_to_write()))
    try:
        tables = kill_matrix_tables(ROOT / "build" / "kill-matrix")
    except ValueError as error:
        raise BookError(str(error)) from None
    _write_if_changed(GENERATED / "kill_matrix_tables.md", tables)
    make_figures(GENERATED)
    title = yaml.safe_load((BOOK / "_config.yml").read_text(encoding="utf-8"))["title"]
    _write_if_changed(GENERATED / "static" / social_card.NAME, social_card.card_png(title))


def _code_digest() -> str:
    """Identifies everything but the pages that the pages' output depends on."""
    digest = hashlib.sha256()
    for name in ("torch", "torchvision", "numpy", "matplotlib", "myst-nb"):
        digest.update(f"{name}=={version(name)}\n".encode())
    digest.update(platform.python_version().encode())
    for path in [*sorted((ROOT / "vae_ref").rglob("*.py")), BOOK / "book_style.py"]:
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _prepare_work() -> Path:
    """A folder with the cache of executed cells that fits the code of today, and nothing else."""
    work = WORK / _code_digest()
    work.mkdir(parents=True, exist_ok=True)
    for other in WORK.iterdir():
        if other.is_dir() and other != work:
            shutil.rmtree(other)
    for stale in ("html", ".doctrees"):
        shutil.rmtree(work / "_build" / stale, ignore_errors=True)
    # its tables, now: two processes that find none would both make them, and the second one fails
    _ = get_cache(work / "_build" / ".jupyter_cache").db
    return work


def run_jupyter_book(work: Path) -> Path:
    """Build the pages under ``work`` and return their folder.

    Raises:
        BookError: Jupyter Book warned about something or a cell failed; its output says what.
    """
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), str(BOOK), os.environ.get("PYTHONPATH")])),
        "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel of this Python, not one from the home folder
        "PYTHONHASHSEED": "0",
        # threads that spin while they wait starve each other where the cores are shared (see vae_ref/cli.py)
        "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", "1000"),
    }
    program = [sys.executable, str(BOOK / "parallel.py")]
    options = ["build", str(BOOK), "--path-output", str(work), "--all", "-W", "-n", "--keep-going"]
    status = subprocess.run([*program, *options], env=environment, cwd=ROOT).returncode
    html = work / "_build" / "html"
    if status != 0 or not (html / "index.html").exists():
        raise BookError("Jupyter Book found the problems listed above; repair them and build again")
    return html


def publish(html: Path, out: Path) -> None:
    """Put finished pages at ``out``, in place of an older book there.

    Raises:
        BookError: ``out`` holds something that is not a book built here.
    """
    if out.exists() and not (out / MARK).exists():
        if not out.is_dir() or any(out.iterdir()):
            raise BookError(f"{out} is not a book built here; name another folder with --out, or empty it")
        out.rmdir()
    out.parent.mkdir(parents=True, exist_ok=True)
    (html / MARK).touch()
    # beside the goal first, since only a rename within one file system is one step
    fresh, old = out.with_name(f".{out.name}.new"), out.with_name(f".{out.name}.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.move(html, fresh)
    if out.exists():
        out.rename(old)
    fresh.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def build(out: Path) -> None:
    """Build the book and publish it at ``out``; builds that run at the same time wait for each other."""
    WORK.mkdir(parents=True, exist_ok=True)
    with FileLock(WORK / "lock"):
        generate()
        publish(run_jupyter_book(_prepare_work()), out)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "book", help="folder of the finished pages"
    )
    out = parser.parse_args().out.resolve()
    start = time.monotonic()
    try:
        build(out)
    except BookError as error:
        print(f"book: {error}", file=sys.stderr)
        return 1
    print(f"The book is ready after {time.monotonic() - start:.0f} s: {out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
