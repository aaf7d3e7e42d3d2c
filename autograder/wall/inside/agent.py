"""Answers one call from outside: read it from the inbox, run the learner's function, leave the reply in the outbox."""

import sys
from pathlib import Path
from typing import Any

from IPython import get_ipython

from autograder.both_sides.stand_in import StandIn
from autograder.both_sides.target import Call, Failure, Value, answer
from autograder.both_sides.wire import WireError, read, write

_kept: dict[str, Any] = {}  # what calls left for later ones
_spare = bytearray(2**24)  # to say that there is no room, when there is none


def prepare() -> None:
    """Keep an honest ``quit()``, and prints without end, in a cell from taking what later cells do with them."""
    shell = get_ipython()
    if shell is not None:
        shell.ask_exit = lambda: None
        shell.events.register("pre_run_cell", _make_room)
        shell.user_ns.update(quit=lambda: None, exit=lambda: None)


def _make_room(_: object) -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "make_room"):
            stream.make_room()


def serve(number: int) -> None:
    """Answer call ``number``."""
    outbox = Path(f"/outbox/reply-{number}.safetensors")
    try:
        _serve(Path(f"/inbox/call-{number}.safetensors"), outbox)
    except (MemoryError, WireError):  # the second one, too: what was asked for is readable, given room
        _spare.clear()
        write(
            outbox,
            as_tree(Failure("MemoryError", "earlier cells take up all the memory; keep less in variables")),
        )


def _serve(inbox: Path, outbox: Path) -> None:
    request = read(inbox)
    name = request["name"]
    stand_ins = {
        helper: StandIn(tuple(arguments), gives, seed)
        for helper, (arguments, gives, seed) in request["stand_ins"].items()
    }
    call = Call(
        tuple(request["args"]),
        request["kwargs"],
        tuple(request["wrt"]),
        request["cotangent"],
        stand_ins,
        request["keep"],
    )
    shell = get_ipython()
    reply = answer(name, call, {} if shell is None else shell.user_ns, _kept)
    try:
        write(outbox, as_tree(reply))
    except WireError as error:
        write(outbox, as_tree(Failure("Unreadable", f"{name} returned {error}")))


def as_tree(reply: Value | Failure) -> dict[str, Any]:
    """The reply as a message of plain values and tensors."""
    if isinstance(reply, Value):
        return {"result": reply.result}
    return {"failure": [reply.kind, reply.message, reply.line]}
