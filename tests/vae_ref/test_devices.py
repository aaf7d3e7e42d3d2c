"""Devices: which one is taken, what is refused, and random numbers that come back."""

import pytest
import torch

from vae_ref import devices
from vae_ref.devices import choose_device
from vae_ref.errors import CourseError


@pytest.mark.parametrize(
    ("cuda", "mps", "wanted"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_takes_the_fastest_device_there_is(monkeypatch, cuda: bool, mps: bool, wanted: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto").type == wanted
    assert choose_device("cpu").type == "cpu"


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(monkeypatch, name: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(CourseError, match=f"no {name} device .*--device cpu"):
        choose_device(name)


def test_random_states_come_back() -> None:
    states = devices.random_states(devices.CPU)
    first = torch.rand(2)
    # a run that was trained on another device brings a state that the processor cannot use
    devices.restore_random_states({**states, "cuda": torch.zeros(1)}, devices.CPU)
    assert torch.equal(torch.rand(2), first)
