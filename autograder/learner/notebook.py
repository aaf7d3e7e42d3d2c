"""The check that learners run in their own notebooks."""

from __future__ import annotations

import inspect
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

from autograder.assignments import assignment_asking_for
from autograder.both_sides.target import LocalTarget
from autograder.checks import check_named
from autograder.hints import LEVELS
from autograder.judge.checking import Verdict, judge
from autograder.judge.verdict import as_html, as_text
from autograder.learner.progress import remember
from vae_ref.errors import CourseError

NOTEBOOK_SEED = 1  # the same questions each time, so that a verdict changes only when the code does
PATIENCE = 2.0  # seconds that a check may take without showing how far it is
LONG_CALL = 10.0  # seconds after which one call deserves a word


class ShownVerdict:
    """A verdict that displays itself, in a notebook as HTML and elsewhere as text."""

    def __init__(self, verdict: Verdict, hint: int) -> None:
        self.verdict, self.hint = verdict, hint

    def __repr__(self) -> str:
        return as_text(self.verdict, self.hint)

    def _repr_html_(self) -> str:
        return as_html(self.verdict, self.hint)


class Stopped:
    """What is shown of a check that the learner has stopped."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Stopped while {self.name} was at work: no verdict."


def check(function: Callable[..., Any], hint: int = 0) -> ShownVerdict | Stopped:
    """Say whether a function of an assignment is right, and name the mistake if it is a known one.

    Args:
        function: what the assignment asked for, under the name it asked for.
        hint: how much help you want: 0 for none, up to 3 for what the pieces are. It costs no points.

    Raises:
        CourseError: no assignment asks for a function of this name, or there is no such hint.
    """
    if hint not in range(LEVELS + 1):
        raise CourseError(f"hint must be 1 to {LEVELS}, or 0 for none, got {hint!r}")
    frame = inspect.currentframe()
    caller = frame.f_back.f_globals if frame is not None and frame.f_back is not None else {}
    if not callable(function):
        raise CourseError(
            "check wants the function itself, as in check(kl_divergence), without quotes or a call; "
            f"got a {type(function).__name__}"
        )
    # a lambda or an object with __call__ has another name of its own than the one it was given
    given = [name for name, value in caller.items() if value is function and assignment_asking_for(name)]
    name = given[0] if given else getattr(function, "__name__", type(function).__name__)
    examination, points = check_named(name)
    # other functions of the same notebook are found next to this one
    namespace = {**caller, **getattr(function, "__globals__", {}), name: function}
    with _bar(f"checking {name}") as bar, _Watch(name) as watch:

        def show(done: int, total: int) -> None:
            watch.start()
            bar.total = total
            bar.update(done - bar.n)

        try:
            verdict = judge(examination, LocalTarget(namespace), points, NOTEBOOK_SEED, show)
        except KeyboardInterrupt:  # its traceback would be of our own code
            return Stopped(name)
    remember(name, verdict.score, points)
    return ShownVerdict(verdict, hint)


class _Watch:
    """Says a word, once, when one call takes long."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._said = False
        self._lock = threading.Lock()  # a timer that has just rung cannot be stopped any more
        self._timer: threading.Timer | None = None

    def start(self) -> None:
        """Begin to wait anew."""
        self.stop()
        if not self._said:
            self._timer = threading.Timer(LONG_CALL, self._say)
            self._timer.daemon = True
            self._timer.start()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _say(self) -> None:
        with self._lock:
            if self._said:
                return
            self._said = True
        print(
            f"{self._name} has been at work on one call for {LONG_CALL:.0f} seconds. If it loops over samples or "
            "images in Python, do them all at once; if it may never end, stop it with the button ■.",
            file=sys.stderr,
        )

    def __enter__(self) -> _Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _bar(title: str) -> Any:
    """A bar that shows itself when somebody has waited for a while, and goes when there is a verdict."""
    with warnings.catch_warnings():  # where widgets are missing the bar is made of text, which is fine
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm(
        desc=title,
        delay=PATIENCE,
        mininterval=0.1,
        miniters=1,
        leave=False,
        bar_format="{desc} {bar} {percentage:.0f} %",
    )
