"""Put well-known mistakes into a copy of ``vae_ref``, one at a time, and show which test notices.

    python scripts/mutate.py          all of them, about five minutes
    python scripts/mutate.py 04 16    those whose names start so

Ends with 1 if a mistake goes unnoticed, or if its place in the code has gone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Mistake:
    """One mistake: what people do, and the lines that make it."""

    name: str
    file: str
    right: str
    wrong: str
    tests: str  # files that may notice, without test_ and .py


MISTAKES = (
    Mistake(
        "01 logvar used as the standard deviation",
        "sampling.py",
        "mu + bounded_exp(0.5 * logvar) * eps  # z",
        "mu + bounded_exp(logvar) * eps  # z",
        "sampling",
    ),
    Mistake(
        "02 sampler in log σ², divergence in log σ",
        "bound.py",
        "bounded_exp(logvar, torch.expm1) - logvar)",
        "bounded_exp(2 * logvar, torch.expm1) - 2 * logvar)",
        "bound",
    ),
    Mistake(
        "03 divergence with the wrong sign",
        "bound.py",
        "return 0.5 * (mu.square() + bounded",
        "return -0.5 * (mu.square() + bounded",
        "bound",
    ),
    Mistake(
        "04 divergence averaged over latent dimensions",
        "bound.py",
        "torch.expm1) - logvar).sum(dim=-1)",
        "torch.expm1) - logvar).mean(dim=-1)",
        "bound",
    ),
    Mistake(
        "05 mean-reduced reconstruction with summed divergence",
        "bound.py",
        ".flatten(1).square().sum(dim=1)  # (B,)",
        ".flatten(1).square().mean(dim=1)  # (B,)",
        "bound",
    ),
    Mistake(
        "06 a constant once instead of for each dimension",
        "bound.py",
        "num_dims * (torch.log(sigma) + 0.5 * LOG_2PI)",
        "num_dims * torch.log(sigma) - 0.5 * LOG_2PI",
        "bound",
    ),
    Mistake(
        "07 ReLU on the head of the means",
        "networks.py",
        "return self.mu(features)",
        "return self.mu(features).relu()",
        "networks",
    ),
    Mistake(
        "08 tanh output against images in [0, 1]",
        "networks.py",
        "torch.sigmoid(self.layers",
        "torch.tanh(self.layers",
        "networks",
    ),
    Mistake(
        "09 noise left on in reconstructions",
        "generation.py",
        "    mu, _ = model.encode(x)\n    return model.decode(mu)",
        "    return model.decode(model.draw(x)[0])",
        "generation_latents",
    ),
    Mistake(
        "10 the mean decoded where the bound needs a sample",
        "networks.py",
        "return reparameterize(mu, logvar, generator), mu, logvar",
        "return mu, mu, logvar",
        "networks",
    ),
    Mistake(
        "11 prior samples from uniform noise",
        "networks.py",
        "u = torch.randn((num_codes",
        "u = torch.rand((num_codes",
        "generation_latents",
    ),
    Mistake(
        "12 overflow at a large log variance",
        "bound.py",
        "return exp(x - beyond) * (1 + beyond)",
        "return exp(x)",
        "bad_input",
    ),
    Mistake(
        "13 BatchNorm in place of GroupNorm",
        "networks.py",
        "nn.GroupNorm(GROUPS, channels)",
        "nn.BatchNorm2d(channels)",
        "networks",
    ),
    Mistake(
        "14 the picture carried past its code",
        "networks.py",
        "        z, mu, logvar = self.draw(x, generator)\n        return self.decode(z), mu, logvar",
        "        z, mu, logvar = self.draw(x, generator)\n        return 0.5 * (self.decode(z) + x), mu, logvar",
        "networks",
    ),
    Mistake(
        "15a no gradient through the sample",
        "sampling.py",
        "return mu + bounded_exp(0.5 * logvar) * eps  # z",
        "return (mu + bounded_exp(0.5 * logvar) * eps).detach()  # z",
        "sampling",
    ),
    Mistake(
        "15b gradients never cleared",
        "training.py",
        "    optimizer.zero_grad()\n",
        "",
        "training",
    ),
    Mistake(
        "16a importance weights averaged over the batch",
        "tighter/importance.py",
        "torch.logsumexp(log_weights, dim=0)",
        "torch.logsumexp(log_weights, dim=1)",
        "linear_gaussian",
    ),
    Mistake(
        "16b importance-weighted bound without −log K",
        "tighter/importance.py",
        " - math.log(len(log_weights))",
        "",
        "linear_gaussian",
    ),
    Mistake(
        "17 a short last batch weighted like a full one",
        "training.py",
        "kl += kl_divergence(mu, logvar).sum().item()",
        "kl += kl_divergence(mu, logvar).mean().item() * 4",
        "training",
    ),
    Mistake(
        "18 end points of slerp swapped",
        "generation.py",
        "torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b",
        "torch.sin(t * omega) * a + torch.sin((1 - t) * omega) * b",
        "generation_latents",
    ),
    Mistake(
        "19 augmentation of held-out images",
        "dogs/dataset.py",
        "yield (augment(x, self.generator) if self.augmented else x), labels",
        "yield augment(x, self.generator), labels",
        "stanford",
    ),
    Mistake(
        "20 β taken for σ",
        "tighter/bits.py",
        "return sigma**2",
        "return sigma",
        "tighter",
    ),
)


def notice(mistake: Mistake | None, tests: str) -> str | None:
    """Run tests against a copy of the package with the mistake in it.

    Returns:
        The first test that failed; None if all passed.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
        shutil.copytree(ROOT / "vae_ref", copy / "vae_ref", ignore=ignored)
        if mistake is not None:
            path = copy / "vae_ref" / mistake.file
            text = path.read_text(encoding="utf-8")
            if mistake.right not in text:
                raise SystemExit(f"{mistake.name}: {mistake.file} has no {mistake.right!r} any more")
            path.write_text(text.replace(mistake.right, mistake.wrong), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider"]
        shutil.copytree(ROOT / "tests" / "vae_ref", copy / "tests" / "vae_ref")
        files = [f"tests/vae_ref/test_{name}.py" for name in tests.split()]
        result = subprocess.run(
            [*command, "--import-mode=importlib", "-m", "not slow", *files],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
        )
    if result.returncode == 0:
        return None
    failed = [line for line in result.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if result.returncode != 1 or not failed or failed[0].startswith("ERROR"):
        raise SystemExit(f"the tests did not run:\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
    return failed[0].split("::")[-1].split(" - ")[0]


def main(names: list[str]) -> int:
    chosen = [m for m in MISTAKES if not names or m.name.startswith(tuple(names))]
    healthy = notice(None, " ".join(sorted({m.tests for m in chosen})))
    if healthy is not None:
        raise SystemExit(f"{healthy} fails without any mistake; repair that first")
    missed = 0
    for mistake in tqdm(chosen, unit="mistake"):
        test = notice(mistake, mistake.tests)
        missed += test is None
        tqdm.write(f"{'MISSED ' if test is None else 'noticed'}  {mistake.name:<55} {test or ''}")
    print(f"{len(chosen) - missed} of {len(chosen)} mistakes noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
