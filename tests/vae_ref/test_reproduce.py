"""Reproduction: stages that are done stay done, changed ones start afresh, and a killed one goes on exactly."""

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from vae_ref.checkpoint import load_checkpoint
from vae_ref.cli import main
from vae_ref.config import Config
from vae_ref.dogs import DogData, load_paper
from vae_ref.plans import plan
from vae_ref.reproduce import DONE, read_result, reproduce, stage_folders
from vae_ref.stages import Place, Train


@dataclass(frozen=True)
class Note:
    """A stage that writes down when it works."""

    name: str
    value: int
    diary: list[str] = field(compare=False)
    after: tuple[str, ...] = ()
    minutes: float = 1.0

    def settings(self) -> dict[str, Any]:
        return {"value": self.value}

    def work(self, place: Place) -> dict[str, Any]:
        self.diary.append(self.name)
        if self.value < 0:
            raise KeyboardInterrupt
        return {"sum": self.value + sum(read_result(place.folders[name])["sum"] for name in self.after)}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> DogData:
    return load_paper(180, 24, cache=tmp_path_factory.mktemp("cache"))


def chain(diary: list[str], a: int = 1, b: int = 2, c: int = 4) -> list[Note]:
    return [Note("a", a, diary), Note("b", b, diary, ("a",)), Note("c", c, diary)]


def test_a_finished_stage_is_not_repeated_and_a_changed_one_takes_what_builds_on_it_along(
    data: DogData, tmp_path: Path
) -> None:
    diary: list[str] = []
    results, _ = reproduce(chain(diary), data, tmp_path)
    assert results == {"a": {"sum": 1}, "b": {"sum": 3}, "c": {"sum": 4}} and diary == ["a", "b", "c"]
    assert reproduce(chain(diary), data, tmp_path)[0] == results and diary == ["a", "b", "c"]
    results, _ = reproduce(chain(diary, a=10), data, tmp_path)
    assert diary[3:] == ["a", "b"] and results["b"] == {"sum": 12}  # c does not depend on a
    reproduce(chain(diary), data, tmp_path)
    assert len(diary) == 5  # the old results are still there


def test_other_data_are_other_results(data: DogData, tmp_path: Path) -> None:
    folders = stage_folders(chain([]), data.fingerprint, tmp_path)
    others = stage_folders(chain([]), "other", tmp_path)
    assert all(folders[name] != others[name] for name in folders)


def test_a_stage_that_was_interrupted_is_not_done(data: DogData, tmp_path: Path) -> None:
    diary: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        reproduce(chain(diary, b=-1), data, tmp_path)
    assert diary == ["a", "b"] and len(list(tmp_path.rglob(DONE))) == 1
    reproduce(chain(diary), data, tmp_path)
    assert diary == ["a", "b", "b", "c"]


@pytest.mark.parametrize("name", ["paper", "stanford"])
def test_a_plan_names_every_stage_once_and_in_order(name: str, tmp_path: Path) -> None:
    stages = plan(name)
    names = [stage.name for stage in stages]
    assert len(set(names)) == len(names)
    for place, stage in enumerate(stages):
        assert set(stage.after) <= set(names[:place])
    full, short = (stage_folders(plan(name, scale), "data", tmp_path) for scale in (1, 0.1))
    assert full["codecs"] == short["codecs"] and full["vae"] != short["vae"]
    assert full["vae-evaluation"] != short["vae-evaluation"]  # of another model


TINY = """
import signal
import sys
from pathlib import Path
from vae_ref import trainer
from vae_ref.config import Config
from vae_ref.dogs import load_paper
from vae_ref.reproduce import reproduce
from vae_ref.stages import Train
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background ignores it
trainer.SECONDS_BETWEEN_CHECKPOINTS = 0
trainer.STEPS_PER_ROW = 2
out = Path(sys.argv[1])
data = load_paper(180, 24, cache=out / "cache")
config = Config(latent_dim=4, batch_size=16, num_validation=16)
stages = [Train("first", config, 1, 1.0), Train("second", Config(**{**vars(config), "seed": 1}), 3, 1.0)]
reproduce(stages, data, out / sys.argv[2])
"""


@pytest.mark.slow
def test_ctrl_c_and_kill_nine_in_the_middle_change_nothing(tmp_path: Path) -> None:
    def start(name: str) -> subprocess.Popen:
        command = [sys.executable, "-c", TINY, str(tmp_path), name]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)

    assert start("straight").wait(timeout=600) == 0
    for name, blow in (("interrupted", signal.SIGINT), ("killed", signal.SIGKILL)):
        process = start(name)
        deadline = time.monotonic() + 600
        while not list((tmp_path / name).glob("second-*/checkpoint.pt")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(blow)
        assert process.wait(timeout=600) != 0
        (first,) = (tmp_path / name).glob(f"first-*/{DONE}")
        before = first.stat().st_mtime_ns
        assert not list((tmp_path / name).glob(f"second-*/{DONE}"))
        assert start(name).wait(timeout=600) == 0
        assert first.stat().st_mtime_ns == before
        for stage in ("first", "second"):
            straight, stopped = (
                load_checkpoint(next((tmp_path / folder).glob(f"{stage}-*"))) for folder in ("straight", name)
            )
            assert all(torch.equal(straight.model[key], stopped.model[key]) for key in straight.model)
            steps = [row["step"] for row in stopped.progress["history"]]
            assert steps == [row["step"] for row in straight.progress["history"]] == sorted(set(steps))


@pytest.mark.slow
def test_the_command_from_nothing_to_the_page(tmp_path: Path, monkeypatch) -> None:
    # the real stages in the real order, on few pictures
    monkeypatch.setattr("vae_ref.runs.load_paper", lambda cache: load_paper(180, 40, cache=cache))
    arguments = ["reproduce", "--data", "paper", "--scale", "0.005", "--out", str(tmp_path / "out")]
    arguments += ["--cache", str(tmp_path / "cache")]
    assert main(arguments) == 0
    text = (tmp_path / "out" / "index.html").read_text()
    for heading in ("Models side by side", "Rate and distortion", "Likelihoods", "Latent map"):
        assert f">{heading}</h2>" in text
    numbers = json.loads((tmp_path / "out" / "metrics.json").read_text())
    table = text[text.index(">Models side by side</h2>") :]
    heads, first = re.findall(r"<tr>(.*?)</tr>", table)[:2]
    row = dict(zip(re.findall(r'col">(.*?)<', heads), re.findall(r"<t[hd][^>]*>(.*?)<", first), strict=True))
    assert row["bits/dim"] == f"{numbers['bits_per_dim']:.3f}" and row["code"] in (
        "in use",
        "ignored: broken",
    )
    assert numbers["bits_per_dim"] == numbers["stages"]["vae-evaluation"]["bits_per_dim"]
    markers = {path: path.stat().st_mtime_ns for path in tmp_path.rglob(DONE)}
    assert len(markers) == len(plan("paper"))
    assert main(arguments) == 0
    assert markers == {path: path.stat().st_mtime_ns for path in tmp_path.rglob(DONE)}


def test_samples_are_a_sheet_that_the_seed_decides(data: DogData, tmp_path: Path, capsys) -> None:
    config = Config(latent_dim=4, batch_size=90, num_validation=16)
    Train("run", config, 1, 1.0).work(Place(data, "", tmp_path / "run", {}))
    pictures = {}
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        out = tmp_path / f"{name}.png"
        command = ["sample", "--run", str(tmp_path / "run"), "--out", str(out), "--num", "5", "--seed", seed]
        assert main(command) == 0
        pictures[name] = Image.open(out).convert("RGB")
    assert pictures["a"].size == (3 * 66 - 2, 2 * 66 - 2)
    assert pictures["a"].tobytes() == pictures["b"].tobytes() != pictures["c"].tobytes()
    capsys.readouterr()
    assert main(["sample", "--run", str(tmp_path / "run"), "--out", "dogs.jpg"]) == 1
    assert "ends in .png, got dogs.jpg" in capsys.readouterr().err and not Path("dogs.jpg").exists()
