"""A reader's check of the proofs: a formula with a wrong sign or factor is found by the cell that checks it.

Each row names a derivation by the label of its equation and changes the side of the formula in the chapter's code. The
cells are run twice: as they are, which must pass, and changed, which must end in an AssertionError. Only the cells that
the check builds on are run, and they are found by the names that they use.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupytext
import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"

# page, label of the equation, what stands in the cell, what takes its place
CHANGES = [
    ("00_start", "eq-linear-autoencoder", "left_out = values[L:].sum()", "left_out = 0.5 * values[L:].sum()"),
    ("00_start", "eq-evade-noise", "abs(slope + 2) < 0.05", "abs(slope - 2) < 0.05"),
    ("00_start", "eq-start-posterior", "-squared_distance / (2 * strength**2)", "-squared_distance / strength**2"),
    ("00_start", "eq-likelihood-is-divergence", "likelihood, -entropy - forward", "likelihood, -entropy + forward"),
    ("01_dogs", "eq-change-of-scale", "(before - D * math.log(a))", "(before + D * math.log(a))"),
    ("01_dogs", "eq-nats-to-bits", "-log_p_x / math.log(2) + math.log2(255)", "-log_p_x / math.log(2) + 8"),
    ("01_dogs", "eq-floor-value", "math.e * (tau**2 + 1 / 12))", "math.e * (tau**2 - 1 / 12))"),
    ("02_bound", "eq-weight-gap", "average(w_hat - 1 - (log_w - log_p))", "average(w_hat - 1 + (log_w - log_p))"),
    ("02_bound", "eq-weight-gap-variance", "half = 0.5 * average(", "half = average("),
    ("02_bound", "eq-kl-log-ratio", "grid.square() - math.log(spread**2)", "grid.square() + math.log(spread**2)"),
    ("02_bound", "eq-kl", "+ spread**2 - math.log(spread**2) - 1)", "+ spread**2 - math.log(spread) - 1)"),
    ("02_bound", "eq-kl-gradient", "slope_logvar, 0.5 * (logvar.exp() - 1)", "slope_logvar, logvar.exp() - 1"),
    ("02_bound", "eq-kl-variance", "0.5 * (s2 - 1).square()", "(s2 - 1).square()"),
    ("02_bound", "eq-calibrated", "best, -0.5 * D * torch.log", "best, -D * torch.log"),
    ("02_bound", "eq-bce-mass", "x_hat.log() - (1 - x_hat).log()), rtol", "x_hat.log() + (1 - x_hat).log()), rtol"),
    ("02_bound", "eq-bce-sigma", "1e-6 / (2 * x * (1 - x))", "1e-6 / (x * (1 - x))"),
    ("02_bound", "eq-expected-error", "at_the_mean - 0.5 * spread / sigma**2", "at_the_mean - spread / sigma**2"),
    ("02_bound", "eq-implied-sigma", "implied = math.sqrt(c / (2 * a))", "implied = math.sqrt(c / a)"),
    ("03_sampling", "eq-path-slopes", "0.5 * (z.detach() - 0.7))  # the path", "(z.detach() - 0.7))  # the path"),
    ("03_sampling", "eq-best-baseline", "(share * value * score.square()).sum()", "(share * value * score).sum()"),
    ("03_sampling", "eq-line-variance-dims", "weights.square() + (weights * s)", "-weights.square() + (weights * s)"),
    ("03_sampling", "eq-sine-variances", "(1 - (1 - 4 * c2) *", "(1 - (1 - 2 * c2) *"),
    ("03_sampling", "eq-implicit", "by_formula = -of_cdf", "by_formula = of_cdf"),
    ("04_networks", "eq-linear-gaps", "(d.exp() - d - 1).sum()", "(d.exp() + d - 1).sum()"),
    ("04_networks", "eq-decoder-gradient", "of_the_bound, true_gradient -", "of_the_bound, true_gradient +"),
    ("05_training", "eq-gradient-noise", "+ 2 * w**2 * s**4) / sigma_x**4", "+ w**2 * s**4) / sigma_x**4"),
    ("05_training", "eq-adam-scale", "lr=0.01, eps=1e-8 / c), 1)", "lr=0.01, eps=1e-8 * c), 1)"),
    ("06_generation", "eq-noise-of-the-code", "(logvar[:100, j].exp() *", "((0.5 * logvar[:100, j]).exp() *"),
    ("06_generation", "eq-best-spread", "moved / (L * sigma**2) - 1", "moved / (2 * L * sigma**2) - 1"),
    ("06_generation", "eq-squared-norm", "lengths.std() - math.sqrt(0.5)", "lengths.std() - math.sqrt(2)"),
    ("06_generation", "eq-concentration", "-dims / 2 * (eps - math.log1p(eps))", "-dims * (eps - math.log1p(eps))"),
    ("06_generation", "eq-total-variance", "within + between, rtol", "within - between, rtol"),
    ("06_generation", "eq-surgery", "information + distance - average", "information - distance - average"),
    ("06_generation", "eq-log-mean-exp", "- math.log(600))) < 1e-3", "+ math.log(600))) < 1e-3"),
    ("06_generation", "eq-temperature", "(0.36 - 1 - math.log(0.36))", "(0.36 - 1 + math.log(0.36))"),
    ("08_clinic", "eq-clinic-profile", "(variance / (w**2 + c) + torch.log", "(variance / (w**2 + c) - torch.log"),
    ("08_clinic", "eq-clinic-whole-loss", "P.diagonal().log().sum() +", "0.5 * P.diagonal().log().sum() +"),
    ("08_clinic", "eq-clinic-curvature", "(1 - eigenvalues / c) / sigma**2", "(1 - eigenvalues / c) / c"),
    ("08_clinic", "eq-clinic-escape", "(beta * sigma**2 - variance)) < 1e-10", "(beta * sigma**2 + variance)) < 1e-10"),
    ("09_tighter", "eq-weight-variance", "math.sqrt(2 * t**2 - 1) * math.exp", "math.sqrt(2 * t**2 + 1) * math.exp"),
    ("09_tighter", "eq-iwae-gap", "gaps[-1] * 512 / variance", "gaps[-1] * 256 / variance"),
    ("09_tighter", "eq-dequantisation-loss", "(tau**2 + 1 / 6) /", "(tau**2 + 1 / 4) /"),
    ("09_tighter", "eq-bits-8", "+ math.log2(255), 8 - second", "+ math.log2(255), 7 - second"),
    ("09_tighter", "eq-rd-sandwich", "entropy - information + wrong_decoder", "entropy + information + wrong_decoder"),
    ("09_tighter", "eq-rd-bound", "entropy + wrong_model + wrong_encoder", "entropy + wrong_model - wrong_encoder"),
    ("10_sharper", "eq-lost-variance", "painted, total - left_over", "painted, total + left_over"),
    ("10_sharper", "eq-flat-code", "torch.exp(-0.5 * logvar_p), logvar_q", "torch.exp(-logvar_p), logvar_q"),
    ("10_sharper", "eq-jsd", "expected_loss(best), math.log(4) - 2 * jsd", "expected_loss(best), math.log(4) - jsd"),
    ("10_sharper", "eq-non-saturating", "slope, -(1 - probability)", "slope, 1 - probability"),
    ("gaussian_identities", "eq-gi-kl", "+ torch.logdet(Sigma_p)", "- torch.logdet(Sigma_p)"),
]  # fmt: skip


def code_cells(page: str) -> list[str]:
    notebook = jupytext.read(BOOK / f"{page}.md")
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def _loaded(node: ast.AST) -> set[str]:
    """Names that a piece of code reads and does not bind itself."""
    found = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
    own = {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
    if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
        own |= {part.id for part in found if isinstance(part.ctx, ast.Store)}
    for part in ast.walk(node):
        if isinstance(part, ast.comprehension):
            own |= {name.id for name in ast.walk(part.target) if isinstance(name, ast.Name)}
    return {part.id for part in found if isinstance(part.ctx, ast.Load)} - own


def names(statements: list[ast.stmt], defined: set[str]) -> set[str]:
    """What statements read before they define it; what they define is added to ``defined``."""
    wanted: set[str] = set()
    for statement in statements:
        blocks = [getattr(statement, part, []) for part in ("body", "orelse", "finalbody")]
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) or not any(blocks):
            wanted |= _loaded(statement) - defined
            named = [statement] if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) else []
            stored = [] if named else [part for part in ast.walk(statement) if isinstance(part, ast.Name)]
            defined |= {part.name for part in named}
            defined |= {part.id for part in stored if isinstance(part.ctx, ast.Store)}
            continue
        for part in ast.iter_child_nodes(statement):  # what stands in the head of a loop or a branch
            if not isinstance(part, ast.stmt):
                wanted |= _loaded(part) - defined
                bound = [name for name in ast.walk(part) if isinstance(name, ast.Name)]
                defined |= {name.id for name in bound if isinstance(name.ctx, ast.Store)}
        for block in blocks:
            wanted |= names(block, defined)
    return wanted


def needed(cells: list[str], last: int) -> list[int]:
    """The first cell, which imports; ``last``; and for each name the cell before it that defines it, and so on."""
    wanted, chosen = names(ast.parse(cells[last]).body, set()), {0, last}
    for index in range(last - 1, 0, -1):
        defined: set[str] = set()
        used = names(ast.parse(cells[index]).body, defined)
        if defined & wanted:
            chosen.add(index)
            wanted = (wanted - defined) | used
    return sorted(chosen)


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Chapters set defaults of torch and matplotlib; afterwards these are what they were."""
    monkeypatch.syspath_prepend(str(BOOK))
    dtype, threads, gradients = torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()
    state, drawn = torch.get_rng_state(), matplotlib.get_backend()
    matplotlib.use("Agg")
    torch.set_num_threads(1)
    with matplotlib.rc_context():
        yield
    plt.close("all")
    matplotlib.use(drawn)
    torch.set_default_dtype(dtype)
    torch.set_num_threads(threads)
    torch.set_grad_enabled(gradients)
    torch.set_rng_state(state)


def run(cells: list[str], page: str) -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    torch.manual_seed(0)
    random.seed(0)
    for number, source in enumerate(cells):
        exec(compile(source, f"{page}, cell {number}", "exec"), space)


@pytest.mark.slow
@pytest.mark.parametrize(("page", "label", "formula", "changed"), CHANGES, ids=[row[1] for row in CHANGES])
def test_a_changed_formula_fails_its_check(page: str, label: str, formula: str, changed: str) -> None:
    assert f"$$ ({label})" in (BOOK / f"{page}.md").read_text(encoding="utf-8")
    cells = code_cells(page)
    places = [index for index, source in enumerate(cells) if formula in source]
    assert len(places) == 1 and cells[places[0]].count(formula) == 1, f"{formula!r} stands in cells {places}"
    wanted = [cells[index] for index in needed(cells, places[0])]
    run(wanted, page)
    wanted[-1] = wanted[-1].replace(formula, changed)
    with pytest.raises(AssertionError):
        run(wanted, page)


PAGES = sorted(path.stem for path in BOOK.glob("[01][0-9]_*.md"))


@pytest.mark.parametrize("page", [*PAGES, "gaussian_identities"])
def test_theorems_and_proofs_are_marked_alike(page: str) -> None:
    text = (BOOK / f"{page}.md").read_text(encoding="utf-8")
    boxes = re.findall(r"^(`{3,})\{admonition\} ([^\n]*)\n:class: ([^\n]*)\n(.*?)^\1\s*$", text, re.S | re.M)
    for _, title, classes, body in boxes:
        if title.startswith(("Theorem", "Proposition")):
            assert "theorem" in classes.split() and re.match(r"\w+ \(.+\)$", title), title
        assert title.startswith("Proof") == ("proof" in classes.split()), title
        if title.startswith("Proof"):
            assert "dropdown" in classes.split() and body.rstrip().endswith("∎"), f"{title}: …{body[-80:]}"
    assert not re.search(r"^\*\*(Theorem|Proof)\b", text, re.M)


@pytest.mark.parametrize("page", PAGES)
def test_every_chapter_asks_and_answers(page: str) -> None:
    text = (BOOK / f"{page}.md").read_text(encoding="utf-8")
    assert "{admonition} What you need" in text
    review = text.split("## Review questions")[1].split("\n## ")[0]
    numbers = [int(number) for number in re.findall(r"^\*\*(\d+)\.\*\*", review, re.M)]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= 5
    assert review.count("{admonition} Answer\n:class: dropdown") == len(numbers)


def test_the_book_asks_sixty_questions() -> None:
    texts = [(BOOK / f"{page}.md").read_text(encoding="utf-8") for page in PAGES]
    assert sum(text.count("{admonition} Answer\n") for text in texts) >= 60
