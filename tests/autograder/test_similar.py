"""Answers that are alike: copies are listed, and what honest people write is not."""

from __future__ import annotations

import inspect
import random
import re
import textwrap
from itertools import combinations

from autograder.assignments import ASSIGNMENTS
from autograder.checks import checks_of
from autograder.reports.similar import MIN_TOKENS, RUN, Group, many, similar_hand_ins, tokens

LONG_ANSWER = '''
def kl_monte_carlo(mu, logvar, num_samples, generator=None):
    """Average over samples."""
    total = torch.zeros(mu.shape[0])
    for step in range(num_samples):  # one sample at a time
        noise = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
        z = mu + torch.exp(0.5 * logvar) * noise
        log_q = (-0.5 * (math.log(2 * math.pi) + logvar + noise**2)).sum(dim=1)
        log_p = (-0.5 * (math.log(2 * math.pi) + z**2)).sum(dim=1)
        total = total + (log_q - log_p)
    return total / num_samples
'''
ONE_LINER = (
    "def elbo(x, x_hat, mu, logvar, sigma=1.0, beta=1.0):\n    return rec(x, x_hat) - beta * kl(mu, logvar)\n"
)
CELLS = {
    "kl_monte_carlo": LONG_ANSWER,
    "elbo": LONG_ANSWER.replace("kl_monte_carlo", "elbo").replace("0.5", "0.25"),
}


def disguised(source: str) -> str:
    """The same answer with other names, comments and layout."""
    for old, new in {"step": "i", "noise": "e", "total": "acc", "log_q": "a", "log_p": "b"}.items():
        source = re.sub(rf"\b{old}\b", new, source)
    source = source.replace('"""Average over samples."""', '"""Mine."""\n    # nobody else\'s').replace(
        "    ", "  "
    )
    return source.replace("def kl_monte_carlo(mu,", "def kl_monte_carlo(mu: Tensor,") + "\n\n# the end\n"


def others(number: int, seed: int = 0) -> dict[str, dict[str, str]]:
    """Learners who wrote something long of their own."""
    draw = random.Random(seed)
    operations = ["torch.exp", "torch.log", "torch.sqrt", "abs", "torch.relu", "torch.tanh"]
    reductions = ["sum", "mean", "max"]
    found = {}
    for k in range(number):
        lines = [
            f"    v{i} = {draw.choice(operations)}(mu * {draw.random():.3f}) + v{i - 1}.{draw.choice(reductions)}()"
            for i in range(1, 14)
        ]
        body = "\n".join(["    v0 = logvar", *lines, "    return v13"])
        found[f"other-{k}"] = {name: f"def {name}(mu, logvar):\n{body}\n" for name in CELLS}
    return found


def test_disguise_does_not_change_the_tokens_but_another_formula_does() -> None:
    assert tokens(disguised(LONG_ANSWER), CELLS) == tokens(LONG_ANSWER, CELLS)
    assert len(tokens(LONG_ANSWER)) > MIN_TOKENS
    assert tokens(LONG_ANSWER.replace("0.5 * logvar", "0.25 * logvar")) != tokens(LONG_ANSWER)
    assert tokens("def f(:") == () and tokens("x = '\0'") == () and tokens("(" * 5000 + ")" * 5000) == ()


def test_a_disguised_copy_is_listed() -> None:
    copies = {"ada": CELLS, "eve": {name: disguised(source) for name, source in CELLS.items()}}
    assert similar_hand_ins(copies | others(20), {}, CELLS) == [
        Group(("ada", "eve"), ("kl_monte_carlo", "elbo"))
    ]


def test_a_copy_with_a_small_change_is_listed_too() -> None:
    changed = {
        name: source.replace("for step", "print(mu.shape)\n    for step") for name, source in CELLS.items()
    }
    found = similar_hand_ins({"ada": CELLS, "eve": changed} | others(20), {}, CELLS)
    assert [group.students for group in found] == [("ada", "eve")]


def test_one_answer_in_common_is_no_hint_unless_it_is_very_long() -> None:
    class_ = others(20)
    class_["ada"] = {**class_["other-0"], "elbo": CELLS["elbo"]}
    class_["eve"] = {**class_["other-1"], "elbo": CELLS["elbo"]}
    # their other answers are those of others, one each
    assert ("ada", "eve") not in [group.students for group in similar_hand_ins(class_, {}, CELLS)]
    alone = {"ada": {"elbo": CELLS["elbo"]}, "eve": {"elbo": CELLS["elbo"]}} | others(20)
    assert similar_hand_ins(alone, {}, CELLS) == []
    twice = "\n".join(
        [CELLS["elbo"], CELLS["elbo"].replace("def elbo", "def helper").replace("0.25", "0.75")]
    )
    alone = {"ada": {"elbo": twice}, "eve": {"elbo": twice}} | others(20)
    assert [group.students for group in similar_hand_ins(alone, {}, CELLS)] == [("ada", "eve")]


def test_short_answers_stubs_and_what_many_wrote_are_no_hint() -> None:
    short = {f"l{k}": dict.fromkeys(CELLS, ONE_LINER) for k in range(2)}
    assert similar_hand_ins(short | others(20), {}, CELLS) == []
    untouched = {f"l{k}": CELLS for k in range(2)}
    assert similar_hand_ins(untouched | others(20), CELLS, CELLS) == []
    common = {f"l{k}": CELLS for k in range(many(24) + 1)}
    assert similar_hand_ins(common | others(20), {}, CELLS) == []
    # half of a tiny class is a large part of it
    assert similar_hand_ins({"a": CELLS, "b": CELLS, "c": others(1)["other-0"]}, {}, CELLS) == []
    unreadable = {f"l{k}": dict.fromkeys(CELLS, "def f(:\n" * 50) for k in range(2)}
    assert similar_hand_ins(unreadable | others(20), {}, CELLS) == []


def test_different_right_answers_are_far_from_alike() -> None:
    compared = 0
    for assignment in ASSIGNMENTS:
        for name, check in checks_of(assignment.slug).items():
            sources = {textwrap.dedent(inspect.getsource(function)) for function in check.equivalents}
            long = [t for t in {tokens(source, [name]) for source in sources} if len(t) >= MIN_TOKENS]
            runs = [{t[k : k + RUN] for k in range(len(t) - RUN + 1)} for t in long]
            for a, b in combinations(runs, 2):
                compared += 1
                assert len(a & b) < 0.3 * len(a | b), name
    assert compared > 20


def test_a_class_that_writes_what_people_write_raises_no_alarm() -> None:
    draw = random.Random(7)
    pool = {
        name: [textwrap.dedent(inspect.getsource(f)) for f in check.equivalents]
        + [
            textwrap.dedent(inspect.getsource(m.variant))
            for m in check.misconceptions
            if inspect.isfunction(m.variant)
        ]
        for name, check in checks_of("02_bound").items()
    }
    for size in (10, 30, 100, 200):
        class_ = {f"l{k}": {name: draw.choice(some) for name, some in pool.items()} for k in range(size)}
        assert similar_hand_ins(class_, {}, pool) == []
