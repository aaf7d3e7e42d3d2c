"""RESULTS.md from results.json: every number a person wants to see, with how it was measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

from benchmarks.contestants import CONTESTANTS
from benchmarks.targets import Results, targets

TITLES = {name: contestant.title for name, contestant in CONTESTANTS.items()}

PEERS = """## Peers

* AntixK/PyTorch-VAE, VanillaVAE: written anew from its layer list and settings at commit a6896b9 (latent 128, batch
  64, Adam at 0.005 times 0.95 each epoch, KL weight 0.00025); pictures on [-1, 1], for its tanh.
* pythae 0.1.2 from PyPI, unchanged, with its defaults (batch 64, Adam at 0.0001): the fully connected net that it
  builds by itself (latent 10), and the convolutional net that it ships for 64×64 (latent 64, as in its documentation).
* Losses on the net of `vae_ref`, with its optimiser, schedule and precision: binary cross-entropy and KL summed as in
  pytorch/examples at commit 77f55b9; the same with cross-entropy averaged over pixels, a common mistake; half the
  squared error, which is the bound with σ = 1.

Nets of others train in float32, as published; the speed table has them in bfloat16, too.
"""

SPEED_NOTE = """Forward, backward and optimiser step on 64×64 pictures, everybody in turns in one process;
medians over rounds, smallest and largest in brackets. “×” is how many times as fast the reference is, as it
trains by itself ({own}). Operations are counted by torch.utils.flop_counter (matrix products and
convolutions, forward and backward); the peak is the fastest square matrix product of this very run:
{peaks}. pythae builds the fully connected net when it is given none; the convolutional net is the one it
ships for 64×64."""

QUALITY_NOTE = """After {cpu:.0f} seconds of processor time each (one thread, training only), {seeds} seeds,
mean ± standard deviation; {images} pictures of the test side. “Own” is the density that a loss stands for:
a Gaussian with σ = 1 for half the squared error; with σ = {antixk:.2f} for AntixK's mean squared error on
[-1, 1] with its weight of the KL (the σ for which that loss is a bound, see `peers.antixk_sigma`); the
fitted shared σ for the reference. Cross-entropy is no density of grey values, so it is given the constant
that makes it one (continuous Bernoulli). “Refitted” is the kindest reading: the net as trained, with the
best shared σ, fitted on training pictures, for everybody. All likelihoods are of dequantised pixels,
uniform in each grey level; 8 bits/dim is what a uniform density costs. The KL is the rate, also as an ideal
code length in bytes a picture. PSNR is of reconstructions from mean codes; “swapped” decodes another
picture's code: where the two are close, the code is ignored. A net that sees few pictures in this time, see
the last column, shows how slow it is, not how good it can become."""


def render(results: Results) -> str:
    """The page.

    Args:
        results: the content of results.json; parts may be missing.
    """
    sections = ["# Benchmarks\n\nWritten by `make bench DATA=folder-with-Stanford-Dogs`; do not edit.\n"]
    rows = [
        (t.what, t.wanted, t.measured, "yes" if t.reached else "**no**") for t in targets(results, TITLES)
    ]
    if rows:
        sections.append("## Targets\n\n" + table(("what", "wanted", "measured", "reached"), rows))
    parts = {
        "throughput": _speed,
        "memory": _memory,
        "quality": _quality,
        "wall": _wall,
        "checks": _checks,
        "false-failures": _false_failures,
        "grading": _grading,
        "class": _class,
    }
    sections += [section(results[part]) for part, section in parts.items() if part in results]
    return "\n".join([*sections, PEERS])


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    lines = [list(map(str, head)), *(list(map(str, row)) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _where(part: Results) -> str:
    m = part["machine"]
    photos = {"stanford": "Stanford Dogs", "paper": "Paper Dogs"}[part["data"]]
    return (
        f"*{m['processor']}; {m['cores']} cores; torch {m['torch']}, Python {m['python']}; "
        f"{photos}; {m['date']}; load before {part['load_before']:.1f}.*\n"
    )


def _range(values: dict[str, float]) -> str:
    return f"{_number(values['median'])} ({_number(values['min'])} to {_number(values['max'])})"


def _number(value: float) -> str:
    """Three digits that count, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _speed(part: Results) -> str:
    found = part["found"]
    peaks = ", ".join(f"{v / 1e9:.0f} GFLOP/s in {k}" for k, v in found["gemm_flops_per_second"].items())
    rows = [
        (
            TITLES[entry["name"]] + (" **(as it trains)**" if key == found["own"] else ""),
            entry["precision"],
            entry["batch_size"],
            f"{entry['parameters'] / 1e6:.2f} M",
            f"{entry['flops_per_image'] / 1e9:.3f}",
            _range(entry["images_per_second"]),
            _number(entry["vae_ref_is_faster_by"]["median"]),
            f"{entry['share_of_gemm_peak']:.0%}",
        )
        for key, entry in found["entries"].items()
    ]
    head = ("who", "precision", "batch", "parameters", "GFLOP/image", "images/s", "×", "share of peak")
    feeding = _range(found["feeding_images_per_second"])
    return (
        f"## Speed\n\n{_where(part)}\n{SPEED_NOTE.format(own=found['own'], peaks=peaks)}\n\n{table(head, rows)}\n"
        f"Feeding (memory map to augmented floats): {feeding} images/s, "
        f"{found['feeding_share_of_step']['median']:.1%} of a step.\n"
    )


def _memory(part: Results) -> str:
    found = "; ".join(
        f"{model} {used['training_bytes'] / 1e9:.2f} GB, of which {used['imports_and_data_bytes'] / 1e9:.2f} GB were "
        "there before it began"
        for model, used in part["found"].items()
    )
    return (
        f"## Memory\n\n{_where(part)}\nLargest resident set of a training with validation and checkpoint: {found} "
        "(Python, torch, the opened data). Decoded pictures are mapped, not loaded: the pages in use count, and the "
        "system takes them back when it needs room.\n"
    )


def _quality(part: Results) -> str:
    runs = part["found"]
    rows = []
    for name, title in TITLES.items():
        own = [run for run in runs if run["name"] == name]
        if own:
            rows.append((title, *_scores(own)))
    head = (
        "who", "bits/dim, own", "bits/dim, refitted", "KL nats", "bytes", "PSNR dB", "swapped dB", "SSIM",
        "active units", "pictures seen",
    )  # fmt: skip
    note = QUALITY_NOTE.format(
        cpu=min(run["cpu_seconds"] for run in runs),
        seeds=len({run["seed"] for run in runs}),
        images=runs[0]["num_images"],
        antixk=CONTESTANTS["antixk"].own_sigma,
    )
    return f"## Quality\n\n{_where(part)}\n{note}\n\n{table(head, rows)}"


def _scores(runs: list[Results]) -> list[str]:
    def cell(key: str, digits: int) -> str:
        values = [run[key] for run in runs]
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        return f"{statistics.fmean(values):.{digits}f} ± {deviation:.{digits}f}"

    return [
        cell("bits_per_dim_own", 3),
        cell("bits_per_dim_refitted", 3),
        cell("kl", 1),
        cell("rate_bytes", 1),
        cell("psnr", 2),
        cell("psnr_swapped", 2),
        cell("ssim", 3),
        f"{cell('active_units', 0)} of {runs[0]['latent_dim']}",
        f"{statistics.fmean(run['images_seen'] for run in runs):.0f}",
    ]


def _wall(part: Results) -> str:
    found: dict[str, Any] = part["found"]
    walled, local = found["behind_the_wall"], found["in_this_process"]
    rows = [
        ("a sandbox of its own, up and down again", _range(found["start_and_stop_ms"]), ""),
        ("a forked kernel, up and down again", _range(found["fork_and_stop_ms"]), ""),
        ("the first cell, which imports torch", _number(found["import_torch_cell_ms"]), ""),
        ("a small cell", _range(walled["cell_ms"]), ""),
        ("a call with a small tensor", _range(walled["small_call_ms"]), _range(local["small_call_ms"])),
        (
            "a call with ten million numbers",
            _range(walled["ten_million_floats_ms"]),
            _range(local["ten_million_floats_ms"]),
        ),
    ]
    head = ("milliseconds", "behind the wall", "without")
    return f"## The wall around learners' code\n\n{_where(part)}\n{table(head, rows)}"


CHECKS_NOTE = """How long a learner waits for a verdict, in milliseconds, in a process of two threads like that of a
notebook: the reference, and every known mistake, which has to be recognised. “First” is the slowest call that finds
something out for the first time in a process: what a right answer is, what known mistakes make of it. All others are
summarised; “processor” is their median in processor time, which other programs on the machine do not change."""


def _checks(part: Results) -> str:
    rows = [
        (
            f"`{name}`",
            *(
                _number(found[side][key])
                for side in ("passing", "failing")
                for key in ("first", "median", "p95", "processor")
            ),
        )
        for name, found in part["found"].items()
    ]
    sides = [
        f"{side}: {key}" for side in ("right", "wrong") for key in ("first", "median", "p95", "processor")
    ]
    return f"## Checks in a notebook\n\n{_where(part)}\n{CHECKS_NOTE}\n\n{table(('check', *sides), rows)}"


LUCK_NOTE = """Right answers judged again and again, each time with other questions and other noise: the reference, and
as many times the other right answers in turn. A comparison fails beyond 6.5 standard errors. That none did says little
about a rate of one in a million, so the tail is shown too: how many comparisons were further than that many standard
errors away, and in brackets how many would be if they were exactly normal. The argument for the rate is in
`autograder/checks`."""


def _false_failures(part: Results) -> str:
    rows = [
        (
            f"`{name}`",
            f"{found['judgements']:,}",
            f"{found['comparisons']:,}",
            found["failures"],
            f"{found['largest']:.2f}",
            *(f"{count:,} ({_number(found['normal'][limit])})" for limit, count in found["beyond"].items()),
        )
        for name, found in part["found"].items()
    ]
    beyond = [f"> {float(limit):g}" for limit in next(iter(part["found"].values()))["beyond"]]
    head = ("check", "judgements", "comparisons", "failures", "largest", *beyond)
    return f"## Bad luck\n\n{_where(part)}\n{LUCK_NOTE}\n\n{table(head, rows)}"


GRADING_NOTE = """{hand_ins} hand-ins of assignment 02, copies of the solution; whole commands, everybody in turns,
medians of seconds a hand-in, smallest and largest in brackets. nbgrader is stock, without this course's configuration;
otter-grader is 7.0.0 by `otter.api.grade_submission`, one hand-in after the other in one process. Both run learners'
code without a wall. The own work of cells and checks, in a process that has imported everything, takes {own:.2f}
seconds: nobody can be faster with one worker."""


def _grading(part: Results) -> str:
    found = part["found"]
    times, own = found["seconds_a_hand_in"], found["own_work_seconds"]
    rows = [
        (
            title if title in ("nbgrader", "otter-grader") else f"`autograder grade`, {title}",
            _range(seconds),
            _number(60 / seconds["median"]),
            *(f"{times[other]['median'] / seconds['median']:.1f}×" for other in ("nbgrader", "otter-grader")),
            f"{own / seconds['median']:.0%}",
        )
        for title, seconds in times.items()
    ]
    head = ("who", "seconds", "a minute", "against nbgrader", "against otter-grader", "share of own work")
    note = GRADING_NOTE.format(hand_ins=found["hand_ins"], own=own)
    return f"## Grading\n\n{_where(part)}\n{note}\n\n{table(head, rows)}"


CLASS_NOTE = """{hand_ins:,} hand-ins with {workers} workers in {minutes:.1f} minutes, imports and intake included;
{in_gradebook:,} of them are in the gradebook, {full_marks:,} with full marks. The driver writes the gradebook while
the workers grade, which takes it {driver:.2f} seconds of processor time a hand-in. Its own memory stayed below
{private:.0f} MB, its resident set, with the pages of libraries that every process here shares, below {resident:.0f} MB.
Seconds after the start at which each tenth was done:"""


def _class(part: Results) -> str:
    found = part["found"]
    note = CLASS_NOTE.format(
        **found,
        minutes=found["seconds"] / 60,
        driver=found["driver_processor_seconds"] / found["hand_ins"],
        private=found["driver_private_bytes"] / 1e6,
        resident=found["driver_resident_bytes"] / 1e6,
    )
    tenths = found["tenths"]
    rows = [tuple(f"{second:,.0f}" for second in tenths)]
    head = tuple(f"{tenth} %" for tenth in range(10, 101, 10))
    each = (tenths[-1] - tenths[0]) / (0.9 * found["hand_ins"])
    large = 100_000
    driver = found["driver_processor_seconds"] / found["hand_ins"]
    paper = (
        f"On paper, {large:,} hand-ins on such machines: {each * large / 3600:.0f} machine hours, which machines can "
        f"share, of which {driver * large / 3600:.0f} hours belong to the one driver that writes the gradebook."
    )
    return f"## A large class\n\n{_where(part)}\n{note}\n\n{table(head, rows)}\n{paper}\n"
