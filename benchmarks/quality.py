"""Quality after the same computing time: every contestant and seed in a process of its own.

A process computes with one thread, as many of them at a time as there are cores, and the budget is time of
its own processor, not of the clock: whatever else the machine does then costs it little. All see the same
pictures in the same order, mirrored and brightened as the reference does. A finished run is kept in a file
whose name holds everything that decides its outcome, so a long measurement continues where it was stopped.

    python -m benchmarks.quality NAME SEED CPU_SECONDS FOLDER|paper FILE      # one run
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks import contestants, losses, peers, scoring
from benchmarks.contestants import CONTESTANTS, Contestant
from benchmarks.data import open_data
from vae_ref import bound, config, networks, rate, recipes, sampling, training
from vae_ref.config import Config
from vae_ref.dogs import DogData, DogSet, augment
from vae_ref.dogs.dataset import subset, take
from vae_ref.errors import CourseError
from vae_ref.files import write_text
from vae_ref.trainer import split_validation

DECIDES = (contestants, losses, peers, scoring, bound, config, networks, rate, recipes, sampling, training)
NUM_TEST = 1_000  # pictures of the test side, the same for everybody
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def measure(source: str, cpu_seconds: float, num_seeds: int, folder: Path) -> list[dict[str, object]]:
    """Run every contestant with every seed, or read what an earlier call found.

    Args:
        source: folder with Stanford Dogs, or "paper".
        cpu_seconds: training time of each run, seconds of processor time.
        num_seeds: runs of each contestant.
        folder: keeps the results of single runs.

    Returns:
        One dictionary a run, seed by seed.

    Raises:
        CourseError: a run failed; the finished ones are kept.
    """
    data = open_data(source)  # decodes photos once, before many want them at the same time
    folder.mkdir(parents=True, exist_ok=True)
    key = outcome_key(data, cpu_seconds)
    runs = [(name, seed) for seed in range(num_seeds) for name in CONTESTANTS]
    files = [folder / f"{name}-seed{seed}-{key}.json" for name, seed in runs]
    missing = [(run, file) for run, file in zip(runs, files, strict=True) if not file.exists()]
    with ThreadPoolExecutor(os.cpu_count()) as pool, tqdm(total=len(runs), desc="quality, runs") as bar:
        bar.update(len(runs) - len(missing))
        jobs = {pool.submit(_run_apart, *run, cpu_seconds, source, file): run for run, file in missing}
        try:
            for job in as_completed(jobs):
                job.result()
                bar.set_postfix_str("{} seed {}".format(*jobs[job]))
                bar.update()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [json.loads(file.read_text()) for file in files]


def outcome_key(data: DogData, cpu_seconds: float) -> str:
    """A short name for everything that decides what a run finds, besides contestant and seed."""
    digest = hashlib.sha256(f"{data.fingerprint} {cpu_seconds:g} {NUM_TEST} {torch.__version__}".encode())
    for module in (*DECIDES, sys.modules[__name__]):
        digest.update(inspect.getsource(module).encode())
    return digest.hexdigest()[:16]


def _run_apart(name: str, seed: int, cpu_seconds: float, source: str, file: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "benchmarks.quality",
        name,
        str(seed),
        str(cpu_seconds),
        source,
        str(file),
    ]
    done = subprocess.run(command, env=os.environ | THREADS, capture_output=True, text=True)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise CourseError(f"{name} with seed {seed} failed: {reason}")


def train(contestant: Contestant, data: DogData, rows: torch.Tensor, seed: int, cpu_seconds: float) -> float:
    """Train until the processor time is used up.

    Args:
        contestant: takes the steps.
        data: where the pictures are.
        rows: which pictures of its training side, (N,).
        seed: of the order of pictures and of all noise.
        cpu_seconds: processor time; the step that exceeds it is the last.

    Returns:
        Processor time used, seconds.
    """
    torch.manual_seed(seed)
    order = torch.Generator().manual_seed(seed)
    started = time.process_time()
    while True:
        for batch in rows[torch.randperm(len(rows), generator=order)].split(contestant.batch_size):
            used = time.process_time() - started
            if used >= cpu_seconds:
                return used
            x = take(data.train, batch)[0]
            contestant.step(augment(x) if data.name == "stanford" else x, used / cpu_seconds)


def run(name: str, seed: int, cpu_seconds: float, source: str) -> dict[str, object]:
    """Train one contestant and measure it on the test side.

    Args:
        name: key of ``CONTESTANTS``.
        seed: of weights, order and noise.
        cpu_seconds: training time, seconds of processor time.
        source: folder with Stanford Dogs, or "paper".
    """
    data = open_data(source)
    rows, kept_aside = split_validation(data.train, Config(seed=0))  # the same for all seeds
    contestant = CONTESTANTS[name](seed)
    used = train(contestant, data, rows, seed, cpu_seconds)
    scores = scoring.score(
        contestant.model,
        contestant.likelihood,
        contestant.own_sigma,
        kept_aside,
        test_pictures(data),
        seed=0,
    )
    return {
        "name": name,
        "seed": seed,
        "cpu_seconds": used,
        "steps": contestant.steps,
        "images_seen": contestant.images,
        "likelihood": contestant.likelihood,
        "own_sigma": contestant.own_sigma,
        **scores,
    }


def test_pictures(data: DogData) -> DogSet:
    """Some pictures of the test side, of all breeds, the same in every run."""
    order = torch.randperm(len(data.test), generator=torch.Generator().manual_seed(0))
    return subset(data.test, order[:NUM_TEST].sort()[0])


def main() -> None:
    """One run, from the command line."""
    name, seed, cpu_seconds, source, file = sys.argv[1:]
    torch.set_num_threads(1)
    result = run(name, int(seed), float(cpu_seconds), source)
    write_text(Path(file), json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
