"""How a verdict reads: plain in a terminal, HTML in a notebook, a record for programs."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from autograder.addresses import BOOK, in_book
from autograder.assignments import assignment_asking_for
from autograder.hints import HINTS, LEVELS
from autograder.judge.checking import NOT_LOOKED_AT, Finding, Verdict

ONE_OF = "– "  # before each of several mistakes that look alike


def headline(verdict: Verdict) -> str:
    """One line: what was looked at, and how it went."""
    name, worth = verdict.check.name, f"{round(verdict.score, 2):g} of {verdict.points} points"
    if verdict.passed:
        return f"✓ {name} is right: {worth}"
    return f"✗ {name} is not right yet: {worth}"


def as_text(verdict: Verdict, hint: int | None = None) -> str:
    """The verdict for a terminal.

    Args:
        verdict: what to show.
        hint: level of the hint to show with it; 0 to say how to get one, None where nobody can ask.
    """
    lines = [headline(verdict)]
    lines += [f"  {text}" for text in _advice(verdict)]
    first = _first_problem(verdict)
    if first is not None and first.seen is not None:
        lines += [f"    yours: {first.seen[0]}", f"    right: {first.seen[1]}"]
    if not verdict.passed:
        lines.append("  " + _parts(verdict))
        lines.append(f"  Read: {_reading(verdict)}")
        lines += [f"  {text}" for text in _help(verdict, hint)]
    return "\n".join(lines)


def as_html(verdict: Verdict, hint: int | None = None) -> str:
    """The verdict for a notebook or a feedback page; arguments as for ``as_text``.

    A region with a name for those who listen, paragraphs and lists in their order. No colour carries meaning: text has
    the colour of the page, whether light or dark, and only the bar at the side has one that is seen on both. Only tags
    that nbconvert lets through where it sanitizes.
    """
    rows = [f"<p><strong>{escape(headline(verdict))}</strong></p>"]
    advice = _advice(verdict)
    several = [text.removeprefix(ONE_OF) for text in advice if text.startswith(ONE_OF)]
    rows += [f"<p>{escape(text)}</p>" for text in advice if not text.startswith(ONE_OF)]
    rows += _list(several)
    first = _first_problem(verdict)
    if first is not None and first.seen is not None:
        rows.append(f"<pre>yours: {escape(first.seen[0])}\nright: {escape(first.seen[1])}</pre>")
    if not verdict.passed:
        rows += ["<p>Parts:</p>", *_list(_marks(verdict))]
        rows.append(f"<p>Read: {_link(verdict, hint)}</p>")
        rows += [f"<p>{escape(text)}</p>" for text in _help(verdict, hint)]
    colour = "#2e8b6f" if verdict.passed else "#c8642a"  # three to one against white and against near black
    name = escape(f"Verdict on {verdict.check.name}")
    style = f"border-left: 4px solid {colour}; padding-left: 1em"
    return f'<div role="region" aria-label="{name}" style="{style}">{"".join(rows)}</div>'


def _list(items: list[str]) -> list[str]:
    return [f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"] if items else []


def as_record(verdict: Verdict) -> dict[str, Any]:
    """The verdict for programs.

    Returns:
        ``name`` of the check, ``passed``, ``score`` and ``points``; ``parts`` by their names: true, false, or None
        where one was not looked at; ``failures``: kinds of the failures of calls, such as ``Timeout``; names of the
        ``misconceptions`` that were recognised; ``message``: what the learner reads.
    """
    return {
        "name": verdict.check.name,
        "passed": verdict.passed,
        "score": verdict.score,
        "points": verdict.points,
        "parts": {f.part: None if f.problem == NOT_LOOKED_AT else f.passed for f in verdict.findings},
        "failures": [finding.failure for finding in verdict.findings if finding.failure],
        "misconceptions": [mistake.name for mistake in verdict.mistakes],
        "message": " ".join([headline(verdict) + ".", *_advice(verdict)]),
    }


def _advice(verdict: Verdict) -> list[str]:
    """What to say about the first thing that is wrong: what was seen, and the mistake if it is a known one."""
    lines = [verdict.note] if verdict.note else []
    first = _first_problem(verdict)
    if first is not None:
        lines.append(first.problem if first.problem.endswith((".", ":")) else f"{first.problem}.")
    if len(verdict.mistakes) == 1:
        lines.append(f"Recognised: {verdict.mistakes[0].sentence}")
    elif verdict.mistakes:
        lines.append("Several mistakes look like this; it is one of these:")
        lines += [f"{ONE_OF}{mistake.sentence}" for mistake in verdict.mistakes]
    return lines


def _help(verdict: Verdict, hint: int | None) -> Iterator[str]:
    """The hint asked for, and how to ask for the next one."""
    if hint is None:
        return
    name = verdict.check.name
    if hint > 0:
        yield f"Hint {hint} of {LEVELS}: {HINTS[name][hint - 1]}"
    if hint < LEVELS:
        yield f"{'More' if hint else 'Stuck'}? check({name}, hint={hint + 1})"


def _first_problem(verdict: Verdict) -> Finding | None:
    return next((finding for finding in verdict.findings if not finding.passed), None)


def _parts(verdict: Verdict) -> str:
    return "Parts: " + " · ".join(_marks(verdict))


def _marks(verdict: Verdict) -> list[str]:
    """Each part with how it went."""
    marks = []
    for finding in verdict.findings:
        if finding.problem == NOT_LOOKED_AT:
            marks.append(f"○ {finding.part} ({NOT_LOOKED_AT})")
        else:
            marks.append(f"{'✓' if finding.passed else '✗'} {finding.part}")
    return marks


def _section(verdict: Verdict) -> str:
    return verdict.mistakes[0].section if len(verdict.mistakes) == 1 else verdict.check.section


def _link(verdict: Verdict, hint: int | None) -> str:
    """Where the book explains it, in HTML: a link where there is something to follow it to."""
    words = escape(_reading(verdict))
    assignment = assignment_asking_for(verdict.check.name)
    if assignment is None:
        return words
    # a page of feedback stands alone; a notebook may lie where the book does not
    if not BOOK and (hint is None or not Path(in_book(assignment.slug)).is_file()):
        return words
    return f'<a href="{escape(in_book(assignment.slug, _section(verdict)))}">{words}</a>'


def _reading(verdict: Verdict) -> str:
    """Where the book explains it."""
    section = _section(verdict)
    assignment = assignment_asking_for(verdict.check.name)
    assert assignment is not None  # a check that no assignment asks for does not load
    place = f"section “{section.replace('-', ' ')}” ({assignment.slug}.html#{section})"
    return f"chapter {assignment.number}, “{assignment.title}”, {place}"
