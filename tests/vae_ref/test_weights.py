"""Weights that come with the course: whole, small, without code, and as their cards say."""

import dataclasses
import fnmatch
import json
import os
import re
import tomllib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vae_ref.classifier import Classifier
from vae_ref.cli import main
from vae_ref.config import Config
from vae_ref.dogs import load_paper
from vae_ref.errors import CourseError
from vae_ref.evaluation import evaluate_model
from vae_ref.networks import VAE
from vae_ref.runs import open_weights
from vae_ref.trainer import Trainer
from vae_ref.weights import (
    FOLDER,
    NAMES,
    load_weights,
    read_classifier,
    read_model,
    save_classifier,
    save_weights,
)
from vae_ref.weights.cards import SPREAD, publish, render_card

CONFIG = Config(latent_dim=4)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[VAE, Path]:
    torch.manual_seed(0)
    model, path = VAE(4), tmp_path / "model.safetensors"
    model.sigma.fill_(0.0512345)
    save_weights(model, CONFIG, "abc", path)
    return model, path


def test_weights_come_back_as_they_were_to_half_precision(saved: tuple[VAE, Path]) -> None:
    model, path = saved
    loaded, origin = read_model(path)
    assert (origin.config, origin.fingerprint) == (CONFIG, "abc") and not loaded.training
    assert loaded.sigma == model.sigma  # a single number keeps all its digits
    x = torch.rand(4, 3, 64, 64)
    before, after = (one(x, torch.Generator().manual_seed(0)) for one in (model, loaded))
    for mine, theirs in zip(before, after, strict=True):
        assert theirs.dtype == torch.float32
        assert torch.allclose(mine, theirs, atol=3e-3)
    floats = sum(parameter.numel() for parameter in model.parameters())
    assert path.stat().st_size < 2 * floats + 20_000
    assert list(path.parent.iterdir()) == [path]


def test_no_folder_of_the_machine_travels_with_the_weights(tmp_path: Path) -> None:
    config = Config(latent_dim=2, model="vae-gan", start_from="/home/somebody/runs/vae-3")
    save_weights(VAE(2), config, "abc", tmp_path / "model.safetensors")
    assert read_model(tmp_path / "model.safetensors")[1].config.start_from == "vae-3"
    assert b"somebody" not in (tmp_path / "model.safetensors").read_bytes()


def test_a_classifier_comes_back(tmp_path: Path) -> None:
    classifier, path = Classifier("breed").eval(), tmp_path / "c.safetensors"
    classifier.scale.fill_(1.2345678)
    save_classifier(classifier, path)
    loaded = read_classifier(path)
    x = torch.rand(2, 3, 64, 64)
    assert loaded.task == "breed"
    assert torch.allclose(loaded.features(x), classifier.features(x), atol=5e-3)


def test_an_unknown_name_lists_the_names() -> None:
    with pytest.raises(CourseError, match=r"no weights named 'cats'; choose one of .*stanford"):
        load_weights("cats")


def test_the_command_refuses_weights_in_one_line(monkeypatch, tmp_path: Path, capsys) -> None:
    assert main(["evaluate", "--weights", "cats"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("vae-ref: there are no weights named 'cats'") and error.count("\n") == 1
    monkeypatch.setattr("vae_ref.weights.FOLDER", tmp_path)
    save_weights(VAE(4), CONFIG, "abc", tmp_path / "paper.safetensors")
    assert main(["evaluate", "--weights", "paper", "--data", "stanford"]) == 1
    assert "trained on paper data, not on stanford" in capsys.readouterr().err


def test_other_data_than_the_weights_were_trained_on_are_told(monkeypatch, tmp_path: Path) -> None:
    data = load_paper(20, 4, cache=tmp_path / "cache")
    monkeypatch.setattr("vae_ref.runs.load_paper", lambda cache: data)
    monkeypatch.setattr("vae_ref.weights.FOLDER", tmp_path)
    save_weights(VAE(4), CONFIG, data.fingerprint, tmp_path / "paper.safetensors")
    assert open_weights("paper")[2] is data
    save_weights(VAE(4), CONFIG, "abc", tmp_path / "paper.safetensors")
    with pytest.warns(UserWarning, match=r"trained on other paper data \(abc\)"):
        open_weights("paper")


def refusal(path: Path) -> str:
    with pytest.raises(CourseError) as error:
        read_model(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


def test_damaged_files_are_refused(saved: tuple[VAE, Path]) -> None:
    path = saved[1]
    whole = path.read_bytes()
    for content in (b"", b"not weights", whole[:100], whole[:-7], b"\xff" * 8 + whole[8:]):
        path.write_bytes(content)
        assert "cannot read" in refusal(path)
    path.unlink()
    assert "there is no file" in refusal(path)


def test_pickled_code_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"model": Trap()}, tmp_path / "model.safetensors")
    assert "cannot read" in refusal(tmp_path / "model.safetensors")
    assert not (tmp_path / "sprung").exists()


def rewrite(path: Path, tensors: dict[str, torch.Tensor], **text: str) -> None:
    save_file(tensors, path, {"format": "1", "fingerprint": "abc", **text})


def test_weights_of_another_model_name_the_first_difference(saved: tuple[VAE, Path]) -> None:
    path = saved[1]
    tensors = load_file(path)
    config = CONFIG.as_dict()
    rewrite(path, tensors, config=json.dumps({**config, "latent_dim": 5}))
    assert re.search(r"decoder\.[\w.]*weight is \((\d+), 4\) there, \(\1, 5\) as its", refusal(path))
    rewrite(path, {**tensors, "extra": torch.zeros(3)}, config=json.dumps(config))
    assert "extra is (3,) there, not part of the model" in refusal(path)
    missing = {name: tensor for name, tensor in tensors.items() if name != "encoder.mu.bias"}
    rewrite(path, missing, config=json.dumps(config))
    assert "encoder.mu.bias is missing there" in refusal(path)
    rewrite(path, tensors, config=json.dumps({**config, "colour": 1}))
    assert "setting 'colour'" in refusal(path)
    rewrite(path, tensors)
    assert "does not say its config" in refusal(path)
    rewrite(path, tensors, config="{")
    assert "cannot read" in refusal(path)
    rewrite(path, tensors, config=json.dumps(config), format="99")
    assert "has format 99, this version reads 1" in refusal(path)


def test_what_half_precision_cannot_hold_is_not_written(saved: tuple[VAE, Path]) -> None:
    model, path = saved
    before = path.read_bytes()
    for value in (1e6, float("nan")):
        with torch.no_grad():
            model.encoder.mu.weight[0, 0] = value
        with pytest.raises(CourseError, match=r"encoder\.mu\.weight have values that half precision"):
            save_weights(model, CONFIG, "abc", path)
    assert path.read_bytes() == before


CARD = {
    "name": "stanford",
    "split": "official",
    "file_bytes": 2_345_678,
    "cpu_hours": 3.25,
    "training_images": 1_234_567,
    "steps": 9_876,
    "trained_on": "a machine",
    "known_failures": ["Ears are vague.", "Backgrounds are vaguer."],
    "seeds": {
        "3": {"bits_per_dim": 6.1, "kl": 400, "kl_bytes": 72, "psnr": 22, "ssim": 0.6, "active_units": 90},
        "4": {"bits_per_dim": 6.3, "kl": 402, "kl_bytes": 73, "psnr": 23, "ssim": 0.7, "active_units": 92},
    },
    "metrics": {
        "bits_per_dim": 6.1, "kl": 400.04, "kl_bytes": 72.2, "psnr": 22.0, "ssim": 0.6, "active_units": 90,
        "sigma": 0.07, "num_images": 8422, "parameters": 1_100_000, "data": "stanford", "fingerprint": "f00",
        "swap_probe": {"own_psnr": 22.0, "swapped_psnr": 11.0, "passed": True},
        "iwae": {"bits_per_dim": 6.05, "num_samples": 64, "num_images": 512},
        "bits_per_dim_calibrated": {"colour": 5.5, "spectrum": 4.2, "filtered": 3.9},
        "probe_accuracy": 0.0512, "probe_chance": 0.0119,
        "classifier_frechet": {"real": 0.9, "samples": 9.1, "reconstructions": 5.2, "num_pictures": 1000},
        "high_frequency": {"samples": 0.2, "reconstructions": 0.3},
        "recognition": {"real": 0.15, "reconstructions": 0.05},
        "config": dataclasses.asdict(dataclasses.replace(CONFIG, data="stanford", seed=3)),
    },
}  # fmt: skip


def test_a_card_says_what_its_numbers_say() -> None:
    text = render_card(CARD)
    for part in (
        "| bits/dim, shared σ | 6.100 | 6.200 ± 0.141 |",
        "| rate (KL), nats an image | 400.0 | 401.0 ± 1.4 |",
        "has seed 3",
        "the seeds 3, 4",
        "3.25 CPU hours",
        "| 5.1% (1.2%) |",
        "- Ears are vague.\n- Backgrounds are vaguer.",
        "non-commercial",
        "22.00 dB with its own code, 11.00 dB with another image's.",
    ):
        assert part in text, part
    broken = {**CARD["metrics"], "swap_probe": {"own_psnr": 22.0, "swapped_psnr": 21.9, "passed": False}}
    assert "**broken: the code is ignored**" in render_card({**CARD, "metrics": broken})


@pytest.mark.slow
def test_runs_become_weights_with_a_card(monkeypatch, tmp_path: Path) -> None:
    data = load_paper(120, 30, cache=tmp_path / "cache")
    monkeypatch.setattr("vae_ref.runs.load_paper", lambda cache: data)
    monkeypatch.setattr("vae_ref.weights.cards.FOLDER", tmp_path)
    monkeypatch.setattr("vae_ref.evaluation.likelihoods.NUM_SAMPLES", 2)
    runs = [tmp_path / f"run-{seed}" for seed in (0, 1, 2)]
    for seed, (run, latent_dim) in enumerate(zip(runs, (4, 4, 5), strict=True)):
        Trainer(Config(latent_dim=latent_dim, seed=seed), data, run).train(epochs=1)
    with pytest.raises(CourseError, match=r"run-2 has latent_dim = 5, the shipped run 4"):
        publish("paper", runs, ["Vague."], None)
    with pytest.raises(CourseError, match="two of the runs have the seed 0"):
        publish("paper", [runs[0], runs[0]], ["Vague."], None)
    assert not list(tmp_path.glob("paper.*"))
    publish("paper", runs[:2], ["Vague."], None)
    card = json.loads((tmp_path / "paper.json").read_text(encoding="utf-8"))
    assert (tmp_path / "paper.md").read_text(encoding="utf-8") == render_card(card)
    model, origin = read_model(tmp_path / "paper.safetensors")
    assert origin.config.seed == 0 and list(card["seeds"]) == ["0", "1"]
    found = evaluate_model(model, data.test)  # the numbers are of what is in the file
    assert card["metrics"]["bits_per_dim"] == found.bits_per_dim and card["metrics"]["psnr"] == found.psnr
    assert 0 < card["cpu_hours"] < 1 and "torch" in card["trained_on"]
    assert "- Vague." in (tmp_path / "paper.md").read_text(encoding="utf-8")


SHIPPED = [name for name in NAMES if (FOLDER / f"{name}.safetensors").exists()]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_are_what_their_card_says(name: str) -> None:
    card = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert (FOLDER / f"{name}.md").read_text(encoding="utf-8") == render_card(card)
    model, origin = load_weights(name)
    metrics = card["metrics"]
    assert card["file_bytes"] == (FOLDER / f"{name}.safetensors").stat().st_size
    assert metrics["config"] == origin.config.as_dict() and metrics["fingerprint"] == origin.fingerprint
    assert metrics["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert metrics["sigma"] == pytest.approx(model.sigma.item())
    assert metrics["swap_probe"]["passed"] and card["known_failures"]
    assert len(card["seeds"]) >= 3 and str(origin.config.seed) in card["seeds"]
    own = card["seeds"][str(origin.config.seed)]  # before rounding to half precision
    for key in SPREAD:
        assert own[key] == pytest.approx(metrics[key], rel=2e-3, abs=1), key


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_reproduce_the_numbers_of_their_card(name: str) -> None:
    metrics = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["metrics"]
    root = os.environ.get("STANFORD_DOGS_ROOT")
    if metrics["data"] == "stanford" and root is None:
        pytest.skip("set STANFORD_DOGS_ROOT to the folder of Stanford Dogs")
    model, _, data = open_weights(name, None if root is None else Path(root))
    if data.fingerprint != metrics["fingerprint"]:
        pytest.skip("the card was measured on another copy of the photos")
    found = evaluate_model(model, data.test).as_dict()
    for key in SPREAD:
        assert found[key] == pytest.approx(metrics[key], rel=1e-4), key
    assert found["kl_per_unit"] == pytest.approx(metrics["kl_per_unit"], rel=1e-3, abs=1e-4)


def test_all_weights_together_are_small_and_belong_to_the_package(repository: Path) -> None:
    files = [path for path in FOLDER.iterdir() if path.suffix != ".py" and path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 12_000_000
    project = tomllib.loads((repository / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["vae_ref"]
    for path in [*files, FOLDER / "any.safetensors", FOLDER / "any.md", FOLDER / "any.json"]:
        assert any(fnmatch.fnmatch(f"weights/{path.name}", pattern) for pattern in patterns), path
