"""What the reference has to reach, and whether the measurements say so."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any, NamedTuple

Results = dict[str, Any]

SPEED_RATIOS = {"antixk": 6.0, "pythae-conv": 100.0}
SHARES_OF_PEAK = {"float32": 0.75, "bfloat16": 0.55}
FEEDING_SHARE = 0.03
PEAK_MEMORY = 1.5e9  # bytes
BITS_PER_DIM_MARGIN = 0.5
GRADING_RATIOS = (
    ("one worker", "nbgrader", 4.0),
    ("two workers", "nbgrader", 6.0),
    ("two workers", "otter-grader", 8.0),
)
DRIVER_MEMORY = 500e6  # bytes
GROWTH = 1.2  # time is to grow linearly with the class


class Target(NamedTuple):
    """One row: what, the bound in words, the measured value in words, reached or not."""

    what: str
    wanted: str
    measured: str
    reached: bool


def targets(results: Results, titles: dict[str, str]) -> list[Target]:
    """Compare what was measured with what was wanted; parts that were not measured give no rows.

    Args:
        results: the content of results.json.
        titles: names of contestants for people, by key.
    """
    rows: list[Target] = []
    if "throughput" in results:
        rows += _speed(results["throughput"]["found"], titles)
    if "memory" in results:
        used = max(found["training_bytes"] for found in results["memory"]["found"].values())
        rows.append(
            Target("peak memory of training", "≤ 1.5 GB", f"{used / 1e9:.2f} GB", used <= PEAK_MEMORY)
        )
    if "grading" in results:
        rows += _grading(results["grading"]["found"]["seconds_a_hand_in"])
    if "class" in results:
        rows += _class(results["class"]["found"])
    if "wall" in results:
        rows += _wall(results["wall"]["found"])
    if "quality" in results:
        rows += _quality(results["quality"]["found"], titles)
    return rows


def _speed(found: Results, titles: dict[str, str]) -> Iterator[Target]:
    entries = found["entries"].values()
    for name, wanted in SPEED_RATIOS.items():
        published = next(e for e in entries if e["name"] == name)  # as published comes first
        ratio = published["vae_ref_is_faster_by"]["median"]
        what = f"training speed against {titles[name]}, each as published"
        yield Target(what, f"≥ {wanted:g}×", f"{ratio:.3g}×", ratio >= wanted)
    for precision, wanted in SHARES_OF_PEAK.items():
        own = [e for e in entries if e["name"] == "vae_ref" and e["precision"] == precision]
        if own:
            share = max(e["share_of_gemm_peak"] for e in own)
            what = f"share of the machine's {precision} matrix product"
            yield Target(what, f"≥ {wanted:.0%}", f"{share:.0%}", share >= wanted)
    share = found["feeding_share_of_step"]["median"]
    yield Target("data feeding, share of a step", "< 3 %", f"{share:.1%}", share < FEEDING_SHARE)


def _grading(seconds: Results) -> Iterator[Target]:
    for who, other, wanted in GRADING_RATIOS:
        ratio = seconds[other]["median"] / seconds[who]["median"]
        what = f"hand-ins a minute against {other}, {who}"
        yield Target(what, f"≥ {wanted:g}×", f"{ratio:.1f}×", ratio >= wanted)


def _class(found: Results) -> Iterator[Target]:
    lost = found["hand_ins"] - found["in_gradebook"]
    yield Target(f"lost of {found['hand_ins']:,} hand-ins", "0", str(lost), lost == 0)
    used = found["driver_private_bytes"]
    yield Target("memory of the driver meanwhile", "< 500 MB", f"{used / 1e6:.0f} MB", used < DRIVER_MEMORY)
    done = found["tenths"]
    ratio = (done[9] - done[4]) / (done[4] - done[0]) * 4 / 5
    yield Target("time of a later hand-in against an earlier one", "≤ 1.2×", f"{ratio:.2f}×", ratio <= GROWTH)


def _wall(found: Results) -> Iterator[Target]:
    overhead = found["small_call_overhead_ms"]
    yield Target("a small call, more than without a wall", "≤ 15 ms", f"{overhead:.1f} ms", overhead <= 15)
    large = found["behind_the_wall"]["ten_million_floats_ms"]["median"]
    yield Target("ten million numbers through the wall", "≤ 150 ms", f"{large:.0f} ms", large <= 150)


def _quality(runs: list[Results], titles: dict[str, str]) -> Iterator[Target]:
    means = {name: mean_scores(runs, name) for name in titles if any(r["name"] == name for r in runs)}
    own = means.pop("vae_ref")
    if not means:
        return
    nearest = min(means, key=lambda name: means[name]["bits_per_dim_own"])
    margin = means[nearest]["bits_per_dim_own"] - own["bits_per_dim_own"]
    what = f"bits/dim below every peer's own likelihood (nearest: {titles[nearest]})"
    yield Target(what, "≥ 0.5", f"{margin:.2f}", margin >= BITS_PER_DIM_MARGIN)
    nearest = max(means, key=lambda name: means[name]["psnr"])
    margin = own["psnr"] - means[nearest]["psnr"]
    yield Target(
        f"PSNR above every peer's (nearest: {titles[nearest]})", "> 0 dB", f"{margin:+.2f} dB", margin > 0
    )


def mean_scores(runs: list[Results], name: str) -> dict[str, float]:
    """Means over seeds of all that is a number, for one contestant."""
    own = [run for run in runs if run["name"] == name]
    numbers = [key for key, value in own[0].items() if isinstance(value, (int, float))]
    return {key: statistics.fmean(run[key] for run in own) for key in numbers}
