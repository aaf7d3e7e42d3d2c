"""What crosses the wall is data, whatever the other side writes."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from autograder.both_sides.wire import MAX_DEPTH, MAX_TENSORS, Seed, WireError, read, write

legible = st.characters(exclude_categories=["Cs", "Cc", "Cf"])  # what arrives of a text
plain = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False)
    | st.text(legible, max_size=20)
)
trees = st.recursive(
    plain,
    lambda t: st.lists(t, max_size=3) | st.dictionaries(st.text(legible, max_size=5), t, max_size=3),
    max_leaves=8,
)
any_time = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@any_time
@given(trees)
def test_plain_values_come_back_as_they_were(tmp_path: Path, tree: object) -> None:
    path = tmp_path / "message.safetensors"
    try:
        write(path, tree)
    except WireError:
        return  # nested too deeply to travel
    assert read(path) == tree


def test_what_no_file_can_hold_does_not_arrive(tmp_path: Path) -> None:
    write(tmp_path / "message.safetensors", ["a\0b", "\0"])
    assert read(tmp_path / "message.safetensors") == ["ab", ""]


def test_tensors_come_back_as_they_were(tmp_path: Path) -> None:
    tensors = [
        torch.randn(3, 4).t(),  # not contiguous
        torch.zeros(0, 5), torch.tensor(2.0), torch.arange(6).reshape(2, 3), torch.tensor([True, False]),
        torch.tensor([float("nan"), float("inf")], dtype=torch.float64), torch.randn(2).bfloat16(),
    ]  # fmt: skip
    write(tmp_path / "m.safetensors", {"all": tensors, "seed": Seed(3)})
    tree = read(tmp_path / "m.safetensors")
    assert tree["seed"] == Seed(3)
    for sent, got in zip(tensors, tree["all"], strict=True):
        assert got.dtype == sent.dtype and got.shape == sent.shape
        assert torch.equal(got.nan_to_num(), sent.nan_to_num())


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, lambda: None, b"bytes", torch.nn.Linear(1, 1)], ids=lambda v: type(v).__name__
)
def test_other_things_do_not_travel(tmp_path: Path, value: object) -> None:
    with pytest.raises(WireError):
        write(tmp_path / "m.safetensors", [value])


def message(tree: object, count: int = 1, shape: tuple[int, ...] = (1,)) -> bytes:
    text = tree if isinstance(tree, str) else json.dumps(tree)
    return save({f"t{i}": torch.zeros(shape) for i in range(count)}, metadata={"tree": text})


def nested(depth: int) -> object:
    tree: object = {"plain": 1}
    for _ in range(depth):
        tree = {"list": [tree]}
    return tree


class Bomb:
    def __reduce__(self) -> tuple:
        return os.system, ("touch pickled",)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\0" * 100, b"not a message", pickle.dumps(Bomb()),
        struct.pack("<Q", 2**63) + b"{}", struct.pack("<Q", 40) + b"{" * 40,
        message("[" * 100_000), message(nested(MAX_DEPTH + 1)), message({"tensor": "nowhere"}),
        message({"plain": [1]}), message({"float": 1}), message({"seed": "x"}), message({"list": 3}), message(3),
        message({"plain": 1, "float": "0x0p+0"}), message({"plain": 1}, MAX_TENSORS + 1),
        message({"plain": 1}, shape=(1,) * 12), message("x" * 300_000), message('{"plain": NaN}'),
        message({"float": "1" * 1000 + "x"}),
    ],
    ids=lambda content: repr(content[:12]),
)  # fmt: skip
def test_what_is_no_message_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(WireError):
        read(path)
    assert not Path("pickled").exists()


@any_time
@given(st.binary(max_size=300))
def test_random_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(WireError):
        read(path)


@any_time
@given(st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_a_damaged_message_is_a_message_or_refused(tmp_path: Path, place: int, noise: bytes) -> None:
    content = bytearray(message({"list": [{"tensor": "t0"}, {"plain": "x"}]}))
    content[place : place + len(noise)] = noise
    path = tmp_path / "m.safetensors"
    path.write_bytes(bytes(content))
    with contextlib.suppress(WireError):
        read(path)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.complex64])
def test_exotic_numbers_are_refused(tmp_path: Path, dtype: torch.dtype) -> None:
    write(tmp_path / "m.safetensors", torch.zeros(3).to(dtype))
    with pytest.raises(WireError):
        read(tmp_path / "m.safetensors")


def test_halves_of_characters_and_nul_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(message('{"plain": "a\\ud800\\u0000b"}'))
    assert read(tmp_path / "m") == "a?b"


def test_links_pipes_folders_and_large_files_are_refused(tmp_path: Path) -> None:
    real = tmp_path / "real"
    write(real, 1)
    (tmp_path / "link").symlink_to(real)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder", "missing"):
        with pytest.raises(WireError):
            read(tmp_path / name)
    with pytest.raises(WireError, match="at most"):
        read(real, max_bytes=10)
