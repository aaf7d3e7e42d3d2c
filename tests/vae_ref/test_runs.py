"""Runs: exact resumption, refusals, atomic files, a true bound, the command line and the page."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vae_ref import recipes
from vae_ref import trainer as trainer_module
from vae_ref.checkpoint import FILE_NAME, load_checkpoint
from vae_ref.cli import main
from vae_ref.config import DEFAULTS, Config
from vae_ref.dogs import DogData, DogSet, load_paper
from vae_ref.errors import CourseError
from vae_ref.evaluation import calibrate, evaluate_model
from vae_ref.files import write_atomically, write_text
from vae_ref.networks import VAE
from vae_ref.tighter import bits_per_dim
from vae_ref.trainer import Trainer

SMALL = Config(latent_dim=4, batch_size=16, warmup_steps=5, num_validation=16, augmented=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> DogData:
    return load_paper(180, 24, cache=tmp_path_factory.mktemp("cache"))


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(run).model


class Killed(BaseException):
    """Stands for a process that dies."""


def test_a_killed_run_continues_bit_for_bit(data: DogData, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(trainer_module, "STEPS_PER_ROW", 3)
    monkeypatch.setattr(trainer_module, "ROWS_PER_VALIDATION", 2)
    straight = Trainer(SMALL, data, tmp_path / "straight").train(epochs=2)

    monkeypatch.setattr(trainer_module, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    real_step, taken = recipes.train_step, []

    def dying_step(*arguments):
        if len(taken) == 14:  # two steps after the last checkpoint, inside the second epoch
            raise Killed
        taken.append(1)
        return real_step(*arguments)

    monkeypatch.setattr(recipes, "train_step", dying_step)
    with pytest.raises(Killed):
        Trainer(SMALL, data, tmp_path / "killed").train(epochs=2)
    assert load_checkpoint(tmp_path / "killed").progress["step"] == 12
    monkeypatch.setattr(recipes, "train_step", real_step)
    torch.randn(99)  # whatever else happened to the global generator
    resumed = Trainer(SMALL, data, tmp_path / "killed").train(epochs=2)

    a, b = weights(tmp_path / "straight"), weights(tmp_path / "killed")
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    assert resumed.step == straight.step == 22 and resumed.images == straight.images == 2 * 164
    for mine, theirs in zip(
        resumed.history + resumed.validation, straight.history + straight.validation, strict=True
    ):
        mine.pop("seconds", None), theirs.pop("seconds", None)
        assert mine == theirs


def test_a_finished_run_stays_as_it_is(data: DogData, tmp_path: Path) -> None:
    Trainer(SMALL, data, tmp_path).train(epochs=1)
    before = weights(tmp_path)
    assert Trainer(SMALL, data, tmp_path).train(epochs=1).step == 11
    assert all(torch.equal(before[name], value) for name, value in weights(tmp_path).items())


@pytest.mark.parametrize(
    ("name", "value"), [("latent_dim", 5), ("seed", 1), ("learning_rate", 0.1), ("augmented", False)]
)
def test_other_settings_are_refused_by_name(data: DogData, tmp_path: Path, name: str, value) -> None:
    Trainer(SMALL, data, tmp_path).save()
    with pytest.raises(CourseError, match=rf"trained with {name} = .*, not {value}; .*--out") as error:
        Trainer(replace(SMALL, **{name: value}), data, tmp_path)
    assert "\n" not in str(error.value)


def test_other_data_are_refused(data: DogData, tmp_path: Path) -> None:
    Trainer(SMALL, data, tmp_path).save()
    with pytest.raises(CourseError, match="trained with data = "):
        Trainer(SMALL, replace(data, fingerprint="other"), tmp_path)


def test_a_loss_that_is_no_number_stops_with_a_remedy(data: DogData, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(recipes, "train_step", lambda *_: {"loss": float("nan")})
    with pytest.raises(CourseError, match=r"loss is nan at step 0; lower --learning-rate"):
        Trainer(SMALL, data, tmp_path).train(epochs=1)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut"])
def test_a_damaged_checkpoint_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(CourseError, match=r"cannot read .*checkpoint\.pt") as error:
        load_checkpoint(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("how", ["progress", "field", "config"])
def test_a_checkpoint_of_a_later_version_is_one_line(data: DogData, tmp_path: Path, how: str) -> None:
    Trainer(SMALL, data, tmp_path).save()
    content = torch.load(tmp_path / FILE_NAME, weights_only=True)
    {"progress": content["progress"], "field": content, "config": content["config"]}[how]["novelty"] = 1
    torch.save(content, tmp_path / FILE_NAME)
    with pytest.raises(CourseError, match=r"cannot read .*checkpoint\.pt .*novelty") as error:
        load_checkpoint(tmp_path)
    assert "\n" not in str(error.value)


def test_a_checkpoint_with_the_tensors_of_another_model_is_refused_by_name(
    data: DogData, tmp_path: Path
) -> None:
    trainer = Trainer(SMALL, data, tmp_path)
    trainer.save()
    content = torch.load(tmp_path / FILE_NAME, weights_only=True)
    content["model"]["encoder.mu.bias"] = torch.zeros(77)
    torch.save(content, tmp_path / FILE_NAME)
    says = r"is of another model: encoder.mu.bias is \(77,\) there, \(\d+,\) as its settings say"
    with pytest.raises(CourseError, match=says):
        load_checkpoint(tmp_path).build_model()
    with pytest.raises(CourseError, match=says):
        Trainer(SMALL, data, tmp_path)


def test_a_run_says_what_it_cost_and_whether_it_came_to_its_end(
    data: DogData, tmp_path: Path, monkeypatch
) -> None:
    progress = Trainer(SMALL, data, tmp_path).train(epochs=1)
    assert progress.finished and progress.cpu_seconds > 0 and "torch" in progress.machine
    longer = Trainer(SMALL, data, tmp_path)
    monkeypatch.setattr(longer, "_loop", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        longer.train(epochs=2)
    assert not longer.progress.finished


def test_a_checkpoint_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"format": 1, "config": Trap()}, tmp_path / FILE_NAME)
    with pytest.raises(CourseError, match="cannot read"):
        load_checkpoint(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_a_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_text(path, "old")

    def fail(file) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(CourseError, match="No space left on device; free some space"):
        write_atomically(path, fail)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


class Constant(VAE):
    """Ignores its code: every image is reconstructed as the same grey."""

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return torch.full((len(z), 3, 64, 64), 0.5) + 0 * z.sum()


class Smuggler(VAE):
    """Carries the image past the code."""

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.seen = x
        return super().encode(x)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return self.seen[: len(z)]


@pytest.mark.parametrize("kind", [Constant, Smuggler])
def test_the_swap_probe_reports_an_ignored_code(data: DogData, kind: type[VAE]) -> None:
    model = kind(4)
    calibrate(model, data.train)
    assert not evaluate_model(model, data.test).swap_probe.passed


def test_evaluation_is_a_bound_in_bits_for_uniform_images() -> None:
    # images of independent uniform levels have exactly 8 bits/dim of entropy: no honest bound is below
    images = torch.randint(0, 256, (64, 3, 64, 64), dtype=torch.uint8).numpy()
    dogs = DogSet(images, torch.zeros(64, dtype=torch.int64).numpy())
    model = Constant(2)
    calibrate(model, dogs)
    result = evaluate_model(model, dogs)
    # the best Gaussian for uniform pixels has σ = 1/√12: ½ log₂(2πe/12) + 8 = 8.2546
    assert result.sigma == pytest.approx(12**-0.5, rel=0.01)
    assert result.bits_per_dim - result.kl / 12288 / 0.6931 == pytest.approx(8.2546, abs=0.01)
    assert result.elbo == pytest.approx(-result.reconstruction - result.kl)
    assert result.bits_per_dim == pytest.approx(float(bits_per_dim(torch.tensor(result.elbo), 12288)))


def test_evaluation_does_not_depend_on_other_randomness(data: DogData) -> None:
    model = VAE(4)
    calibrate(model, data.train)
    first = evaluate_model(model, data.test)
    torch.randn(7)
    assert evaluate_model(model, data.test) == first
    assert evaluate_model(model, data.test, seed=1) != first


@pytest.mark.slow
def test_the_commands_from_training_to_the_page(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("vae_ref.runs.load_paper", lambda cache: load_paper(180, 40, cache=cache))
    run, out = str(tmp_path / "run"), tmp_path / "results"

    def says(command: str, *arguments: str, code: int = 0) -> str:
        """What a command prints when it ends with this code: its result, or why there is none."""
        capsys.readouterr()
        assert main([command, *arguments, "--cache", str(tmp_path / "cache")]) == code
        return capsys.readouterr()[code]

    says("train", "--data", "paper", "--out", run, "--minutes", "0.05")
    metrics = json.loads(says("evaluate", "--run", run, "--json"))
    assert metrics["num_images"] == 40 and metrics["split"] == "test"
    assert metrics["entropy_floor"] < metrics["bits_per_dim"] < 9
    says("report", "--run", run, "--out", str(out))
    again = json.loads((out / "metrics.json").read_text())
    assert again["bits_per_dim"] == pytest.approx(metrics["bits_per_dim"], abs=1e-6)
    mixed_up = says("evaluate", "--run", run, "--data", "stanford", code=1)
    assert "was trained on paper data, not on stanford" in mixed_up
    refused = says("train", "--data", "paper", "--out", run, "--seed", "3", code=1)
    assert refused.strip().split("\n")[-1].startswith(f"vae-ref: {run} was trained with seed = 0, not 3")

    assert "<!doctype html>" in (out / "index.html").read_text()
    assert sorted(path.name for path in out.iterdir()) == ["index.html", "metrics.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--data", "stanford", "--out", "x"], "get them with vae-ref data stanford --download"),
        (["train", "--data", "stanford", "--out", "x", "--root", "/nowhere"], "there is no folder /nowhere"),
        (["evaluate", "--run", "/nowhere"], "there is no checkpoint at /nowhere"),
    ],
)
def test_problems_are_one_line_and_exit_code_1(
    arguments: list[str], message: str, capsys, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize("option", ["--minutes=0", "--epochs=-1", "--seed=-1", "--epochs=1.5", "--data=cats"])
def test_senseless_options_are_refused(option: str, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", "--out", "x", option])
    assert stop.value.code == 2 and option.split("=")[0] in capsys.readouterr().err


def test_defaults_name_their_own_data() -> None:
    assert all(config.data == name for name, config in DEFAULTS.items())
