"""The one exception for problems a person can fix: one line that names the thing and the remedy."""

from __future__ import annotations


class CourseError(Exception):
    """A problem with input, files or machine; commands and notebooks show it as one line, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it in a notebook."""
        return [str(self)]
