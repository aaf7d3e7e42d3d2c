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
# So far you have built a VAE that works. Most VAEs in the world were built by somebody in a hurry, and a good many of them
# do not work: in tutorials with thousands of readers, in courses, in papers' repositories. None of them raises an
# error. The loss falls, the pictures look fine, and something is broken.
#
# This is a clinic. Eleven patients wait in it, each with **one** defect that was found in published code. You will first
# build instruments: small experiments that give a number for *any* VAE, without reading a line of its code. Then you
# make diagnoses, of these patients and of others whom you have never seen. Then you operate, and see the number move that has to move.
#
# The defects, the experiments and what is known about them are in [the chapter](book:08_clinic#chapter-clinic).

# %% setup=true
# The installation of the course, where it is missing, is written here.

# %%
import inspect
import math
from types import MethodType

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from autograder import check
from vae_ref.bound import (
    elbo,
    kl_divergence,
    optimal_sigma,
    reconstruction_log_likelihood,
)
from vae_ref.clinic.broken import BEDS
from vae_ref.clinic.finding import examined
from vae_ref.clinic.pocket import PocketVAE
from vae_ref.dogs import paper_dogs
from vae_ref.generation import reconstruct
from vae_ref.latents import active_units
from vae_ref.sampling import reparameterize

SCALE = 1  # 10 on a GPU or with time: more steps where something is trained

# %% [markdown]
# ## Admission
#
# All patients are `PocketVAE`s: encoder and decoder are linear, so the weights at the *end* of training are known in
# closed form and nobody waits for hours ([why that works](book:08_clinic#pocket-model)). They have 6 latents, are
# settled on 40 paper dogs, and have the methods you know: `encode`, `draw`, `decode`, the whole `model(x)`, and `loss(x)`, what
# their author made small. Bed 0 holds a healthy one to compare with.
#
# Please do not read their classes yet. Their names give everything away, and in a clinic the patient's code is rarely
# on the table: what you meet is a model that disappoints.

# %%
LATENT_DIM = 6
x = paper_dogs(40, seed=1)[0].float() / 255  # (40, 3, 64, 64)


def admit(kind: type[PocketVAE]) -> PocketVAE:
    """A patient at the end of its training."""
    torch.manual_seed(0)
    return kind(LATENT_DIM).settle(x)


ward = [admit(kind) for kind in (PocketVAE, *BEDS)]  # beds 0 to 11


def tile(pictures: Tensor) -> Tensor:
    """Pictures (N, 3, 64, 64) in a row, (64, 64 N, 3), ready to be shown."""
    return torch.cat([*pictures.clamp(0, 1)], dim=2).permute(1, 2, 0)


# %% [markdown]
# **Predict, then run.** Here is what their authors see: two dogs, their reconstructions, and one sample from the prior, for each bed.
# How many of the eleven would you send home?

# %% picture="admission"
rows = []
generator = torch.Generator().manual_seed(3)
code = torch.randn(1, LATENT_DIM, generator=generator)
for model in ward:
    with examined(model, training=False), torch.no_grad():
        rows.append(torch.cat([reconstruct(model, x[:2]), model.decode(code)]))
figure, panels = plt.subplots(3, 1, figsize=(9, 2.5), constrained_layout=True)
for k, (axes, name) in enumerate(
    zip(panels, ("one dog", "another", "a sample"), strict=True)
):
    first = x[k : k + 1] if k < 2 else torch.ones(1, 3, 64, 64)
    axes.imshow(tile(torch.cat([first, *(row[k : k + 1] for row in rows)])))
    axes.set_ylabel(name, rotation=0, ha="right", va="center")
    axes.set_xticks(
        [32 + 64 * n for n in range(13)],
        ["image", *(f"bed {n}" for n in range(12))] if k == 2 else [""] * 13,
    )
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Three rows of thirteen small pictures. In the first two rows, a drawn dog and what twelve models make of it: most reconstructions look alike: a blurred dog of the right colours. Beds 4 and 10 show the same grey blur for both dogs, beds 2 and 8 harsh dark pictures, and bed 6 the sharpest of all, with eyes and ears. In the third row a sample of the prior for each, blurred like the others in bed 6 too.](attachment:admission.png)
#
# </details>
#
# Some are plainly ill. But five of the eleven look just like the healthy bed 0, and the one with the *best* reconstructions
# is among the worst. Looking is not enough.
#
# ## 1 · Swap the codes
#
# The first instrument asks the first question: do the pictures come from the codes at all? Encode some images, exchange their
# codes, decode. In a VAE the pictures are then exchanged too, **exactly**: a picture is a function of its code.
# ([The experiment in the book](book:08_clinic#swap-the-codes).) Three things can go wrong, and your function must notice each:
#
# * *a way past the code*: the decoder remembers something of the image that the encoder has just seen;
# * *a code without effect*: all pictures are the same, whatever the code, or all codes are the same;
# * *a second way*: `encode` and `decode` are honest, but the whole `model(x)` goes another way. Then the picture of
#   `model(x)` is not the one that `decode` makes of the code that was drawn. (Draw the same code twice by setting the
#   same seed with `torch.manual_seed` before `model.draw(x)` and before `model(x)`.)
#
# The helper `with examined(model, training=False):` puts a model into a mode, lets you seed and draw as you like, and
# leaves mode and random numbers as they were.

# %% solution="uses_latent"
def uses_latent(model: torch.nn.Module, x: Tensor) -> bool:
    """Whether pictures are those of their codes: swap the codes, and the pictures must
    swap.

    Args:
        model: a VAE with encode, draw, decode and forward.
        x: images, (B, 3, H, W), in [0, 1]; at least 2, all different.

    Returns:
        False if a picture depends on anything but its code (even by a little), if
        pictures do not depend on their codes, or if ``model(x)`` does not decode the code
        that ``model.draw(x)`` draws with the same noise.
    """
    ### BEGIN SOLUTION
    with examined(model, training=False), torch.no_grad():
        mu, _ = model.encode(x)
        own = model.decode(mu)
        model.encode(x)  # what it remembers is the image, not the code
        swapped = model.decode(mu.roll(1, dims=0))
        torch.manual_seed(0)
        z = model.draw(x)[0]
        torch.manual_seed(0)
        x_hat = model(x)[0]
        model.encode(x.roll(1, dims=0))
        drawn = model.decode(z)
    follows = torch.allclose(swapped, own.roll(1, dims=0), atol=1e-4)
    apart = (x - x.roll(1, dims=0)).square().mean()
    matters = (swapped - own).square().mean() > 1e-3 * apart
    return bool(follows and matters and torch.allclose(x_hat, drawn, atol=1e-4))
    ### END SOLUTION

# %% check="uses_latent"
check(uses_latent)

# %%
suspects = [bed for bed, model in enumerate(ward) if not uses_latent(model, x)]
print("pictures do not come from their codes in beds", suspects)

# %% [markdown]
# Three beds. Two of them showed the same blur for every dog. The third, bed 6, is the one with the best pictures. Its
# architecture is that of a tutorial that is still online: the encoder hands features of the image to the decoder, "to preserve detail".
# Decode each dog with its *neighbour's* code:

# %% picture="swap"
def psnr(a: Tensor, b: Tensor) -> float:
    return -10 * math.log10((a - b).square().mean().item())


figure, panels = plt.subplots(2, 3, figsize=(9, 2.7), constrained_layout=True)
for line, (bed, name) in zip(panels, ((0, "healthy"), (6, "bed 6")), strict=True):
    model = ward[bed]
    with examined(model, training=False), torch.no_grad():
        mu, _ = model.encode(x[:4])
        own = model.decode(mu)
        model.encode(x[:4])
        swapped = model.decode(mu.roll(1, dims=0))
    titles = (
        "images",
        f"{name}, own codes\n{psnr(own, x[:4]):.1f} dB",
        f"{name}, neighbours' codes\n{psnr(swapped, x[:4]):.1f} dB",
    )
    for axes, pictures, title in zip(line, (x[:4], own, swapped), titles, strict=True):
        axes.imshow(tile(pictures))
        axes.set_title(title, fontsize=9)
        axes.axis("off")
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Two rows of three strips of four dogs: images, pictures from their own codes, pictures from their neighbours' codes. For the healthy model the third strip shows the blurred dogs moved by one place, about 16 decibels from the images. For bed 6 the third strip shows the same sharp dogs as the second, in the same places, at about 26 decibels: the codes were swapped and the pictures stayed.](attachment:swap.png)
#
# </details>
#
# The codes were swapped and the pictures stayed. The code of bed 6 costs its KL and has next to no say, and nothing in the loss tells.
#
# ## 2 · Vital signs
#
# Before any clever experiment, a nurse takes six numbers. All are in **evaluation mode**, and the model must be found
# afterwards in the mode in which it was. ([What each of them can show](book:08_clinic#vital-signs).)

# %% solution="vital_signs"
def vital_signs(model: torch.nn.Module, x: Tensor) -> dict[str, float]:
    """Six numbers about mean codes and reconstructions, in evaluation mode.

    Args:
        model: a VAE; it is left in the mode in which it was.
        x: images, (B, 3, H, W), in [0, 1].

    Returns:
        A dictionary with
        active: how many of the L mean codes vary over the images with a variance above
            0.01 (chapter 7);
        negative: the share of all B L numbers in the mean codes that are below 0;
        lowest, highest: of all numbers in the reconstructions (decoded means, chapter 6);
        brightness: mean of the reconstructions minus mean of the images;
        twice: the largest absolute difference between two reconstructions of the same
            images.
    """
    ### BEGIN SOLUTION
    with examined(model, training=False), torch.no_grad():
        mu, _ = model.encode(x)
        first, second = reconstruct(model, x), reconstruct(model, x)
    return {
        "active": active_units(mu),
        "negative": (mu < 0).float().mean().item(),
        "lowest": first.min().item(),
        "highest": first.max().item(),
        "brightness": (first.mean() - x.mean()).item(),
        "twice": (first - second).abs().max().item(),
    }
    ### END SOLUTION

# %% check="vital_signs"
check(vital_signs)

# %%
print("bed  active  negative   lowest  highest  brightness    twice")
for bed, model in enumerate(ward):
    signs = vital_signs(model, x)
    print(
        f"{bed:>3}  {signs['active']:>6}  {signs['negative']:>8.2f}  "
        f"{signs['lowest']:>7.2f}  {signs['highest']:>7.2f}"
        f"  {signs['brightness']:>10.3f}  {signs['twice']:>7.4f}"
    )

# %% [markdown]
# Compare each row with bed 0. Which beds stand out, in which column, and which stand out in none? Keep notes: a sign is
# not yet a diagnosis.
#
# ## 3 · The sampler
#
# The KL charges for codes $z\sim\mathcal N(\mu,\,e^{\text{logvar}})$. Are they *drawn* like that? In two of the mistakes that are found
# most often they are not, and no shape and no error betrays it. Watch the noise itself: $(z-\mu)\,/\,e^{\text{logvar}/2}$ has to be
# standard normal. ([More on this experiment](book:08_clinic#the-sampler).)

# %% solution="sampler_spread"
def sampler_spread(model: torch.nn.Module, x: Tensor, num_draws: int = 100) -> float:
    """How far drawn codes spread around mu, in units of the σ that the KL is charged for.

    Args:
        model: a VAE; ``model.draw(x)`` returns z, mu and logvar, (B, L) each. It is
            examined in the mode in which it is.
        x: images, (B, 3, H, W).
        num_draws: how many codes to draw for each image.

    Returns:
        The root mean square of (z − mu) / exp(logvar / 2) over draws, images and latents;
        1 for a healthy model.
    """
    ### BEGIN SOLUTION
    with torch.no_grad():
        draws = [model.draw(x) for _ in range(num_draws)]
    # (K, B, L)
    noise = torch.stack([(z - mu) / torch.exp(0.5 * logvar) for z, mu, logvar in draws])
    return noise.square().mean().sqrt().item()
    ### END SOLUTION

# %% check="sampler_spread"
check(sampler_spread)

# %% [markdown]
# **Predict, then run.** A model may behave differently in training and in evaluation. Which of the two would you rather have right?

# %%
def in_both_modes(model: PocketVAE) -> tuple[float, float]:
    spreads = []
    for training in (True, False):
        with examined(model, training):
            spreads.append(sampler_spread(model, x[:8]))
    return spreads[0], spreads[1]


print("bed  training  evaluation")
for bed, model in enumerate(ward):
    in_training, in_evaluation = in_both_modes(model)
    print(f"{bed:>3}  {in_training:>8.2f}  {in_evaluation:>10.2f}")

# %% [markdown]
# ## 4 · Follow the gradient
#
# [Chapter 3](book:03_sampling#chapter-sampling) gave the sample a gradient. If somebody loses it again (a `detach`, a `no_grad`, a `.data`), the encoder goes
# on training: the KL still reaches it, and tells it to forget. So look at the **reconstruction error alone**, and ask how
# strongly it pulls at $\mu$ and at logvar. ([Why the whole loss would hide the cut](book:08_clinic#follow-the-gradient).)

# %% solution="gradient_reach"
def gradient_reach(model: torch.nn.Module, x: Tensor) -> tuple[float, float]:
    """How strongly the reconstruction error pulls at mu and at logvar, through the
    sample.

    Args:
        model: a VAE; ``model(x)`` returns x_hat, mu and logvar.
        x: images, (B, 3, H, W).

    Returns:
        The norms (root of the sum of squares) of the gradients of ½ Σ (x − x_hat)²,
        summed over pixels and images, with respect to mu and to logvar; 0.0 where no
        gradient arrives, for whatever reason.
    """
    ### BEGIN SOLUTION
    x_hat, mu, logvar = model(x)
    error = 0.5 * (x - x_hat).square().sum()
    norms = []
    for leaf in (mu, logvar):
        gradient = None
        if error.requires_grad and leaf.requires_grad:
            (gradient,) = torch.autograd.grad(
                error, leaf, retain_graph=True, allow_unused=True
            )
        norms.append(0.0 if gradient is None else gradient.norm().item())
    return norms[0], norms[1]
    ### END SOLUTION

# %% check="gradient_reach"
check(gradient_reach)

# %%
print("bed  pull at mu  pull at logvar")
for bed, model in enumerate(ward):
    with examined(model, training=True):
        at_mu, at_logvar = gradient_reach(model, x)
    print(f"{bed:>3}  {at_mu:>10.3g}  {at_logvar:>14.3g}")

# %% [markdown]
# Several zeros, and not all have the same cause. One bed has a 0 at logvar only: what does it decode in training?
#
# ## 5 · The price of a nat
#
# The last instrument finds out what the KL *weighed* in training, from the trained model alone. At a minimum of
# reconstruction error $+\;\beta\cdot$ KL the two slopes along logvar cancel, so their ratio is β:
#
# $$\beta \;=\; -\,\frac{\sum \partial\,(\text{error})/\partial\,\text{logvar}}{\sum \partial\,\mathrm{KL}/\partial\,\text{logvar}},
# \qquad \text{error}=-\log p(x\mid z)\ \text{with the best }\sigma .$$
#
# Said otherwise: how many nats of reconstruction does the last nat of the code buy? At the minimum of the bound, one.
# ([The derivation](book:08_clinic#the-price-of-a-nat).) Sum each slope over all images and latents before you divide. Where the error does not
# depend on logvar, its slope is 0. Divide *tensors*: for a code that says nothing 0/0 then becomes `nan` and not an exception.

# %% solution="price_of_a_nat"
def price_of_a_nat(model: torch.nn.Module, x: Tensor) -> float:
    """How many nats of reconstruction the last nat of the code buys: the weight that the
    KL had in training.

    Args:
        model: a VAE at the end of its training; ``model(x)`` returns x_hat, mu and
            logvar.
        x: images, (B, 3, H, W), in [0, 1].

    Returns:
        Minus the slope of −log p(x|z) along logvar, with ``optimal_sigma(x, x_hat)``,
        divided by that of the KL; each summed over images and latents. 0.0 where the
        error does not depend on logvar.
    """
    ### BEGIN SOLUTION
    x_hat, mu, logvar = model(x)
    error = -reconstruction_log_likelihood(x, x_hat, optimal_sigma(x, x_hat)).sum()
    (paid,) = torch.autograd.grad(
        kl_divergence(mu, logvar).sum(), logvar, retain_graph=True
    )
    (bought,) = torch.autograd.grad(error, logvar, allow_unused=True)
    if bought is None:
        return 0.0
    return (-bought.sum() / paid.sum()).item()
    ### END SOLUTION

# %% check="price_of_a_nat"
check(price_of_a_nat)

# %%
for bed, model in enumerate(ward):
    with examined(model, training=False):
        print(f"bed {bed:>2}: the last nat buys {price_of_a_nat(model, x):8.2f} nats")

# %% [markdown]
# One sample of noise makes this a noisy number: anything from 0.7 to 1.3 is a healthy 1. Nearly *every* defect moves the price, so it
# is a poor first question and a good last one. Which bed has a price near 1/6, and what is six here?
#
# ## 6 · Predict the collapse
#
# Two beds have no active latent. When does that happen? For a linear VAE there is an exact answer
# ([derived in the book](book:08_clinic#linear-collapse)): a latent survives if the images vary along its direction by **more than**
# $\beta\sigma^2$, and is silent for every image if not. Write it down.

# %% solution="surviving_units"
def surviving_units(variances: Tensor, sigma: float, beta: float = 1.0) -> int:
    """How many latents of a linear VAE say anything at the minimum of its loss.

    Args:
        variances: of the images along their principal directions, one for each latent,
            (L,).
        sigma: standard deviation of a pixel.
        beta: weight of the KL term.

    Returns:
        How many of the variances are greater than β σ².
    """
    ### BEGIN SOLUTION
    return int((variances > beta * sigma**2).sum())
    ### END SOLUTION

# %% check="surviving_units"
check(surviving_units)

# %% [markdown]
# **Predict, then run.** The author of one of the two beds averaged the squared error over the 12,288 numbers of a picture and
# summed the KL. [You know](book:02_bound#beta-is-not-sigma) which σ that claims: about 78. The variances are printed below. How many of six
# latents survive at σ = 78? At σ = 5? At σ = 0.08, the error of the healthy bed?

# %% picture="survivors"
centred = (x - x.mean(dim=0)).flatten(1)
variances = (torch.linalg.svdvals(centred) ** 2 / len(x))[:LATENT_DIM]
print("variances:", ", ".join(f"{value:.1f}" for value in variances))

sigmas = torch.logspace(0.02, 2, 61).tolist()
predicted = [surviving_units(variances, sigma) for sigma in sigmas]
measured = []
for sigma in sigmas[::2]:
    model = PocketVAE(LATENT_DIM).settle_for(x, sigma=sigma)
    with torch.no_grad():
        measured.append(active_units(model.encode(x)[0]))
figure, axes = plt.subplots(figsize=(6, 2.8))
axes.step(sigmas, predicted, where="mid", label="predicted")
axes.plot(sigmas[::2], measured, "o", label="active in the model")
axes.axvline(
    math.sqrt(x[0].numel() / 2), color="black", linestyle=":", label="mean over pixels"
)
axes.set(xscale="log", xlabel="σ that the loss claims", ylabel="latents that speak")
axes.legend()
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![A staircase over a logarithmic axis: six latents speak up to a sigma of about 3, then one after the other falls silent, and beyond about 6.3 none is left. The dots of the models lie on the staircase. A dotted line at 78, the mean over pixels, lies far to the right of the last step.](attachment:survivors.png)
#
# </details>
#
# At 78 the collapse is no accident of training. It is what that loss asks for, and neither patience nor warm-up helps.
#
# ## 7 · Diagnosis
#
# Now the instruments go together into one chart. The last two lines of it are new: `bound` is minus the ELBO of the pictures
# and codes that the model makes, `loss` is what its author made small, with the same noise. Both are in nats per image.

# %% long=true
def take_chart(model: PocketVAE, x: Tensor) -> dict[str, float]:
    """All evidence about a patient."""
    chart: dict[str, float] = {"uses_latent": uses_latent(model, x)}
    chart.update(vital_signs(model, x))
    for mode, training in (("training", True), ("evaluation", False)):
        with examined(model, training):
            chart[f"spread_{mode}"] = sampler_spread(model, x[:8])
    with examined(model, training=True):
        chart["gradient_mu"], chart["gradient_logvar"] = gradient_reach(model, x)
    with examined(model, training=False):
        chart["price"] = price_of_a_nat(model, x)
    with examined(model, training=True), torch.no_grad():
        x_hat, mu, logvar = model(x)
        chart["bound"] = (
            -elbo(x, x_hat, mu, logvar, optimal_sigma(x, x_hat)).mean().item()
        )
    with examined(model, training=True), torch.no_grad():  # the same noise once more
        chart["loss"] = model.loss(x).item()
    return chart


def show_charts(charts: list[dict[str, float]]) -> None:
    """One line for each sign, one column for each bed."""
    def text(value: float) -> str:
        if isinstance(value, bool):
            return "yes" if value else "NO"
        if abs(value) >= 1000:
            return f"{value:.0f}"
        return "0" if abs(value) < 1e-4 else f"{value:.3g}"

    print(" " * 18 + "".join(f"{bed:>8}" for bed in range(len(charts))))
    for sign in charts[0]:
        print(f"{sign:<18}" + "".join(f"{text(chart[sign]):>8}" for chart in charts))


charts = [take_chart(model, x) for model in ward]
show_charts(charts)

# %% [markdown]
# These are the diseases of the ward. Each of the eleven beds has one; the third column is the method that is broken.
#
# | diagnosis | what it is | organ |
# |---|---|---|
# | `"healthy"` | nothing found | |
# | `"bypass"` | pictures come past the code | `decode` |
# | `"wrong range"` | the output layer belongs to images of another range, such as [−1, 1] | `decode` |
# | `"one-sided mean"` | the head of mu cannot be negative | `encode` |
# | `"noisy evaluation"` | what should be the mean is a sample | `encode` |
# | `"wrong spread"` | the sampler's σ is another one than the KL's | `draw` |
# | `"no noise in training"` | training decodes the mean: an autoencoder with a tax | `draw` |
# | `"cut gradient"` | the sample is cut off from the encoder | `draw` |
# | `"cheap code"` | the KL counts less than once | `loss` |
# | `"starved code"` | the KL counts so much that no latent is worth its price | `loss` |
# | `"over-strong decoder"` | the likelihood explains by itself what the code should say | `loss` |
# | `"wrong target"` | the minimum of the loss is not at the image | `loss` |
#
# Write `diagnose`, which gets a chart and nothing else. **The order of your questions matters.** A code that says nothing has no use, no
# gradient and no sign, whatever made it silent. Pictures that leave [0, 1] are also too dark. And the price moves with nearly everything.
# ([How to think about it](book:08_clinic#differential-diagnosis).)
#
# Leave room in your limits: the check examines patients that you have never seen, of other dogs and with 5 to 8 latents.

# %% solution="diagnose"
def diagnose(chart: dict[str, float]) -> str:
    """The one defect that explains a chart.

    Args:
        chart: uses_latent (True or False), active, negative, lowest, highest, brightness,
            twice, spread_training, spread_evaluation, gradient_mu, gradient_logvar, price
            (may be nan), bound and loss (nats per image), as ``take_chart`` gives them.

    Returns:
        One of the twelve names in the table above.
    """
    ### BEGIN SOLUTION
    if chart["active"] == 0:
        # pictures of a silent code deserve the bound; a loss far below knows more than
        # they show
        return (
            "over-strong decoder"
            if chart["loss"] < chart["bound"] - 1
            else "starved code"
        )
    if not chart["uses_latent"]:
        return "bypass"
    if chart["spread_training"] < 0.1 and chart["spread_evaluation"] > 0.8:
        return "no noise in training"
    if not (
        0.8 < chart["spread_training"] < 1.25 and 0.8 < chart["spread_evaluation"] < 1.25
    ):
        return "wrong spread"
    if chart["gradient_mu"] == 0:
        return "cut gradient"
    if not 0.05 < chart["negative"] < 0.95:
        return "one-sided mean"
    if chart["twice"] > 1e-5:
        return "noisy evaluation"
    if chart["lowest"] < -0.05 or chart["highest"] > 1.05:
        return "wrong range"
    if abs(chart["brightness"]) > 0.05:
        return "wrong target"
    return "cheap code" if chart["price"] < 0.5 else "healthy"
    ### END SOLUTION

# %% check="diagnose"
check(diagnose)

# %% [markdown]
# Now look behind the curtain. Do the names of the classes agree with your verdicts?

# %% long=true
verdicts = [diagnose(chart) for chart in charts]
for bed, (model, verdict) in enumerate(zip(ward, verdicts, strict=True)):
    print(f"bed {bed:>2}  {verdict:<22} {type(model).__name__}")

# %% [markdown]
# ## 8 · Surgery
#
# Now you may read. Here is the patient of the tutorial; use the same line for the others.

# %%
print(inspect.getsource(BEDS[5]))

# %% [markdown]
# Every patient keeps two healthy networks, `self.encoder` (images to mu and logvar) and `self.decoder` (codes to images in [0, 1]); what is broken is one
# method around them. Write the four methods of a healthy donor. Each should lean on the patient's own other methods, so that any one of
# them can be put into a patient by itself. ([The cures, one by one](book:08_clinic#repairs).)

# %% solution="Donor"
class Donor:
    """Healthy methods for a patient that has the networks ``self.encoder`` and
    ``self.decoder``."""

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, 3, H, W) to mu and logvar, (B, L) each: any numbers, the same in
        training and evaluation."""
        ### BEGIN SOLUTION
        return self.encoder(x)
        ### END SOLUTION

    def draw(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw z ~ N(mu, exp(logvar)) with noise from the generator, so that gradients
        pass; mu, logvar from self.encode.

        Returns:
            z, mu and logvar, (B, L) each.
        """
        ### BEGIN SOLUTION
        mu, logvar = self.encode(x)
        return reparameterize(mu, logvar, generator), mu, logvar
        ### END SOLUTION

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, L) to images (B, 3, H, W) in [0, 1], from the codes alone."""
        ### BEGIN SOLUTION
        return self.decoder(z)
        ### END SOLUTION

    def loss(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The negative bound (β = 1) of self(x, generator) with the batch's best σ,
        averaged over the images, ()."""
        ### BEGIN SOLUTION
        x_hat, mu, logvar = self(x, generator)
        return -elbo(x, x_hat, mu, logvar, optimal_sigma(x, x_hat)).mean()
        ### END SOLUTION

# %% check="Donor"
check(Donor)

# %% [markdown]
# The operation replaces **one** method, the one that your diagnosis names. Seven patients are well at once. The other four were *trained*
# by a broken loss, and an operation does not undo that: they have to be trained again, with the new loss. For a pocket model the end of
# that training is known, so `PocketVAE.settle` jumps there.
#
# For each patient one number has to move. Predict its value after the operation before you run.

# %% long=true
ORGAN = {
    "bypass": "decode",
    "wrong range": "decode",
    "one-sided mean": "encode",
    "noisy evaluation": "encode",
    "wrong spread": "draw",
    "no noise in training": "draw",
    "cut gradient": "draw",
    "cheap code": "loss",
    "starved code": "loss",
    "over-strong decoder": "loss",
    "wrong target": "loss",
}
HAS_TO_MOVE = {
    "bypass": "uses_latent",
    "wrong range": "lowest",
    "one-sided mean": "negative",
    "noisy evaluation": "twice",
    "wrong spread": "spread_training",
    "no noise in training": "spread_training",
    "cut gradient": "gradient_mu",
    "cheap code": "price",
    "starved code": "active",
    "over-strong decoder": "active",
    "wrong target": "brightness",
}


def operate(model: PocketVAE, organ: str) -> PocketVAE:
    """Replace one method of a patient by the donor's; after a new loss comes a new
    training."""
    setattr(model, organ, MethodType(getattr(Donor, organ), model))
    return PocketVAE.settle(model, x) if organ == "loss" else model


cured = []
print("bed  diagnosis               organ    "
      "has to move         before    after  afterwards")
for bed, (model, before, verdict) in enumerate(zip(ward, charts, verdicts, strict=True)):
    if verdict == "healthy":
        continue
    patient = operate(admit(type(model)), ORGAN[verdict])
    after = take_chart(patient, x)
    cured.append(diagnose(after) == "healthy")
    sign = HAS_TO_MOVE[verdict]
    print(
        f"{bed:>3}  {verdict:<22}  {ORGAN[verdict]:<7}  {sign:<15}  "
        f"{float(before[sign]):>9.4g}  {float(after[sign]):>7.4g}"
        f"  {diagnose(after)}"
    )
print(f"{sum(cured)} of {len(BEDS)} cured")

# %% [markdown]
# Is the jump of `settle` honest? Take the starved patient after the operation, silent as it is, and really train it with
# the loss that it now has. The KL has to rise from 0.

# %% long=true
starved = next(bed for bed, verdict in enumerate(verdicts) if verdict == "starved code")
patient = admit(type(ward[starved]))
patient.loss = MethodType(Donor.loss, patient)
optimizer = torch.optim.Adam(patient.parameters(), lr=1e-3)
rates = []
for _ in range(150 * SCALE):
    loss = patient.loss(x)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        rates.append(kl_divergence(*patient.encode(x)).mean().item())
print(f"KL before {0.0:.1f}, after {len(rates)} steps {rates[-1]:.1f} nats; loss "
      f"{loss.item():,.0f} nats")

# %% [markdown]
# It overshoots at first (a fresh code is clumsy and costs more nats than the 24 of the healthy bed), but it speaks.
#
# ## 9 · Free bits
#
# One collapse remains without a cure: the honest one. Suppose you *want* a likelihood under which no latent is worth its price, because the
# decoder is strong or σ is given. Then β = 1 silences the code, and rightly so, by its own lights. *Free bits* change the lights: the
# first λ nats of every latent, averaged over the batch, are free. Below the floor a latent costs λ whatever it says, so nothing
# pulls it towards the prior. ([Where this comes from, and what it costs](book:08_clinic#free-bits).)

# %% solution="free_bits_kl"
def free_bits_kl(mu: Tensor, logvar: Tensor, floor: float) -> Tensor:
    """The KL term of a batch in which no latent counts as less than a floor.

    Args:
        mu: means, (B, L).
        logvar: log variances, (B, L).
        floor: λ in nats, for each latent.

    Returns:
        The sum over latents of max(λ, mean over images of the latent's KL), in nats per
        image, ().
    """
    ### BEGIN SOLUTION
    each = 0.5 * (mu**2 + torch.exp(logvar) - logvar - 1)  # (B, L)
    return each.mean(dim=0).clamp(min=floor).sum()
    ### END SOLUTION

# %% check="free_bits_kl"
check(free_bits_kl)

# %% [markdown]
# **Predict, then run.** σ is fixed at 8, beyond the last step of the staircase: no latent is worth its price. A model whose latents
# speak (1.1 to 1.8 nats each) is trained on under this likelihood, once with the plain KL and once with a floor of one nat. What will each latent use?

# %% long=true picture="free-bits"
def train_with_floor(floor: float, num_steps: int) -> Tensor:
    """Go on training a model that speaks, with σ = 8 and a floor; the KL of each latent,
    sorted, (L,)."""
    torch.manual_seed(0)
    model = PocketVAE(LATENT_DIM).settle_for(x, sigma=1.0)
    slow = [
        weights for name, weights in model.named_parameters() if name != "encoder.logvar"
    ]
    optimizer = torch.optim.Adam(
        [{"params": slow, "lr": 1e-4}, {"params": [model.encoder.logvar], "lr": 0.03}]
    )
    for _ in range(num_steps):
        x_hat, mu, logvar = model(x)
        price = free_bits_kl(mu, logvar, floor)
        loss = -reconstruction_log_likelihood(x, x_hat, 8.0).mean() + price
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        mu, logvar = model.encode(x)
        each = kl_divergence(mu[..., None], logvar[..., None]).mean(dim=0)
        return each.sort(descending=True).values


plain, floored = (train_with_floor(floor, 150 * SCALE) for floor in (0.0, 1.0))
figure, axes = plt.subplots(figsize=(6, 2.6))
places = torch.arange(1, LATENT_DIM + 1)
axes.bar(places - 0.2, plain, 0.4, label="plain KL")
axes.bar(places + 0.2, floored, 0.4, hatch="//", label="free bits, λ = 1")
axes.axhline(1.0, color="black", linestyle=":", label="floor")
axes.set(xlabel="latent, sorted", ylabel="KL (nats)", ylim=(0, 1.5))
axes.legend(ncols=3, loc="upper center")
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Six pairs of bars, the KL of each latent. With the plain KL all are below 0.2 nats. With free bits all six are close to the floor of one nat, which a dotted line marks.](attachment:free-bits.png)
#
# </details>
#
# The plain KL silences every latent (train longer, and the rest is gone too). With free bits each keeps what it is given for nothing, and not a nat more. That is the strength of free bits and their weakness: *you* decide the
# rate, not the data.
#
# ## The letter
#
# The tutorial behind bed 6 is real, and its kind is common: an encoder whose feature maps are concatenated into the decoder
# "to preserve detail", a loss curve that falls nicely, a gallery of sharp reconstructions. Write to its author, in at most 200 words. A good letter is one
# that *you* would be glad to get: it says what is broken, gives evidence that the author can reproduce in five minutes, proposes a
# cure, says honestly what will get worse, and is kind.

# %% [markdown] answer="letter_to_the_author"
# Dear author, thank you for the tutorial; your loss and your sampler are right, and I learned from both. One thing may be worth a correction. The decoder gets
# the encoder's feature maps besides z, so pictures need not come from the code. You can see it in a minute: encode eight images, keep the
# features, and decode with the codes rolled by one place. In my copy the pictures stay where they were, 26.2 dB from their
# images, while a model without the connection swaps them (15.6 dB, which is how far different dogs are apart). So the KL is paid for a code that is nearly ignored, and the encoder's
# features are not available when one samples from the prior: samples show leftovers or nothing, and interpolating z changes next to nothing.
# The cure is to let the decoder see z alone; delete the concatenation. Reconstructions will become blurrier: with 6 latents, from 29 dB to about 22. That is not a
# loss of quality but the honest rate of a small code; a larger code or a better likelihood helps. If you want the skips, call the model a U-Net
# autoencoder and do not sample from it. With thanks and best wishes.
#
# **Rubric** (4 points). 1: names the defect: information reaches the decoder past z, so the code is not needed (not "the KL is too small").
# 1: evidence by experiment with numbers: codes swapped or replaced, pictures stay, compared with a healthy model or with the distance between
# images. 1: a cure that removes the way past the code, and says that reconstructions get blurrier and why that is right. 1: a consequence for the use
# of the model (samples, interpolation, features), in a tone that an author can accept; at most 200 words.

# %% [markdown]
# ## Before you go
#
# Real models can go through the same door. These are the course's shipped weights for paper dogs, thousands of steps of training and a convolutional net: the chart needs no
# word about the architecture. Then put your own model from assignment 5 on the table.

# %% long=true
from vae_ref.weights import load_weights

trained, _ = load_weights("paper")
trained.loss = MethodType(Donor.loss, trained)
dogs = paper_dogs(40, seed=77)[0].float() / 255  # never seen in training
chart = take_chart(trained, dogs)
show_charts([chart])
print(diagnose(chart))

# %% [markdown]
# You can now tell a VAE that works from one that only looks as if it did. What you cannot tell yet is *how good* a working one is: the bound is
# lower than the truth by an unknown amount, and nats of different likelihoods are hard to compare. Tighter bounds and honest numbers are
# [the next assignment](book:09_tighter#chapter-tighter).
