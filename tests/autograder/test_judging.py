"""How verdicts come about, and what cannot be had by other means than being right."""

from __future__ import annotations

import re
import time
import types
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from autograder import check
from autograder.both_sides.target import Call, Failure, LocalTarget, Value
from autograder.checks import checks_of
from autograder.judge.checking import Verdict, judge
from autograder.judge.definitions import Misconception
from autograder.judge.verdict import as_html, as_record, as_text
from vae_ref import bound

BOUND = checks_of("02_bound")


def verdict_on(name: str, function: object, **others: object) -> Verdict:
    return judge(BOUND[name], LocalTarget({name: function, **others}), 4, seed=0)


class AlwaysEqual:
    shape, dtype = (3,), torch.float32

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class EqualTensor(torch.Tensor):
    """A tensor that says it equals, and is as close as anybody likes."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return torch.tensor(True)


@pytest.mark.parametrize(
    "result",
    [
        None, 1.5, "0.0", [1.0, 2.0, 3.0], AlwaysEqual(), SimpleNamespace(shape=(3,)),
        torch.full((3,), float("nan")), torch.full((3,), float("inf")), torch.zeros(3, dtype=torch.long),
        torch.zeros(3, dtype=torch.bool), torch.zeros(3, 1), torch.zeros(()), torch.zeros(0),
    ],
    ids=lambda r: type(r).__name__ + str(getattr(r, "shape", "")),
)  # fmt: skip
def test_other_things_than_right_numbers_score_nothing(result: object) -> None:
    verdict = verdict_on("kl_divergence", lambda mu, logvar: result)
    assert verdict.score == 0
    assert as_text(verdict)


def test_a_tensor_that_claims_to_equal_everything_scores_nothing_in_a_file_or_notebook() -> None:
    fake = torch.zeros(3).as_subclass(EqualTensor)
    assert verdict_on("kl_divergence", lambda mu, logvar: fake).score == 0


def test_a_stub_says_what_to_do() -> None:
    def stub(mu: Tensor, logvar: Tensor) -> Tensor:
        raise NotImplementedError

    verdict = verdict_on("kl_divergence", stub)
    assert verdict.score == 0
    assert "not written yet" in as_text(verdict)
    assert not verdict.mistakes


def test_partial_credit_by_parts() -> None:
    def fails_for_one_image(mu: Tensor, logvar: Tensor) -> Tensor:
        return bound.kl_divergence(mu, logvar).squeeze()

    verdict = verdict_on("kl_divergence", fails_for_one_image)
    assert {f.part: f.passed for f in verdict.findings} == {
        "value": True,
        "edge cases": False,
        "gradient": True,
    }
    assert verdict.score == 3
    assert "a single image" in as_text(verdict)


def test_an_exception_is_shown_with_the_line_that_raised_it() -> None:
    def crashes(mu: Tensor, logvar: Tensor) -> Tensor:
        return mu @ logvar

    text = as_text(verdict_on("kl_divergence", crashes))
    assert "RuntimeError" in text and "mu @ logvar" in text


def rebound(function: types.FunctionType, namespace: dict[str, object]) -> types.FunctionType:
    """The function as if it had been written in another notebook."""
    return types.FunctionType(function.__code__, namespace, None, function.__defaults__)


def test_a_wrong_helper_costs_its_own_points_only() -> None:
    def own_elbo(x, x_hat, mu, logvar, sigma=1.0, beta=1.0):
        return reconstruction_log_likelihood(x, x_hat, sigma) - beta * kl_divergence(mu, logvar)  # noqa: F821

    def wrong_kl(mu: Tensor, logvar: Tensor) -> Tensor:
        return 2 * bound.kl_divergence(mu, logvar)

    helpers = {
        "kl_divergence": wrong_kl,
        "reconstruction_log_likelihood": bound.reconstruction_log_likelihood,
    }
    namespace = {**helpers, "elbo": rebound(own_elbo, helpers)}
    verdict = judge(BOUND["elbo"], LocalTarget(namespace), 4, seed=0)
    assert verdict.passed and "not right yet" in as_text(verdict)


NONSENSE = {
    "adds what is zero anyway": """
def kl_divergence(mu, logvar): return torch.zeros(mu.shape[0])
def reconstruction_log_likelihood(x, x_hat, sigma): return -((x - x_hat) ** 2).flatten(1).mean(1)
def elbo(x, x_hat, mu, logvar, sigma=1.0, beta=1.0):
    return reconstruction_log_likelihood(x, x_hat, sigma) + kl_divergence(mu, logvar)
""",
    "agrees with empty helpers": """
def kl_divergence(mu, logvar): return torch.zeros(mu.shape[0])
def reconstruction_log_likelihood(x, x_hat, sigma): return x.flatten(1).sum(1)
def elbo(x, x_hat, mu, logvar, sigma=1.0, beta=1.0): return x.flatten(1).sum(1)
""",
    "samples nothing": """
def log_normal(x, mu, logvar): return mu.sum(1)
def kl_monte_carlo(mu, logvar, num_samples, generator=None):
    return mu.sum(1) + 1e-4 * torch.randn(mu.shape[0], generator=generator)
""",
}


@pytest.mark.parametrize("code", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_helpers_do_not_make_nonsense_right(code: str) -> None:
    namespace: dict[str, object] = {"torch": torch}
    exec(code, namespace)
    name = "elbo" if "elbo" in namespace else "kl_monte_carlo"
    assert judge(BOUND[name], LocalTarget(namespace), 4, seed=0).score == 0


WALK = """
import torch
def lerp(a, b, t):
    return t * a + (1 - t) * b
def slerp(a, b, t):
    return lerp(a, b, t)
def interpolate(model, x_a, x_b, num_steps, method="slerp"):
    mu, _ = model.encode(torch.stack([x_a, x_b]))
    t = torch.linspace(0, 1, num_steps)[:, None]
    return model.decode((slerp if method == "slerp" else lerp)(mu[:1], mu[1:], t))
"""


def test_a_walk_on_wrong_paths_is_right_if_it_takes_them_rightly() -> None:
    check = checks_of("06_generation")["interpolate"]
    names: dict = {}
    exec(WALK, names)
    verdict = judge(check, LocalTarget(names), 3, 0)
    assert verdict.passed and "uses lerp or slerp correctly" in verdict.note
    exec(WALK.replace("mu[:1], mu[1:]", "mu[:1], mu[:1]"), names)
    assert judge(check, LocalTarget(names), 3, 0).score == 0


def test_with_a_wrong_helper_the_other_parts_are_still_examined() -> None:
    namespace: dict[str, object] = {"torch": torch, "bound": bound}
    code = """
def kl_divergence(mu, logvar): return 2 * bound.kl_divergence(mu, logvar)
def reconstruction_log_likelihood(x, x_hat, sigma): return bound.reconstruction_log_likelihood(x, x_hat, sigma)
def elbo(x, x_hat, mu, logvar, sigma=1.0, beta=1.0):
    return (reconstruction_log_likelihood(x, x_hat, sigma=sigma) - beta * kl_divergence(mu, logvar)).detach()
"""
    exec(code, namespace)
    verdict = judge(BOUND["elbo"], LocalTarget(namespace), 4, seed=0)
    assert {f.part: f.passed for f in verdict.findings} == {
        "value": True,
        "edge cases": True,
        "gradient": False,
    }
    assert namespace["kl_divergence"](torch.ones(1, 1), torch.zeros(1, 1)) == 1.0  # its own again


def test_antithetic_samples_are_samples_too() -> None:
    def antithetic(
        mu: Tensor, logvar: Tensor, num_samples: int, generator: torch.Generator | None = None
    ) -> Tensor:
        half = torch.randn((num_samples + 1) // 2, *mu.shape, generator=generator)
        eps = torch.cat([half, -half])[:num_samples]
        z = mu + (0.5 * logvar).exp() * eps
        zero = torch.zeros_like(mu)
        return (bound.log_normal(z, mu, logvar) - bound.log_normal(z, zero, zero)).mean(0)

    assert verdict_on("kl_monte_carlo", antithetic).passed


class Reply:
    """A target that answers everything, or every gradient, with the same thing."""

    def __init__(self, value: object, only_gradients: bool = False) -> None:
        self.value, self.only_gradients = value, only_gradients

    def call(self, name: str, call: Call) -> Value | Failure:
        """The forged reply."""
        if self.only_gradients and call.cotangent is None:
            return LocalTarget({name: getattr(bound, name)}).call(name, call)
        return Value(self.value)


@pytest.mark.parametrize("value", [5, [], None, [None], ["x", 1.0], [torch.zeros(1)], {"a": 1}, True])
@pytest.mark.parametrize("name", list(BOUND))
def test_forged_replies_are_wrong_and_nothing_worse(name: str, value: object) -> None:
    assert judge(BOUND[name], Reply(value), 4, seed=0).score == 0
    verdict = judge(BOUND[name], Reply(value, only_gradients=True), 4, seed=0)
    assert all(f.passed for f in verdict.findings if f.part != "gradient")
    assert not any(f.passed for f in verdict.findings if f.part == "gradient")


def test_the_same_seed_gives_the_same_verdict() -> None:
    texts = {as_text(verdict_on("kl_monte_carlo", lambda *a, **k: torch.ones(3))) for _ in range(2)}
    assert len(texts) == 1


def test_a_check_leaves_random_numbers_and_threads_as_they_were() -> None:
    def noisy(mu: Tensor, logvar: Tensor, num_samples: int, generator: object = None) -> Tensor:
        return torch.randn(len(mu))

    threads = torch.get_num_threads()
    torch.manual_seed(3)
    wanted = torch.rand(1)
    torch.manual_seed(3)
    assert verdict_on("kl_monte_carlo", noisy).score == 0
    assert torch.equal(torch.rand(1), wanted) and torch.get_num_threads() == threads


def test_what_known_mistakes_say_is_found_out_once() -> None:
    calls = []

    def suspect(mu: Tensor, logvar: Tensor) -> Tensor:
        calls.append(1)
        return -bound.kl_divergence(mu, logvar)

    known = Misconception("kl-suspect", "kl-closed-form", "it is a suspect.", suspect)
    check = replace(BOUND["kl_divergence"], misconceptions=(known,))
    verdicts = [
        judge(check, LocalTarget({"kl_divergence": lambda mu, logvar: mu.sum(1)}), 4, 0) for _ in range(2)
    ]
    assert [v.mistakes for v in verdicts] == [(), ()]
    assert len(calls) == 1  # the first of three questions told them apart, and its answer was kept
    named = judge(check, LocalTarget({"kl_divergence": suspect}), 4, 0)
    assert [m.name for m in named.mistakes] == ["kl-suspect"]
    other_seed = judge(check, LocalTarget({"kl_divergence": suspect}), 4, 1)
    assert [m.name for m in other_seed.mistakes] == ["kl-suspect"]


def test_progress_is_told_question_by_question_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    check = BOUND["kl_divergence"]

    def watched(function: object) -> None:
        told.clear()
        judge(check, LocalTarget({"kl_divergence": function}), 4, 0, lambda *how_far: told.append(how_far))

    watched(bound.kl_divergence)
    questions = sum(len(part.probes(torch.Generator())) for part in check.parts)
    assert told == [(n + 1, questions) for n in range(questions)]
    watched(lambda mu, logvar: -bound.kl_divergence(mu, logvar))
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert all(done <= total for done, total in told)
    assert len(told) == 3 + len(check.misconceptions)


def test_a_slow_check_shows_a_bar_and_a_fast_one_does_not(monkeypatch, capsys) -> None:
    def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
        time.sleep(0.2)
        return bound.kl_divergence(mu, logvar)

    monkeypatch.setattr("autograder.learner.notebook.PATIENCE", 60.0)
    check(kl_divergence)
    assert "checking" not in capsys.readouterr().err
    monkeypatch.setattr("autograder.learner.notebook.PATIENCE", 0.3)
    check(kl_divergence)
    assert "checking kl_divergence" in capsys.readouterr().err


def test_inputs_changed_in_place_do_no_harm() -> None:
    def in_place(mu: Tensor, logvar: Tensor) -> Tensor:
        with torch.no_grad():
            result = bound.kl_divergence(mu, logvar)
            mu.zero_()
            logvar.zero_()
        return result

    verdict = verdict_on("kl_divergence", in_place)
    assert next(f for f in verdict.findings if f.part == "value").passed


def test_prints_and_warnings_cost_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def chatty(mu: Tensor, logvar: Tensor) -> Tensor:
        print("mu is", mu)
        import warnings

        warnings.warn("oh", stacklevel=1)
        return bound.kl_divergence(mu, logvar)

    assert verdict_on("kl_divergence", chatty).passed
    assert capsys.readouterr().out == ""


def test_in_a_notebook_check_finds_the_function_by_its_name() -> None:
    def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
        return bound.kl_divergence(mu, logvar).mean() + 0 * mu.sum(1)

    shown = check(kl_divergence)
    assert "not right yet" in repr(shown)
    assert shown._repr_html_().startswith("<div") and "<script" not in shown._repr_html_()


def test_html_reads_as_a_named_region_with_lists() -> None:
    first = BOUND["kl_divergence"].misconceptions[0]
    alike = replace(
        BOUND["kl_divergence"], misconceptions=(first, replace(first, name="b", sentence="it is <b>."))
    )
    verdict = judge(alike, LocalTarget({"kl_divergence": first.variant}), 4, 0)
    html = as_html(verdict, 0)
    assert html.startswith('<div role="region" aria-label="Verdict on kl_divergence"')
    assert f"<ul><li>{first.sentence}</li><li>it is &lt;b&gt;.</li></ul>" in html
    assert "<li>✗ value</li><li>○ edge cases (looked at once the value is right)</li>" in html
    assert not re.search(r"[^-]color:|background", html)  # text has the colours of the page around it
    text = as_text(verdict, 0)
    assert "<" not in text.replace("it is <b>.", "") and "○ gradient (looked at" in text


def test_html_escapes_what_learners_raise() -> None:
    def nasty(mu: Tensor, logvar: Tensor) -> Tensor:
        raise ValueError("<script>alert(1)</script>")

    html = as_html(verdict_on("kl_divergence", nasty))
    assert "<script" not in html and "&lt;script" in html


def test_the_record_has_what_programs_read() -> None:
    record = as_record(verdict_on("kl_divergence", lambda mu, logvar: -bound.kl_divergence(mu, logvar)))
    assert record["name"] == "kl_divergence"
    assert record["passed"] is False
    assert record["score"] == 0
    assert record["misconceptions"] == ["kl-wrong-sign"]
    assert "never negative" in record["message"]
