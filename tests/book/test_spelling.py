"""The prose is spelt as British English is, or as book/words.txt says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
WORDS = BOOK / "words.txt"

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
FENCE = re.compile(r"^(`{3,}|:{3,})(?:\{([\w:-]+)\}(.*)|.*)$")
CODE = {
    "code-cell",
    "math",
    "literalinclude",
    "include",
    "bibliography",
    "code",
}  # directives without prose in them
CELL_PROSE = re.compile(r"^ +(?:alt|caption): >-\n((?: {6,}.*\n)+)", re.MULTILINE)
NOT_PROSE = (
    re.compile(r"^:(?!alt|caption)[\w-]+:.*$|^:(?:alt|caption):", re.MULTILINE),  # options
    re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE),  # labels
    re.compile(r"\$\$.*?\$\$(?: \([\w-]+\))?", re.DOTALL),
    re.compile(r"\$[^$]+\$(?:-th\b)?"),
    re.compile(r"\{(?:cite|eq|numref|ref|doc|download)[\w:]*\}`[^`]*`"),
    re.compile(r"``[^`]+``|`[^`\n]+(?:\n[^`\n]+)?`"),
    re.compile(r"\]\([^)]*\)"),
    re.compile(r"<[^>\s][^>]*>"),
    re.compile(r"https?://\S+"),
    re.compile(r"\S*[α-ωΑ-Ω]\S*"),
    re.compile(r"\b\w+\.(?:md|py|ipynb|yml|toml|txt)\b"),
)


def prose(text: str) -> str:
    """The words of a page in MyST: no code, formulas, labels or links; alt texts and captions of cells stay."""
    kept: list[str] = []
    open_fences: list[tuple[str, bool]] = []  # and whether prose stands between them
    code: list[str] = []
    for line in FRONT_MATTER.sub("", text).splitlines(keepends=True):
        fence = FENCE.match(line.rstrip())
        reading = all(is_prose for _, is_prose in open_fences)
        if open_fences and line.strip() == open_fences[-1][0]:
            open_fences.pop()
            kept += CELL_PROSE.findall("".join(code))
            code = []
        elif fence and reading:
            is_prose = fence[2] is not None and fence[2] not in CODE
            open_fences.append((fence[1], is_prose))
            if is_prose:
                title = "" if fence[2] in {"figure", "image"} else fence[3].strip()  # theirs is a path
                kept.append(f"{title}\n\n")
        else:
            (kept if reading else code).append(line)
    assert not open_fences, f"a fence is not closed: {open_fences}"
    words = "".join(kept)
    for pattern in NOT_PROSE:
        words = pattern.sub(" ", words)
    return words


def unknown(text: str) -> set[str]:
    """Words that neither the dictionary nor the list in the repository has."""
    done = subprocess.run(
        ["hunspell", "-d", "en_GB", "-p", str(WORDS), "-i", "utf-8", "-l"],
        input=re.sub(r"['’]s\b", "", text), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


def sources() -> list[Path]:
    return [*sorted(BOOK.glob("*.md")), *sorted((ROOT / "exercises").glob("*/*.ipynb"))]


@pytest.fixture(autouse=True)
def _hunspell() -> None:
    if shutil.which("hunspell") is None:
        pytest.skip("there is no spell checker; install the packages hunspell and hunspell-en-gb")


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.name)
def test_every_word_is_spelt_right(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    assert sorted(unknown(prose(text))) == []


def test_what_the_checks_say_is_spelt_right() -> None:
    from autograder.assignments import ASSIGNMENTS
    from autograder.checks import checks_of

    said = [
        sentence
        for assignment in ASSIGNMENTS
        for check in checks_of(assignment.slug).values()
        for sentence in (check.asks, *(mistake.sentence for mistake in check.misconceptions))
    ]
    assert len(said) > 400
    # names that sentences on code are about
    code = {"4d", "6d", "PIL", "acos", "diag", "dmu", "dz", "eigh", "eval", "fft2", "fftshift", "float64"}
    code |= {"logsigmoid", "logsumexp", "logvars", "mse", "num", "os"}
    code |= {"LayerNorm", "randn", "rfft2", "xmax", "xmin", "ymax", "ymin"}
    assert sorted(unknown(prose("\n\n".join(said))) - code) == []


def test_a_wrong_word_is_found_and_code_is_not_read() -> None:
    page = (
        "---\ntitel: x\n---\n# A heddline\n\nSome wrods, $\\alhpa$, `kl_divergnce`, [a lnik](to/nowhree.md).\n\n"
        "```{code-cell} ipython3\n---\nmystnb:\n  image:\n    alt: >-\n      A pcture of dogs.\n---\nqwert = 1\n```\n"
        "```{admonition} A titel\n:class: xyzzy\n\nteh end {cite:t}`Kigma2014`\n```\n"
    )
    assert unknown(prose(page)) == {"heddline", "wrods", "lnik", "pcture", "titel", "teh"}


def test_the_list_is_sorted_and_needed() -> None:
    words = WORDS.read_text(encoding="utf-8").split()
    assert words == sorted(set(words), key=lambda word: (word.lower(), word))
    done = subprocess.run(
        ["hunspell", "-d", "en_GB", "-i", "utf-8", "-l"],
        input="\n".join(words),
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(words) == set(done.stdout.split()), "these are in the dictionary"
