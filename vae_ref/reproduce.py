"""Everything the results page needs, in one go that can be stopped at any moment and goes on where it was.

Every stage has a folder of its own, named after the stage and a digest of all that decides its outcome: its settings,
the data, the version of how it is done, and the same of the stages it builds on. A stage is finished when
``done.json`` is in its folder; that file is written last and in one piece. So a finished stage is not repeated, a
changed one starts in a new folder, and nothing is ever overwritten. Within a stage, the trainer's own checkpoints are
continued.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from vae_ref.devices import CPU
from vae_ref.dogs import DogData
from vae_ref.files import write_text
from vae_ref.stages import Place, Stage

DONE = "done.json"
VERSION = (
    1  # raise it when a stage with the same settings gives another outcome: constants are not among them
)


def reproduce(
    stages: Sequence[Stage], data: DogData, out: Path, root: str = "", device: torch.device = CPU
) -> tuple[dict[str, dict[str, Any]], dict[str, Path]]:
    """Do all stages that are not done.

    Args:
        stages: in an order in which each comes after those it uses.
        data: the pictures.
        out: folder for the stages' folders.
        root: folder the photos were read from; empty for drawn dogs.
        device: where models are trained.

    Returns:
        The result of each stage and its folder, by its name.

    Raises:
        CourseError: a stage failed; the message says what to do.
    """
    folders = stage_folders(stages, data.fingerprint, out)
    results = {stage.name: read_result(folders[stage.name]) for stage in stages}
    overall = _Overall(stages, [name for name, result in results.items() if result is not None])
    with overall.bar:
        for stage in stages:
            if results[stage.name] is None:
                place = Place(data, root, folders[stage.name], folders, device)
                with overall.during(stage):
                    started = time.perf_counter()
                    result = stage.work(place)
                done = {
                    "stage": stage.name,
                    "settings": stage.settings(),
                    "seconds": round(time.perf_counter() - started, 1),  # since it was last started
                    "result": result,
                }
                write_text(folders[stage.name] / DONE, json.dumps(done, indent=1) + "\n")
                results[stage.name] = result
    return {name: result for name, result in results.items() if result is not None}, folders


def stage_folders(stages: Sequence[Stage], fingerprint: str, out: Path) -> dict[str, Path]:
    """Folder of each stage by its name; another one whenever its outcome would be another.

    Args:
        stages: in an order in which each comes after those it uses.
        fingerprint: of the data.
        out: folder of them all.
    """
    digests: dict[str, str] = {}
    for stage in stages:
        decides = [
            VERSION,
            type(stage).__name__,
            stage.settings(),
            fingerprint,
            [digests[name] for name in stage.after],
        ]
        text = json.dumps(decides, sort_keys=True)
        digests[stage.name] = hashlib.sha256(text.encode()).hexdigest()[:8]
    return {name: out / f"{name}-{digest}" for name, digest in digests.items()}


def read_result(folder: Path) -> dict[str, Any] | None:
    """What a finished stage left behind; None if it is not finished."""
    path = folder / DONE
    return json.loads(path.read_text(encoding="utf-8"))["result"] if path.is_file() else None


class _Overall:
    """One bar over all stages, in minutes of the plan; bars of single stages stand below it."""

    def __init__(self, stages: Sequence[Stage], finished: Sequence[str]) -> None:
        self.names = [stage.name for stage in stages]
        self.finished = sum(stage.minutes for stage in stages if stage.name in finished)
        self.total = sum(stage.minutes for stage in stages)
        self.bar = tqdm(total=self.total, bar_format="{desc} |{bar}| {percentage:3.0f}%{postfix}")
        self._show(self.finished)

    @contextmanager
    def during(self, stage: Stage) -> Iterator[None]:
        """Let the bar move with the clock while a stage is at work."""
        self.bar.set_description_str(
            f"stage {self.names.index(stage.name) + 1} of {len(self.names)}, {stage.name}", refresh=False
        )
        self._show(self.finished)
        over = threading.Event()
        clock = threading.Thread(target=self._tick, args=(stage.minutes, over), daemon=True)
        clock.start()
        try:
            yield
        finally:
            over.set()
            clock.join()
        self.finished += stage.minutes
        self._show(self.finished)

    def _tick(self, minutes: float, over: threading.Event) -> None:
        start = time.perf_counter()
        while not over.wait(2):
            self._show(self.finished + min((time.perf_counter() - start) / 60, minutes))

    def _show(self, done: float) -> None:
        left = max(self.total - done, 0)
        text = f"{left / 60:.1f} hours left" if left > 90 else f"{left:.0f} minutes left"
        self.bar.set_postfix_str(text, refresh=False)
        self.bar.n = done
        self.bar.refresh()
