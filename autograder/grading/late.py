"""What handing in late costs, by nbgrader's own mechanism, and penalties that follow what happens later.

nbgrader works a penalty out while a hand-in is graded. Points that a person gives afterwards, and due dates that are
moved afterwards, would not count; :func:`settle` works all of them out again, and grading, feedback and export call it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass

from nbgrader.api import Gradebook, SubmittedNotebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import AssignLatePenalties
from traitlets import Enum, Float
from traitlets.config import Config

SECONDS_A_DAY = 86_400
SMALLEST = 1e-6  # points: what rounding leaves


class LatePolicy(LateSubmissionPlugin):
    """nbgrader's ``none`` and ``zero``, and ``per-day``: a share of the points for each day that has begun.

    In ``nbgrader_config.py``::

        c.LatePolicy.penalty_method = "per-day"
        c.LatePolicy.share_a_day = 0.1  # of what was earned
        c.LatePolicy.grace_minutes = 30  # late by no more than this is not late
    """

    penalty_method = Enum(("none", "zero", "per-day"), default_value="none", help="what lateness costs").tag(
        config=True
    )
    share_a_day = Float(0.1, min=0.0, max=1.0, help="of the points earned, with per-day").tag(config=True)
    grace_minutes = Float(0.0, min=0.0, help="late by no more than this is not late").tag(config=True)

    def late_submission_penalty(
        self, student_id: str, score: float, total_seconds_late: float
    ) -> float | None:
        """Points to take off.

        Args:
            student_id: whose hand-in it is; everybody is treated alike.
            score: points earned.
            total_seconds_late: after the due date, with the learner's extension.
        """
        late = total_seconds_late > 60 * self.grace_minutes
        if not late or self.penalty_method == "none":
            return None
        if self.penalty_method == "zero":
            return score
        # whoever is beyond the grace is as late as the clock says
        days = math.ceil(total_seconds_late / SECONDS_A_DAY)
        return score * min(1.0, self.share_a_day * days)


@dataclass(frozen=True)
class Settled:
    """A penalty that was worked out anew.

    Attributes:
        student: whose hand-in it is for.
        before, after: points taken off.
        seconds_late: after the due date, with the extension.
    """

    student: str
    before: float
    after: float
    seconds_late: float


def settle(coursedir: CourseDirectory, config: Config, slug: str) -> list[Settled]:
    """Bring the penalties of an assignment up to date with points, due dates and the rule; returns those that moved."""
    rule = AssignLatePenalties(config=config, parent=None)
    rule.log.setLevel(logging.ERROR)  # it would tell of every learner
    rule.init_plugin()
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        found = [
            one
            for submission in gradebook.assignment_submissions(slug)
            for notebook in submission.notebooks
            for one in _moved(
                rule, notebook, str(submission.student.id), float(submission.total_seconds_late)
            )
        ]
        gradebook.db.commit()
    return sorted(found, key=lambda one: one.student)


def _moved(
    rule: AssignLatePenalties, notebook: SubmittedNotebook, student: str, seconds_late: float
) -> Iterator[Settled]:
    penalty, before = None, notebook.late_submission_penalty or 0.0
    if seconds_late > 0:
        penalty = rule.plugin_inst.late_submission_penalty(student, notebook.score, seconds_late)
    after = min(max(penalty or 0.0, 0.0), notebook.score)
    if abs(after - before) > SMALLEST:
        notebook.late_submission_penalty = after if penalty is not None else None
        yield Settled(student, before, after, seconds_late)
