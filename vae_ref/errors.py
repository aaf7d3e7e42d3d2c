"""The one exception for problems a person can fix: one line that names the thing and the remedy."""

from __future__ import annotations


class CourseError(Exception):
    """A problem with input, files or machine; the commands print it as one line, without a traceback."""
