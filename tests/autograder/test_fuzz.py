"""Whatever bytes a learner sends, the parsers answer soon, within bounds of memory, and with nothing but plain data.

Valid bytes are made and then damaged, because random ones end at the first check. For longer runs::

    FUZZ_EXAMPLES=20000 pytest tests/autograder/test_fuzz.py
"""

from __future__ import annotations

import base64
import io
import json
import os
import resource
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jupyter_client.session import Session
from nbgrader.utils import parse_utc
from PIL import Image
from safetensors.torch import save

from autograder.both_sides.wire import DTYPES, MAX_DEPTH, Handle, Seed, WireError, read, write
from autograder.grading.intake import hand_in_time, take_in
from autograder.judge.comparing import difference
from autograder.wall import Limits
from autograder.wall.outputs import MAX_PIXELS, Budget, Outputs

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
SECONDS = 10.0  # for one input, on a machine that does other things too
MEMORY = 2 * 2**30  # of a process that parses the worst of each kind, torch included
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
NAME = "02_bound.ipynb"

words = st.sampled_from(
    ["cells", "source", "metadata", "nbgrader", "grade_id", "id", "cell_type", "code", "kl_divergence", "check_elbo",
     "plain", "float", "tensor", "list", "dict", "seed", "handle", "result", "failure", "t0", "t1", "text", "name",
     "data", "text/plain", "image/png", "ename", "evalue", "traceback", "stderr", "nan", "0x1p-1074", "\ud800", "\0",
     "\x1b[2J", "<script>", "", "__metadata__", "dtype", "shape", "data_offsets", "F32"]
)  # fmt: skip
texts = words | st.text(max_size=8)
numbers = st.integers() | st.sampled_from([2**63, -(2**63) - 1, 10**400, -1, 0]) | st.floats()
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda t: st.lists(t, max_size=4) | st.dictionaries(texts, t, max_size=4),
    max_leaves=25,
)


@st.composite
def damaged(draw: st.DrawFn, valid: st.SearchStrategy[bytes]) -> bytes:
    """Valid bytes with some of them replaced, removed, repeated or cut off."""
    content = bytearray(draw(valid))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, max(0, len(content))))
        match draw(st.sampled_from(["replace", "insert", "remove", "repeat", "cut", "flip"])):
            case "replace":
                noise = draw(st.binary(min_size=1, max_size=8))
                content[place : place + len(noise)] = noise
            case "insert":
                content[place:place] = draw(
                    st.binary(max_size=16) | texts.map(lambda t: t.encode("utf-8", "replace"))
                )
            case "remove":
                del content[place : place + draw(st.integers(1, 16))]
            case "repeat":
                content[place:place] = content[place : place + 40] * draw(st.integers(1, 30))
            case "cut":
                del content[place:]
            case "flip" if content:
                content[place % len(content)] ^= 1 << draw(st.integers(0, 7))
    return bytes(content)


def in_time(act: Callable[[], Any]) -> Any:
    started = time.monotonic()
    result = act()
    assert time.monotonic() - started < SECONDS
    return result


# ---- replies through the wall ---------------------------------------------------------------------------------------


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A reply: tensors, and a tree that is one, or nearly."""
    dtypes = st.sampled_from(
        [torch.float32, torch.float64, torch.int64, torch.bool, torch.uint8, torch.bfloat16]
    )
    shapes = st.lists(st.integers(0, 4), max_size=4)
    tensors = {f"t{i}": torch.zeros(draw(shapes), dtype=draw(dtypes)) for i in range(draw(st.integers(1, 4)))}
    leaf = (
        st.builds(lambda v: {"plain": v}, st.none() | st.booleans() | numbers | texts)
        | st.builds(lambda v: {"float": v}, st.floats().map(float.hex) | texts)
        | st.builds(lambda v: {"tensor": v}, st.sampled_from(sorted(tensors)) | texts)
        | st.builds(lambda v: {"seed": v}, numbers)
        | st.builds(lambda v: {"handle": v}, texts)
        | values
    )
    tree = st.recursive(
        leaf,
        lambda t: (
            st.builds(lambda v: {"list": v}, st.lists(t, max_size=4))
            | st.builds(lambda v: {"dict": v}, st.dictionaries(texts, t, max_size=4))
        ),
        max_leaves=12,
    )
    text = json.dumps({"dict": {"result": draw(tree)}} if draw(st.booleans()) else draw(tree))
    return save(tensors, metadata={"tree": text.encode("utf-8", "replace").decode()})


def plain(tree: Any, depth: int = 0) -> bool:
    """Whether a tree holds nothing but what a reply may hold."""
    assert depth <= MAX_DEPTH + 1
    if isinstance(tree, list):
        return all(plain(item, depth + 1) for item in tree)
    if isinstance(tree, dict):
        return all(type(key) is str and plain(item, depth + 1) for key, item in tree.items())
    if isinstance(tree, torch.Tensor):
        return type(tree) is torch.Tensor and tree.device.type == "cpu" and tree.dim() <= 8
    if type(tree) is int:
        return abs(tree) <= 2**63
    return tree is None or type(tree) in (bool, float, str, Seed, Handle)


@fuzz
@given(damaged(messages()))
def test_a_reply_is_plain_data_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "reply"
    path.write_bytes(content)
    try:
        tree = in_time(lambda: read(path))
    except WireError as error:
        assert len(str(error)) < 300
        return
    assert plain(tree)
    json.dumps(str(tree)).encode()
    for wanted in (torch.zeros(3), 1, 0.5, True, "x", [torch.zeros(2)], {"result": torch.zeros(())}):
        for got in (tree, tree.get("result") if isinstance(tree, dict) else None):
            difference(got, wanted)  # compares with anything without a complaint


@fuzz
@given(st.dictionaries(texts, st.fixed_dictionaries({"dtype": st.sampled_from(sorted(DTYPES)) | texts,
                                                     "shape": st.lists(numbers, max_size=5),
                                                     "data_offsets": st.lists(numbers, max_size=3)}), max_size=4),
       st.integers(-9, 9), st.binary(max_size=64))  # fmt: skip
def test_a_header_that_lies_is_refused(tmp_path: Path, entries: dict, shift: int, data: bytes) -> None:
    header = json.dumps({**entries, "__metadata__": {"tree": '{"plain": 1}'}}).encode("utf-8", "replace")
    path = tmp_path / "reply"
    path.write_bytes(struct.pack("<Q", max(0, len(header) + shift)) + header + data)
    try:
        tree = in_time(lambda: read(path))
    except WireError:
        return
    assert tree == 1


# ---- hand-ins -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def skeleton(repository: Path) -> nbformat.NotebookNode:
    return nbformat.read(repository / "exercises" / "02_bound" / NAME, as_version=4)


def locked(notebook: nbformat.NotebookNode) -> list[str]:
    return [c.source for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade")]


@st.composite
def notebooks(draw: st.DrawFn) -> bytes:
    """A notebook with cells of the release, of others, and of neither."""
    cell = st.fixed_dictionaries(
        {},
        optional={
            "cell_type": st.sampled_from(["code", "markdown", "raw"]) | values,
            "source": texts | st.lists(texts, max_size=4) | values,
            "id": texts,
            "metadata": st.fixed_dictionaries(
                {},
                optional={
                    "nbgrader": st.fixed_dictionaries({}, optional={"grade_id": texts, "points": values})
                    | values
                },
            )
            | values,
            "outputs": values,
        },
    )
    tree = {
        "cells": draw(st.lists(cell | values, max_size=6)),
        "metadata": draw(values),
        "nbformat": draw(numbers),
    }
    return json.dumps(tree).encode("utf-8", "surrogatepass" if draw(st.booleans()) else "replace")


@fuzz
@given(damaged(notebooks()))
def test_a_hand_in_is_rebuilt_or_refused(
    tmp_path: Path, skeleton: nbformat.NotebookNode, content: bytes
) -> None:
    (tmp_path / NAME).write_bytes(content)
    taken = in_time(lambda: take_in(tmp_path, skeleton, NAME))
    assert locked(taken.notebook) == locked(skeleton)
    nbformat.validate(taken.notebook)
    nbformat.writes(taken.notebook).encode()
    assert all(len(text) < 1000 and "\x1b" not in text for text in (taken.refused, *taken.notes))


times = st.datetimes().map(str) | st.from_regex(r"[0-9T:. +-]{1,30}([A-Za-z]{1,5})?", fullmatch=True)


@fuzz
@given(damaged((times | times.map(lambda t: f"{t} UTC") | texts).map(lambda t: t.encode("utf-8", "replace"))))
def test_a_time_of_hand_in_is_one_that_can_be_written_down_or_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "timestamp.txt").write_bytes(content)
    got, problem = in_time(lambda: hand_in_time(tmp_path))
    assert bool(problem) == (got is None)
    if got is not None:
        assert type(got) is datetime and parse_utc(f"{got:%Y-%m-%d %H:%M:%S.%f} UTC") == got


# ---- what cells show ------------------------------------------------------------------------------------------------


def png(width: int, height: int, depth: int, kind: int, extra: bytes, data: bytes) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def picture(mode: str, width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, "PNG", icc_profile=b"p" * 50)
    return file.getvalue()


pictures = damaged(
    st.builds(picture, st.sampled_from(["RGB", "RGBA", "L", "P", "1", "I;16"]), st.integers(1, 40), st.integers(1, 40))
    | st.builds(png, st.integers(0, 2**31), st.integers(0, 2**31), st.integers(0, 16), st.integers(0, 6),
                st.binary(max_size=30), st.binary(max_size=60) | st.builds(zlib.compress, st.binary(max_size=300)))
)  # fmt: skip
encoded = pictures.map(lambda content: base64.b64encode(content).decode()) | values
contents = st.fixed_dictionaries(
    {},
    optional={
        "name": texts,
        "text": texts | values,
        "ename": texts | values,
        "evalue": texts | values,
        "traceback": st.lists(texts | values, max_size=4) | values,
        "data": st.fixed_dictionaries({}, optional={"text/plain": texts | values, "image/png": encoded,
                                                    "text/html": values}) | values,
    },
)  # fmt: skip
kinds = st.sampled_from(
    ["stream", "error", "display_data", "execute_result", "status", "update_display_data"]
)


@fuzz
@given(st.lists(st.tuples(kinds | texts, contents | values), max_size=6))
def test_what_cells_show_is_text_and_small_pictures(shown: list[tuple[str, Any]]) -> None:
    limits = Limits(output_characters=100, outputs=4)
    outputs = Outputs(limits, Budget(limits))
    for kind, content in shown:
        in_time(lambda kind=kind, content=content: outputs.add(kind, content))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=outputs.cells)])
    nbformat.validate(notebook)
    written = nbformat.writes(notebook)
    written.encode()
    assert len(outputs.cells) <= 4
    for output in outputs.cells:
        assert output.output_type in ("stream", "error", "display_data")
        assert set(output.get("data", {})) <= {"text/plain", "image/png"}
        text = str(output.get("text", "")) + str(output.get("evalue", ""))
        assert not set(text) & set("\0\x07\x08\x9b")
        if "image/png" in output.get("data", {}):
            with Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))) as image:
                assert image.width * image.height <= MAX_PIXELS and not set(image.info) - {"transparency"}


@fuzz
@given(st.lists(damaged(values.map(lambda v: json.dumps(v).encode("utf-8", "replace"))), min_size=3, max_size=7),
       st.booleans())  # fmt: skip
def test_a_message_of_the_kernel_is_read_or_refused(parts: list[bytes], signed: bool) -> None:
    """What :meth:`WalledKernel._next` does with bytes, whose sender knows the key."""
    session = Session(key=b"known")
    body = [*parts, b"{}", b"{}"][:4]
    frames = [session.sign(body) if signed else b"x", *body]
    try:
        message = in_time(lambda: session.deserialize(frames))
        kind, content = str(message["header"]["msg_type"]), message["content"]
    except Exception:  # what the kernel's side catches too
        return
    limits = Limits()
    outputs = Outputs(limits, Budget(limits))
    outputs.add(kind, content)
    assert len(outputs.cells) <= 1


# ---- the worst of each kind, in a process whose memory is counted ---------------------------------------------------

WORST = {
    "a header of empty lists": "reply(b'{\"__metadata__\":{\"tree\":\"1\"},\"x\":[' + b'[],' * 20_000_000 + b'[]]}')",
    "a header of a million tensors": "reply(b'{' + b','.join(b'\"%d\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\""
    ":[0,0]}' % n for n in range(900_000)) + b'}')",
    "a tree of lists": "message('{\"list\":[' + '{\"list\":[]},' * 15_000 + '{\"list\":[]}]}')",
    "a full message of tensors": "save_message(torch.zeros(2**24 - 2**12))",
    "a hand-in of lists": "hand_in(b'{\"cells\":[' + b'[],' * 6_900_000 + b'[]]}')",
    "a hand-in of strings": "hand_in(b'{\"cells\":[' + b'\"\",' * 6_900_000 + b'\"\"]}')",
    "a hand-in of numbers": "hand_in(b'{\"cells\":[' + b'1.5,' * 5_200_000 + b'1]}')",
    "a hand-in of keys": "hand_in(b'{\"cells\":[],\"x\":{' + b','.join(b'\"%d\":1' % n for n in range(10**6)) + b'}}')",
    "an output of lists": "output('display_data', {'data': {'text/plain': [[]] * 2_000_000}})",
    "a picture of zeros": "output('display_data', {'data': {'image/png': big_picture()}})",
}  # fmt: skip
PROGRAM = """
import base64, io, json, struct, sys, time, zlib
from pathlib import Path
import nbformat, torch
from PIL import Image
from safetensors.torch import save
from autograder.grading.intake import take_in
from autograder.wall import Limits
from autograder.wall.outputs import Budget, Outputs
from autograder.both_sides.wire import WireError, read, write
from benchmarks.memory import peak
folder, codes = Path(sys.argv[1]), json.loads(sys.argv[3])
SKELETON = nbformat.read(sys.argv[2], as_version=4)
def attempt(path):
    try:
        read(path)
    except WireError as error:
        print(error)
def reply(header):
    (folder / "reply").write_bytes(struct.pack("<Q", len(header)) + header)
    del header
    attempt(folder / "reply")
def message(tree):
    (folder / "reply").write_bytes(save({"t": torch.zeros(1)}, metadata={"tree": tree}))
    attempt(folder / "reply")
def save_message(tensor):
    write(folder / "reply", tensor)
    attempt(folder / "reply")
def hand_in(content):
    (folder / "02_bound.ipynb").write_bytes(content)
    print(take_in(folder, SKELETON, "02_bound.ipynb").refused)
def output(kind, content):
    limits = Limits()
    Outputs(limits, Budget(limits)).add(kind, content)
def big_picture():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = zlib.compress(bytes(2000 * 2000 * 8 + 2000), 9)
    head = struct.pack(">IIBBBBB", 2000, 2000, 16, 6, 0, 0, 0)
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return base64.b64encode(b"\\x89PNG\\r\\n\\x1a\\n" + chunks).decode()
for name, code in codes.items():
    started = time.monotonic()
    eval(code)
    print(json.dumps([name, peak(), time.monotonic() - started]))
"""


@pytest.mark.slow
def test_the_worst_stays_within_bounds_of_memory(tmp_path: Path, repository: Path) -> None:
    """One process for all of them, so each peak is that of the worst so far."""
    skeleton = repository / "exercises" / "02_bound" / NAME
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), str(skeleton), json.dumps(WORST)],
        capture_output=True, text=True, timeout=300, cwd=repository,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (2 * MEMORY, 2 * MEMORY)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert [name for name, _, _ in rows] == list(WORST)
    for name, peak, seconds in rows:
        print(f"{name}: {peak / 2**20:.0f} MiB, {seconds:.1f} s")
        assert peak < MEMORY and seconds < 30, name
    assert "MemoryError" not in done.stdout, (
        done.stdout
    )  # parsed or refused because of its form, not for want of room


def test_terminal_commands_do_not_come_out_of_replies(tmp_path: Path) -> None:
    write(tmp_path / "reply", {"failure": ["ValueError", "x\x1b[2J\x9b", "line"]})
    assert read(tmp_path / "reply")["failure"] == ["ValueError", "x[2J", "line"]
