"""The page on own exercises, followed to the letter in a copy of the course: it must end with a graded room."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.assignments import assignment_named
from autograder.authoring.rooms import missing_parts

FENCE = re.compile(
    r"^(?:\*\*`(?P<file>[^`\n]+)`\*\*\n\n)?(?P<fence>`{3,})(?P<kind>\w+)\n(?P<text>.*?)\n(?P=fence)$",
    re.M | re.S,
)
WHOLE_COURSE = "make exercises book test"  # takes half an hour, and is what this test is a part of
SLUG = "13_prices"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wall")]


def blocks(repository: Path) -> list[re.Match[str]]:
    return [*FENCE.finditer((repository / "book" / "own_exercises.md").read_text(encoding="utf-8"))]


def apply(block: re.Match[str], course: Path) -> None:
    """Do with a file what a block says: write it, or put the lines with + among those without."""
    path, text = course / block["file"], block["text"]
    if block["kind"] != "diff":
        path.parent.mkdir(parents=True, exist_ok=True)
        assert not path.exists(), path
        path.write_text(text + "\n", encoding="utf-8")
        return
    lines = text.split("\n")
    assert {line[:1] for line in lines} <= {" ", "+"}
    before = "\n".join(line[1:] for line in lines if line[0] == " ")
    content = path.read_text(encoding="utf-8")
    assert content.count(f"\n{before}\n") == 1, f"{path} has another shape than the page says:\n{before}"
    after = "\n".join(line[1:] for line in lines)
    path.write_text(content.replace(f"\n{before}\n", f"\n{after}\n"), encoding="utf-8")


def run(command: str, course: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["sh", "-c", command], cwd=course, capture_output=True, text=True, timeout=900,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(course), "TQDM_DISABLE": "1"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def course(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("own") / "course"
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=repository, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (repository / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(repository / name, copy / name)
    return copy


def test_the_page_leads_to_a_graded_room(repository: Path, course: Path) -> None:
    files = [block for block in blocks(repository) if block["file"]]
    commands = [b["text"] for b in blocks(repository) if b["kind"] == "bash" and b["text"] != WHOLE_COURSE]
    assert len(files) == 10 and len(commands) == 1
    assert not any((course / block["file"]).exists() for block in files if block["kind"] != "diff")
    unknown = run(f"autograder validate {SLUG}", course)
    assert unknown.returncode == 2 and "autograder/assignments.py" in unknown.stderr
    for number, block in enumerate(files):
        if number >= 2:  # with its entry in the table the room exists, and every file that it lacks is named
            said = run(f"autograder validate {SLUG}", course)
            assert said.returncode == 2 and "Traceback" not in said.stderr, said.stderr
            lacking = {b["file"] for b in files[number:] if b["file"] not in (
                "README.md", "tests/vae_ref/test_prices.py", "book/_toc.yml")}  # fmt: skip
            assert {file for file in lacking if file not in said.stderr} == set(), said.stderr
            assert not [b["file"] for b in files[2:number] if f"{b['file']} is missing" in said.stderr]
        apply(block, course)
    said = run(f"autograder validate {SLUG}", course).stderr
    assert said.count("\n* ") == 1 and f"make it with autograder release {SLUG}" in said, said
    for command in commands[0].splitlines():
        done = run(command, course)
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        if "round-trip" in command:
            assert f"| {SLUG} | 3 of 3 | 0 | 3 of 3 | 3 of 3 |" in done.stdout
    table = "from autograder.assignments import overview; print(overview() in open('README.md').read())"
    assert run(f'python -c "{table}"', course).stdout == "True\n"


def test_what_is_incomplete_is_named_with_what_to_do(repository: Path, tmp_path: Path) -> None:
    assignment = assignment_named("02_bound")
    assert [*missing_parts(assignment, repository)] == []
    for name in ("solutions/02_bound", "exercises/02_bound", "book"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "book" / "_toc.yml").write_text("chapters:\n  - file: 02_bound\n")
    said = [*missing_parts(assignment, tmp_path)]
    assert [line.split()[0] for line in said] == [
        "solutions/02_bound/02_bound.py", "book/02_bound.md", "book/_toc.yml",
    ]  # fmt: skip
    page = (repository / "book" / "02_bound.md").read_text(encoding="utf-8")
    (tmp_path / "book" / "02_bound.md").write_text(page.replace("(kl-closed-form)=", ""))
    (tmp_path / "solutions" / "02_bound" / "02_bound.py").touch()
    said = [*missing_parts(assignment, tmp_path)]
    assert "autograder release 02_bound" in said[0] and "(kl-closed-form)=" in said[1] and len(said) == 3
    assert "_generated/02_bound" in said[2]
