"""The check of ``diagnose``: from a chart to the one defect that explains it.

The charts are those of pocket models that nobody has seen: other dogs, other lengths of a code than the notebook's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.checks.clinic.shared import number
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import clinic
from vae_ref.dogs import paper_dogs

HEALTHY = "healthy"
NUM_IMAGES = 40
Chart = Mapping[str, Any]

BY_A_SIGN_OF_ITS_OWN = (
    HEALTHY, "one-sided mean", "noisy evaluation", "wrong spread", "wrong range", "cheap code", "bypass", HEALTHY
)  # fmt: skip
BY_SEVERAL_SIGNS = (
    "starved code", "over-strong decoder", "cut gradient", "no noise in training", "wrong target", "wrong range"
)  # fmt: skip


@functools.lru_cache(maxsize=2)
def _dogs(seed: int) -> Tensor:
    return paper_dogs(NUM_IMAGES, seed=seed)[0].float() / 255


@functools.lru_cache(maxsize=64)
def _chart(diagnosis: str, latent_dim: int, seed: int) -> dict[str, Any]:
    """The chart of a patient, measured by the reference."""
    kinds = {patient.diagnosis: patient.broken for patient in clinic.WARD}
    x = _dogs(seed)
    torch.manual_seed(seed)
    return clinic.take_chart(kinds.get(diagnosis, clinic.PocketVAE)(latent_dim).settle(x), x)


def _charts(g: Generator, diagnoses: tuple[str, ...]) -> list[Probe]:
    probes, seed = [], number(g) % 100_000
    for number_of_bed, diagnosis in enumerate(diagnoses, 1):
        latent_dim = int(torch.randint(5, 9, (), generator=g))
        chart = _chart(diagnosis, latent_dim, seed)
        probes.append(Probe(Call((dict(chart),)), f"the chart of unknown patient {number_of_bed}"))
    return probes


def _answers(diagnoses: tuple[str, ...]) -> Callable[[list[Any], list[Probe]], str]:
    """Judges the verdicts on patients; what is wrong is said by their charts, not by the right names."""

    def holds(results: list[Any], probes: list[Probe]) -> str:
        for result in results:
            if not isinstance(result, str):
                return "A diagnosis is a text: one of the names in the notebook's list."
            if result not in KNOWN:
                return f"{result[:40]!r} is none of the names in the notebook's list."
        wrong = [
            k for k, (result, right) in enumerate(zip(results, diagnoses, strict=True)) if result != right
        ]
        if not wrong:
            return ""
        chart = ", ".join(f"{key} {_short(value)}" for key, value in probes[wrong[0]].call.args[0].items())
        return (
            f"Of {len(results)} unknown patients, the diagnosis is wrong for {', '.join(str(k + 1) for k in wrong)}. "
            f"{results[wrong[0]]!r} does not explain {probes[wrong[0]].label}: {chart}."
        )

    return holds


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


KNOWN = {HEALTHY, *(patient.diagnosis for patient in clinic.WARD)}

# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception

_Rule = tuple[str, Callable[[Chart], bool]]

SPREAD_OFF: Callable[[float], bool] = lambda spread: not 0.8 < spread < 1.25  # noqa: E731

STARVED: _Rule = ("starved code", lambda c: c["active"] == 0 and c["loss"] >= c["bound"] - 1)

STRONG: _Rule = ("over-strong decoder", lambda c: c["active"] == 0)

BYPASS: _Rule = ("bypass", lambda c: not c["uses_latent"])

NO_NOISE: _Rule = (
    "no noise in training", lambda c: c["spread_training"] < 0.1 and not SPREAD_OFF(c["spread_evaluation"]))

SPREAD: _Rule = ("wrong spread", lambda c: SPREAD_OFF(c["spread_training"]) or SPREAD_OFF(c["spread_evaluation"]))

CUT: _Rule = ("cut gradient", lambda c: c["gradient_mu"] < 1e-8)

ONE_SIDED: _Rule = ("one-sided mean", lambda c: not 0.05 < c["negative"] < 0.95)

NOISY: _Rule = ("noisy evaluation", lambda c: c["twice"] > 1e-5)

RANGE: _Rule = ("wrong range", lambda c: c["lowest"] < -0.05 or c["highest"] > 1.05)

TARGET: _Rule = ("wrong target", lambda c: abs(c["brightness"]) > 0.05)

CHEAP: _Rule = ("cheap code", lambda c: c["price"] < 0.6)

ORDER = (STARVED, STRONG, BYPASS, NO_NOISE, SPREAD, CUT, ONE_SIDED, NOISY, RANGE, TARGET, CHEAP)



def _rules(*rules: _Rule) -> Callable[[Chart], str]:
    """The name of the first rule that applies."""
    return lambda chart: next((name for name, applies in rules if applies(chart)), HEALTHY)



def _first(*moved: _Rule) -> Callable[[Chart], str]:
    return _rules(*moved, *(rule for rule in ORDER if rule not in moved))



def _without(*dropped: _Rule) -> Callable[[Chart], str]:
    return _rules(*(rule for rule in ORDER if rule not in dropped))



def _other_way_round(chart: Chart) -> str:
    """Right as well: each defect by all of its signs, whatever the order."""
    speaks = chart["active"] > 0
    own = speaks and chart["uses_latent"]
    spreads = [SPREAD_OFF(chart[f"spread_{mode}"]) for mode in ("training", "evaluation")]
    calm = own and not any(spreads)
    found = {
        "cheap code": chart["loss"] < chart["bound"] - 5 and speaks and abs(chart["brightness"]) < 0.05,
        "wrong target": calm and chart["brightness"] < -0.05 and chart["lowest"] > -0.05,
        "wrong range": calm and chart["lowest"] < -0.05,
        "noisy evaluation": calm and chart["twice"] > 0,
        "one-sided mean": calm and chart["negative"] == 0,
        "cut gradient": calm and chart["gradient_mu"] == chart["gradient_logvar"] == 0,
        "no noise in training": own and spreads == [True, False],
        "wrong spread": own and spreads == [True, True],
        "bypass": speaks and not chart["uses_latent"],
        "starved code": not speaks and chart["loss"] > chart["bound"],
        "over-strong decoder": not speaks and chart["loss"] < chart["bound"],
    }
    return next((name for name, seen in found.items() if seen), HEALTHY)



DIAGNOSE = Check(
    name="diagnose",
    asks="the one defect that explains a chart",
    section="differential-diagnosis",
    oracle=None,
    parts=(
        Part("one sign", 2, lambda g: _charts(g, BY_A_SIGN_OF_ITS_OWN), _answers(BY_A_SIGN_OF_ITS_OWN)),
        Part("several signs", 2, lambda g: _charts(g, BY_SEVERAL_SIGNS), _answers(BY_SEVERAL_SIGNS)),
    ),
    misconceptions=(
        _m("diagnose-collapse-as-bypass", "differential-diagnosis",
           "a code that says nothing is called a bypass; nothing goes past it, so ask first whether it speaks.",
           _first(BYPASS)),
        _m("diagnose-collapse-as-cut", "differential-diagnosis",
           "a gradient of 0 is called a cut although the code is silent: pictures that do not depend on it send none.",
           _first(CUT)),
        _m("diagnose-collapse-as-one-sided", "differential-diagnosis",
           "means that are all 0 are called one-sided; first ask whether they vary.", _first(ONE_SIDED)),
        _m("diagnose-one-collapse", "differential-diagnosis",
           "every silent code is called starved; a loss far below the bound of the pictures shows another cause.",
           _rules(("starved code", lambda c: c["active"] == 0), *ORDER[2:])),
        _m("diagnose-collapses-exchanged", "differential-diagnosis",
           "the two causes of a silent code are exchanged: a likelihood that knows too much makes the loss better.",
           _rules(("over-strong decoder", lambda c: c["active"] == 0 and c["loss"] >= c["bound"] - 1),
                  ("starved code", lambda c: c["active"] == 0), *ORDER[2:])),
        _m("diagnose-no-noise-as-spread", "differential-diagnosis",
           "a sampler without noise in training is called a wrong spread; compare the two modes.", _without(NO_NOISE)),
        _m("diagnose-spread-in-evaluation-only", "differential-diagnosis",
           "only the spread in evaluation is read; what training saw stands beside it.",
           _rules(STARVED, STRONG, BYPASS, ("wrong spread", lambda c: SPREAD_OFF(c["spread_evaluation"])), *ORDER[5:])),
        _m("diagnose-brightness-before-range", "differential-diagnosis",
           "pictures that leave [0, 1] are called a wrong target: their brightness is a consequence.",
           _first(TARGET)),
        _m("diagnose-price-first", "differential-diagnosis",
           "an odd price decides before its cause is looked for; nearly every defect moves it.", _first(CHEAP)),
        _m("diagnose-price-unread", "differential-diagnosis",
           "the price is not read, so a code that costs too little passes for healthy.", _without(CHEAP)),
        _m("diagnose-bypass-as-healthy", "differential-diagnosis",
           "a code that is not used passes for healthy because its pictures are good.",
           _rules(*(rule for rule in ORDER if rule not in (BYPASS, CHEAP)),
                  ("cheap code", lambda c: c["price"] < 0.6 and c["uses_latent"]))),
        _m("diagnose-flicker-unread", "differential-diagnosis",
           "two reconstructions that differ are not noticed.", _without(NOISY)),
        _m("diagnose-sign-unread", "differential-diagnosis", "means without a negative one are not noticed.",
           _without(ONE_SIDED)),
        _m("diagnose-all-healthy", "differential-diagnosis", "every patient is called healthy.",
           lambda chart: HEALTHY),
    ),
    equivalents=(clinic.diagnose, _rules(*ORDER), _other_way_round),
)
