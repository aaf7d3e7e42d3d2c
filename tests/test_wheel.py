"""The packages that are published have what their users need and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from autograder.assignments import RELEASED

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]
SUFFIXES = {  # of what the wheel may hold besides Python
    "vae_ref/weights": {".json", ".md", ".safetensors"},
    "vae_ref/report": {".css", ".html", ".js"},
    "autograder/reports/templates": {".css", ".j2", ".json"},
    "autograder/exercises": {".ipynb"},
}


@pytest.fixture(scope="module")
def tracked(repository: Path) -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout
    return [name for name in listing.split("\0") if (repository / name).is_file()]


@pytest.fixture(scope="module")
def dist(repository: Path, tracked: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both packages, built from a clean copy: what builds leave in a checkout must not get in."""
    folder = tmp_path_factory.mktemp("packages")
    for name in tracked:
        if not name.startswith(("book/", "benchmarks/")):
            (folder / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "copy" / name).write_bytes((repository / name).read_bytes())
    # first the source distribution, then the wheel from it: so it has all that it takes
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", folder / "copy"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    return folder / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def in_wheel(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def test_the_wheel_has_all_of_the_package_and_the_exercises(in_wheel: set[str], tracked: list[str]) -> None:
    wanted = {name for name in tracked if name.startswith(("autograder/", "vae_ref/"))}
    wanted |= {f"autograder/{name}" for name in tracked if name.startswith("exercises/")}
    assert in_wheel == wanted
    assert {f"autograder/exercises/{a.slug}/{a.slug}.ipynb" for a in RELEASED} <= in_wheel


def test_the_wheel_has_nothing_else(in_wheel: set[str]) -> None:
    for name in in_wheel:
        suffix = Path(name).suffix
        place = next((place for place in SUFFIXES if name.startswith(f"{place}/")), "")
        assert suffix == ".py" or suffix in SUFFIXES.get(place, ()) or name.endswith("/py.typed"), name


def test_the_source_distribution_has_what_instructors_release_from(dist: Path, tracked: list[str]) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        name for name in tracked if name.startswith(("autograder/", "vae_ref/", "exercises/", "solutions/"))
    }
    assert wanted <= names
    assert {"README.md", "LICENSE", "pyproject.toml", "nbgrader_config.py", "constraints.txt"} <= names
    assert not [name for name in names if name.startswith(("tests", "book", "benchmarks", "build"))]
    assert not [name for name in names if name.endswith((".tar", ".npy", ".jpg", ".webp", ".db"))]


def test_the_installed_wheel_starts_a_learner_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(site)  # what pip does with it
    python = tmp_path / "env" / "bin" / "python"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    # what learners have besides: the packages of this environment, without the course's own finder
    packages = next(path for path in sys.path if (Path(path) / "nbformat").is_dir())
    (site / "others.py").write_text(f"import sys; sys.path.append({packages!r})")
    (site / "others.pth").write_text("import others\n")
    commands = (["start", "mine"], ["progress", "mine"], ["submit-check", "mine"], ["--version"])
    said = [
        subprocess.run([python, "-m", "autograder", *command], cwd=elsewhere, capture_output=True, text=True)
        for command in commands
    ]
    assert [done.returncode for done in said] == [0, 0, 0, 0], [done.stderr for done in said]
    assert (
        len(list((elsewhere / "mine").glob("*/*.ipynb")))
        == len(RELEASED)
        == said[2].stdout.count("not begun (")
    )
    where = subprocess.run([python, "-c", "import autograder; print(autograder.__file__)"],
                           cwd=elsewhere, capture_output=True, text=True)  # fmt: skip
    assert where.stdout.startswith(str(site))
