"""Trainings that are killed come back as if undisturbed, and several ranks do what one process does."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from vae_ref.checkpoint import FILE_NAME, load_checkpoint, sweep
from vae_ref.devices import CPU
from vae_ref.parallel import Ranks, SharedNoise, open_ranks


def play(scene: str, folder: Path, *prefix: str) -> dict[str, Any]:
    """Run a scene of ``processes.py`` and return what it printed."""
    script = Path(__file__).parent / "processes.py"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, *prefix, str(script), scene, str(folder)],
        capture_output=True,
        text=True,
        timeout=600,
        env=environment,
    )
    assert done.stdout.strip(), done.stderr[-2000:]
    return json.loads(done.stdout.strip().split("\n")[-1])


def assert_same_run(a: Path, b: Path) -> None:
    """Everything but the time it took: weights, optimizer, noise to come, history."""
    one, other = load_checkpoint(a), load_checkpoint(b)
    assert_equal(one.model, other.model)
    assert_equal(one.optimizer, other.optimizer)
    assert_equal(one.random_state, other.random_state)
    assert_equal(one.extra, other.extra)
    for progress in (one.progress, other.progress):
        progress.pop("seconds")
        progress.pop("cpu_seconds")
        for row in progress["history"]:
            row.pop("seconds")
    assert one.progress == other.progress and len(one.progress["history"]) > 3


def assert_equal(a: Any, b: Any) -> None:
    """Bit for bit, through dictionaries and lists."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for name in a:
            assert_equal(a[name], b[name])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            assert_equal(left, right)
    else:
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


@pytest.mark.slow
def test_ten_kills_leave_no_trace(tmp_path: Path) -> None:
    story = play("kill_nine", tmp_path)
    assert story["statuses"] == [0, *[signal.SIGKILL] * 10, 0]
    assert story["torn"] >= 3  # kills that struck while a checkpoint was being written
    assert 2 < story["reached"] < 16  # some struck trainings had got on, and none had finished
    assert_same_run(tmp_path / "straight", tmp_path / "killed")
    assert [path.name for path in (tmp_path / "killed").iterdir()] == [FILE_NAME]


def test_only_torn_checkpoints_are_swept(tmp_path: Path) -> None:
    torn, others = tmp_path / f".{FILE_NAME}.abc.tmp", [tmp_path / FILE_NAME, tmp_path / ".notes.tmp"]
    for path in (torn, *others):
        path.write_bytes(b"x")
    sweep(tmp_path)
    assert not torn.exists() and all(path.exists() for path in others)
    sweep(tmp_path / "absent")


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("num_images", [1, 2, 5, 32])
def test_ranks_share_a_batch_so_that_their_mean_is_the_mean_over_images(count: int, num_images: int) -> None:
    values = torch.rand(num_images, dtype=torch.float64)
    shares = [Ranks(rank, count).share(num_images) for rank in range(count)]
    assert all(values[rows].numel() > 0 for rows, _ in shares)
    seen = [i for rows, weight in shares if weight for i in range(num_images)[rows]]
    assert seen == list(range(num_images))
    mean_over_ranks = sum((values[rows] * weight).sum() for rows, weight in shares) / count
    assert mean_over_ranks == pytest.approx(values.mean().item())


def test_the_noise_of_all_ranks_is_that_of_one_process() -> None:
    def draw() -> list[torch.Tensor]:
        return [torch.randn((5, 4)), torch.randn(5, 2, dtype=torch.float64)]

    torch.manual_seed(0)
    whole, after = draw(), torch.rand(3)
    parts = []
    for rank in range(3):
        torch.manual_seed(0)
        rows, _ = Ranks(rank, 3).share(5)
        with SharedNoise(rows, 5):
            size = rows.stop - rows.start
            parts.append([torch.randn((size, 4)), torch.randn(size, 2, dtype=torch.float64)])
            with pytest.raises(RuntimeError, match="does not belong to the rows"):
                torch.randn(size + 1, 2)
        assert torch.equal(torch.rand(3), after)  # what is drawn next is the same everywhere
    for i, expected in enumerate(whole):
        assert torch.equal(torch.cat([part[i] for part in parts]), expected)


def test_a_process_on_its_own_joins_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with open_ranks(CPU) as ranks:
        assert (ranks.rank, ranks.count) == (0, 1) and not torch.distributed.is_initialized()
        assert ranks.agree(2.5) == 2.5
        ranks.require_equal(torch.nn.Linear(1, 1))


@pytest.mark.slow
def test_several_ranks_do_what_one_does_and_survive_a_kill(tmp_path: Path) -> None:
    story = play("several_ranks", tmp_path)
    one = torch.load(tmp_path / "steps1", weights_only=True)
    for count in (2, 3):
        assert story[f"steps{count}"] == story[f"straight{count}"] == [0] * count
        several = torch.load(tmp_path / f"steps{count}", weights_only=True)
        assert several.keys() == one.keys()
        for name, value in one.items():  # whole and short batches, also one with fewer images than ranks
            torch.testing.assert_close(several[name], value, rtol=1e-10, atol=1e-10)
        assert story[f"killed{count}"] == [signal.SIGKILL] * count
        assert story[f"resumed{count}"] == [0] * count
        assert_same_run(tmp_path / f"straight{count}", tmp_path / f"killed{count}")


@pytest.mark.slow
def test_torchrun_trains_and_ends_cleanly(tmp_path: Path) -> None:
    story = play("torchrun", tmp_path, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    # the exit code of torch's processes is not to be trusted: the finished run is
    assert story == {"ranks": 2, "steps": 8}
