"""Kinds of models and likelihoods: what they start from, what they keep, what they refuse, and that runs come back."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vae_ref import trainer as trainer_module
from vae_ref.checkpoint import FILE_NAME, load_checkpoint
from vae_ref.cli import main
from vae_ref.commands import train as command
from vae_ref.config import DEFAULTS, TWO_LEVEL, VAE_GAN_LEARNING_RATE, Config, sharpened, under_spectrum
from vae_ref.dogs import DogData, DogSet, load_paper
from vae_ref.errors import CourseError
from vae_ref.models import build_model
from vae_ref.parallel import Ranks
from vae_ref.sharper import TwoLevelVAE
from vae_ref.structured import RunningSpectrum, structured_step
from vae_ref.tighter import SpectrumLikelihood, WienerFilter, dequantise, to_middle
from vae_ref.trainer import Trainer, split_validation

SMALL = Config(latent_dim=3, batch_size=8, num_validation=4, warmup_steps=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> DogData:
    return load_paper(44, 4, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def finished(data: DogData, tmp_path_factory) -> Path:
    """A finished run of a plain VAE."""
    run = tmp_path_factory.mktemp("runs") / "vae"
    Trainer(SMALL, data, run).train(epochs=1)
    return run


def test_kinds_are_built_by_name(finished: Path) -> None:
    torch.manual_seed(0)
    assert type(build_model(SMALL)).__name__ == "VAE"
    two_level = build_model(replace(SMALL, model="two-level"))
    assert isinstance(two_level, TwoLevelVAE) and two_level.top_dim == 3
    assert type(build_model(sharpened(SMALL, str(finished)))).__name__ == "VAE"


@pytest.mark.parametrize("settings", [{"model": "two-level"}, {"likelihood": "spectrum", "rate": 5.0}])
def test_every_kind_comes_back_bit_for_bit(
    settings: dict[str, object], data: DogData, tmp_path: Path, monkeypatch
) -> None:
    resume_like_a_straight_run(replace(SMALL, **settings), data, tmp_path, monkeypatch)


def test_a_vae_gan_comes_back_bit_for_bit(data: DogData, finished: Path, tmp_path: Path, monkeypatch) -> None:
    config = sharpened(SMALL, str(finished))
    assert config.learning_rate == VAE_GAN_LEARNING_RATE
    resume_like_a_straight_run(config, data, tmp_path, monkeypatch)
    saved, start = load_checkpoint(tmp_path / "straight"), load_checkpoint(finished)
    assert saved.extra.keys() == {"discriminator", "discriminator_optimizer"}
    assert {"generator", "discriminator", "feature_matching"} <= saved.progress["history"][0].keys()
    for name, value in saved.model.items():
        if name.startswith("encoder"):  # the code stays the code
            assert torch.equal(value, start.model[name])
    assert any(not torch.equal(saved.model[n], v) for n, v in start.model.items() if n.startswith("decoder"))


def resume_like_a_straight_run(config: Config, data: DogData, folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(trainer_module, "STEPS_PER_ROW", 2)
    straight = Trainer(config, data, folder / "straight")
    straight.train(epochs=1)
    monkeypatch.setattr(trainer_module, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    stopped = Trainer(config, data, folder / "stopped")
    take_step, taken = stopped.recipe.step, []

    def stopping_step(x: torch.Tensor, beta: float) -> dict[str, float]:
        if len(taken) == 3:
            raise KeyboardInterrupt
        taken.append(1)
        return take_step(x, beta)

    stopped.recipe.step = stopping_step
    with pytest.raises(KeyboardInterrupt):
        stopped.train(epochs=1)
    torch.rand(3)
    Trainer(config, data, folder / "stopped").train(epochs=1)
    a, b = load_checkpoint(folder / "straight"), load_checkpoint(folder / "stopped")
    assert a.progress["step"] == b.progress["step"] == 5
    for kept, other in ((a.model, b.model), (a.optimizer, b.optimizer), (a.extra, b.extra)):
        assert stored(kept) == stored(other)


def stored(state: dict[str, object]) -> bytes:
    """A state as the bytes it is kept in."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latent_dim": 5}, "latent_dim = 3, not 5"),
        ({"prior": "flow"}, "prior = 'normal', not 'flow'"),
        ({"data": "stanford"}, "data = 'paper', not 'stanford'"),
        ({"start_from": "/nowhere"}, "there is no checkpoint at /nowhere"),
    ],
)
def test_a_vae_gan_refuses_a_start_that_does_not_fit(
    change: dict[str, object], message: str, data: DogData, finished: Path, tmp_path: Path
) -> None:
    config = replace(sharpened(SMALL, str(finished)), **change)
    with pytest.raises(CourseError, match=message):
        Trainer(config, data, tmp_path / "gan")
    assert not (tmp_path / "gan").exists()


def test_runs_that_were_moved_together_are_continued(data: DogData, finished: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    shutil.copytree(finished, there / "vae")
    Trainer(sharpened(SMALL, str(there / "vae")), data, there / "gan").save()
    there.rename(tmp_path / "here")
    Trainer(sharpened(SMALL, str(tmp_path / "here" / "vae")), data, tmp_path / "here" / "gan")
    with pytest.raises(CourseError, match="start_from = 'vae', not 'other'"):
        Trainer(sharpened(SMALL, str(tmp_path / "here" / "other")), data, tmp_path / "here" / "gan")


def test_a_vae_gan_refuses_other_pictures_an_unfinished_run_and_other_kinds(
    data: DogData, finished: Path, tmp_path: Path
) -> None:
    with pytest.raises(CourseError, match="pictures = "):
        Trainer(sharpened(SMALL, str(finished)), replace(data, fingerprint="other"), tmp_path / "gan")
    Trainer(SMALL, data, tmp_path / "new").save()
    with pytest.raises(CourseError, match="is not finished; continue it"):
        Trainer(sharpened(SMALL, str(tmp_path / "new")), data, tmp_path / "gan")
    with pytest.raises(CourseError, match="is a two-level; only a vae"):
        sharpened(replace(SMALL, model="two-level"), "run")
    with pytest.raises(CourseError, match="--model vae-gan --from RUN"):
        replace(SMALL, model="vae-gan")
    with pytest.raises(
        CourseError, match="a two-level under the likelihood sigma starts from nothing, got start_from 'x'"
    ):
        replace(SMALL, model="two-level", start_from="x")


def test_a_vae_goes_on_under_the_spectrum_with_its_weights(
    data: DogData, finished: Path, tmp_path: Path
) -> None:
    config = under_spectrum(replace(SMALL, rate=5.0), str(finished))
    trainer = Trainer(config, data, tmp_path / "spectrum")
    assert stored(trainer.model.state_dict()) == stored(load_checkpoint(finished).model)
    assert trainer.train(epochs=1).step == 5 and "likelihood" in trainer.recipe.modules


def test_another_models_checkpoint_is_refused_and_left_alone(data: DogData, finished: Path) -> None:
    before = (finished / FILE_NAME).read_bytes()
    with pytest.raises(CourseError, match=r"trained with model = 'vae', not 'two-level'; .* another --out"):
        Trainer(replace(SMALL, model="two-level"), data, finished)
    assert (finished / FILE_NAME).read_bytes() == before


def test_pictures_that_can_hold_nan_are_refused(data: DogData) -> None:
    floats = DogSet(data.train.images / 255.0, data.train.labels)
    with pytest.raises(CourseError, match="must be uint8, 0 to 255, got float64"):
        split_validation(floats, SMALL)


def test_several_ranks_refuse_what_only_one_can_train(data: DogData, finished: Path, tmp_path: Path) -> None:
    trainer = Trainer(sharpened(SMALL, str(finished)), data, tmp_path, ranks=Ranks(0, 2))
    with pytest.raises(
        CourseError, match="with a discriminator takes one process; start it without torchrun"
    ):
        trainer._step()


def test_the_command_builds_the_settings(finished: Path, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(command, "_train", lambda options, ranks: seen.append(command._config(options)))
    common = ["train", "--out", "x", "--device", "cpu"]
    assert main([*common, "--model", "two-level", "--rate", "900", "--likelihood", "spectrum"]) == 0
    wanted = replace(DEFAULTS["paper"], model="two-level", rate=900.0, prior="normal", likelihood="spectrum")
    assert main([*common, "--model", "vae-gan", "--from", str(finished), "--seed", "4"]) == 0
    assert main([*common, "--data", "stanford", "--rate", "none"]) == 0
    assert main([*common, "--data", "stanford", "--model", "two-level"]) == 0
    weight_1 = replace(DEFAULTS["stanford"], rate=None)
    assert seen[:4] == [wanted, replace(sharpened(SMALL, str(finished)), seed=4), weight_1, TWO_LEVEL]
    assert main([*common, "--likelihood", "spectrum", "--from", str(finished)]) == 0
    assert seen[4:5] == [under_spectrum(SMALL, str(finished))]
    assert main([*common, "--prior", "normal", "--latent-dim", "1"]) == 0
    assert seen[5:] == [replace(DEFAULTS["paper"], prior="normal", latent_dim=1)]
    assert main([*common, "--latent-dim", "1"]) == 1
    assert main([*common, "--model", "vae-gan"]) == 1
    assert main([*common, "--from", str(finished)]) == 1


def test_a_running_spectrum_is_the_one_fitted_to_what_it_has_seen() -> None:
    torch.manual_seed(0)

    def pair() -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.randn(40, 3, 8, 8) * torch.rand(3, 8, 8) * 0.2 + 0.5
        x[:, 1] += 0.5 * x[:, 0]
        return x, 0.7 * x + 0.1 * torch.rand(40, 3, 8, 8)

    running, seen = RunningSpectrum(8), [pair()]
    running.follow(*seen[0])
    for _ in range(2):
        believed = WienerFilter(8).fit(seen)
        fitted = SpectrumLikelihood(8).fit([x - believed(x_hat) for x, x_hat in seen])
        x, x_hat = seen[0]
        wanted = fitted.log_prob(x, believed(x_hat))
        torch.testing.assert_close(running.log_prob(x, x_hat), wanted, rtol=1e-4, atol=2e-2)
        seen.append(pair())
        running.follow(*seen[1])  # the mean of two batches of one size is the fit to both


def test_a_structured_step_reports_the_terms_before_it() -> None:
    torch.manual_seed(0)
    model, likelihood, x = build_model(SMALL), RunningSpectrum(), torch.rand(2, 3, 64, 64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    terms = structured_step(model, likelihood, x, torch.optim.SGD(model.parameters(), lr=1e-6), 0.5)
    assert any(not torch.equal(value, before[name]) for name, value in model.state_dict().items())
    model.load_state_dict(before)
    torch.set_rng_state(state)
    with torch.no_grad():
        x_hat = model(x)[0]
        expected = -likelihood.log_prob(dequantise(x), to_middle(x_hat)).mean().item()
    assert terms["reconstruction"] == pytest.approx(expected, rel=1e-5)
    assert terms["loss"] == pytest.approx(terms["reconstruction"] + 0.5 * terms["kl"], rel=1e-6)
