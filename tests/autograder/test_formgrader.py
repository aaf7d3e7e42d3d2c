"""The formgrader in a real browser: grade a hand-in, give points and a comment by hand, make the feedback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from nbgrader.api import Gradebook

from autograder.assignments import assignment_named
from autograder.authoring import sample_class
from autograder.authoring.sample_class import SLUG, make_sample_class

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("formgrader")]

BIN = Path(sys.executable).parent
TOKEN = "a-token-of-this-test"
LEARNER = "averages-the-kl"
QUESTION = """
# %% [markdown] answer="why_kl"
# Because codes are drawn from $p(z)$.
"""
# whatever of it ran would say so in the page that the instructor looks at
HOSTILE = """We **draw** from $p(z)$, see $$\\sigma^2$$
<script>window.ran = "script"</script> <img src=x onerror="window.ran = 'image'">
<svg onload="window.ran = 'svg'"></svg>
[a link](javascript:window.ran='link') <iframe srcdoc="<script>parent.ran = 'frame'</script>"></iframe>
$</code><img src=x onerror="window.ran = 'formula'">$ <input autofocus onfocus="window.ran = 'focus'">
"""
HOSTILE_CODE = """
def elbo(x, x_hat, mu, logvar, sigma=1.0, beta=1.0):
    "</pre></div><script>window.ran = 'code'</script>"
    return reconstruction_log_likelihood(x, x_hat, sigma) - beta * kl_divergence(mu, logvar)
print("</pre></div><script>window.ran = 'output'</script>")
"""


@pytest.fixture(scope="module")
def course(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course whose assignment has a question too, with one hand-in."""
    folder = tmp_path_factory.mktemp("formgrader")
    (folder / "sources" / SLUG).mkdir(parents=True)
    text = (repository / "solutions" / SLUG / f"{SLUG}.py").read_text(encoding="utf-8")
    shutil.copytree(repository / "solutions" / SLUG / "pictures", folder / "sources" / SLUG / "pictures")
    (folder / "sources" / SLUG / f"{SLUG}.py").write_text(text + QUESTION, encoding="utf-8")
    assignment = replace(assignment_named(SLUG), answers={"why_kl": 3})
    learner = {**sample_class.VARIATIONS[LEARNER], "answer_why_kl": HOSTILE, "elbo": HOSTILE_CODE}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample_class, "assignment_named", lambda slug: assignment)
        patch.setitem(sample_class.VARIATIONS, LEARNER, learner)
        course = make_sample_class(folder / "course", folder / "sources")
    for other in (course / "submitted").iterdir():
        if other.name != LEARNER:
            shutil.rmtree(other)
    return course


@pytest.fixture(scope="module")
def server(course: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Jupyter server in the course, on loopback."""
    home = tmp_path_factory.mktemp("home")
    log = (home / "log").open("w")
    process = subprocess.Popen(
        [
            BIN / "jupyter", "server", "--no-browser", "--allow-root", "--ip=127.0.0.1",
            f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={course}",
        ],
        cwd=course, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        env={
            **os.environ,
            **{f"JUPYTER_{name}_DIR": str(home / name) for name in ("CONFIG", "DATA", "RUNTIME")},
            "IPYTHONDIR": str(home / "ipython"),
        },
    )  # fmt: skip
    # written when it listens, at a port that was free
    about = home / "RUNTIME" / f"jpserver-{process.pid}.json"
    try:
        end = time.monotonic() + 120
        while True:
            try:
                address = json.loads(about.read_text())["url"].rstrip("/")
                urlopen(f"{address}/login", timeout=5).close()
                break
            except (OSError, ValueError):
                assert process.poll() is None and time.monotonic() < end, (home / "log").read_text()
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=60)
        log.close()


@dataclass
class Seen:
    """What an instructor saw and did, and what the browser did meanwhile."""

    without_token: str = ""
    list_before: str = ""
    autograded: str = ""
    list_after: str = ""
    gradebook: str = ""
    formulas: int = 0
    answer: str = ""
    first_focus: str = ""
    ran: list[str | None] = field(default_factory=list)
    regraded: str = ""
    list_regraded: str = ""
    feedback: str = ""
    list_end: str = ""
    elsewhere: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def points(course: Path) -> tuple[dict[str, Any], str | None]:
    """What the gradebook has for the answer, and the comment on it."""
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        grade = gradebook.find_grade("answer_why_kl", SLUG, SLUG, LEARNER)
        comment = gradebook.find_comment("answer_why_kl", SLUG, SLUG, LEARNER)
        about = {name: getattr(grade, name) for name in ("auto_score", "manual_score", "needs_manual_grade")}
        return {**about, "max": grade.max_score, "total": grade.notebook.score}, comment.manual_comment


@pytest.fixture(scope="module")
def seen(course: Path, server: str, browser: Any) -> Iterator[Seen]:
    """Everything once, as an instructor does it."""
    seen = Seen()
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(240_000)
    page.on(
        "request",
        lambda r: None if r.url.startswith((server, "data:", "blob:")) else seen.elsewhere.append(r.url),
    )
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.goto(f"{server}/formgrader")
    seen.without_token = page.url
    page.goto(f"{server}/formgrader?token={TOKEN}")

    def list_of_hand_ins() -> Any:
        page.goto(f"{server}/formgrader/manage_submissions/{SLUG}")
        return page.locator("tbody tr", has_text=LEARNER)

    def click(action: str) -> str:
        list_of_hand_ins().locator(f".{action} a").click()
        said = page.locator(".modal.in .modal-body")
        said.wait_for()
        return str(said.inner_text())

    seen.list_before = list_of_hand_ins().inner_text()
    seen.autograded = click("autograde")
    seen.list_after = list_of_hand_ins().inner_text()
    seen.gradebook = str(points(course))
    page.goto(f"{server}/formgrader/gradebook/{SLUG}/{SLUG}")
    page.locator("tbody a").first.click()
    box, comment = page.locator("#answer_why_kl"), page.locator("#answer_why_kl-comment")
    cell = page.locator(".nbgrader_cell", has=box)
    cell.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    seen.answer, seen.formulas = cell.inner_html(), page.locator("math").count()
    seen.ran.append(page.evaluate("window.ran"))
    for element, text, part in (
        (box, "2.5", "/api/grade/"),
        (comment, "Nearly: say **where**.", "/api/comment/"),
    ):
        element.fill(text)
        with page.expect_response(lambda r, part=part: part in r.url and r.request.method == "PUT"):
            element.press("Tab")
    seen.regraded = click("autograde")
    seen.list_regraded = list_of_hand_ins().inner_text()
    click("generate-feedback")
    seen.feedback = (course / "feedback" / LEARNER / SLUG / f"{SLUG}.html").read_text(encoding="utf-8")
    page.goto(f"{server}/files/feedback/{LEARNER}/{SLUG}/{SLUG}.html")
    seen.ran.append(page.evaluate("window.ran"))
    yield seen
    context.close()


def test_nobody_gets_in_without_the_token(seen: Seen) -> None:
    assert "/login" in seen.without_token


def test_a_click_on_the_bolt_grades_behind_the_wall(seen: Seen) -> None:
    assert "needs autograding" in seen.list_before
    assert "Successfully autograded" in seen.autograded
    assert "needs manual grading" in seen.list_after and "16 / 23" in seen.list_after


def test_answers_wait_for_a_person(seen: Seen) -> None:
    assert (
        "'auto_score': None, 'manual_score': None, 'needs_manual_grade': True, 'max': 3.0" in seen.gradebook
    )


def test_nothing_that_a_learner_wrote_runs_in_the_instructors_page(seen: Seen) -> None:
    assert "<strong>draw</strong>" in seen.answer and "<math" in seen.answer
    assert seen.ran == [None, None]


def test_the_pages_need_no_other_host_and_have_no_errors(seen: Seen) -> None:
    assert seen.formulas > 20
    assert not seen.elsewhere and not seen.errors


def test_points_given_by_hand_survive_grading_again(seen: Seen, course: Path) -> None:
    assert "Successfully autograded" in seen.regraded
    # nbgrader asks for another look, for the answer may be another one
    assert "needs manual grading" in seen.list_regraded and "18.5 / 23" in seen.list_regraded
    kept, comment = points(course)
    assert (kept["manual_score"], kept["total"], comment) == (2.5, 18.5, "Nearly: say **where**.")
    done = subprocess.run(
        [BIN / "autograder", "grade", SLUG],
        cwd=course,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert "1 graded, 0 unchanged" in done.stdout, done.stderr
    assert points(course) == (kept, comment)
    table = subprocess.run(
        [BIN / "autograder", "grades", SLUG], cwd=course, capture_output=True, text=True
    ).stdout
    assert "2.5" in table and "18.5" in table


def test_the_feedback_has_the_points_and_the_comment(seen: Seen) -> None:
    assert "2.5 of 3" in seen.feedback and "18.5" in seen.feedback
    assert "Nearly: say <strong>where</strong>." in seen.feedback
    assert "the latent dimensions are averaged" in seen.feedback
