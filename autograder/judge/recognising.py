"""Which known mistake a wrong answer is: the one whose results match everything that was seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autograder.both_sides.target import Failure, Reply, Value
from autograder.judge.asking import Echo, Gist, Paper, alike, alike_results, gist_of, is_random
from autograder.judge.comparing import difference
from autograder.judge.definitions import Misconception

UNFINISHED = ("NotImplementedError", "Missing", "Gone", "Timeout", "Unreadable")


def recognise(
    paper: Paper, replies: Sequence[Sequence[Reply]], advance: Callable[[], None] = lambda: None
) -> tuple[Misconception, ...]:
    """The misconceptions whose results match everything that was seen, and are wrong in the same way.

    Args:
        paper: what was asked.
        replies: to the probes of the first parts, up to the one that failed.
        advance: called after each suspect.
    """
    kinds = [reply.kind for part in replies for reply in part if isinstance(reply, Failure)]
    if any(kind in UNFINISHED for kind in kinds):
        return ()
    seen = [_Seen(paper, number, part) for number, part in enumerate(replies)]
    similar: list[Misconception] = []
    same: list[Misconception] = []
    for misconception in paper.check.misconceptions:
        matches = draw_for_draw = True
        # the last part failed: most suspects fail it in another way, or not at all
        for exam in reversed(seen):
            echo = paper.echo(exam.number, misconception)
            matches = matches and exam.matches(echo)
            draw_for_draw = draw_for_draw and exam.matches_draw_for_draw(echo)
            if not matches and not draw_for_draw:
                break
        similar += [misconception] * matches
        same += [misconception] * draw_for_draw
        advance()
    return tuple(same or similar)


class _Seen:
    """What the learner's function made of a part."""

    def __init__(self, paper: Paper, number: int, replies: Sequence[Reply]) -> None:
        self.number, self.replies = number, replies
        self.part, self.probes = paper.check.parts[number], paper.probes[number]
        self.random = is_random(self.part, self.probes)
        self.gist: Gist | None = None
        if self.part.holds is not None:
            self.gist = gist_of(self.part, self.probes, replies)

    def matches(self, echo: Echo) -> bool:
        """Whether a known mistake says the same, as far as the part tells results apart."""
        mine = self.gist
        if mine is None:  # one call after the other, until they differ
            return all(alike(reply, echo.reply(i), self.probes[i]) for i, reply in enumerate(self.replies))
        other = echo.gist()
        if mine.failures != other.failures or mine.problem != other.problem:
            return False
        return all(map(alike_results, mine.summaries, other.summaries, self.probes))

    def matches_draw_for_draw(self, echo: Echo) -> bool:
        """Whether random results agree number by number, as they do when both draw their noise in the usual order.

        It tells apart what summaries of random results cannot.
        """
        if not self.random:
            return self.matches(echo)
        if self.gist is None:
            return all(self._same_draw(reply, echo.reply(i), i) for i, reply in enumerate(self.replies))
        other = echo.gist()
        if self.gist.failed or other.failed:
            return self.matches(echo)
        pairs = zip(self.gist.drawn, other.drawn, strict=True)
        return all(difference(mine, theirs) is None for mine, theirs in pairs)

    def _same_draw(self, mine: Reply, other: Reply, number: int) -> bool:
        if isinstance(mine, Value) and isinstance(other, Value):
            return difference(mine.result, other.result) is None
        return alike(mine, other, self.probes[number])
