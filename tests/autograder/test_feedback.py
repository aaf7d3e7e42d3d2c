"""The page that a learner gets back: whole, harmless, readable, and asking nobody for anything."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from PIL import Image
from pygments.styles import get_style_by_name

from autograder.cli import main
from autograder.grading.gradebook import course_config
from autograder.reports import formulas
from autograder.reports.feedback import DARK, LIGHT, code, harmless
from autograder.reports.formulas import ATTRIBUTES, ELEMENTS, mathml

SLUG = "02_bound"
Make = Callable[[Mapping[str, Any]], Path]

# ---- formulas


@pytest.mark.parametrize(
    ("tex", "has"),
    [
        (r"\mathbb E_q[x]", "<mi>𝔼</mi>"),
        (r"x\in\mathbb R", "<mi>ℝ</mi>"),  # Unicode has this one under an older name
        (r"\mathcal N(0, I)", "<mi>𝒩</mi>"),
        (r"\mathcal L", "<mi>ℒ</mi>"),
        (r"\mathbf 1", "<mn>𝟏</mn>"),
        (r"\log x", '<mo form="prefix" lspace="0" rspace="0.17em">log</mo>'),
        (r"\tfrac12\sigma^2", "<msup>"),
        ("a<b", "<mo>&lt;</mo>"),
    ],
)
def test_tex_becomes_mathml(tex: str, has: str) -> None:
    assert has in mathml(tex)


def test_every_formula_of_the_exercises_becomes_mathml(repository: Path) -> None:
    found_formulas = set()
    for path in (repository / "exercises").rglob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                found = re.findall(r"\$\$(.+?)\$\$|(?<![\\$])\$([^$]+?)\$", cell.source, re.DOTALL)
                found_formulas |= {block or inline for block, inline in found}
    assert len(found_formulas) > 20
    for tex in found_formulas:
        drawn = mathml(tex)
        # what the converter does not know, it writes as it stands
        assert drawn.startswith("<math") and "\\" not in "".join(ElementTree.fromstring(drawn).itertext()), (
            tex
        )


@pytest.mark.parametrize(
    "tex",
    [
        r"\text{<script>alert(1)</script>}",
        r"\text{<img src=x onerror=alert(1)>}",
        r"\href{javascript:alert(1)}{x}",
        r"\style{background:url(https://x.test)}{x}",
        r"\color{red;background:url(https://x.test)}{x}",
        r"\class{x}{y}\cssId{z}{w}",
        r"\unicode{60}script\unicode{62}",
        "{" * 3000,
        r"\frac{",
        "x" * 5000,
        r"\begin{matrix}",
        "</math><script>alert(1)</script>",
    ],
)
def test_no_formula_does_harm(tex: str) -> None:
    _assert_harmless(mathml(tex))


def test_an_element_that_is_none_of_a_formula_is_never_written(monkeypatch: pytest.MonkeyPatch) -> None:
    for foreign in ("script", "annotation-xml", "semantics"):
        tree = ElementTree.fromstring(f"<math><mrow><{foreign}>alert(1)</{foreign}></mrow></math>")
        monkeypatch.setattr(formulas, "convert_to_element", lambda *args, tree=tree, **kwargs: tree)
        assert mathml("x") == "<code>x</code>"


@given(st.text(alphabet=r"\{}_^$&<>'\" abxfrctehsl()[]=:/;#%" + "\0\n", max_size=60))
@settings(max_examples=300, deadline=None)
def test_no_text_is_too_strange_for_a_formula(tex: str) -> None:
    _assert_harmless(mathml(tex))


def _assert_harmless(html: str) -> None:
    root = ElementTree.fromstring(html.replace("\0", "").replace("\x0c", ""))
    for element in root.iter():
        assert element.tag.rpartition("}")[2] in {*ELEMENTS, "code"}
        assert set(element.keys()) <= {*ATTRIBUTES, "mathvariant"}


# ---- markup


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<img src=https://x.test/a.png>",
        "<a href=javascript:alert(1)>x</a>",
        "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
        "<a href=' DATA:text/html,x'>x</a>",
        "<p style='background:url(https://x.test)' class='total' id='overview' onclick=alert(1)>x</p>",
        "<iframe src=https://x.test></iframe><form action=https://x.test><input></form>",
        "<style>*{display:none}</style><link rel=stylesheet href=https://x.test>",
        "<svg onload=alert(1)>",
        "<code class='tex evil'>x</code>",
    ],
)
def test_markup_of_learners_is_text_or_harmless(html: str) -> None:
    clean = harmless(html)
    tags = re.findall(r"<(\w+)([^>]*)>", clean)
    assert not {tag for tag, _ in tags} & {"script", "iframe", "form", "input", "style", "link", "svg"}
    assert not [rest for _, rest in tags if re.search(r"=|javascript|data:|x\.test", rest)]


def test_text_keeps_its_tags() -> None:
    html = '<h2>a</h2><p><em>b</em> <a href="https://x.test">c</a></p><ul><li><code>d</code></li></ul>'
    assert harmless(html) == html


def test_code_is_escaped() -> None:
    assert "<script" not in code("x = '<script>alert(1)</script>'  # <b>")


def _ratio(a: str, b: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (0, 2, 4)]
        parts = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((light(a), light(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("name", "background"), [(LIGHT, "ffffff"), (DARK, "14171f")])
def test_the_colours_of_code_can_be_read(name: str, background: str) -> None:
    for token, style in get_style_by_name(name):
        if style["color"]:
            assert _ratio(style["color"], background) >= 4.5, token


# ---- pages


def picture() -> str:
    """A PNG of one pixel, in base64."""
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


EVIL = '<script>alert("x")</script><img src="https://x.test/a.png" onerror="alert(1)">'
COMMENT = f"**Well** done, $\\sigma^2$ is right.\n\n{EVIL}\n\n[here](javascript:alert(1)) ![there](https://x.test/b.png)"


@pytest.fixture
def course(graded_class: Make, graded: type, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three learners: one with a comment, outputs and a penalty, one refused, one whose code is markup."""
    # the penalty stands in for that of a rule, and would be worked out anew
    monkeypatch.setattr("autograder.reports.feedback.settle", lambda *_: [])
    outputs = [
        nbformat.v4.new_output("stream", name="stdout", text=f"\x1b[31mred\x1b[0m {EVIL}\n" * 200),
        nbformat.v4.new_output("display_data", data={"image/png": picture(), "text/plain": "Figure"}),
        nbformat.v4.new_output("error", ename="E", evalue="x", traceback=[f"\x1b[1mE\x1b[0m: {EVIL}"]),
    ]
    return graded_class(
        {
            "ada": graded(
                points={"kl_divergence": 0.0, "elbo": 2.0}, comment=COMMENT, penalty=3.0, outputs=outputs
            ),
            "broken": graded(
                points=dict.fromkeys(
                    (
                        "log_normal",
                        "kl_divergence",
                        "kl_monte_carlo",
                        "reconstruction_log_likelihood",
                        "elbo",
                    ),
                    0.0,
                ),
                record={"refused": "the file <b>x</b> is not a notebook", "notes": ["left out: <i>y</i>"]},
            ),
            "eve": graded(answers={"log_normal": f"x = 1  # {EVIL}"}),
        }
    )


def page(course: Path, learner: str) -> Path:
    return course / "feedback" / learner / SLUG / f"{SLUG}.html"


@pytest.mark.slow
@pytest.mark.xdist_group("graded-class")
def test_stock_nbgrader_and_our_command_make_the_same_good_pages(
    course: Path, browser: Any, poor_contrast: str
) -> None:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [Path(sys.executable).parent / "nbgrader", "generate_feedback", SLUG],
        cwd=course, capture_output=True, text=True, timeout=300, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    stock = {
        learner: page(course, learner).read_text(encoding="utf-8") for learner in ("ada", "broken", "eve")
    }
    assert main(["feedback", SLUG, "--course", str(course)]) == 0
    assert stock == {learner: page(course, learner).read_text(encoding="utf-8") for learner in stock}

    ada = stock["ada"]
    assert "<b>11</b> of 20 points, after 3 were taken off for handing in late" in ada
    assert re.findall(r"<td>([\d.]+ of 4)</td><td>(. [\w ]+)</td>", ada) == [
        ("4 of 4", "✓ right"),
        ("0 of 4", "✗ not yet"),
        ("4 of 4", "✓ right"),
        ("4 of 4", "✓ right"),
        ("2 of 4", "✗ in part"),
    ]
    assert "<strong>Well</strong> done, <math" in ada and "[picture: there]" in ada
    assert picture() in ada and "Figure" not in ada and "\x1b" not in ada
    assert "Not graded:</b> the file &lt;b&gt;x&lt;/b&gt; is not a notebook" in stock["broken"]
    assert "left out: &lt;i&gt;y&lt;/i&gt;" in stock["broken"]
    for text in stock.values():
        assert not re.search(r'<script|<img[^>]*src="http|<a[^>]*href="javascript', text)

    for scheme in ("light", "dark"):
        for width in (360, 1200):
            context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
            tab = context.new_page()
            asked: list[str] = []
            said: list[str] = []
            tab.on("request", lambda request, asked=asked: asked.append(request.url))
            tab.on("console", lambda message, said=said: said.append(message.text))
            tab.on("dialog", lambda dialog, said=said: said.append(dialog.message))
            tab.goto(page(course, "ada").as_uri())
            assert [url for url in asked if not url.startswith("data:")] == [page(course, "ada").as_uri()]
            assert said == []
            assert tab.evaluate(poor_contrast) == []
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert tab.evaluate("[...document.images].every(image => image.naturalWidth > 0 && image.alt)")
            # a formula is drawn, not only written: its fraction is as high as two lines
            assert (
                tab.evaluate("Math.max(...[...document.querySelectorAll('mfrac')].map(f => f.clientHeight))")
                > 20
            )
            assert (
                tab.evaluate("document.querySelector('.cell > pre').clientHeight") <= 500
            )  # capped, and scrolls
            dark = tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 31)"
            assert dark == (scheme == "dark")
            context.close()


@pytest.mark.slow
@pytest.mark.xdist_group("graded-class")
def test_points_given_by_hand_since_are_on_the_new_page(course: Path) -> None:
    assert main(["feedback", SLUG, "--course", str(course)]) == 0
    with Gradebook(f"sqlite:///{course}/gradebook.db", "vae") as gradebook:
        gradebook.find_grade("check_kl_divergence", SLUG, SLUG, "ada").manual_score = 1.5
        gradebook.db.commit()
    config = course_config(course)  # as the formgrader's button does it
    coursedir = CourseDirectory(config=config, root=str(course))
    done = NbGraderAPI(coursedir, config=config).generate_feedback(SLUG, force=True)
    assert done["success"], done
    assert "<b>12.5</b> of 20 points" in page(course, "ada").read_text(encoding="utf-8")


def test_what_is_missing_is_said_in_one_line(
    released_course: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["feedback", SLUG, "--course", str(tmp_path)]) == 2
    assert "is no nbgrader course" in capsys.readouterr().err
    assert main(["feedback", SLUG, "--course", str(released_course)]) == 2
    assert f"grade first: autograder grade {SLUG}" in capsys.readouterr().err
    assert main(["feedback", "99_nothing", "--course", str(released_course)]) == 2
    assert "has no assignment '99_nothing'" in capsys.readouterr().err
