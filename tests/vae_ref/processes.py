"""Trainings in processes of their own, for tests that kill them. Run as a script: ``processes.py SCENE FOLDER``.

Importing torch takes seconds, so this process imports it once, never computes, and forks. It prints one line of JSON.
"""

from __future__ import annotations

import io
import json
import os
import random
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from vae_ref import trainer as trainer_module
from vae_ref.checkpoint import Progress, load_checkpoint
from vae_ref.config import Config
from vae_ref.devices import CPU
from vae_ref.dogs import load_paper
from vae_ref.networks import VAE
from vae_ref.parallel import Ranks, distribute, open_ranks, parallel_step
from vae_ref.sharper import TwoLevelVAE
from vae_ref.trainer import Trainer
from vae_ref.training import train_step

# 36 training images: the last batch of an epoch has 1, fewer than there are ranks
SMALL = Config(latent_dim=4, batch_size=5, num_validation=4, augmented=True, rate=3.0)
KILLS = 10


def fork(work: Callable[[], object]) -> int:
    """Do something in a child and return its process id; the child ends with code 0 if nothing was raised."""
    child = os.fork()
    if child:
        return child
    try:
        torch.set_num_threads(1)
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def train(run: Path, cache: Path, epochs: int, ranks: Ranks | None = None, **config: object) -> Progress:
    """Train with a checkpoint after every second step, and watch from time to time."""
    trainer_module.STEPS_PER_ROW, trainer_module.ROWS_PER_VALIDATION = 2, 3
    trainer_module.SECONDS_BETWEEN_CHECKPOINTS = 0
    data = load_paper(40, 4, cache=cache)
    return Trainer(replace(SMALL, **config), data, run, ranks=ranks).train(epochs=epochs)


def die_at_event(events: int) -> None:
    """Kill this process at an event: a batch that is taken, or a twentieth of a checkpoint that is written."""
    left = iter(range(events))
    save, take = torch.save, trainer_module.take

    def count() -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    def save_in_pieces(content: object, file: io.BufferedIOBase) -> None:
        buffer = io.BytesIO()
        save(content, buffer)
        whole = buffer.getvalue()
        for start in range(0, len(whole), len(whole) // 20 + 1):
            file.write(whole[start : start + len(whole) // 20 + 1])
            file.flush()
            count()

    def take_and_count(*arguments: object) -> object:
        count()
        return take(*arguments)

    torch.save, trainer_module.take = save_in_pieces, take_and_count


def kill_nine(folder: Path) -> dict[str, object]:
    """Kill a training at ten random moments and let it finish; beside it one that nobody disturbs."""
    cache, killed = folder / "cache", folder / "killed"
    statuses = [os.waitpid(fork(lambda: train(folder / "straight", cache, 2)), 0)[1]]
    # moments are counted in events, not in seconds, so that they strike as well on a busy machine; between two
    # checkpoints lie 22 events, so some of the trainings get on and some do not
    moments = random.Random(0).choices(range(1, 36), k=KILLS)

    def doomed(moment: int) -> None:
        die_at_event(moment)
        train(killed, cache, 2)

    torn = 0
    for moment in moments:
        statuses.append(os.waitpid(fork(lambda moment=moment: doomed(moment)), 0)[1])
        torn += any(killed.glob(".*.tmp"))
    reached = load_checkpoint(killed).progress["step"]
    statuses.append(os.waitpid(fork(lambda: train(killed, cache, 2)), 0)[1])
    return {"statuses": statuses, "torn": torn, "reached": reached}


def on_ranks(work: Callable[[Ranks], object], count: int) -> list[int]:
    """Do something on some ranks at once and return their exit statuses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def on_rank(rank: int) -> None:
        place = {"RANK": rank, "WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        os.environ.update({name: str(value) for name, value in place.items()})
        with open_ranks(CPU) as ranks:
            work(ranks)

    children = [fork(lambda rank=rank: on_rank(rank)) for rank in range(count)]
    return [os.waitpid(child, 0)[1] for child in children]


def die_after(steps: int) -> None:
    """Let this process kill itself when it is about to take one more step."""
    real_step, taken = trainer_module.parallel_step, []

    def dying_step(*arguments: object) -> dict[str, float]:
        if len(taken) == steps:
            os.kill(os.getpid(), signal.SIGKILL)
        taken.append(1)
        return real_step(*arguments)

    trainer_module.parallel_step = dying_step


def steps(ranks: Ranks, path: Path) -> None:
    """Take steps with whole and short batches, in float64, and keep the weights after them."""
    states = {}
    for kind in (VAE, TwoLevelVAE):
        torch.manual_seed(0)
        model = kind(3).double()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
        wrapped = distribute(model, ranks) if ranks.count > 1 else None
        for size in (5, 3, 1):
            x = torch.rand(size, 3, 64, 64, dtype=torch.float64)
            if wrapped is None:
                terms = train_step(model, x, optimizer, 0.7)
            else:
                terms = parallel_step(wrapped, x, optimizer, 0.7, ranks)
            states[f"{kind.__name__} terms {size}"] = torch.tensor(list(terms.values()), dtype=torch.float64)
        states.update({f"{kind.__name__} {name}": value for name, value in model.state_dict().items()})
    if ranks.rank == 0:
        torch.save(states, path)


def several_ranks(folder: Path) -> dict[str, object]:
    """Train on one and on several ranks; kill all of them on the way; come back."""
    cache = folder / "cache"
    os.waitpid(fork(lambda: load_paper(40, 4, cache=cache)), 0)
    result: dict[str, object] = {"steps1": os.waitpid(fork(lambda: steps(Ranks(), folder / "steps1")), 0)[1]}
    for count in (2, 3):
        result[f"steps{count}"] = on_ranks(
            lambda ranks, count=count: steps(ranks, folder / f"steps{count}"), count
        )
        result[f"straight{count}"] = on_ranks(
            lambda ranks, count=count: train(folder / f"straight{count}", cache, 2, ranks), count
        )

        def dying(ranks: Ranks, count: int = count) -> None:
            die_after(11)
            train(folder / f"killed{count}", cache, 2, ranks)

        result[f"killed{count}"] = on_ranks(dying, count)
        result[f"resumed{count}"] = on_ranks(
            lambda ranks, count=count: train(folder / f"killed{count}", cache, 2, ranks), count
        )
    return result


if __name__ == "__main__":
    scene, folder = sys.argv[1], Path(sys.argv[2])
    if scene == "torchrun":
        with open_ranks(CPU) as ranks:
            progress = train(folder / "run", folder / "cache", 1, ranks)
        if ranks.rank == 0:
            print(json.dumps({"ranks": ranks.count, "steps": progress.step}))
    else:
        print(json.dumps({"kill_nine": kill_nine, "several_ranks": several_ranks}[scene](folder)))
