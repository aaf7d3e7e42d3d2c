"""The pages that learners get back: nbgrader's generate_feedback with a template of our own.

nbgrader's own pages load MathJax from another host, are not made for phones or the dark, and show comments without
cleaning them. :func:`autograder.nbgrader_plugins.configure` names :class:`FeedbackExporter` in their place, so that
``nbgrader generate_feedback``, the formgrader and ``autograder feedback`` all make the same page: one file without
scripts, whose formulas are MathML and whose pictures are in it.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import bleach
from bs4 import BeautifulSoup
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from nbgrader.converters import GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from tqdm import tqdm

from autograder.assignments import assignment_named
from autograder.grading.gradebook import course_config, require_gradebook
from autograder.grading.graded import verdict_record
from autograder.grading.late import settle
from autograder.reports.formulas import mathml
from vae_ref.errors import CourseError

TEMPLATES = Path(__file__).parent / "templates"
NAME = "course_feedback"
# both keep 4.5 to 1 on the page's backgrounds; a test measures it
LIGHT, DARK = "xcode", "lightbulb"
TAGS = {
    "a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2", "h3",
    "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "sup",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip


class _Renderer(IPythonRenderer):
    """Markdown whose formulas are marked for :func:`_finished`, and whose pictures are those that came along."""

    def inline_math(self, body: str) -> str:
        return f'<code class="tex">{escape(body)}</code>'

    def block_math(self, body: str) -> str:
        return f'<code class="tex-block">{escape(body)}</code>'

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    def image(self, text: str, url: str, title: str | None = None) -> str:
        name = url.removeprefix("attachment:")
        if name != url and name in self.attachments:
            url = self._embed_image_or_attachment(url)
        if url.startswith("data:image/"):
            return f'<img src="{escape(url)}" alt="{escape(text)}">'
        return f"<em>[picture: {escape(text or url)}]</em>"


class FeedbackExporter(HTMLExporter):
    """One learner's page, from the graded notebook."""

    def default_filters(self) -> Iterator[tuple[str, Any]]:
        """nbconvert's filters and those of the template."""
        yield from super().default_filters()
        yield "code", code
        yield "harmless", harmless
        yield "part", part
        yield "standing", standing
        yield "in_a_word", in_a_word

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        """Markdown as harmless HTML with formulas; replaces nbconvert's filter of this name."""
        attachments = (context.get("cell") or {}).get("attachments")
        return _markdown(source, attachments) if attachments else _released_markdown(source)

    def from_notebook_node(  # type: ignore[override]  # as nbconvert's own HTMLExporter
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """The page; adds to the template's resources what the grading left in the notebook."""
        record = verdict_record(nb)
        resources = {
            **(resources or {}),
            "style": _style(),
            "heading": _heading((resources or {})["nbgrader"]["assignment"]),
            "refused": record["refused"],
            "notes": record["notes"],
        }
        # HTMLExporter's own would parse the page once more, to add what the template has already
        return super(HTMLExporter, self).from_notebook_node(nb, resources, **kw)


def _markdown(source: str, attachments: dict[str, dict[str, str]] | None = None) -> str:
    renderer = _Renderer(escape=False, attachments=attachments, exclude_anchor_links=True)
    return _finished(harmless(MarkdownWithMath(renderer=renderer).render(source)))


@functools.lru_cache(maxsize=500)
def _released_markdown(source: str) -> str:
    return _markdown(source)  # nearly all of it is the same for everybody


def harmless(html: str) -> str:
    """HTML in which only tags for text are left, without styles, classes and ids; others show as text."""
    return bleach.clean(
        html,
        tags=TAGS,
        attributes=_is_harmless,
        protocols={"http", "https", "mailto", "data"},
    )


def _is_harmless(tag: str, name: str, value: str) -> bool:
    if name == "class":
        return tag == "code" and value in ("tex", "tex-block")
    if name == "href":
        return tag == "a" and not value.strip().lower().startswith("data:")
    if name == "src":
        return tag == "img" and value.startswith("data:image/")  # nothing is fetched for a page
    return name in ("title", "alt", "scope")


def _finished(html: str) -> str:
    """Clean HTML with its formulas drawn, and without what is left of pictures from elsewhere."""
    soup = BeautifulSoup(html, "html.parser")
    for code in soup.select("code.tex, code.tex-block"):
        formula = mathml(code.get_text(), "tex-block" in code["class"])
        code.replace_with(BeautifulSoup(formula, "html.parser"))
    for image in soup.select("img:not([src])"):
        image.decompose()
    return str(soup)


@functools.lru_cache(maxsize=500)
def code(source: str) -> str:
    """Python in colours, as HTML."""
    return str(highlight(source, PythonLexer(), HtmlFormatter()))


def part(cell: NotebookNode) -> str:
    """What a graded cell is about: the name that its check looks at, or its own."""
    return str(cell.metadata["nbgrader"]["grade_id"]).removeprefix("check_")


def standing(cell: NotebookNode) -> str:
    """``right`` with all points, ``wrong`` with fewer; empty for a cell that is not graded."""
    mark = cell.metadata.get("nbgrader", {})
    if not mark.get("grade"):
        return ""
    return "right" if (mark.get("score") or 0) >= (mark.get("points") or 0) else "wrong"


def in_a_word(cell: NotebookNode) -> str:
    """How a graded cell went, for the table at the top."""
    mark = cell.metadata["nbgrader"]
    score, points = mark.get("score") or 0, mark.get("points") or 0
    if score >= points:
        return "✓ right"
    return "✗ not yet" if score <= 0 else "✗ in part"


def _heading(slug: str) -> str:
    try:
        assignment = assignment_named(slug)
    except KeyError:  # a course may have assignments of its own
        return slug
    return f"Exercise {assignment.number:02d} · {assignment.title}"


@functools.cache
def _style() -> str:
    """The style sheet of the results page, that of this one, and the colours of code by day and by night."""
    page = files("vae_ref").joinpath("report/page.css").read_text(encoding="utf-8")
    own = (TEMPLATES / NAME / "feedback.css").read_text(encoding="utf-8")
    light, dark = (_code_colours(style) for style in (LIGHT, DARK))
    return (
        f"{page}:root {{ --code: #ffffff; }}\n{light}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ --code: #14171f; }}\n{dark}\n}}\n{own}"
    )


def _code_colours(style: str) -> str:
    rules = HtmlFormatter(style=style).get_style_defs(".highlight").splitlines()
    # the page has its own background, and errors of the lexer are no business of the learner's
    return "\n".join(rule for rule in rules if rule.startswith(".highlight .") and ".err" not in rule)


class _Feedback(GenerateFeedback):
    """nbgrader's converter with a progress bar."""

    def convert_notebooks(self) -> None:
        with tqdm(total=len(self.assignments), desc="feedback", unit="page") as self._bar:
            super().convert_notebooks()

    def init_destination(self, assignment_id: str, student_id: str) -> bool:
        self._bar.update()
        return bool(super().init_destination(assignment_id, student_id))


def make_feedback(course: Path, slug: str) -> str:
    """Make the page of every graded hand-in, as ``nbgrader generate_feedback --force`` does.

    Args:
        course: an nbgrader course.
        slug: name of the assignment.

    Returns:
        One line on what was done.

    Raises:
        CourseError: there is no course, no gradebook or nothing graded, or a page could not be made.
    """
    course = course.resolve()
    config = course_config(course)
    coursedir = CourseDirectory(config=config, root=str(course), assignment_id=slug)
    require_gradebook(coursedir, slug)
    settle(coursedir, config, slug)
    app = _Feedback(coursedir=coursedir, config=config)
    app.force = True  # grades given by hand since then change no time stamp
    app.log.setLevel(logging.CRITICAL)
    try:
        app.start()
    except NbGraderException as error:
        raise CourseError(
            f"{slug}: not every page of feedback could be made ({error}); grade first: autograder grade {slug}"
        ) from None
    folder = Path(coursedir.format_path(coursedir.feedback_directory, "*", slug))
    return f"{len(app.assignments)} pages: {folder / f'{slug}.html'}"
