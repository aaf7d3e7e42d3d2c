"""Where to compute: processor, CUDA or Apple's MPS, the number format each is fast in, and its random numbers."""

from __future__ import annotations

import platform
import re
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from vae_ref.errors import CourseError

CPU = torch.device("cpu")


def choose_device(name: str) -> torch.device:
    """Turn the name of a device into one that is there.

    Args:
        name: "cpu", "cuda", "mps", or "auto" for the first of CUDA, MPS and the processor.

    Raises:
        CourseError: this machine, or this build of torch, has no such device.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(name for name, there in available.items() if there)
    if not available[name]:
        raise CourseError(f"torch finds no {name} device on this machine; use --device auto or --device cpu")
    return torch.device(name)


def bfloat16_is_native() -> bool:
    """Whether the processor computes in bfloat16 itself; emulated it is slower than float32."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return False
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE)
    return bool(flags and {"avx512_bf16", "amx_bf16", "bf16"} & set(flags.group(1).split()))


def machine() -> str:
    """Processor, threads and torch version: what a speed was measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    found = (
        re.search(r"^model name\s*:\s*(.*)$", cpuinfo.read_text(), re.MULTILINE)
        if cpuinfo.is_file()
        else None
    )
    name = found.group(1) if found else platform.processor() or platform.machine()
    return f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def autocast(device: torch.device = CPU) -> AbstractContextManager[object]:
    """Compute the layers in bfloat16 where that is fast; the terms of the bound stay float32 either way."""
    fast = {
        "cpu": bfloat16_is_native,
        "cuda": lambda: torch.cuda.is_bf16_supported(including_emulation=False),
    }
    enabled = fast[device.type]() if device.type in fast else False
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def random_states(device: torch.device) -> dict[str, torch.Tensor]:
    """States of the global generators that a training on a device draws from: the processor's and its own."""
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device).get_rng_state()
    return states


def restore_random_states(states: dict[str, torch.Tensor], device: torch.device) -> None:
    """Undo what was drawn since ``random_states``. A run that has moved draws new noise on its new device."""
    torch.set_rng_state(states["cpu"])
    if device.type != "cpu" and device.type in states:
        torch.get_device_module(device).set_rng_state(states[device.type])
