"""The checks of ``save_checkpoint`` and ``load_checkpoint``: training goes on as if it had never stopped.

Files stay on the learner's side. What was written is read back there by ``props.peek``; what is to be read was trained
here, and is written there by ``props.put``. The model draws its noise from torch's own source, and the optimizer is
Adam, so nothing but weights, Adam's memory, random numbers and the count of steps together goes on exactly.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from autograder.both_sides import handling, toys
from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle
from autograder.checks.training import shared
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step

RATE = 0.01
PATH, MODEL, OPTIMIZER = Handle("path"), Handle("model"), Handle("optimizer")
PEEK = Step("props.peek", Call((PATH,)))
BESIDE = Step("props.beside", Call((PATH,)))


def _model(g: Generator, latent_dim: int) -> tuple[Step, ...]:
    """A model and its Adam, untrained."""
    made = Call((latent_dim, shared.SIZE, shared.number(g, 0, 2**30)), keep="model")
    return Step("toys.Tiny", made), Step("props.adam", Call((MODEL, RATE), keep="optimizer"))


def _practise(x: Tensor, num_steps: int) -> Step:
    return Step("handling.practise", Call((MODEL, OPTIMIZER, x, num_steps)))


def _seed(g: Generator) -> Step:
    return Step("props.seed", Call((shared.number(g, 0, 2**30),)))


def _trained(g: Generator, latent_dim: int, num_steps: int) -> tuple[Step, ...]:
    """A place for a file, and a model in the middle of its training."""
    place = Step("props.new_place", Call(("run.pt",), keep="path"))
    return (place, *_model(g, latent_dim), _seed(g), _practise(shared.images(g, 3), num_steps))


def _saved(g: Generator) -> list[Probe]:
    probes = []
    for latent_dim, num_steps, step in ((3, 2, 2), (2, 3, shared.number(g, 100, 900))):
        call = Call((PATH, MODEL, OPTIMIZER, step))
        label = f"a model after step {step}"
        probes.append(Probe(call, label, before=_trained(g, latent_dim, num_steps), after=(PEEK,)))
    return probes


def _replaced(g: Generator) -> list[Probe]:
    x = shared.images(g, 3)
    first = Step("save_checkpoint", Call((PATH, MODEL, OPTIMIZER, 1), keep="nothing"))
    watch = Step("props.watch", Call((MODEL, PATH)))
    return [
        Probe(
            Call((PATH, MODEL, OPTIMIZER, 2)),
            "an older checkpoint there",
            before=(*_trained(g, 3, 1), first, _practise(x, 1), watch),
            after=(PEEK, Step("props.watched", Call()), BESIDE),
        )
    ]


def _whole_or_not_at_all(results: list[Any], _: list[Probe]) -> str:
    ((_, content, seen, names),) = results
    if not isinstance(content, dict) or content.get("step") != 2:
        return "Where a checkpoint stands already, it is not replaced by the new one."
    if seen != ["whole"]:
        found = "is gone already" if seen == ["gone"] else "is not whole any more"
        return f"While the new checkpoint is being written the old one {found}: a crash now would lose both."
    if names != ["run.pt"]:
        others = ", ".join(name for name in names if name != "run.pt")[:80]
        return f"Beside the checkpoint something is left behind: {others}."
    return ""


@functools.cache
def _content(seed: int, latent_dim: int, num_steps: int, step: int) -> Any:
    """A checkpoint from a training on this side."""
    g = Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(shared.number(g, 0, 2**30))
        model = toys.Tiny(latent_dim, shared.SIZE, shared.number(g, 0, 2**30))
        optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
        handling.practise(model, optimizer, shared.images(g, 3), num_steps)
        model.sigma.fill_(0.05 + 0.1 * float(torch.rand((), generator=g)))
        return {
            "model": {name: value.clone() for name, value in model.state_dict().items()},
            "optimizer": _as_texts(optimizer.state_dict()),
            "step": step,
            "random": torch.get_rng_state(),
        }


def _as_texts(tree: Any) -> Any:
    """Keys as they travel: texts."""
    if isinstance(tree, dict):
        return {str(key): _as_texts(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_as_texts(value) for value in tree]
    return tree.detach().clone() if isinstance(tree, Tensor) else tree


def _on_disk(g: Generator, latent_dim: int, num_steps: int, step: int) -> tuple[Step, ...]:
    """A checkpoint in a file, and a fresh model with its optimizer to load it into, where noise is another one."""
    content = _content(shared.number(g, 0, 2**30), latent_dim, num_steps, step)
    place = Step("props.new_place", Call(("run.pt",), keep="path"))
    return place, Step("props.put", Call((PATH, content))), *_model(g, latent_dim), _seed(g)


def _loaded(g: Generator) -> list[Probe]:
    cases = ((3, 2, 2), (2, 3, shared.number(g, 100, 900)))
    return [
        Probe(
            Call((PATH, MODEL, OPTIMIZER)),
            f"the checkpoint of step {step} (first what it returns, then the weights)",
            before=_on_disk(g, latent_dim, num_steps, step),
            after=(Step("model.state_dict", Call()),),
        )
        for latent_dim, num_steps, step in cases
    ]


def _going_on(g: Generator) -> list[Probe]:
    x = shared.images(g, 3)
    return [
        Probe(
            Call((PATH, MODEL, OPTIMIZER)),
            "two more steps after it (what it returns, nothing, then the weights)",
            before=_on_disk(g, 3, 4, 4),
            after=(_practise(x, 2), Step("model.state_dict", Call())),
        )
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _content_of(model: nn.Module, optimizer: Optimizer, step: int) -> dict[str, Any]:
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step,
            "random": torch.get_rng_state()}


def _write(content: Any, path: Path) -> None:
    temporary = Path(path).with_suffix(".tmp")
    torch.save(content, temporary)
    temporary.replace(path)


def _save(path: Path, model: nn.Module, optimizer: Optimizer, step: int) -> Any:
    _write(_content_of(model, optimizer, step), path)


def _save_with(change: Callable[..., dict[str, Any]]) -> Callable[..., None]:
    """A variant that writes other entries: ``change(model, optimizer, step)``."""

    def variant(path: Path, model: nn.Module, optimizer: Optimizer, step: int) -> None:
        _write(_content_of(model, optimizer, step) | change(model, optimizer, step), path)

    return variant


def _save_without(name: str) -> Callable[..., None]:
    def variant(path: Path, model: nn.Module, optimizer: Optimizer, step: int) -> None:
        content = _content_of(model, optimizer, step)
        del content[name]
        _write(content, path)

    return variant


def _save_over(path: Path, model: nn.Module, optimizer: Optimizer, step: int) -> None:
    torch.save(_content_of(model, optimizer, step), path)


def _save_removing(path: Path, model: nn.Module, optimizer: Optimizer, step: int) -> None:
    path.unlink(missing_ok=True)
    _save(path, model, optimizer, step)


def _save_copying(path: Path, model: nn.Module, optimizer: Optimizer, step: int) -> None:
    temporary = path.with_suffix(".tmp")
    torch.save(_content_of(model, optimizer, step), temporary)
    path.write_bytes(temporary.read_bytes())


def _save_once(path: Path, model: nn.Module, optimizer: Optimizer, step: int) -> None:
    if not path.exists():
        _save(path, model, optimizer, step)


def _save_open_file(path: Path, model: nn.Module, optimizer: Optimizer, step: int) -> None:
    """Right as well: through an open file in the same folder."""
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        torch.save(dict(reversed(_content_of(model, optimizer, step).items())), file)
    new.replace(path)


def _save_copies(path: Path, model: nn.Module, optimizer: Optimizer, step: int) -> None:
    """Right as well: copies on the processor, and names instead of paths."""
    weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
    content = {"step": step, "model": weights, "optimizer": optimizer.state_dict()}
    torch.save({**content, "random": torch.random.get_rng_state()}, f"{path}.part")
    os.replace(f"{path}.part", f"{path}")  # noqa: PTH105


SAVE_CHECKPOINT = Check(
    name="save_checkpoint",
    asks="a file with all that the next step of a training reads, which is whole at any time",
    section="stop-and-continue",
    oracle=_save,
    parts=(Part("content", 2, _saved), Part("whole or not at all", 1, _replaced, _whole_or_not_at_all)),
    misconceptions=(
        _m("save-no-optimizer", "stop-and-continue",
           "the optimizer's state is missing: Adam would forget its running averages.", _save_without("optimizer")),
        _m("save-no-step", "stop-and-continue", "the step is missing: the warm-up would start again.",
           _save_without("step")),
        _m("save-no-random-state", "stop-and-continue",
           "the state of the random numbers is missing: other noise would be drawn after a restart.",
           _save_without("random")),
        _m("save-only-weights", "stop-and-continue", "only the model's weights are written.",
           lambda path, model, optimizer, step: _write(model.state_dict(), path)),
        _m("save-parameters-only", "stop-and-continue",
           "the parameters are written, but not the buffers: σ is one of them.",
           _save_with(lambda model, optimizer, step: {"model": dict(model.named_parameters())})),
        _m("save-whole-optimizer", "stop-and-continue", "the optimizer's settings are written, but not its memory.",
           _save_with(lambda model, optimizer, step: {
               "optimizer": {"state": {}, "param_groups": optimizer.state_dict()["param_groups"]}})),
        _m("save-next-step", "stop-and-continue", "the step is written one too high.",
           _save_with(lambda model, optimizer, step: {"step": step + 1})),
        _m("save-seed", "stop-and-continue",
           "the seed at the start is written; the generator has moved on since then: keep its state.",
           _save_with(lambda model, optimizer, step: {"random": torch.initial_seed()})),
        _m("save-new-random-state", "stop-and-continue",
           "random numbers are drawn, or the source is seeded, before its state is kept.",
           _save_with(lambda model, optimizer, step: {"random": torch.manual_seed(0).get_state()})),
        _m("save-over-the-old", "stop-and-continue",
           "it writes over the only copy: a crash on the way leaves no checkpoint. Write beside it, then rename.",
           _save_over),
        _m("save-removes-first", "stop-and-continue",
           "the old checkpoint is removed before the new one is there: os.replace does both in one step.",
           _save_removing),
        _m("save-copies", "stop-and-continue",
           "the finished file is copied, which can break off halfway too, and left behind: rename it.",
           _save_copying),
        _m("save-only-once", "stop-and-continue", "a checkpoint that exists already is never replaced.", _save_once),
    ),
    equivalents=(_save, _save_open_file, _save_copies),
)


def _load(path: Path, model: nn.Module, optimizer: Optimizer) -> Any:
    content = torch.load(path, weights_only=True)
    model.load_state_dict(content["model"])
    optimizer.load_state_dict(content["optimizer"])
    torch.set_rng_state(content["random"])
    return int(content["step"])


def _load_with(
    model_of: Callable[..., Any] = lambda model, content: model.load_state_dict(content["model"]),
    optimizer_of: Callable[..., Any] = lambda optimizer, content: optimizer.load_state_dict(content["optimizer"]),
    random_of: Callable[..., Any] = lambda content: torch.set_rng_state(content["random"]),
    returns: Callable[..., Any] = lambda model, content: content["step"],
) -> Callable[..., Any]:
    """A variant that takes one thing differently."""

    def variant(path: Path, model: nn.Module, optimizer: Optimizer) -> Any:
        content = torch.load(path, weights_only=True)
        model_of(model, content)
        optimizer_of(optimizer, content)
        random_of(content)
        return returns(model, content)

    return variant


def _momentum_dropped(optimizer: Optimizer, content: Any) -> None:
    optimizer.load_state_dict(content["optimizer"])
    for state in optimizer.state.values():
        state["exp_avg"].zero_()


def _steps_forgotten(optimizer: Optimizer, content: Any) -> None:
    optimizer.load_state_dict(content["optimizer"])
    for state in optimizer.state.values():
        state["step"].zero_()


def _load_then_draws(model: nn.Module, content: Any) -> int:
    torch.rand(1)
    return int(content["step"])


def _load_mapped(path: Path, model: nn.Module, optimizer: Optimizer) -> int:
    """Right as well: by hand where it can be."""
    with path.open("rb") as file:
        content = torch.load(file, map_location="cpu", weights_only=True)
    torch.random.set_rng_state(content["random"])
    with torch.no_grad():
        for name, value in model.state_dict().items():
            value.copy_(content["model"][name])
    optimizer.load_state_dict(content["optimizer"])
    return int(content["step"])


LOAD_CHECKPOINT = Check(
    name="load_checkpoint",
    asks="model, optimizer and random numbers as a checkpoint has them, and its step",
    section="stop-and-continue",
    oracle=_load,
    parts=(Part("step and weights", 1, _loaded), Part("going on exactly", 2, _going_on)),
    misconceptions=(
        _m("load-returns-nothing", "stop-and-continue", "the step is not returned: where is the caller to go on?",
           _load_with(returns=lambda model, content: None)),
        _m("load-next-step", "stop-and-continue", "one step too many is returned: return what was kept.",
           _load_with(returns=lambda model, content: content["step"] + 1)),
        _m("load-returns-content", "stop-and-continue", "the whole content is returned; only its step is asked for.",
           _load_with(returns=lambda model, content: content)),
        _m("load-model-untouched", "stop-and-continue", "the weights are read, but never put into the model.",
           _load_with(model_of=lambda model, content: None)),
        _m("load-parameters-only", "stop-and-continue",
           "the parameters are copied, but not the buffers: σ is one of them.",
           _load_with(model_of=lambda model, content: [
               parameter.data.copy_(content["model"][name]) for name, parameter in model.named_parameters()])),
        _m("load-no-optimizer", "stop-and-continue",
           "the optimizer starts afresh: Adam's next steps are not those that would have come.",
           _load_with(optimizer_of=lambda optimizer, content: None)),
        _m("load-no-momentum", "stop-and-continue", "the optimizer's first running average is lost.",
           _load_with(optimizer_of=_momentum_dropped)),
        _m("load-optimizer-step-lost", "stop-and-continue", "the optimizer's own count of steps is lost.",
           _load_with(optimizer_of=_steps_forgotten)),
        _m("load-no-random-state", "stop-and-continue",
           "the random numbers do not go on where they were: other noise is drawn.",
           _load_with(random_of=lambda content: None)),
        _m("load-seeded", "stop-and-continue", "the random numbers are seeded; they have to go on where they were.",
           _load_with(random_of=lambda content: torch.manual_seed(0))),
        _m("load-draws", "stop-and-continue", "after the state was put back random numbers are drawn once more.",
           _load_with(returns=_load_then_draws)),
    ),
    equivalents=(_load, _load_with(), _load_mapped),
)
