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
# At the end of the last exercise a network learned eight dogs by heart, and its noise died out because nothing charged for
# precision. Now everything comes together: the bound of exercise 02, the sample of exercise 03, the networks of exercise 04. You write
# the training, run it on two thousand paper dogs, and read its curves.
#
# In this notebook, as in the [chapter](book:05_training), things are named from the side of the optimiser:
#
# * `reconstruction` is $-\log p(x\mid z)$ and `kl` the divergence, both in **nats per image**, both to be made small;
# * `loss` is reconstruction + β · kl;
# * pixels count as continuous, so a sharp model has a density above 1, and its `reconstruction` is **negative**. That is right.

# %% setup=true
# The installation of the course, where it is missing, is written here.

# %%
import math
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autograder import check
from vae_ref.bound import kl_divergence, optimal_sigma, reconstruction_log_likelihood
from vae_ref.dogs import Batches, DogSet, paper_dogs
from vae_ref.networks import VAE
from vae_ref.weights import load_weights

SCALE = 1  # 10 with time: how many times longer the training runs

pictures, _ = paper_dogs(2304, seed=5)
labels = np.zeros(2304, dtype=np.int64)  # training needs none
train_set = DogSet(pictures[:2048].numpy(), labels[:2048])
# 256 dogs that training never sees
test_set = DogSet(pictures[2048:].numpy(), labels[2048:])
few_dogs = pictures[:16].float() / 255

# %% [markdown]
# ## 1 · Which model does a loss belong to?
#
# Most VAE code does not say σ anywhere. It adds squared errors and a KL, and takes what comes. But adding
#
# $$w_{\text{error}}\sum_{i=1}^{D}(x_i-\hat x_i)^2\;+\;w_{\text{KL}}\;\mathrm{KL}$$
#
# *is* choosing a σ. Up to a factor and a constant this is the negative bound of exercise 02 for exactly one standard deviation of
# a pixel. Which? ([σ in training](book:05_training#sigma-in-training) in the book.)

# %% solution="implied_sigma"
def implied_sigma(error_weight: float, kl_weight: float = 1.0) -> float:
    """The σ whose negative bound, up to a factor, is error_weight · Σ(x − x̂)² +
    kl_weight · KL plus a constant.

    Args:
        error_weight: factor before the squared errors, summed over all numbers of a
            picture; positive.
        kl_weight: factor before the KL, summed over all latents; positive.

    Returns:
        Standard deviation of a pixel, in units of [0, 1].
    """
    ### BEGIN SOLUTION
    # −log p(x|z) + KL = Σ(x − x̂)² / 2σ² + KL + …, so  w_error / w_KL = 1 / 2σ²
    return (kl_weight / (2 * error_weight)) ** 0.5
    ### END SOLUTION

# %% check="implied_sigma"
check(implied_sigma)

# %% [markdown]
# **Look at it.** A pixel goes from 0 to 1, black to white. The best σ is the root mean squared error, about 0.05 for a VAE that has
# learned something. What do these losses claim about a pixel?

# %%
D = 3 * 64 * 64
for said, weights in {
    "F.mse_loss + KL (a mean over pixels)": (1 / D, 1.0),
    "sum of squared errors + KL": (1.0, 1.0),
    "sum of squared errors + 4 KL (β = 4)": (1.0, 4.0),
    "200 sums of squared errors + KL": (200.0, 1.0),
}.items():
    print(f"{said:40} σ = {implied_sigma(*weights):8.3f}, or "
          f"{255 * implied_sigma(*weights):8.1f} grey levels")

# %% [markdown]
# ## 2 · Four losses that look alike
#
# All four were found in the wild. Each falls when pictures get better, each has a KL, and none raises an error.

# %%
def loss_a(x: Tensor, x_hat: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    error = (x - x_hat).square().sum(dim=(1, 2, 3)).mean()
    return error + kl_divergence(mu, logvar).mean()


def loss_b(x: Tensor, x_hat: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    return F.mse_loss(x_hat, x) + kl_divergence(mu, logvar).mean()


def loss_c(x: Tensor, x_hat: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    return F.mse_loss(x_hat, x) + kl_divergence(mu, logvar).mean() / x[0].numel()


def loss_d(x: Tensor, x_hat: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    return (
        -reconstruction_log_likelihood(x, x_hat, sigma=1.0) + kl_divergence(mu, logvar)
    ).mean()

# %% [markdown]
# Two losses train **the same model** if they have their minimum at the same place: one is a positive factor times the other, plus a
# constant. (Adam takes nearly the same steps down both.) Which of the four do? **Predict first**, on paper. Your
# `implied_sigma` decides it.

# %% solution="same_model"
def same_model() -> str:
    """Which of the four losses train the same model?

    Returns:
        Their letters, such as "BD" or "ABD".
    """
    ### BEGIN SOLUTION
    return "AC"
    ### END SOLUTION

# %% check="same_model"
check(same_model)

# %% [markdown]
# **Then run.** The two weights of each loss, measured by its gradients, and the σ that they imply.

# %%
x = few_dogs
x_hat = (x + 0.1 * torch.randn_like(x)).requires_grad_()
mu = torch.randn(16, 8, requires_grad=True)
error, kl = (x - x_hat).square().sum(), kl_divergence(mu, torch.zeros(16, 8)).sum()
slopes = torch.autograd.grad(error, x_hat)[0], torch.autograd.grad(kl, mu)[0]
for letter, loss in zip("ABCD", (loss_a, loss_b, loss_c, loss_d)):
    found = torch.autograd.grad(loss(x, x_hat, mu, torch.zeros(16, 8)), (x_hat, mu))
    weights = [
        ((got * slope).sum() / slope.square().sum()).item()
        for got, slope in zip(found, slopes)
    ]
    print(f"{letter}: weights {weights[0]:.6f} and {weights[1]:.6f}, so σ = "
          f"{implied_sigma(*weights):.3f}")

# %% [markdown]
# A sum is no "larger learning rate" for one term: it is another claim about how noisy a pixel is. None of the four is a good one.
# Therefore the training step below uses the σ that the batch itself calls for: `optimal_sigma(x, x_hat)`, the root mean squared
# error, in closed form. There is nothing left to tune.
#
# ## 3 · Let the code earn before it pays
#
# In the first steps the decoder cannot use a code yet, and a code that earns nothing but costs nats is given up. So the price
# starts at zero and rises in a straight line, [counted in steps](book:05_training#kl-warm-up).

# %% solution="kl_weight"
def kl_weight(step: int, warmup_steps: int) -> float:
    """Weight of the KL term: from 0 at step 0 in a straight line to 1 at step
    warmup_steps, and 1 from then on.

    Args:
        step: number of steps taken before this one.
        warmup_steps: length of the warm-up; 0 for none, then the weight is always 1.

    Returns:
        The weight β, from 0 to 1.
    """
    ### BEGIN SOLUTION
    return min(1.0, step / warmup_steps) if warmup_steps > 0 else 1.0
    ### END SOLUTION

# %% check="kl_weight"
check(kl_weight)

# %% [markdown]
# ## 4 · One step
#
# Forward, loss, gradients, step ([why one batch is enough](book:05_training#stochastic-gradients)). What has to hold:
#
# * the model is in training mode, and is called as a whole: `model(x)` gives `x_hat, mu, logvar`;
# * σ is the best one for this batch (through `optimal_sigma`; whether a gradient also flows through it
#   [makes no difference](book:05_training#sigma-in-training));
# * `reconstruction` and `kl` are one number for each image, and the batch is [averaged in one place](book:05_training#one-reduction);
# * the step goes down the gradient of **this** batch's loss only, and the numbers returned are those from *before* the step.

# %% solution="train_step"
def train_step(
    model: nn.Module, x: Tensor, optimizer: torch.optim.Optimizer, beta: float = 1.0
) -> dict[str, float]:
    """Take one step down the gradient of the negative bound.

    Args:
        model: maps images to (x_hat, mu, logvar).
        x: images, (B, 3, H, W), in [0, 1].
        optimizer: holds the model's parameters.
        beta: weight of the KL term in the loss.

    Returns:
        "loss", "reconstruction" and "kl" before the step, plain numbers in nats per
        image.
    """
    ### BEGIN SOLUTION
    model.train()
    x_hat, mu, logvar = model(x)
    sigma = optimal_sigma(x, x_hat.detach())
    reconstruction = -reconstruction_log_likelihood(x, x_hat, sigma)  # (B,)
    kl = kl_divergence(mu, logvar)  # (B,)
    loss = (reconstruction + beta * kl).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {
        "loss": loss.item(),
        "reconstruction": reconstruction.mean().item(),
        "kl": kl.mean().item(),
    }
    ### END SOLUTION

# %% check="train_step"
check(train_step)

# %% [markdown]
# **Look at it.** Ten steps on sixteen dogs. Predict: which of the two terms carries the loss, and by how much?

# %%
torch.manual_seed(0)
model = VAE(latent_dim=16)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(10):
    terms = train_step(model, few_dogs, optimizer)
    if step % 3 == 0:
        print(
            f"step {step}: "
            + ", ".join(f"{name} {value:,.1f}" for name, value in terms.items())
        )

# %% [markdown]
# ## 5 · Measure a whole set
#
# The terms of the bound over a whole set, for a curve or a report. Three traps:
#
# * a short last batch: the mean of the batches' means gives its images [too much weight](book:05_training#one-reduction);
# * σ: one number for the whole set, the root of the mean squared error over **all** its images, not one for each batch;
# * the model: in evaluation mode and without gradients meanwhile, and afterwards *in the mode in which it came*.

# %% solution="evaluate"
def evaluate(model: nn.Module, loader: Batches) -> dict[str, float]:
    """The terms of the negative bound over a whole set, with the one σ that suits all its
    images best.

    Args:
        model: maps images to (x_hat, mu, logvar).
        loader: batches of images (B, 3, H, W) in [0, 1] and labels; the last one may be
            short.

    Returns:
        "loss", "reconstruction" and "kl" with weight 1 on the KL, plain numbers in nats
        per image.
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    squared_error, kl, num_images, num_dims = 0.0, 0.0, 0, 0
    with torch.no_grad():
        for x, _ in loader:
            x_hat, mu, logvar = model(x)
            squared_error += (x - x_hat).square().sum().item()
            kl += kl_divergence(mu, logvar).sum().item()
            num_images += len(x)
            num_dims = x[0].numel()
    model.train(was_training)
    # σ², at which ‖x − x̂‖² / 2σ² is D / 2 on average
    variance = squared_error / (num_images * num_dims)
    reconstruction = 0.5 * num_dims * (1 + math.log(2 * math.pi * variance))
    kl /= num_images
    return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}
    ### END SOLUTION

# %% check="evaluate"
check(evaluate)

# %% [markdown]
# **Look at it.** The same model on the same 100 dogs, in batches of different sizes. The KL must not move at all; the
# reconstruction moves a little. Why that one?

# %%
hundred = DogSet(test_set.images[:100], test_set.labels[:100])
for batch_size in (100, 64, 7):
    terms = evaluate(model, Batches(hundred, batch_size))
    print(f"batches of {batch_size:3}: reconstruction {terms['reconstruction']:,.1f}, "
          f"KL {terms['kl']:.3f}")

# %% [markdown]
# (Each call draws new codes. The KL is computed from `mu` and `logvar`, without a sample.)
#
# ## 6 · Train
#
# An epoch is one pass over the loader. The warm-up counts steps from the very first, across epochs. A row of the history is the
# average over the *images* of its epoch, as the steps reported them. ([A run, with its curves](book:05_training#training-run).)

# %% solution="fit"
def fit(
    model: nn.Module,
    loader: Batches,
    optimizer: torch.optim.Optimizer,
    num_epochs: int,
    warmup_steps: int = 0,
) -> list[dict[str, float]]:
    """Train for some epochs.

    Args:
        model: maps images to (x_hat, mu, logvar).
        loader: batches of images and labels, iterated once an epoch; the last batch may
            be short.
        optimizer: holds the model's parameters.
        num_epochs: passes over the loader.
        warmup_steps: steps, not epochs, over which the weight of the KL term rises to 1.

    Returns:
        For each epoch "loss", "reconstruction" and "kl", averaged over its images, nats
        per image.
    """
    ### BEGIN SOLUTION
    history = []
    step = 0
    for _ in range(num_epochs):
        totals = {"loss": 0.0, "reconstruction": 0.0, "kl": 0.0}
        num_images = 0
        for x, _ in loader:
            terms = train_step(model, x, optimizer, kl_weight(step, warmup_steps))
            step += 1
            num_images += len(x)
            for name in totals:
                totals[name] += terms[name] * len(x)
        history.append({name: total / num_images for name, total in totals.items()})
    return history
    ### END SOLUTION

# %% check="fit"
check(fit)

# %% [markdown]
# **Now for real.** Eight passes over 2,048 dogs in batches of 32, with a warm-up of 200 steps: about a minute. (Grading leaves this part
# out.) So that the curves get more than eight points, the loader below hands out an eighth of the dogs at a time.
# For `fit`, an epoch is whatever the loader says it is.
#
# **Predict first**, and write it down: will the KL rise or fall while the loss goes down? What happens to it during the warm-up?

# %% long=true
class Pieces:
    """A loader that gives the next ``count`` batches of another one each time it is
    iterated."""

    def __init__(self, batches: Batches, count: int) -> None:
        self.batches, self.count, self.rest = batches, count, iter(())

    def __iter__(self):
        for _ in range(self.count):
            batch = next(self.rest, None)
            if batch is None:
                self.rest = iter(self.batches)
                batch = next(self.rest)
            yield batch


torch.manual_seed(0)
model = VAE(latent_dim=16)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
batches = Batches(train_set, 32, shuffle=True)
start = time.perf_counter()
history = fit(
    model,
    Pieces(batches, len(batches) // 8),
    optimizer,
    num_epochs=8 * 8 * SCALE,
    warmup_steps=200,
)
measured = evaluate(model, Batches(test_set, 128))
print(
    f"{time.perf_counter() - start:.0f} seconds; unseen dogs: ",
    {name: round(value) for name, value in measured.items()},
)

# %% long=true picture="curves"
figure, panels = plt.subplots(1, 3, figsize=(9, 2.8))
steps = [len(batches) // 8 * (row + 1) for row in range(len(history))]
for axes, name in zip(panels, ("reconstruction", "kl", "loss")):
    values = [
        row["reconstruction"] + row["kl"] if name == "loss" else row[name]
        for row in history
    ]
    axes.axvspan(0, 200, color="grey", alpha=0.15)
    axes.plot(steps, values, label="training")
    axes.plot(steps[-1], measured[name], "o", label="unseen")
    axes.set_title(
        {"kl": "KL", "loss": "reconstruction + KL"}.get(name, name) + " (nats)",
        fontsize=10,
    )
    axes.set_xlabel("step")
panels[2].legend()
figure.tight_layout()
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Three curves over 512 steps, the warm-up of 200 steps shaded. Reconstruction falls steeply, then ever more slowly, far below zero.
# KL rises steeply to about 60 nats while its weight is small, then to more than 70, and stays near there. The sum looks
# like the reconstruction. Dots for unseen dogs lie close to the ends of the curves.](attachment:curves.png)
#
# </details>
#
# The third curve is reconstruction + KL at weight **one**, whatever weight training used, so that its points can be compared with
# each other. [How to read the three](book:05_training#reading-the-curves).

# %% long=true picture="reconstructions"
x = torch.from_numpy(test_set.images[:8]).float() / 255
model.eval()
with torch.no_grad():
    x_hat = model.decode(model.encode(x)[0])
    shipped, _ = load_weights("paper")
    best = shipped.decode(shipped.encode(x)[0])
figure, axes = plt.subplots(figsize=(8, 3.2))
axes.imshow(torch.stack([x, x_hat, best]).permute(0, 3, 1, 4, 2).reshape(3 * 64, -1, 3))
axes.set_yticks([32, 96, 160], ["unseen dogs", "your model", "long training"])
axes.set_xticks([])
plt.show()
for name, picture in (("your model", x_hat), ("long training", best)):
    print(f"{name:13}: root mean squared error "
          f"{(x - picture).square().mean().sqrt():.3f}")

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Three rows of eight dogs. Above, unseen paper dogs. In the middle their reconstructions: the right coat, ears, posture and
# background, but blurred, with woolly eyes. Below those of the reference after a long training, nearly as crisp as the
# originals.](attachment:reconstructions.png)
#
# </details>
#
# Below are the weights that come with the course: the same network, trained on ten thousand dogs for 13,000 steps.
#
# ## 7 · And with loss B?
#
# The same network, the same dogs, the same optimiser, with the `loss_b` of part 2. **Predict first:** what will the KL do, and what
# will the reconstructions look like?

# %% long=true
torch.manual_seed(0)
collapsed = VAE(latent_dim=16)
optimizer = torch.optim.Adam(collapsed.parameters(), lr=3e-3)
for x, _ in Batches(train_set, 32, shuffle=True):
    x_hat, mu, logvar = collapsed(x)
    optimizer.zero_grad()
    loss_b(x, x_hat, mu, logvar).backward()
    optimizer.step()
print(
    {
        name: round(value, 2)
        for name, value in evaluate(collapsed, Batches(test_set, 128)).items()
    }
)

# %% long=true picture="collapse"
x = torch.from_numpy(test_set.images[:8]).float() / 255
collapsed.eval()
with torch.no_grad():
    x_hat = collapsed(x)[0]
figure, axes = plt.subplots(figsize=(8, 2.2))
axes.imshow(torch.stack([x, x_hat]).permute(0, 3, 1, 4, 2).reshape(2 * 64, -1, 3))
axes.set_yticks([32, 96], ["unseen dogs", "loss B"])
axes.set_xticks([])
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Two rows of eight dogs. Above, unseen paper dogs of different colours and postures. Below, the same blurred, blocky
# brown shape on grey eight times.](attachment:collapse.png)
#
# </details>
#
# With an implied σ of 78 black and white are much the same, so a code is worth nothing and is not sent: the posterior has
# [collapsed](book:05_training#posterior-collapse). The KL is next to 0, and every dog becomes the average dog.
#
# ## 8 · Stop, and go on as if nothing had happened
#
# Long runs get interrupted. A checkpoint holds **everything that the next step reads**
# ([the list](book:05_training#stop-and-continue)). Here it is a dictionary with four entries:
#
# | key | what |
# |---|---|
# | `"model"` | the model's `state_dict()` |
# | `"optimizer"` | the optimizer's `state_dict()` |
# | `"step"` | how many steps were taken |
# | `"random"` | the state of torch's own random numbers, `torch.get_rng_state()` |
#
# And it must never be *half* a checkpoint. If the computer dies while the new one is being written, the old one has to be there still, and
# whole. So write to another name in the same folder, and when that file is complete, rename it onto the old one.

# %% solution="save_checkpoint"
def save_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int
) -> None:
    """Write a checkpoint, or replace an older one, in a single step; nothing else is left
    in the folder.

    Args:
        path: of the file; its folder exists.
        model: to be kept with its buffers.
        optimizer: to be kept with its memory.
        step: number of steps taken so far.
    """
    ### BEGIN SOLUTION
    content = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "random": torch.get_rng_state(),
    }
    unfinished = path.with_name(path.name + ".unfinished")
    torch.save(content, unfinished)
    unfinished.replace(path)
    ### END SOLUTION

# %% check="save_checkpoint"
check(save_checkpoint)

# %% [markdown]
# The way back. The model and the optimizer exist already, fresh ones of the right kind: fill them. Read with
# `torch.load(path, weights_only=True)`: a checkpoint from somebody else could otherwise run code on your computer.

# %% solution="load_checkpoint"
def load_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer
) -> int:
    """Put model, optimizer and torch's own random numbers back where they were when a
    checkpoint was saved.

    Args:
        path: of a file with the four entries of the table.
        model: gets the weights and buffers, in place.
        optimizer: of this model's parameters; gets its memory back, in place.

    Returns:
        How many steps had been taken.
    """
    ### BEGIN SOLUTION
    content = torch.load(path, weights_only=True)
    model.load_state_dict(content["model"])
    optimizer.load_state_dict(content["optimizer"])
    torch.set_rng_state(content["random"])
    return content["step"]
    ### END SOLUTION

# %% check="load_checkpoint"
check(load_checkpoint)

# %% [markdown]
# **Look at it.** Four steps in one go, and four steps with a death in the middle. Exactly the same weights, to the last bit? Leave out
# one of the four entries and predict what happens to the last line.

# %%
def fresh() -> tuple[VAE, torch.optim.Optimizer]:
    model = VAE(latent_dim=4)
    return model, torch.optim.Adam(model.parameters(), lr=1e-3)


path = Path(tempfile.mkdtemp()) / "run.pt"
torch.manual_seed(1)
straight, optimizer = fresh()
for step in range(4):
    if step == 2:
        save_checkpoint(path, straight, optimizer, step)
    train_step(straight, few_dogs, optimizer, kl_weight(step, warmup_steps=8))

torch.manual_seed(2)  # another day, another process
resumed, optimizer = fresh()
for step in range(load_checkpoint(path, resumed, optimizer), 4):
    train_step(resumed, few_dogs, optimizer, kl_weight(step, warmup_steps=8))

same = [torch.equal(a, b) for a, b in zip(straight.parameters(), resumed.parameters())]
print(f"{path.stat().st_size / 1e6:.1f} MB; {sum(same)} of {len(same)} tensors of "
      "weights are equal to the last bit")

# %% [markdown]
# ## Before you go: three runs, and only their curves
#
# Somebody sends you three runs of a VAE and asks what is wrong. You have nothing but the curves. For each: what has happened, and what
# would you change, if anything? Two sentences each.
#
# 1. The KL falls to 0.02 nats within the first hundred steps and stays there; the reconstruction stops improving at the same time.
# 2. The loss of the training images falls for 60 epochs. That of unseen images falls for 12, and rises ever since.
# 3. With `warmup_steps=1000` the *loss* that is minimised falls for 200 steps, then climbs for several hundred, while
#    the sum reconstruction + KL keeps falling.

# %% [markdown] answer="curves"
# 1. The posterior has collapsed: the code says nothing, and every picture becomes the average. Look for a mean over
#    pixels against a summed KL (or another σ that is much too large), use the calibrated σ, and try a warm-up; a decoder that
#    needs no code would be another cause.
# 2. The model overfits: it learns the training images by heart. Keep the weights of epoch 12 (stop early); more images, or
#    augmented training images, or a smaller network push the turn further out.
# 3. Nothing is wrong. The weight of the KL rises with every step, so the same model gets a larger loss; only the sum at weight one can
#    be compared across steps, and it falls. Change nothing.
#
# **Rubric** (3 points). 1: collapse, with a cause in the loss or a remedy that changes the balance of the terms. 1: overfitting, with a remedy
# that is not "train longer". 1: says that the loss itself changes during warm-up and that nothing has to be done.

# %% [markdown]
# You have a trained VAE. The next exercise lets it draw: reconstructions, dogs that nobody has seen, and the way from one dog to
# another.
