"""Answers one call from outside: read it from the inbox, run the learner's function, leave the reply in the outbox."""

from pathlib import Path

from autograder.target import Call, Failure, Value, answer
from autograder.wire import WireError, read, write


def serve(number: int) -> None:
    """Answer call ``number``."""
    from IPython import get_ipython

    request = read(Path(f"/inbox/call-{number}.safetensors"))
    name = request["name"]
    call = Call(tuple(request["args"]), request["kwargs"], tuple(request["wrt"]), request["cotangent"])
    shell = get_ipython()
    function = shell.user_ns.get(name) if shell is not None else None
    reply = answer(function, call) if callable(function) else Failure("Missing", f"{name} is not defined")
    outbox = Path(f"/outbox/reply-{number}.safetensors")
    try:
        write(outbox, as_tree(reply))
    except WireError as error:
        write(outbox, as_tree(Failure("Unreadable", f"{name} returned {error}")))


def as_tree(reply: Value | Failure) -> dict:
    """The reply as a message of plain values and tensors."""
    if isinstance(reply, Value):
        return {"result": reply.result}
    return {"failure": [reply.kind, reply.message, reply.line]}
