"""What cannot run here but must be right: the workflows that test the course and publish the book."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_workflows_test_and_publish() -> None:
    assert {path.name for path in WORKFLOWS} == {"tests.yml", "pages.yml"}


def test_workflows_follow_the_schema_of_github() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*command, *map(str, WORKFLOWS)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_named_with_a_whole_version(path: Path) -> None:
    used = [step["uses"] for step in steps(load(path)) if "uses" in step]
    assert used and all(re.fullmatch(r"actions/[a-z-]+@v\d+\.\d+\.\d+", action) for action in used), used


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_jobs_may_do_no_more_than_they_need(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert "timeout-minutes" in job, name
        may_write = {what for what, how in job.get("permissions", {}).items() if how == "write"}
        assert may_write == ({"pages", "id-token"} if name == "deploy" else set()), name
        if name == "deploy":
            assert all("run" not in step for step in job["steps"]), "what may write runs no code of ours"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_commands_of_workflows_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = "\n".join(step["run"] for step in steps(load(path)) if "run" in step)
    made = {word for line in re.findall(r"make ([a-z -]+)", commands) for word in line.split()}
    assert made <= targets
    scripts = re.findall(r"bash (\S+)", commands)
    assert scripts and all((ROOT / script).exists() for script in scripts)


def test_what_is_published_was_tested() -> None:
    build = load(ROOT / ".github" / "workflows" / "pages.yml")["jobs"]["build"]["steps"]
    order = [step.get("run") or step["uses"] for step in build]
    made = next(i for i, what in enumerate(order) if "make book" in what)
    tested = next(i for i, what in enumerate(order) if "make test-book" in what)
    sent = next(i for i, what in enumerate(order) if what.startswith("actions/upload-pages-artifact"))
    assert made < tested < sent
    assert build[sent]["with"]["path"] == "build/book"


def test_the_next_engine_gets_the_same_contents() -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("next_engine", ROOT / "scripts" / "next_engine.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    told = module.project(ROOT / "book")
    first, *parts = told["project"]["toc"]
    assert first == {"file": "index.md"}
    assert parts[0]["title"] == "The course"
    bound = next(page for page in parts[0]["children"] if page["file"] == "02_bound.md")
    assert bound["children"] == [{"file": "_generated/02_bound.ipynb"}]
    assert module.lost_references("⚠️ x.md Cross reference target was not found: nowhere", ROOT / "book")
    assert not module.lost_references("⚠️ 06 Cross reference target was not found: fig-samples", ROOT / "book")
