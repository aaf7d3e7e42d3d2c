"""The machine that was measured on: what it is, and how fast it multiplies matrices."""

from __future__ import annotations

import os
import platform
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import torch

GEMM_SIZES = (512, 768, 1024, 1536, 2048, 3072)
SECONDS_PER_GEMM = 0.15


def describe() -> dict[str, object]:
    """Processor, cores, threads, versions and day; nothing that names the machine or its folders."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return platform.processor() or platform.machine()
    text = cpuinfo.read_text()
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    features = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f" {flag} " in f"{text} "]
    return ", ".join([name.group(1).strip() if name else platform.machine(), *features])


def gemm_flops(size: int, dtype: torch.dtype, seconds: float = SECONDS_PER_GEMM) -> float:
    """Floating-point operations a second of the product of two square matrices.

    Args:
        size: rows and columns.
        dtype: of the matrices, for instance torch.float32 (sgemm) or torch.bfloat16.
        seconds: how long to multiply at least.
    """
    a, b = (torch.rand(size, size).to(dtype) for _ in range(2))
    product = a @ b  # the first one finds out which kernel to use
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds or count == 0:
        torch.mm(a, b, out=product)
        count += 1
    return 2 * size**3 * count / elapsed
