# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] box=true
# The box with title, time and objectives is written here from the table of assignments.

# %% [markdown]
# In the clinic you learned to distrust a loss. Now you learn to distrust a *likelihood*. There are two ways to a better number:
# measure the same model with a tighter bound, or give it a better $p(x\mid z)$. You will do both, compare with PNG and
# WebP files to keep honest, and in the end meet a model whose number is excellent and which has thrown away every dog.
#
# Whatever this notebook has not yet taught comes from earlier chapters. Cells that only show something and take a few
# seconds are left out when you are graded; run them all the same, they are the point.

# %% setup=true
# The installation of the course, where it is missing, is written here.

# %%
import copy
import io
import json
import math

import matplotlib.pyplot as plt
import torch
from PIL import Image
from torch import Tensor
from torch.distributions import MultivariateNormal

from autograder import check
from vae_ref.bound import kl_divergence, log_normal, reconstruction_log_likelihood
from vae_ref.dogs import entropy_floor, paper_dogs
from vae_ref.networks import log_prior
from vae_ref.weights import FOLDER, load_weights

SCALE = 1  # 10 on a GPU or with time: how long the small models train
NUM_DIMS = 3 * 64 * 64  # numbers in a picture

# %% [markdown]
# ## 1 · Importance weights
#
# The ELBO asks for one code and takes what it gets. Draw $K$ codes from the encoder instead and give each a **weight**,
#
# $$w_k=\frac{p(x\mid z_k)\,p(z_k)}{q(z_k\mid x)},\qquad z_k\sim q(z\mid x).$$
#
# The mean of a weight is exactly $p(x)$, whatever the encoder is ([why](book:09_tighter#importance-weights)). In code we
# need its logarithm: three log densities *of the same code*.
#
# * $\log p(x\mid z)$ is `reconstruction_log_likelihood` with the model's own `model.sigma`;
# * $\log p(z)$ is `log_prior(model, z)`: that of $\mathcal N(0, I)$, unless the model has learned another prior, as the shipped one of
#   Paper Dogs has;
# * $\log q(z\mid x)$ is `log_normal` at the encoder's `mu` and `logvar`.
#
# `model.draw(x, generator)` gives `z, mu, logvar`; call it once for each sample.

# %% solution="log_weights"
def log_weights(
    model, x: Tensor, num_samples: int, generator: torch.Generator | None = None
) -> Tensor:
    """Log importance weights of codes drawn from the encoder.

    Args:
        model: a VAE with draw(x, generator) -> z, mu, logvar; decode(z); and sigma, the
            spread of a pixel.
        x: images, (B, 3, H, W).
        num_samples: codes for each image, K.
        generator: source of the noise; None means torch's own.

    Returns:
        log p(x|z_k) + log p(z_k) - log q(z_k|x) in nats, (K, B), a row for each sample.
        Gradients flow through all of it.
    """
    ### BEGIN SOLUTION
    rows = []
    for _ in range(num_samples):
        z, mu, logvar = model.draw(x, generator)
        log_likelihood = reconstruction_log_likelihood(x, model.decode(z), model.sigma)
        rows.append(log_likelihood + log_prior(model, z) - log_normal(z, mu, logvar))
    return torch.stack(rows)
    ### END SOLUTION

# %% check="log_weights"
check(log_weights)

# %% [markdown]
# **Look at it.** Below is a model in which everything is known: a linear decoder, whose evidence is a Gaussian and whose
# posterior the encoder knows exactly, unless we move it by `shift` standard deviations and stretch it. Predict first: what
# do the weights look like if the encoder *is* the posterior?

# %%
class LinearModel:
    """x = W z + ½ + σ ε on pictures of 2×2 pixels; its encoder is the posterior, moved
    and stretched."""

    sigma = 0.5

    def __init__(self, shift: float, stretch: float) -> None:
        directions, _ = torch.linalg.qr(
            torch.randn(12, 2, generator=torch.Generator().manual_seed(1))
        )
        self.weight = directions * torch.tensor([0.8, 1.5])  # (12, 2), orthogonal columns
        self.shift, self.stretch = shift, stretch
        # for part 3
        self.encoder_offset, self.decoder_offset = torch.zeros(2), torch.zeros(12)

    def draw(self, x, generator=None):
        # of the posterior, (2,)
        variance = 1 / (1 + self.weight.square().sum(0) / self.sigma**2)
        mu = variance * ((x.flatten(1) - 0.5) @ self.weight) / self.sigma**2
        mu = mu + self.shift * variance.sqrt() + self.encoder_offset
        logvar = (variance.log() + 2 * math.log(self.stretch)).expand(len(x), -1)
        return (
            mu + torch.exp(0.5 * logvar) * torch.randn(mu.shape, generator=generator),
            mu,
            logvar,
        )

    def decode(self, z):
        return (z @ self.weight.T + 0.5 + self.decoder_offset).unflatten(1, (3, 2, 2))

    def log_p(self, x):
        """The exact log p(x)."""
        covariance = self.weight @ self.weight.T + self.sigma**2 * torch.eye(12)
        evidence = MultivariateNormal(torch.full((12,), 0.5), covariance)
        return evidence.log_prob(x.flatten(1))


generator = torch.Generator().manual_seed(0)
tiny = torch.rand(1, 3, 2, 2, generator=generator)  # a "picture"
for shift, stretch in ((0.0, 1.0), (0.3, 0.9), (1.0, 0.7)):
    model = LinearModel(shift, stretch)
    weights = log_weights(model, tiny, 1000, generator)
    print(
        f"encoder off by {shift} and ×{stretch}: "
        f"log weights {weights.mean():7.3f} ± {weights.std():.3f}, "
        f"exact log p(x) {model.log_p(tiny).item():.3f}"
    )

# %% [markdown]
# With the exact posterior every code has the same weight, $p(x)$ itself: one sample is enough. The worse the encoder, the more
# the weights differ, and the lower their mean *logarithm*, the ELBO.
#
# ## 2 · The tighter bound
#
# Average the **weights**, and take the logarithm after that:
#
# $$\mathcal L_K=\mathbb E\Big[\log\tfrac1K\sum_{k=1}^K w_k\Big]\;\le\;\log p(x).$$
#
# $K=1$ is the ELBO; the bound [rises with every further sample](book:09_tighter#iwae-bound). The weights of real pictures are
# numbers like $e^{25000}$ or $e^{-8000}$, so never leave the logarithm. (There is a function for "the log of a sum of
# exponentials". What does the division by $K$ become?)

# %% solution="iwae_bound"
def iwae_bound(log_weights: Tensor) -> Tensor:
    """The importance-weighted bound from its log weights.

    Args:
        log_weights: (K, B), a row for each sample.

    Returns:
        log of the mean weight of each image in nats, (B,), without overflow.
    """
    ### BEGIN SOLUTION
    return torch.logsumexp(log_weights, dim=0) - math.log(len(log_weights))
    ### END SOLUTION

# %% check="iwae_bound"
check(iwae_bound)

# %% [markdown]
# **Look at it.** The same picture, 4,000 times over, so that averages are smooth. Predict: which of the two curves needs more
# samples to come close to the line? And can a single estimate lie *above* it?

# %% picture="tighter"
samples = [1, 2, 4, 8, 16, 32, 64]
figure, axes = plt.subplots(figsize=(6, 3))
for shift, stretch, colour in ((0.4, 0.9, "tab:blue"), (1.0, 0.7, "tab:orange")):
    model = LinearModel(shift, stretch)
    # (64, 4000)
    weights = log_weights(model, tiny.expand(4000, -1, -1, -1), samples[-1], generator)
    bounds = torch.stack([iwae_bound(weights[:k]) for k in samples])  # (7, 4000)
    axes.plot(
        samples, bounds.mean(1), "o-", color=colour, label=f"encoder off by {shift} σ"
    )
    low, high = torch.quantile(bounds, torch.tensor([0.1, 0.9]), dim=1)
    axes.fill_between(samples, low, high, color=colour, alpha=0.15)
axes.axhline(
    model.log_p(tiny).item(), color="black", linestyle=":", label="exact log p(x)"
)
axes.set(xscale="log", xlabel="codes K", ylabel="bound (nats)")
axes.set_xticks(samples, samples)
axes.minorticks_off()
axes.legend()
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![The mean bound against K from 1 to 64 for two encoders. Both curves rise towards the dotted line of the exact value: the one of the good encoder starts close below and arrives at once, that of the bad encoder starts more than a nat below and is close at 64. Shaded bands of single estimates reach above the line.](attachment:tighter.png)
#
# </details>
#
# ## 3 · Is tighter better?
#
# A tighter bound is a better *measurement*. Whether it is a better *training loss* is another question, for a gradient is useful
# only as far as it stands out from its noise. Call its **signal-to-noise ratio** the mean of a gradient, over draws of the codes,
# divided by its standard deviation.
#
# **Predict, then run.** You train the *encoder* on $\mathcal L_K$. As $K$ grows from 1 to 64, the signal-to-noise ratio of the encoder's
# gradient … does what? Answer before you look at the next plot. Wrong predictions teach most, and you may change it.

# %% solution="encoder_signal"
def encoder_signal() -> str:
    """What the signal-to-noise ratio of the encoder's gradient does as K grows: "rises",
    "stays" or "falls"."""
    ### BEGIN SOLUTION
    return "falls"
    ### END SOLUTION

# %% check="encoder_signal"
check(encoder_signal)

# %% picture="signal"
def signal_to_noise(num_samples: int, copies: int = 10_000) -> tuple[float, float]:
    """Of the gradients of the bound for the offsets of encoder and decoder: |mean| /
    standard deviation."""
    model = LinearModel(0.5, 1.2)
    # every copy of the picture has offsets of its own, so one backward pass gives as many
    # gradients
    model.encoder_offset = torch.zeros(copies, 2, requires_grad=True)
    model.decoder_offset = torch.zeros(copies, 12, requires_grad=True)
    bound = iwae_bound(
        log_weights(model, tiny.expand(copies, -1, -1, -1), num_samples, generator)
    )
    gradients = torch.autograd.grad(
        bound.sum(), (model.encoder_offset, model.decoder_offset)
    )
    encoder, decoder = ((g.mean(0).abs() / g.std(0)).mean().item() for g in gradients)
    return encoder, decoder


ratios = torch.tensor([signal_to_noise(k) for k in samples])  # (7, 2)
figure, axes = plt.subplots(figsize=(6, 3))
for column, name in enumerate(("encoder", "decoder")):
    axes.loglog(samples, ratios[:, column], "o-", label=f"gradient of the {name}")
    slope = (-0.5, 0.5)[column]
    axes.loglog(
        samples, ratios[0, column] * torch.tensor(samples) ** slope, "k:", linewidth=0.8
    )
axes.set(xlabel="codes K", ylabel="signal / noise")
axes.set_xticks(samples, samples)
axes.minorticks_off()
axes.legend()
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Signal-to-noise ratio against K, both axes logarithmic. The decoder's rises along a dotted line of slope one half, the encoder's falls along a dotted line of slope minus one half.](attachment:signal.png)
#
# </details>
#
# The dotted lines are $K^{-1/2}$ and $K^{1/2}$, as
# [Rainforth and others (2018)](book:09_tighter#signal-to-noise) derive: more samples help the decoder and drown the encoder. So train
# with few samples and *measure* with many. (There is a cure, an estimator called DReG; the chapter names it.)
#
# ## 4 · Bits that can be compared
#
# "25,800 nats" says nothing to anybody. Bits per dimension does: how many bits a number of the picture costs, as for a file.
# Two steps make it honest. First, a picture holds **levels** 0 … 255, and a density over points can be made as large as one
# likes at 256 points. So each level is spread over an interval: $\tilde x=(255\,x+u)/256$ with $u$ uniform in $[0,1)$, anew for
# every number ([dequantisation](book:09_tighter#dequantised-pictures)). The 256 intervals fill $[0,1]$ exactly.

# %% solution="dequantise"
def dequantise(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Place 8-bit levels uniformly at random in their intervals of width 1/256.

    Args:
        x: images, (B, 3, H, W), float, level / 255.
        generator: source of the noise; None means torch's own.

    Returns:
        (255 x + u) / 256, the shape and dtype of x; every number has its own u, uniform
        in [0, 1).
    """
    ### BEGIN SOLUTION
    u = torch.rand(x.shape, generator=generator, dtype=x.dtype)
    return (255 * x + u) / 256
    ### END SOLUTION

# %% check="dequantise"
check(dequantise)

# %% [markdown]
# Second, the units. Turn nats into bits, share them among the $D$ dimensions, and remember that a density of 1 spreads
# *evenly* over 256 levels: what does a number cost then? ([The formula](book:09_tighter#bits-per-dim).)

# %% solution="bits_per_dim"
def bits_per_dim(log_likelihood: Tensor, num_dims: int) -> Tensor:
    """Bits that a number of an 8-bit picture costs under a density of dequantised
    pictures.

    Args:
        log_likelihood: log p of dequantised pictures or a bound on it, nats, (B,).
        num_dims: numbers in a picture, channels included, D.

    Returns:
        Bits per dimension, (B,); 8 for the uniform density.
    """
    ### BEGIN SOLUTION
    return 8 - log_likelihood / (num_dims * math.log(2))
    ### END SOLUTION

# %% check="bits_per_dim"
check(bits_per_dim)

# %% [markdown]
# And [the yardstick](book:09_tighter#yardsticks): what does it cost in a **file**? PNG and lossless WebP code the very same levels, without loss, and both know
# nothing about dogs.

# %% solution="file_bits_per_dim"
def file_bits_per_dim(num_bytes: int, height: int, width: int) -> float:
    """Bits that a number of a colour picture costs in a file.

    Args:
        num_bytes: size of the file.
        height, width: of the picture in pixels; it has three channels.
    """
    ### BEGIN SOLUTION
    return 8 * num_bytes / (3 * height * width)
    ### END SOLUTION

# %% check="file_bits_per_dim"
check(file_bits_per_dim)

# %%
test, _ = paper_dogs(64, seed=0, first=2**32)  # uint8, test pictures of the shipped model


def in_files(pictures: Tensor, **options) -> float:
    """Mean bits per dim of pictures in files of a format."""
    sizes = []
    for picture in pictures:
        file = io.BytesIO()
        Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()).save(
            file, **options
        )
        sizes.append(file.tell())
    return file_bits_per_dim(sum(sizes) / len(sizes), *pictures.shape[2:])


paper_yardsticks = {
    "PNG": in_files(test, format="PNG", optimize=True),
    "lossless WebP": in_files(test, format="WEBP", lossless=True, quality=100, method=4),
}
print("bits per dim of Paper Dogs")
for name, value in {
    "no model: all levels alike": 8.0,
    **paper_yardsticks,
    "the noise alone": entropy_floor(),
}.items():
    print(f"  {name:28} {value:.2f}")

# %% [markdown]
# The last line is the entropy of the noise that was drawn into every picture: nothing, however clever, gets below it. Photos have
# such a floor too, but nobody knows it. Now the shipped model, with 1, 8 and 64 codes. Predict: will
# 64 codes bring it below PNG?

# %% long=true
shipped, _ = load_weights("paper")
pixels = dequantise(test.float() / 255, generator)
with torch.no_grad():
    weights = log_weights(shipped, pixels[:32], 64, generator)  # (64, 32)
for k in (1, 8, 64):
    # all 64 draws, in groups of k
    bound = torch.cat([iwae_bound(part) for part in weights.split(k)])
    print(f"K = {k:2}: {bound.mean():9.1f} nats, "
          f"{bits_per_dim(bound, NUM_DIMS).mean():.3f} bits per dim")

# %% [markdown]
# Some seventy nats are a factor of $10^{30}$ in probability, and still less than one hundredth of a bit per dim: the ELBO was never the
# problem. **PNG beats this model**, although its pictures are good. The problem is $p(x\mid z)$.
#
# ## 5 · What a β claims
#
# Before we repair the likelihood, the argument that never ends: σ, β, sum or mean? Minimise $\tfrac12\sum(x-\hat x)^2/\sigma^2+\mathrm{KL}$,
# or multiply it by σ² and minimise $\tfrac12\sum(x-\hat x)^2+\beta\,\mathrm{KL}$. It is the same minimum. So which β
# [says the same](book:09_tighter#what-beta-claims) as a σ?

# %% solution="beta_from_sigma"
def beta_from_sigma(sigma: float) -> float:
    """The weight of the KL that says the same as sigma, beside half the squared error
    summed over pixels.

    Args:
        sigma: standard deviation of a pixel, positive.
    """
    ### BEGIN SOLUTION
    return sigma**2
    ### END SOLUTION

# %% check="beta_from_sigma"
check(beta_from_sigma)

# %% [markdown]
# **Look at it.** Other ways to write the error have other weights for the same claim. Read the last line as a question: a
# tutorial writes `mse_loss(x_hat, x) + kl`. What does it believe about the noise of a pixel whose values lie in [0, 1]?

# %%
for sigma in (0.03, 0.07, 1.0):
    beta = beta_from_sigma(sigma)
    print(f"σ = {sigma:<4}: ½ Σ error² + {beta:.4g} KL  =  Σ error² + {2 * beta:.4g} KL  "
          f"=  mean error² + {2 * beta / NUM_DIMS:.2g} KL")
print(f"mean error² + 1 · KL claims σ = {math.sqrt(NUM_DIMS / 2):.0f}")

# %% [markdown]
# ## 6 · A better likelihood
#
# One σ for all numbers says: errors of red, green and blue have nothing to do with each other. Look at any residual, and they have
# nearly everything to do with each other: where the picture is too dark, it is too dark in all three. A
# [3×3 covariance](book:09_tighter#colour-covariance) of the channels, the same at every pixel, knows that:
#
# $$\log p(x\mid z)=\sum_{\text{pixels } p}\log\mathcal N\big(x_p;\,\hat x_p,\,\Sigma\big),\qquad x_p,\hat x_p\in\mathbb R^3.$$

# %% solution="colour_log_likelihood"
def colour_log_likelihood(x: Tensor, x_hat: Tensor, covariance: Tensor) -> Tensor:
    """Log likelihood of pictures under a Gaussian over the three channels of each pixel.

    Args:
        x: pictures, (B, 3, H, W).
        x_hat: decoded ones, (B, 3, H, W).
        covariance: of the channels, (3, 3), symmetric and positive definite.

    Returns:
        The sum over pixels of log N(x_p; x_hat_p, covariance), nats, (B,).
    """
    ### BEGIN SOLUTION
    residual = (x - x_hat).flatten(2)  # (B, 3, P)
    squares = torch.einsum(
        "bip,ij,bjp->bp", residual, torch.linalg.inv(covariance), residual
    )
    return -0.5 * (squares + torch.logdet(covariance) + 3 * math.log(2 * math.pi)).sum(1)
    ### END SOLUTION

# %% check="colour_log_likelihood"
check(colour_log_likelihood)

# %% [markdown]
# Next to each other in *space* pixels are alike, too. The [spectrum](book:09_tighter#spectrum-likelihood) knows that: after whitening the colours,
# a cosine transform, and one variance for each of the 64×64 frequencies. It is still one Gaussian; the reference has it.
#
# Both are fitted **after training** to what the net leaves over on pictures it has not seen. The net does not change, not even
# in its last digit. Predict the order of magnitude: what does each step gain?

# %% long=true
# of this chapter, and nothing you are asked for
from vae_ref.tighter.spectrum import SpectrumLikelihood


@torch.no_grad()
def shipped_pairs(pictures: Tensor):
    """Dequantised pictures, decoded ones on the same scale, and the cost of their codes
    in nats."""
    z, mu, logvar = shipped.draw(pictures.float() / 255, generator)
    cost = log_normal(z, mu, logvar) - log_prior(shipped, z)
    return (
        dequantise(pictures.float() / 255, generator),
        (255 * shipped.decode(z) + 0.5) / 256,
        cost,
    )


unseen, _ = paper_dogs(384, seed=1)  # another series, to fit the likelihoods to
x, x_hat, _ = shipped_pairs(unseen)
residuals = x - x_hat
rows = residuals.transpose(0, 1).flatten(1)  # (3, N)
covariance = rows @ rows.T / rows.shape[1]
spectrum = SpectrumLikelihood().fit([residuals])

x, x_hat, cost = shipped_pairs(test)
paper_ladder = {
    "one σ": bits_per_dim(
        reconstruction_log_likelihood(x, x_hat, residuals.square().mean().sqrt()) - cost,
        NUM_DIMS,
    ),
    "colour": bits_per_dim(colour_log_likelihood(x, x_hat, covariance) - cost, NUM_DIMS),
    "colour × spectrum": bits_per_dim(spectrum.log_prob(x, x_hat) - cost, NUM_DIMS),
}
paper_ladder = {name: bits.mean().item() for name, bits in paper_ladder.items()}
print(
    "the same net:",
    ", ".join(f"{name} {bits:.2f}" for name, bits in paper_ladder.items()),
)

# %% [markdown]
# The same was done for a VAE of real photos, Stanford Dogs. Its numbers are read here from the card that comes with the shipped model:

# %%
card = json.loads((FOLDER / "stanford.json").read_text(encoding="utf-8"))["metrics"]
photo_ladder = {
    "one σ": card["bits_per_dim"],
    "colour": card["bits_per_dim_calibrated"]["colour"],
    "colour × spectrum": card["bits_per_dim_calibrated"]["spectrum"],
}
# of the same test photos, cut to their boxes
photo_yardsticks = {"PNG": 5.72, "lossless WebP": 3.96}
print(f"photos, rate {card['kl']:.0f} nats, {card['psnr']:.1f} dB, the same for all rows")
for name, bits in {**photo_ladder, **photo_yardsticks}.items():
    print(f"  {name:18} {bits:.2f}")

# %% long=true picture="ladder"
figure, panels = plt.subplots(1, 2, figsize=(9, 2.6), sharex=True, sharey=True)
for axes, title, ladder, yardsticks in (
    (panels[0], "photos", photo_ladder, photo_yardsticks),
    (panels[1], "Paper Dogs", paper_ladder, paper_yardsticks),
):
    axes.plot(list(ladder.values()), list(ladder), "o-", color="tab:blue", markersize=9)
    for (name, bits), style in zip(yardsticks.items(), ("--", ":"), strict=True):
        axes.axvline(bits, color="black", linestyle=style, label=f"{name} {bits:.2f}")
    axes.set(title=title, xlabel="bits per dim", xlim=(2.5, 6.6), ylim=(2.5, -0.5))
panels[1].axvline(entropy_floor(), color="tab:red", label="the noise alone")
for axes in panels:
    axes.legend(fontsize=8, loc="lower right")
figure.tight_layout()
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Bits per dim under one sigma, colour, and colour times spectrum, for photos and for Paper Dogs, with lines for PNG and lossless WebP. On photos the points go from right of PNG to left of WebP. On Paper Dogs they go from right of PNG to between the two lines, far right of the floor.](attachment:ladder.png)
#
# </details>
#
# The same net, the same codes, the same pictures; only the story about the noise has changed. On photos it goes from *worse than
# PNG* to *better than lossless WebP*. If a better likelihood is that good, why not train with it from the start?
#
# ## 7 · The better number
#
# Let us do that. For seconds instead of hours we take the linear VAE of the clinic with 16 latents and Paper Dogs, and as the
# likelihood what the spectrum is for photos: directions in which such pictures vary, each with a variance of its own, that
# follow the net at every step. Outlines of Paper Dogs are sharper than cosines can tell, so the directions are taken from the dogs themselves.
#
# **Predict, then run.** Two trainings from the same start: one σ, and the structured likelihood. Which one ends with the better
# bits per dim? Which with the larger KL?

# %% long=true
from vae_ref.clinic import free_bits_kl
from vae_ref.clinic.pocket import PocketVAE

NUM_LATENTS, NUM_STEPS = 16, 150 * SCALE
pictures, _ = paper_dogs(640, seed=3)
pictures = dequantise(pictures.float() / 255, generator)
train_pictures, test_pictures = pictures[:512], pictures[512:]
mean_dog = train_pictures.mean(0)


class OneSigma:
    """N(x; x_hat, σ² I)."""

    def fit(self, residual: Tensor, weight: float = 1.0) -> None:
        """Move the variance towards that of a batch of residuals (B, 3, 64, 64)."""
        variance = residual.square().mean()
        self.variance = variance if weight == 1 else self.variance.lerp(variance, weight)

    def log_prob(self, x: Tensor, x_hat: Tensor) -> Tensor:
        return reconstruction_log_likelihood(x, x_hat, self.variance.sqrt())


class DogSpectrum:
    """N(x; x_hat, Σ): a variance for each of 128 directions in which dogs vary, and one
    for all others."""

    directions = torch.svd_lowrank(
        (train_pictures - mean_dog).flatten(1), q=128, niter=3
    )[2]  # (D, 128)

    def _split(self, residual: Tensor) -> tuple[Tensor, Tensor]:
        inside = (residual.flatten(1) @ self.directions).square()  # (B, 128)
        return inside, residual.flatten(1).square().sum(1) - inside.sum(1)

    def fit(self, residual: Tensor, weight: float = 1.0) -> None:
        inside, rest = self._split(residual)
        variances = torch.cat(
            [inside.mean(0), rest.mean()[None] / (NUM_DIMS - inside.shape[1])]
        )
        self.variances = (
            variances if weight == 1 else self.variances.lerp(variances, weight)
        )

    def log_prob(self, x: Tensor, x_hat: Tensor) -> Tensor:
        inside, rest = self._split(x - x_hat)
        known, other = self.variances[:-1], self.variances[-1]
        log_det = known.log().sum() + (NUM_DIMS - len(known)) * other.log()
        return -0.5 * (
            (inside / known).sum(1)
            + rest / other
            + log_det
            + NUM_DIMS * math.log(2 * math.pi)
        )


def newborn() -> PocketVAE:
    """A linear VAE before training, which decodes the mean dog."""
    torch.manual_seed(0)
    model = PocketVAE(NUM_LATENTS)
    with torch.no_grad():
        model.decoder.paint.weight.mul_(0.1)
        model.decoder.paint.bias.copy_(mean_dog.flatten())
        model.encoder.mu.bias.copy_(-model.encoder.mu.weight @ mean_dog.flatten())
    return model


def train(model, likelihood, num_steps, learning_rate=1e-3, rate=None, floor=None):
    """Train under a likelihood that follows the model; returns the KL of each step.

    rate: the KL to commit to, by part 8's adapt_log_beta; floor: free bits for each
        latent.
    """
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    likelihood.fit(
        train_pictures - model.decode(model.encode(train_pictures)[0]).detach()
    )
    log_beta, history = 0.0, []
    for _ in range(num_steps):
        x = train_pictures[torch.randint(len(train_pictures), (32,))]
        x_hat, mu, logvar = model(x)
        likelihood.fit((x - x_hat).detach(), weight=0.1)
        kl = kl_divergence(mu, logvar).mean()
        price = (
            math.exp(log_beta) * kl if floor is None else free_bits_kl(mu, logvar, floor)
        )
        loss = -likelihood.log_prob(x, x_hat).mean() + price
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(kl.item())
        if rate is not None:
            log_beta = adapt_log_beta(log_beta, kl.item(), rate)
    return history


@torch.no_grad()
def measure(model, likelihood) -> dict[str, float]:
    """Bits per dim of test pictures under a likelihood fitted to training pictures, KL in
    nats, and PSNR in dB."""
    noise = torch.Generator().manual_seed(0)
    likelihood.fit(train_pictures - model(train_pictures, noise)[0])
    x_hat, mu, logvar = model(test_pictures, noise)
    kl = kl_divergence(mu, logvar)
    error = (test_pictures - model.decode(mu)).square().mean().item()
    bound = likelihood.log_prob(test_pictures, x_hat) - kl
    return {
        "bits per dim": bits_per_dim(bound, NUM_DIMS).mean().item(),
        "KL": kl.mean().item(),
        "PSNR": -10 * math.log10(error),
    }

# %% long=true
plain, structured = newborn(), newborn()
histories = {
    "one σ": train(plain, OneSigma(), NUM_STEPS),
    "structured": train(structured, DogSpectrum(), NUM_STEPS),
}
results = {
    "one σ": measure(plain, OneSigma()),
    "the same net, structured afterwards": measure(plain, DogSpectrum()),
    "trained under the structure": measure(structured, DogSpectrum()),
}


def show(results: dict[str, dict[str, float]]) -> None:
    print(f"{'':40}bits per dim      KL    PSNR")
    for name, found in results.items():
        print(f"{name:40}{found['bits per dim']:12.3f}"
              f"{found['KL']:8.1f}{found['PSNR']:8.1f}")


show(results)

# %% long=true picture="thrown-away"
figure, panels = plt.subplots(1, 2, figsize=(9, 2.8), width_ratios=(1, 1.2))
for name, history in histories.items():
    panels[0].semilogy(history, label=name)
panels[0].set(xlabel="step", ylabel="KL (nats)", ylim=(0.1, 1000))
panels[0].legend()
with torch.no_grad():
    rows = [
        test_pictures[:6],
        *(
            model.decode(model.encode(test_pictures[:6])[0])
            for model in (plain, structured)
        ),
    ]
panels[1].imshow(
    torch.cat([torch.cat([*row], dim=2) for row in rows], dim=1)
    .permute(1, 2, 0)
    .clamp(0, 1)
)
panels[1].set_yticks([32, 96, 160], ["pictures", "one σ", "structured"])
panels[1].set_xticks([])
figure.tight_layout()
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Left, the KL of two trainings on a logarithmic axis: under one sigma it rises to tens of nats, under the structured likelihood it falls below one. Right, three rows of six pictures: drawn dogs, their blurred but recognisable reconstructions under one sigma, and under the structured likelihood six times the same average dog.](attachment:thrown-away.png)
#
# </details>
#
# There it is. The structured model has the better number by far, against the net trained with one σ, and by a hair even against the same net
# with the structure added afterwards. And it decodes *one* picture, whatever dog it is shown. On photos the spectrum alone
# is enough for this: trained under it from the first step, the KL goes to zero.
#
# **Explain it** in your own words, in about ten lines:
#
# 1. Write down the two ways in which $\log p(x)$ can be high. Where does the knowledge about dogs sit in each?
# 2. Why does the bound *prefer* the model without a code, even if only by the KL? (Which gap closes when $q(z\mid x)=p(z)$ for all $x$?)
# 3. The number is honest, no bug anywhere. What would you report beside it, so that a reader notices?

# %% [markdown] answer="better_number"
# *Model answer.* (1) $p(x)$ is an average of $p(x\mid z)$ over codes. Either the codes carry what distinguishes pictures, and
# $p(x\mid z)$ is a narrow Gaussian around each decoded one; or $p(x\mid z)$ itself is a wide, shaped Gaussian around the mean
# dog, whose covariance knows in which directions dogs vary. In the linear model $WW^\top+\Sigma$ is all that counts, and
# every variance may sit in $W$ or in $\Sigma$. (2) If both explain the pictures equally well, the bound is $\log p(x)$ minus the gap
# $\mathrm{KL}(q(z\mid x)\,\|\,p(z\mid x))$. With an unused code the true posterior is the prior, the encoder hits it exactly, the gap and the price
# are 0. A code that is used has to be learned through noisy gradients, its posterior is never hit exactly, and whatever it says
# costs nats first. So the empty code is at least as good an optimum, and far easier to find. (3) The rate (KL) and a measure of
# reconstruction, PSNR for instance, or swap the codes of two pictures and look whether the pictures change; and the bits per dim of the
# likelihood *without any code* around the mean picture: only what a model gains over that is owed to the code.
#
# **Rubric** (3 points). 1: knowledge can sit in the code or in the covariance of $p(x\mid z)$, and $\log p(x)$ does not say
# where. 1: an unused code costs no KL and leaves no gap, so the bound does not punish the collapse (or slightly rewards it). 1: names
# at least two of rate/KL, PSNR or pictures, swapped codes, the number without a code.

# %% [markdown]
# ## 8 · Keep the code alive
#
# A cure cannot come from the number, for the number is content. Somebody has to *want* the code: **commit to a rate** $R$ and let
# the weight of the KL follow until the KL is there. Where the code says too much, the weight rises. In logarithms it stays positive:
#
# $$\log\beta\;\leftarrow\;\log\beta+0.05\cdot\mathrm{clip}\big(\log(\mathrm{KL}/R),\,-1,\,1\big).$$
#
# ([Why this is a Lagrangian](book:09_tighter#committed-rate).) A new model's KL can be 0: keep the logarithm finite.

# %% solution="adapt_log_beta"
def adapt_log_beta(log_beta: float, kl: float, rate: float) -> float:
    """Move log β one step towards the weight at which the KL is the rate.

    Args:
        log_beta: logarithm of the weight in the step just taken.
        kl: KL of that step's batch, nats per image, 0 or more.
        rate: where it should be, nats per image.

    Returns:
        log β + 0.05 log(kl / rate), with the logarithm of the quotient cut to [-1, 1].
    """
    ### BEGIN SOLUTION
    error = math.log(max(kl, 1e-9) / rate)
    return log_beta + 0.05 * min(max(error, -1.0), 1.0)
    ### END SOLUTION

# %% check="adapt_log_beta"
check(adapt_log_beta)

# %% [markdown]
# **Predict, then run.** Three patients, all under the structured likelihood:
#
# * a newborn that commits to 60 nats from the first step;
# * a newborn with four *free bits* for each of its 16 latents ([chapter 8](book:08_clinic#free-bits)): the first nats cost nothing;
# * a net that was trained with one σ to the end (`settle` knows where that is), and then goes on under the structure, committed
#   to its own rate.
#
# Which of them keep their dogs?

# %% long=true
patients = {
    "newborn, committed to 60 nats": (newborn(), {"rate": 60.0}),
    "newborn, free bits": (newborn(), {"floor": 4.0}),
}
for name, (model, cure) in patients.items():
    train(model, DogSpectrum(), NUM_STEPS, **cure)
    results[name] = measure(model, DogSpectrum())
show(results)

# %% long=true
alive = PocketVAE(NUM_LATENTS).settle(train_pictures[:256])
own_rate = measure(alive, OneSigma())["KL"]
cured = copy.deepcopy(alive)
train(cured, DogSpectrum(), 80 * SCALE, learning_rate=1e-4, rate=own_rate)
results["alive first, then committed"] = measure(cured, DogSpectrum())
show(results)

# %% [markdown]
# Free nats and a falling β take the *price* away. But a newborn's code is worthless to a likelihood that explains everything, and nobody
# takes what is of no use, not even for nothing. A code that is alive keeps its place, and the last row has the same bits per dim as
# the empty one: five dB of dogs, and **the number does not see them**. On photos, where a code also knows what no covariance
# can know, the same order works: first one σ, then the spectrum at a committed rate.
#
# So: bits per dim, rate and PSNR are read together, and never alone; and "what would it be without a code" belongs beside
# them. The [table that ends the arguments](book:09_tighter#what-beta-claims) is in the chapter.
#
# Next: the pictures themselves. Numbers that like blur have brought us soft dogs. The last assignment makes them sharp, and pays for it
# in exactly the number you have just learned to read.
