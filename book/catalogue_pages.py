"""The pages that are made from the catalogue of checks: common mistakes, and what finds which of them."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

from autograder.assignments import ASSIGNMENTS, RELEASED
from autograder.authoring.validate import Report, kill_matrix, validate_assignments
from autograder.checks import checks_of
from autograder.judge.definitions import Check, Misconception

ROOT = Path(__file__).resolve().parents[1]
LABELLED_HEADING = re.compile(r"^\(([a-z0-9-]+)\)=\n+#+ (.+)$", re.MULTILINE)

SEEDS = (1, 20_000)  # of the questions: others than the tests of the catalogue try
# words of the code that sentences start with
NAMES = {
    "logvar",
    "mu",
    "log",
    "exp",
    "f",
    "t",
    "encode",
    "decode",
    "forward",
    "squeeze",
    "tanh",
    "cos",
    "norm",
}
# what decides about what is found: files and folders
DECIDING = (
    "autograder/assignments.py", "autograder/authoring/validate.py", "autograder/both_sides", "autograder/checks",
    "autograder/judge", "vae_ref",
)  # fmt: skip


def headings(book: Path) -> dict[str, str]:
    """Titles of the sections that exist, by their labels."""
    pages = sorted(book.glob("[0-9][0-9]_*.md"))
    return {
        label: title
        for page in pages
        for label, title in LABELLED_HEADING.findall(page.read_text(encoding="utf-8"))
    }


def common_mistakes(book: Path) -> str:
    """For each thing to write the mistakes that are known, in MyST markdown.

    Args:
        book: folder of the chapters; sections that are not written yet are not linked.
    """
    titles = headings(book)
    parts = []
    for assignment in ASSIGNMENTS:
        parts.append(f"## {assignment.number}. {assignment.title}")
        for check in checks_of(assignment.slug).values():
            parts += [f"### `{check.name}`", f"Asked for: {check.asks}.", _mistakes_of(check, titles)]
    return "\n\n".join(parts) + "\n"


def things_to_write() -> dict[str, dict[str, list[str]]]:
    """For each released assignment the names of what is written, by the label of the section that explains it."""
    things: dict[str, dict[str, list[str]]] = {}
    for assignment in RELEASED:
        sections = things.setdefault(assignment.slug, {})
        for name, check in checks_of(assignment.slug).items():
            sections.setdefault(check.section, []).append(name)
    return things


def _mistakes_of(check: Check, titles: dict[str, str]) -> str:
    by_section: dict[str, list[Misconception]] = defaultdict(list)
    for misconception in check.misconceptions:
        by_section[misconception.section].append(misconception)
    lines = []
    for section, mistakes in by_section.items():
        if section in titles:
            lines.append(f"Explained in {{ref}}`{section}`:\n")
        lines += [f"* {_capital(misconception.sentence)}" for misconception in mistakes]
        lines.append("")
    return "\n".join(lines).rstrip()


def _capital(sentence: str) -> str:
    """A sentence that starts with a capital letter, unless it starts with a name in the code."""
    first = sentence.split()[0]
    return sentence if first in NAMES or not first.isalpha() else sentence[:1].upper() + sentence[1:]


def kill_matrix_tables(cache: Path) -> str:
    """What finds which mistake, measured, in Markdown; measured anew only when the checks or the reference change.

    Args:
        cache: folder that keeps what was measured.

    Raises:
        ValueError: the checks do not hold what they promise.
    """
    kept = cache / f"{_digest()}.md"
    if kept.exists():
        return kept.read_text(encoding="utf-8")
    report = validate_assignments(ASSIGNMENTS, SEEDS)
    if not report.good:
        raise ValueError("the checks do not hold what they promise; see: autograder validate")
    tables = f"{_sums(report)}\n\n{kill_matrix(report)}"
    cache.mkdir(parents=True, exist_ok=True)
    for old in cache.glob("*.md"):
        old.unlink()
    kept.write_text(tables, encoding="utf-8")
    return tables


def _sums(report: Report) -> str:
    functions = len({row.function for row in report.killed})
    return (
        f"**{len(report.killed)} known mistakes in {functions} things to write: every one is found, "
        f"{report.share_named_right:.0%} are called by their own name and no other, and all {report.equivalents} "
        "right answers that are written differently pass.**"
    )


def deciding_files() -> list[Path]:
    """Everything that the matrix depends on, in order."""
    places = [ROOT / name for name in DECIDING]
    return sorted(path for place in places for path in ([place] if place.is_file() else place.rglob("*.py")))


def _digest() -> str:
    """Identifies the state of :func:`deciding_files`."""
    digest = hashlib.sha256(version("torch").encode())
    for path in deciding_files():
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
