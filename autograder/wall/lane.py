"""Hands out kernels: forked from a warm process where the system allows it, each in a sandbox of its own elsewhere."""

from __future__ import annotations

import contextlib
import logging
import time
from pathlib import Path
from types import TracebackType

from autograder.wall.limits import Limits
from autograder.wall.places import Fork, OwnSandbox, Place, Warm
from autograder.wall.sandbox import WallError, require_wall

POLL_SECONDS = 0.005

log = logging.getLogger(__name__)


class Lane:
    """Kernels for many hand-ins of one assignment; use it as a context manager.

    The next kernel comes up while the present one is in use. Where kernels cannot be forked, as in many containers,
    each gets a sandbox of its own, which is as safe and slower.

    Args:
        chapter: the assignment's number; modules of ``vae_ref`` from there on are not visible inside.
        limits: what each hand-in may use.
        hidden: folders of the host, such as the course's, that must not be visible inside.

    Attributes:
        slow: why kernels are not forked, empty while they are.
    """

    def __init__(self, chapter: int, limits: Limits | None = None, hidden: tuple[Path, ...] = ()) -> None:
        self._chapter = chapter
        self._limits = limits or Limits()
        self._hidden = hidden
        self._warm: Warm | None = None  # started for the first kernel: a class may be refused as a whole
        self._next: Fork | None = None
        self.slow = ""

    def __enter__(self) -> Lane:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def warm_up(self) -> None:
        """Let the warm process begin to import while the caller does something else."""
        if self._warm is None and not self.slow:
            with contextlib.suppress(WallError):  # who takes a kernel is told
                self._warm = Warm(self._chapter, self._hidden)

    def take(self) -> Place:
        """A kernel of which its user must take care: it is to be ended, and its folder to be removed.

        Raises:
            WallError: there is no wall here.
        """
        if not self.slow:
            try:
                return self._take_fork()
            except WallError as error:
                require_wall()
                self.slow = str(error)
                log.warning("Kernels are started one by one, which takes longer: %s", error)
                self.close()
        return OwnSandbox(self._chapter, self._limits, self._hidden)

    def _take_fork(self) -> Fork:
        if self._warm is None:
            self._warm = Warm(self._chapter, self._hidden)
        if self._next is None:
            self._next = self._warm.fork(self._limits)
        end = time.monotonic() + self._limits.start_seconds
        while not self._next.folder.is_ready():
            if self._next.ended() or time.monotonic() > end:
                said = self._warm.last_words() if self._warm.ended() else self._next.folder.last_words()
                raise WallError(f"no kernel could be forked ({said})")
            time.sleep(POLL_SECONDS)
        taken, self._next = self._next, None
        self._next = self._warm.fork(self._limits)
        return taken

    def close(self) -> None:
        """End the warm process and all kernels that were forked from it."""
        if self._next is not None:
            self._next.end()
            self._next.folder.remove()
        if self._warm is not None:
            self._warm.close()
        self._next = self._warm = None
