"""The repository as a whole."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import tomllib
from pathlib import Path

import pytest


def tracked(repository: Path) -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout
    return [repository / name for name in listing.split("\0") if name]


def test_no_photo_is_tracked(repository: Path) -> None:
    suffixes = (".jpg", ".jpeg", ".webp", ".tar", ".npy", ".png")
    # by code: what `autograder pictures` keeps of solutions, which see no photos,
    # and what `book/record.py` keeps of models of drawn dogs
    drawn = [
        repository / "book" / "_static" / "paper-dogs.png",
        *repository.glob("solutions/*/pictures/*.png"),
        repository / "book" / "figures" / "recorded" / "collapse.webp",
        repository / "book" / "figures" / "recorded" / "rate.webp",
    ]
    assert not [p for p in tracked(repository) if p.suffix.lower() in suffixes and p not in drawn]


def test_every_direct_dependency_has_its_reason(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    requirements = [
        *project["dependencies"],
        *(r for extra in project["optional-dependencies"].values() for r in extra),
    ]
    names = {re.split(r"[<>=\[ ]", requirement)[0] for requirement in requirements} - {"vae-course"}
    reasons = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert not [name for name in sorted(names) if f"| {name} |" not in reasons]


def test_exact_versions_satisfy_the_ranges(repository: Path) -> None:
    from packaging.requirements import Requirement

    pinned = dict(
        line.split("==") for line in (repository / "constraints.txt").read_text().splitlines() if "==" in line
    )
    pinned = {name.lower().replace("_", "-"): version for name, version in pinned.items()}
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    for text in (
        *project["dependencies"],
        *(r for extra in project["optional-dependencies"].values() for r in extra),
    ):
        requirement = Requirement(text)
        if requirement.name != "vae-course":
            assert requirement.specifier.contains(pinned[requirement.name.lower()]), text


def test_the_makefile_has_the_commands_that_the_readme_names(repository: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (repository / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z]+)", (repository / "README.md").read_text(encoding="utf-8")))
    assert {"setup", "demo", "test", "book", "exercises", "lint"} <= named | {"setup"} <= targets | named
    assert named <= targets


def test_a_machine_that_cannot_install_is_told_what_is_missing(repository: Path, tmp_path: Path) -> None:
    for name in ("sh", "id", "printf", "ls", "tail", "mktemp", "rm", "env"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")  # a system without apt-get, sudo, bwrap and chromium
    done = subprocess.run(
        ["/bin/sh", repository / "scripts" / "system-packages.sh", "bubblewrap", "chromium"],
        env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Missing: bubblewrap, the wall" in done.stdout
    assert "apt-get install chromium" in done.stdout


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_to_files_lead_somewhere(repository: Path, name: str) -> None:
    text = (repository / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (repository / target).exists(), target


def test_every_well_known_mistake_can_still_be_put_in(repository: Path) -> None:
    mistakes = runpy.run_path(str(repository / "scripts" / "mutate.py"))["MISTAKES"]
    assert len(mistakes) >= 20
    for mistake in mistakes:
        text = (repository / "vae_ref" / mistake.file).read_text(encoding="utf-8")
        assert text.count(mistake.right) == 1, mistake.name


def test_what_is_mutated_and_what_no_test_can_tell_is_there(repository: Path) -> None:
    settings = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["mutmut"]
    for pattern in settings["only_mutate"]:
        assert [*repository.glob(pattern)], pattern
    for word in settings["pytest_add_cli_args_test_selection"]:
        path, _, test = word.partition("::")
        if path.startswith("tests/"):
            assert f"def {test}" in (repository / path).read_text(encoding="utf-8"), word
    text = (repository / "scripts" / "equivalent_mutants.toml").read_text(encoding="utf-8")
    entries = tomllib.loads(text)["equivalent"]
    mutants = [mutant for entry in entries for mutant in entry["mutants"]]
    assert len(mutants) == len(set(mutants)) and all(entry["why"] for entry in entries)
    for place in {mutant.partition(": ")[0] for mutant in mutants}:
        module, _, function = place.rpartition(".")
        while not (source := repository / f"{module.replace('.', '/')}.py").exists():
            module, _, _ = module.rpartition(".")  # a class
            assert module, place
        assert f"def {function}(" in source.read_text(encoding="utf-8"), place
