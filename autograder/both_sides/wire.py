"""How calls and their results cross the wall: one safetensors file each, never a pickle.

A message is a tree of plain values. Tensors travel as safetensors entries, the rest as JSON in the file's metadata,
with ``{"tensor": name}`` where a tensor belongs. Reading one only ever builds tensors and plain values, so bytes that
a learner's process wrote can be read outside the wall; :func:`read` also bounds their size, number and depth.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file

from autograder.both_sides.text import legible

MAX_BYTES = 64 * 2**20  # of one message: ten million floats and room to spare
MAX_TENSORS = 256
DTYPES = {"F16", "BF16", "F32", "F64", "I8", "I16", "I32", "I64", "U8", "BOOL"}
MAX_TENSOR_DIMS = 8
MAX_DEPTH = 8
MAX_TREE_CHARACTERS = 200_000
MAX_HEADER_BYTES = 4 * 2**20  # of the tensors' places and the tree together, before they are parsed

Tree = Any  # None, bool, int, float, str, Tensor, Seed, Handle, and lists, tuples and str-keyed dicts of them


@dataclass(frozen=True)
class Seed:
    """Stands for a fresh ``torch.Generator`` with this seed on the side that receives it."""

    value: int


@dataclass(frozen=True)
class Handle:
    """Stands for something that an earlier call left on the learner's side, under this name."""

    name: str


# what a parser may raise on bytes made to upset it
_PARSER_ERRORS = (
    SafetensorError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, ArithmeticError, MemoryError
)  # fmt: skip


class WireError(Exception):
    """The message is not one, or breaks a bound."""


def write(path: Path, tree: Tree) -> None:
    """Write ``tree`` to ``path`` in one step, so that a reader never sees half of it."""
    tensors: dict[str, torch.Tensor] = {}
    text = json.dumps(_pack(tree, tensors, 0))
    if not tensors:  # the format wants an entry
        tensors["nothing"] = torch.zeros(1)
    temporary = path.with_suffix(".part")
    save_file(tensors, temporary, metadata={"tree": text})
    temporary.chmod(0o644)  # others read what is written for them, whatever the library thinks
    temporary.replace(path)


def read(path: Path, max_bytes: int = MAX_BYTES) -> Tree:
    """The tree at ``path``, which may have been written, and may still be changed, by a hostile process.

    Raises:
        WireError: the file is missing, a link, not a regular file, too large, or not a message.
    """
    # a copy: a mapped file that its writer cuts short would kill this process
    content = _read_plain_file(path, max_bytes)
    try:
        length = int.from_bytes(content[:8], "little")
        if length > MAX_HEADER_BYTES:
            raise WireError(f"the reply is too complex: {length:,} bytes of description")
        header = json.loads(content[8 : 8 + length])
        text = header.pop("__metadata__")["tree"]
        if len(text) > MAX_TREE_CHARACTERS or len(header) > MAX_TENSORS:
            raise WireError(f"the reply is too complex: {len(text)} characters, {len(header)} tensors")
        for entry in header.values():
            if entry["dtype"] not in DTYPES or len(entry["shape"]) > MAX_TENSOR_DIMS:
                raise WireError(
                    f"a tensor of type {entry['dtype']!s:.20} with {len(entry['shape'])} dimensions"
                )
        return _unpack(json.loads(text, parse_int=_small_int), load(content), 0)
    except WireError:
        raise
    except _PARSER_ERRORS as error:
        raise WireError(f"the reply could not be read ({type(error).__name__})") from None


def _read_plain_file(path: Path, max_bytes: int) -> bytes:
    """The content of ``path``, which must be a regular file of at most ``max_bytes``, and no link."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise WireError(f"there is no reply to read ({error.strerror})") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise WireError("the reply is not a plain file")
    with os.fdopen(handle, "rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise WireError(f"the reply has more than {max_bytes:,} bytes; at most that many are read")
    return content


def _small_int(digits: str) -> int:
    """An integer that a tensor could hold: larger ones upset arithmetic outside."""
    number = int(digits[:20])
    if len(digits) > 20 or not -(2**63) <= number < 2**63:
        raise WireError("an integer of more than 64 bits")
    return number


def _pack(node: Tree, tensors: dict[str, torch.Tensor], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise WireError(f"nested more than {MAX_DEPTH} deep")
    if node is None or type(node) in (bool, int, str):
        return {"plain": node}
    if type(node) is float:
        return {"float": node.hex()}  # JSON has no NaN and no infinity
    if isinstance(node, Seed):
        return {"seed": node.value}
    if isinstance(node, Handle):
        return {"handle": node.name}
    if isinstance(node, torch.Tensor):
        if len(tensors) >= MAX_TENSORS:
            raise WireError(f"more than {MAX_TENSORS} tensors")
        if node.nbytes > MAX_BYTES:
            raise WireError(f"a tensor of {node.nbytes:,} bytes; at most {MAX_BYTES:,} travel")
        name = f"t{len(tensors)}"
        tensors[name] = node.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(node, list | tuple):
        return {"list": [_pack(item, tensors, depth + 1) for item in node]}
    if isinstance(node, dict):
        return {"dict": {str(key): _pack(item, tensors, depth + 1) for key, item in node.items()}}
    raise WireError(f"a value of type {type(node).__name__}, which is neither a tensor nor a plain number")


def _unpack(node: Any, tensors: dict[str, torch.Tensor], depth: int) -> Tree:
    if depth > MAX_DEPTH or not isinstance(node, dict) or len(node) != 1:
        raise WireError("the reply has no known form")
    ((kind, content),) = node.items()
    if kind == "plain" and (content is None or type(content) in (bool, int, str)):
        return legible(content) if isinstance(content, str) else content
    if kind == "float" and type(content) is str:
        return float.fromhex(content)
    if kind == "seed" and type(content) is int:
        return Seed(content)
    if kind == "handle" and type(content) is str:
        return Handle(legible(content))
    if kind == "tensor" and type(content) is str:
        return tensors[content]
    if kind == "list" and type(content) is list:
        return [_unpack(item, tensors, depth + 1) for item in content]
    if kind == "dict" and type(content) is dict:
        return {legible(key): _unpack(item, tensors, depth + 1) for key, item in content.items()}
    raise WireError("the reply has no known form")
