"""How much a submission may use."""

from __future__ import annotations

from dataclasses import dataclass

JUDGING_SECONDS = 120.0  # that the judge may work beyond the total of a submission


@dataclass(frozen=True)
class Limits:
    """Bounds of one submission's process; what breaks one is stopped and recorded, never waited for."""

    start_seconds: float = 60.0  # for the kernel to come up
    cell_seconds: float = 60.0  # one cell of the notebook
    call_seconds: float = 10.0  # one call of a learner's function
    total_seconds: float = 600.0  # the whole submission
    memory_bytes: int = 4 * 2**30  # private memory of one process, who gets a MemoryError beyond
    all_memory_bytes: int = 6 * 2**30  # of all processes together, which are ended beyond
    file_bytes: int = 256 * 2**20  # one file, and each of the temporary folders
    outbox_bytes: int = 512 * 2**20  # all that waits to be read outside
    processes: int = 256
    output_characters: int = 20_000  # text that one cell may show
    output_images: int = 8
    outputs: int = 100  # pieces of output that one cell may show
    image_bytes: int = 2 * 2**20
    all_characters: int = 400_000  # text of all cells together
    all_image_bytes: int = 32 * 2**20  # pictures of all cells together
