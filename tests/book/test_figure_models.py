"""What the explorer decodes in a browser is what the models decode here, and what figures load is small."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from figure_scripts import BOOK, ask

from vae_ref import latents
from vae_ref.dogs import paper_dogs
from vae_ref.weights import load_weights

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["paper", "stanford"])
def test_the_browser_decodes_what_torch_decodes(numbers: Any, name: str) -> None:
    model, _ = load_weights(name)
    codes = 1.5 * torch.randn(8, model.latent_dim, generator=torch.Generator().manual_seed(0))
    pixels = [
        ask(numbers, f"decoder.decode.bind(0, vaeFigures.decoder.open(vaeFigures.data.{name}))", z)
        for z in codes.tolist()
    ]
    with torch.no_grad():
        expected = model.decode(codes).permute(0, 2, 3, 1).flatten(1)
    difference = (torch.tensor(pixels) - expected).abs().max().item()
    print(f"{name}: largest difference in a pixel {difference:.1e}")
    assert difference < 1e-5
    assert len(json.dumps(pixels)) > 100_000 and expected.std() > 0.1  # pictures, not a constant


def test_the_learned_prior_is_that_of_the_reference(numbers: Any) -> None:
    model, _ = load_weights("paper")
    prior = model.learned_prior
    assert prior is not None
    u = torch.randn(5, model.latent_dim, generator=torch.Generator().manual_seed(1))
    bind = "bind(0, vaeFigures.decoder.open(vaeFigures.data.paper))"
    with torch.no_grad():
        for noise, code in zip(u.tolist(), prior(u), strict=True):
            found = ask(numbers, f"decoder.fromNoise.{bind}", noise)
            torch.testing.assert_close(torch.tensor(found), code, atol=1e-3, rtol=1e-4)
            back = ask(numbers, f"decoder.toNoise.{bind}", code.tolist())
            torch.testing.assert_close(torch.tensor(back), torch.tensor(noise), atol=1e-3, rtol=1e-3)


def test_the_explorer_moves_along_principal_directions(numbers: Any) -> None:
    model, _ = load_weights("paper")
    with torch.no_grad():
        mu = torch.cat(
            [model.encode(part.float() / 255)[0] for part in paper_dogs(1200, seed=7)[0].split(300)]
        )
    components, _, projected = latents.principal_components(mu, 6)
    data = numbers.evaluate(
        "() => { const { mean, directions, spreads } = vaeFigures.data.paper; return { mean, directions, spreads }; }"
    )
    torch.testing.assert_close(torch.tensor(data["mean"]), mu.mean(0), atol=1e-3, rtol=0)
    torch.testing.assert_close(torch.tensor(data["directions"]), components, atol=2e-3, rtol=0)
    torch.testing.assert_close(torch.tensor(data["spreads"]), projected.std(0), atol=1e-3, rtol=0)
    for k in (0, 3):
        bind = "bind(0, vaeFigures.data.paper)"
        place = ask(numbers, f"explorer.coordinate.{bind}", mu[5].tolist(), k)
        assert place == pytest.approx(projected[5, k].item() / projected[:, k].std().item(), abs=1e-2)
        moved = torch.tensor(ask(numbers, f"explorer.moveAlong.{bind}", mu[5].tolist(), k, 1.5))
        expected = mu[5] + (1.5 * projected[:, k].std() - projected[5, k]) * components[k]
        torch.testing.assert_close(moved, expected, atol=1e-2, rtol=0)


def test_the_directions_for_photos_are_orthonormal(numbers: Any) -> None:
    directions = torch.tensor(numbers.evaluate("vaeFigures.data.stanford.directions"))
    torch.testing.assert_close(directions @ directions.T, torch.eye(len(directions)), atol=1e-3, rtol=0)


def test_a_model_weighs_at_most_two_megabytes(scripts: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in scripts.iterdir()}
    assert sizes["paper.js"] < 1.3e6 and sizes["stanford.js"] < 2e6
    assert sum(size for name, size in sizes.items() if name not in ("paper.js", "stanford.js")) < 300_000


def test_what_was_made_is_kept_until_its_sources_change(
    scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BOOK))
    import figures

    generated, made = scripts.parents[1], []
    monkeypatch.setattr(figures.shutil, "rmtree", lambda folder, **_: made.append(folder))
    figures.make_figures(generated)
    assert not made
    monkeypatch.setattr(figures, "_digest", lambda: "another")
    with pytest.raises(FileExistsError):  # it begins anew, and here nothing was removed
        figures.make_figures(generated)
    assert made
