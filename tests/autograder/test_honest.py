"""Honest learners lose nothing: habits, tools and other right formulas, each graded for real, with full marks."""

from __future__ import annotations

import copy
import json
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

sys.path.insert(0, str(Path(__file__).parent))

from attacks import course as at

from autograder.authoring.sample_class import COURSE_CONFIG

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("honest")]

Transform = Callable[[NotebookNode], bytes]


def saved(notebook: NotebookNode) -> bytes:
    return json.dumps(notebook, ensure_ascii=False).encode()


@dataclass(frozen=True)
class Honest:
    """A hand-in that deserves full marks.

    Attributes:
        answers: functions that are written otherwise than in the solution.
        first: cells of the learner's own before everything else.
        own: cells after that of ``kl_divergence``.
        last: cells at the end.
        save: makes the file of the notebook.
        noted: what the comment in the gradebook says, if anything.
    """

    answers: Mapping[str, str] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    save: Transform = saved
    noted: str = ""


IN_OTHER_WORDS = {
    "log_normal": """
from torch.distributions import MultivariateNormal, Independent, Normal
def log_normal(x, mu, logvar):
    print("called with", x.shape)
    return Independent(Normal(mu, (logvar / 2).exp()), 1).log_prob(x)
""",
    "kl_divergence": """
import warnings
def kl_divergence(mu, logvar):
    warnings.warn("an honest warning")
    term = lambda m, v: (m * m + v - v.log() - 1) / 2
    return sum(term(mu[:, i], logvar[:, i].exp()) for i in range(mu.shape[1]))
""",
    "kl_monte_carlo": """
@torch.no_grad()
def kl_monte_carlo(mu, logvar, num_samples, generator=None):
    total = torch.zeros(len(mu), dtype=mu.dtype)
    for _ in range(num_samples):
        z = mu + logvar.exp().sqrt() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
        total += log_normal(z, mu, logvar) - log_normal(z, torch.zeros_like(mu), torch.zeros_like(mu))
    return total / num_samples
""",
    "reconstruction_log_likelihood": """
def reconstruction_log_likelihood(x, x_hat, sigma):
    import sys
    print("to stderr", file=sys.stderr)
    return -torch.nn.functional.gaussian_nll_loss(
        x_hat, x, torch.full_like(x, float(sigma) ** 2), full=True, eps=1e-30, reduction="none").flatten(1).sum(-1)
""",
    "elbo": """
def elbo(x, x_hat, mu, logvar, sigma=1.0, beta=1.0):
    terms = {"r": reconstruction_log_likelihood(x=x, x_hat=x_hat, sigma=sigma), "kl": kl_divergence(mu, logvar)}
    return terms["r"].sub(terms["kl"], alpha=beta)
""",
}
KINDS_OF_CALLABLES = {
    "log_normal": """
class LogNormal:
    \"\"\"An object that is called.\"\"\"
    constant = math.log(2 * math.pi)
    def __call__(self, x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
        return -0.5 * (self.constant + logvar + (x - mu).pow(2) * torch.exp(-logvar)).sum(dim=-1)
log_normal = LogNormal()
""",
    "kl_divergence": """
from functools import partial
def general(mu, logvar, *, half=0.5, one=1.0):
    def inner(m, s):
        return half * (m ** 2 + torch.exp(s) - s - one)
    return inner(mu, logvar).sum(1)
kl_divergence = partial(general, half=0.5)
""",
    "kl_monte_carlo": """
class Base(torch.nn.Module):
    def forward(self, mu, logvar, num_samples, generator=None):
        eps = torch.randn(num_samples, *mu.shape, generator=generator, dtype=mu.dtype)
        return 0.5 * ((mu + torch.exp(0.5 * logvar) * eps) ** 2 - logvar - eps ** 2).sum(-1).mean(0)
kl_monte_carlo = Base()
""",
    "reconstruction_log_likelihood": """
@torch.compile
def reconstruction_log_likelihood(x, x_hat, sigma):
    n = x[0].numel()
    return -n * (torch.log(torch.as_tensor(sigma)) + 0.5 * math.log(2 * math.pi)) - (
        (x - x_hat).square().flatten(1).sum(1) / (2 * sigma ** 2))
""",
    "elbo": """
@torch.jit.script
def scripted(x: Tensor, x_hat: Tensor, mu: Tensor, logvar: Tensor, sigma: float, beta: float) -> Tensor:
    n = x[0].numel()
    r = -0.5 * ((x - x_hat) / sigma).pow(2).flatten(1).sum(1) - n * (math.log(sigma) + 0.5 * math.log(2 * math.pi))
    return r - beta * 0.5 * (mu.pow(2) + logvar.exp() - logvar - 1).sum(1)
def elbo(x, x_hat, mu, logvar, sigma=1.0, beta=1.0):
    return scripted(x, x_hat, mu, logvar, float(sigma), float(beta))
""",
}
IN_PLACE = {
    "log_normal": """
def log_normal(x, mu, logvar):
    terms = (x - mu).square()
    terms /= logvar.exp()
    terms += logvar
    terms.add_(math.log(2 * math.pi))
    return terms.sum(1).mul_(-0.5)
""",
    "kl_divergence": """
def kl_divergence(mu, logvar):
    # float64 on the way and on the way out, and not contiguous
    mu, logvar = mu.double(), logvar.double()
    both = torch.stack([0.5 * (mu ** 2 + logvar.exp() - 1 - logvar).sum(1), mu.sum(1)], dim=1)
    return both[:, 0]
""",
    "reconstruction_log_likelihood": """
def reconstruction_log_likelihood(x, x_hat, sigma):
    sigma = torch.as_tensor(sigma, dtype=torch.float64)
    out = torch.empty(2 * len(x), dtype=torch.float64)[::2]
    out = (-0.5 * (((x - x_hat).permute(3, 2, 1, 0).double() / sigma) ** 2 + (2 * math.pi * sigma ** 2).log()))
    return out.sum((0, 1, 2))
""",
}
MODES = (
    "torch.set_default_dtype(torch.float64)\ntorch.set_grad_enabled(False)",
    "guard = torch.inference_mode(); guard.__enter__()",
    "torch.manual_seed(0); torch.set_num_threads(2); torch.autograd.set_detect_anomaly(True)",
    "import warnings; warnings.simplefilter('error')\nimport numpy as np; np.seterr(all='raise')",
    "torch.set_printoptions(precision=10)\nimport os; os.chdir('/tmp')\nimport logging; logging.basicConfig(level=0)",
)
OUTPUT = (
    "import sys\nprint('progress', file=sys.stderr)\nimport warnings; warnings.warn('careful')",
    "%matplotlib inline\n%config InlineBackend.figure_format = 'retina'\nplt.plot([1, 2]); plt.show()",
    "%%time\nfrom tqdm.auto import tqdm, trange\nfor _ in trange(30): pass",
    "from tqdm.notebook import tqdm as bar\nlist(bar(range(3)))",
    "%timeit -n 1 -r 1 sum(range(10))\n%load_ext autoreload\n%autoreload 2\n%matplotlib notebook",
    "!echo a shell command\n!pip install torch 2>&1 | tail -1\n%pip list 2>&1 | head -3",
    "display(plt.figure()); print('\\x1b[31mred\\x1b[0m', 'ünïcode ✓ 🐕')\n{'a': 1}",
    "import asyncio\nawait asyncio.sleep(0)\nhelp(kl_divergence)\nkl_divergence?",
    "from torch.utils.data import DataLoader, TensorDataset\n"
    "print(len(list(DataLoader(TensorDataset(torch.zeros(8, 2)), 4, num_workers=2))))",
    "1 / 0",
    "raise KeyboardInterrupt",
    "this is no Python",
    "import math as m\nquit()\nexit()",
    "import sys; sys.exit(0)",
    "raise SystemExit",
    "assert kl_divergence(torch.zeros(1, 2), torch.zeros(1, 2)) == 0",
    "check(kl_divergence)\ncheck(kl_divergence, hint=2)",
    "agent = answer = call = serve = props = toys = kernel = reply = number = 3\nlist_ = [agent]",
    "del In, Out\n_ = __ = 5",
)


def of_minor(minor: int) -> Transform:
    def save(notebook: NotebookNode) -> bytes:
        notebook.nbformat_minor = minor
        for cell in notebook.cells:
            if minor < 5:
                del cell["id"]
        return saved(notebook)

    return save


def from_colab(notebook: NotebookNode) -> bytes:
    """New ids in the metadata, a Colab kernel, its own keys everywhere."""
    notebook.nbformat_minor = 0
    notebook.metadata = {"colab": {"provenance": [], "toc_visible": True}, "accelerator": "GPU",
                         "kernelspec": {"name": "python3", "display_name": "Python 3"}}  # fmt: skip
    for cell in notebook.cells:
        del cell["id"]
        cell.metadata = {
            **cell.metadata,
            "id": secrets.token_hex(6),
            "colab": {"base_uri": "https://localhost:8080/"},
        }
        if cell.cell_type == "code":
            cell.metadata["outputId"] = secrets.token_hex(8)
    return saved(notebook)


def from_vs_code(notebook: NotebookNode) -> bytes:
    """Other ids, language marks, its own key order and indentation."""
    notebook.metadata = {"kernelspec": {"display_name": ".venv (3.12)", "name": "python3"}, "vscode": {"x": 1},
                         "language_info": {"name": "python", "version": "3.12.1"}, "orig_nbformat": 4}  # fmt: skip
    for cell in notebook.cells:
        cell.id = secrets.token_hex(4)
        cell.metadata = {"vscode": {"languageId": "python"}, **cell.metadata}
        cell.source = cell.source.splitlines(keepends=True)
    return json.dumps(notebook, indent=1, sort_keys=True).encode()


def from_windows(notebook: NotebookNode) -> bytes:
    """A byte order mark, and carriage returns in the file and in the sources."""
    for cell in notebook.cells:
        cell.source = cell.source.replace("\n", "\r\n")
    return b"\xef\xbb\xbf" + json.dumps(notebook, indent=2).replace("\n", "\r\n").encode()


def without_metadata(notebook: NotebookNode) -> bytes:
    """As tools leave it that know nothing of nbgrader: no ids, no metadata."""
    notebook.metadata = {}
    for cell in notebook.cells:
        cell.metadata = {}
        cell.id = secrets.token_hex(4)
    return saved(notebook)


def without_checks(notebook: NotebookNode) -> bytes:
    notebook.cells = [c for c in notebook.cells if not at.grade_id(c).startswith("check_")]
    return saved(notebook)


def turned_around(notebook: NotebookNode) -> bytes:
    """All cells after the first four in reverse order."""
    notebook.cells = notebook.cells[:4] + notebook.cells[4:][::-1]
    return saved(notebook)


def one_big_cell(notebook: NotebookNode) -> bytes:
    """All answers in the first answer's cell; the others are gone."""
    cells = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("solution")]
    cells[0].source = "\n\n".join(cell.source for cell in cells)
    notebook.cells = [cell for cell in notebook.cells if cell not in cells[1:]]
    return saved(notebook)


def with_runs(notebook: NotebookNode) -> bytes:
    """Outputs of all sorts, execution counts, attachments, tags."""
    png = {
        "output_type": "display_data",
        "data": {"image/png": "aGVsbG8=", "text/html": "<b>x</b>"},
        "metadata": {},
    }
    for number, cell in enumerate(notebook.cells):
        cell.metadata["tags"] = ["mine"]
        if cell.cell_type == "code":
            cell.execution_count = 900 - number
            cell.outputs = [
                copy.deepcopy(png),
                {"output_type": "stream", "name": "stderr", "text": ["w", "arn"]},
            ]
    return saved(notebook)


HELPERS = (
    "def the_kl(mu, logvar):\n    return 0.5 * (mu ** 2 + logvar.exp() - logvar - 1).sum(1)\nLOG = math.log"
)
USES_HELPERS = {
    "kl_divergence": "def kl_divergence(mu, logvar):\n    return the_kl(mu, logvar)",
    "elbo": """
def elbo(x, x_hat, mu, logvar, sigma=1.0, beta=1.0):
    r = -0.5 * (((x - x_hat) / sigma) ** 2 + LOG(2 * math.pi) + 2 * LOG(sigma))
    return r.flatten(1).sum(1) - beta * the_kl(mu, logvar)
""",
}

HONEST: dict[str, Honest] = {
    "the solution": Honest(),
    "other formulas, prints and warnings": Honest(IN_OTHER_WORDS),
    "classes, partial, compile and script": Honest(KINDS_OF_CALLABLES),
    "in place, float64, not contiguous": Honest(IN_PLACE),
    "modes left on": Honest(IN_PLACE, own=MODES),
    "modes left on from the start": Honest(first=("import torch, math", *MODES)),
    "output of all sorts, errors and quit": Honest(own=OUTPUT),
    "renamed helpers in cells before": Honest(USES_HELPERS, first=("import math", HELPERS)),
    "helpers in a cell at the end, run first": Honest(USES_HELPERS, last=(HELPERS,)),
    "annotations and a future import": Honest(
        {"kl_divergence": "from __future__ import annotations\ndef kl_divergence(mu: Tensor | None, logvar: Tensor) -> "
                          "list[Unknown]:\n    '''Doc — ½ Σ.'''\n    "
                          "return 0.5 * (mu**2 + logvar.exp() - logvar - 1).sum(-1)"}
    ),
    "a namespace that was cleared": Honest(
        last=("%reset -f", "import math, torch\nfrom torch import Tensor\ndef log_normal(x, mu, logvar): return x")
    ),
    **{f"format 4.{minor}": Honest(save=of_minor(minor)) for minor in range(6)},
    "saved by Colab": Honest(save=from_colab),
    "saved by VS Code": Honest(save=from_vs_code),
    "saved on Windows": Honest(save=from_windows),
    "saved without metadata": Honest(save=without_metadata),
    "saved with runs": Honest(save=with_runs),
    "checks deleted": Honest(save=without_checks),
    "cells turned around": Honest(save=turned_around),
    "all answers in one cell": Honest(save=one_big_cell),
}  # fmt: skip


def learner_of(habit: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in habit)


@pytest.fixture(scope="module")
def course(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them graded, two at a time."""
    course = tmp_path_factory.mktemp("honest") / "course"
    released, answers = at.make_course(course, repository / "solutions", COURSE_CONFIG)
    for habit, hand_in in HONEST.items():
        notebook = at.filled(released, {**answers, **hand_in.answers}, *hand_in.own)
        notebook.cells[:0] = [nbformat.v4.new_code_cell(source) for source in hand_in.first]
        notebook.cells += [nbformat.v4.new_code_cell(source) for source in hand_in.last]
        (at.folder_of(course, learner_of(habit)) / at.NAME).write_bytes(hand_in.save(notebook))
    done = at.grade(course, "none")
    assert done.returncode == 0, done.stdout + done.stderr
    return course


@pytest.mark.parametrize("habit", HONEST)
def test_an_honest_hand_in_gets_full_marks(course: Path, habit: str) -> None:
    notebook = at.graded(course, learner_of(habit))
    verdicts = notebook.metadata["autograder"]["verdicts"]
    assert [v["message"] for v in verdicts if not v["passed"]] == []
    assert len(verdicts) == 5
    assert set(at.points(course)[learner_of(habit)].values()) == {4.0}
