"""What a release stands on: ranges that were tested at their ends, a container file whose parts exist, a changelog."""

from __future__ import annotations

import re
import runpy
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def project(repository: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    return found


def test_the_oldest_versions_are_those_of_the_ranges(repository: Path, tmp_path: Path) -> None:
    oldest = runpy.run_path(str(repository / "scripts" / "oldest.py"))["oldest"]
    toml = tmp_path / "pyproject.toml"
    toml.write_text(
        '[project]\nname = "c"\ndependencies = ["a>=1.2,<3", "b==4"]\n[project.optional-dependencies]\n'
        'x = ["c[y]", "d[z]>=5"]\nbad = ["e<2"]\n'
    )
    assert [*oldest([], toml)] == ["a==1.2", "b==4"]
    assert [*oldest(["x"], toml)] == ["a==1.2", "b==4", "d==5"]
    with pytest.raises(ValueError, match="e<2 has no lower bound"):
        [*oldest(["bad"], toml)]
    with pytest.raises(KeyError):
        [*oldest(["none"], toml)]
    assert any(line.startswith("torch==") for line in oldest(["grade"]))


def test_which_versions_must_be_said(repository: Path) -> None:
    done = subprocess.run(
        ["bash", repository / "scripts" / "test-versions.sh", "old"], capture_output=True, text=True
    )
    assert done.returncode == 2 and "oldest|newest" in done.stderr


def test_reasons_and_dependencies_are_the_same_rows(repository: Path, project: dict[str, Any]) -> None:
    """Package by package and extra by extra, in both directions: none without its reason, no reason without one."""
    extras = {"": project["dependencies"], **project["optional-dependencies"]}
    declared = {
        (re.split(r"[<>=\[ ]", requirement)[0], extra)
        for extra, requirements in extras.items()
        for requirement in requirements
    } - {("vae-course", "dev")}
    text = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Why each dependency")[1]
    rows = set(re.findall(r"^\| ([\w-]+) \| ?(\w*) ?\| .+ \|$", text, re.MULTILINE)) - {("package", "extra")}
    assert declared == rows


def test_the_container_file_names_what_exists(repository: Path, project: dict[str, Any]) -> None:
    text = (repository / "Containerfile").read_text()
    instructions = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).split("\n")
    steps = [line.split(" ", 1) for line in instructions if line]
    assert {word for word, _ in steps} == {"FROM", "RUN", "COPY", "USER", "WORKDIR", "ENTRYPOINT", "CMD"}
    base = re.fullmatch(r"docker\.io/library/python:(\d+\.\d+)-slim-\w+", dict(steps)["FROM"])
    assert base and project["requires-python"] == f">={base[1]}"
    runs = " ; ".join(rest for word, rest in steps if word == "RUN")
    extras = re.search(r"vae-course\[([\w,]+)\]", runs)
    assert extras and set(extras[1].split(",")) <= set(project["optional-dependencies"])
    assert "grade" in extras[1] and "bubblewrap" in runs and "-c /tmp/vae-course/constraints.txt" in runs
    assert (repository / "constraints.txt").is_file()
    user = [rest for word, rest in steps if word == "USER"]
    assert user == ["grader"] and "useradd" in runs  # nobody grades as root
    after = [word for word, _ in steps][[word for word, _ in steps].index("USER") :]
    assert "RUN" not in after and dict(steps)["ENTRYPOINT"] == '["autograder"]'
    ignored = (repository / ".dockerignore").read_text().splitlines()
    assert {".git", ".venv", "build"} <= set(ignored) and "autograder" not in ignored


def test_the_changelog_knows_this_version(repository: Path, project: dict[str, Any]) -> None:
    text = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    assert project["version"] in text
    kinds = set(re.findall(r"^### (\w+)$", text, re.MULTILINE))
    assert kinds and kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
