"""What a check calls: the learner's functions, whether they live in this process or behind the wall."""

from __future__ import annotations

import contextlib
import importlib
import io
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from autograder.both_sides.stand_in import StandIn
from autograder.both_sides.wire import Handle, Seed, Tree

OURS = ("props", "handling", "toys", "players")  # modules of things that checks hand out


@dataclass(frozen=True)
class Value:
    """What a call returned."""

    result: Tree


@dataclass(frozen=True)
class Failure:
    """Why a call returned nothing: an exception of the learner's code, or the end of its process."""

    kind: str  # the exception's class, or "Missing", "Timeout", "Gone", "Unreadable", "NoGradient"
    message: str
    line: str = ""  # the learner's line that raised it


Reply = Value | Failure


@dataclass(frozen=True)
class Call:
    """One call of a learner's function, and what to bring back.

    With a ``cotangent`` the reply is the list of vector-Jacobian products with respect to the tensors at the positions
    ``wrt``, else it is the function's result. ``stand_ins`` replace global functions of these names meanwhile.
    With ``keep`` the result stays where it is, under this name, and only its class comes back: later calls pass it as
    ``Handle(keep)`` or call it, or what belongs to it, as "keep" or "keep.method".
    """

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] | None = None
    wrt: tuple[int, ...] = ()
    cotangent: torch.Tensor | None = None
    stand_ins: Mapping[str, StandIn] | None = None
    keep: str = ""


class Target(Protocol):
    """Something that answers calls by name: of learners' functions, of our own modules, of what earlier calls kept."""

    def call(self, name: str, call: Call) -> Reply:
        """The reply of ``name``; never raises because of what the learner's code does."""
        ...


class LocalTarget:
    """Functions in this process: a learner's own notebook, or a variant that the catalogue holds."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self._namespace = namespace
        self._kept: dict[str, Any] = {}

    def call(self, name: str, call: Call) -> Reply:
        return answer(name, call, self._namespace, self._kept)


def answer(name: str, call: Call, namespace: Mapping[str, Any], kept: dict[str, Any]) -> Reply:
    """Call what ``name`` stands for and catch whatever it raises. Runs beside the learner's code, never trusted.

    Args:
        name: of a function in ``namespace``, of something in ``kept`` or in one of our modules, or, after a dot, of a
            method of such a thing.
        call: how.
        namespace: the learner's functions and classes.
        kept: what earlier calls left; what this one leaves is added.
    """
    # nobody loses points for a mode that was left on elsewhere
    with torch.inference_mode(False), _usual_dtype(name):
        return _answer(name, call, namespace, kept)


@contextlib.contextmanager
def _usual_dtype(name: str) -> Iterator[None]:
    """What we hand out is float32 and the same numbers, whatever type a learner has made the usual one."""
    before = torch.get_default_dtype()
    try:
        if name.partition(".")[0] in OURS:
            torch.set_default_dtype(torch.float32)
        yield
    finally:
        torch.set_default_dtype(before)


def _answer(name: str, call: Call, namespace: Mapping[str, Any], kept: dict[str, Any]) -> Reply:
    try:
        function = _find(name, namespace, kept)
        inputs = [_fresh(arg, kept) for arg in call.args]
        keywords = {key: _fresh(arg, kept) for key, arg in (call.kwargs or {}).items()}
    except LookupError as error:
        return Failure("Missing", str(error.args[0]))
    leaves = [inputs[position].requires_grad_(True) for position in call.wrt]
    try:
        # a learner's own prints and warnings are not part of the verdict, nor is a no_grad left on elsewhere
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("ignore")
            for position in call.wrt:
                inputs[position] = inputs[
                    position
                ].clone()  # as in training: no leaf, so it may be changed in place
            with _replaced(_globals(function), call.stand_ins or {}):
                result = function(*inputs, **keywords)
            if call.cotangent is not None:
                return _vector_jacobian_products(result, leaves, call.cotangent)
    except Exception as error:
        return Failure(type(error).__name__, str(error)[:500], _learners_line(error))
    if call.keep:
        kept[call.keep] = result
        return Value(type(result).__name__)
    return Value(_detached(result))


def _find(name: str, namespace: Mapping[str, Any], kept: Mapping[str, Any]) -> Any:
    """What a call's name stands for.

    Raises:
        LookupError: there is no such thing, or it cannot be called.
    """
    head, *path = name.split(".")
    found = _ours(head) if head in OURS else kept.get(head, namespace.get(head))
    for attribute in path:
        found = getattr(found, attribute, None)
    if found is not None and not callable(found):
        raise LookupError(f"{name} is a {type(found).__name__}, and something that can be called is wanted")
    if not callable(found):
        said = ".".join([type(kept[head]).__name__, *path]) if head in kept else name
        raise LookupError(f"{said} is not defined")
    return found


def _ours(name: str) -> Any:
    """A module of things that checks hand out; None where it is hidden."""
    try:
        return importlib.import_module(f"autograder.both_sides.{name}")
    except ImportError:
        return None


def _globals(function: Any) -> dict[str, Any]:
    """Where a function, or a class as it makes an object, looks up the names it uses."""
    made_by: Any = function.__init__ if isinstance(function, type) else function  # type: ignore[misc]
    return getattr(made_by, "__globals__", {})


@contextlib.contextmanager
def _replaced(namespace: dict[str, Any], others: Mapping[str, Any]) -> Iterator[None]:
    """Let names stand for other things for a while."""
    before = {name: namespace[name] for name in others if name in namespace}
    namespace.update(others)
    try:
        yield
    finally:
        for name in others:
            namespace.pop(name, None)
        namespace.update(before)


def _vector_jacobian_products(result: Any, inputs: Sequence[torch.Tensor], cotangent: torch.Tensor) -> Reply:
    if not isinstance(result, torch.Tensor) or not result.requires_grad:
        return Failure("NoGradient", "the result is cut off from the inputs: no gradient reaches them")
    if result.shape != cotangent.shape:
        return Failure("NoGradient", f"the result has shape {tuple(result.shape)}")
    # As the gradient of a number: for grad_outputs torch imports sympy first, which takes most of a second.
    # A copy, because what was read while a learner's inference_mode was on cannot take part in gradients.
    product = (result * cotangent.to(result.dtype, copy=True)).sum()
    grads = torch.autograd.grad(product, inputs, allow_unused=True)
    return Value([torch.zeros_like(x) if g is None else g for x, g in zip(inputs, grads, strict=True)])


def _fresh(arg: Any, kept: Mapping[str, Any]) -> Any:
    """A copy that the function may change as it likes; what was kept is passed as it is.

    Raises:
        LookupError: nothing was kept under this name.
    """
    if isinstance(arg, Seed):
        return torch.Generator().manual_seed(arg.value)
    if isinstance(arg, Handle):
        if arg.name not in kept:
            raise LookupError(f"{arg.name} is not there any more")
        return kept[arg.name]
    return arg.detach().clone() if isinstance(arg, torch.Tensor) else arg


def _detached(result: Any) -> Any:
    """The result as it would cross the wall."""
    if isinstance(result, torch.Tensor):
        return result.detach().clone()
    if isinstance(result, list | tuple):
        return [_detached(item) for item in result]
    if isinstance(result, Mapping):
        return {str(key): _detached(value) for key, value in result.items()}
    return result


def _learners_line(error: Exception) -> str:
    """The innermost source line that stands in a notebook or in the learner's own file, not in a library."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.line and "site-packages" not in frame.filename and __file__ != frame.filename:
            return frame.line[:200]
    return ""
