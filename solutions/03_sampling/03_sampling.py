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
# The bound of the last assignment has an average in it, $\mathbb E_{q(z\mid x)}[\log p(x\mid z)]$, and the codes $z$ are drawn at
# random from a Gaussian that the encoder describes. To train the encoder, we need the gradient of that average with respect to
# $\mu$ and $\log\sigma^2$: *how would the average change if I drew from a slightly different Gaussian?*
#
# Ask a random number generator for its derivative and it will not answer. This notebook gets the answer in two ways. One looks
# at how the samples move, the other never looks inside $f$ at all. Both are right on average, and you will measure that one of
# them is thousands of times noisier. On the way you meet the nastiest bug of all VAE code: it raises no error, and the loss falls.

# %% setup=true
# The installation of the course, where it is missing, is written here.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

from autograder import check
from vae_ref.bound import elbo, kl_divergence, reconstruction_log_likelihood
from vae_ref.dogs import paper_dogs

SCALE = 1  # set it to 10 with time: trains ten times as long

# %% [markdown]
# ## 1 · Move the noise out of the way
#
# Instead of asking for a draw from $\mathcal N(\mu,\sigma^2)$, ask for one from $\mathcal N(0,1)$, which depends on nothing, and
# stretch and shift it:
#
# $$z=\mu+\sigma\,\varepsilon,\qquad\varepsilon\sim\mathcal N(0,I).$$
#
# The result has the same distribution ([why](book:03_sampling#reparameterization-trick)), but now $z$ is an ordinary function of
# $\mu$ and $\sigma$, and autograd knows what to do with those. Remember that the encoder says `logvar`, which is
# $\log\sigma^2$ ([from there to the standard deviation](book:03_sampling#std-is-half-logvar)).

# %% solution="reparameterize"
def reparameterize(
    mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Draw z ~ N(mu, exp(logvar)) so that gradients reach mu and logvar.

    Args:
        mu: means, (B, L).
        logvar: log variances, (B, L).
        generator: source of the noise; None means torch's own.

    Returns:
        One code for each row, (B, L), of the type of ``mu``.
    """
    ### BEGIN SOLUTION
    eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    return mu + torch.exp(0.5 * logvar) * eps
    ### END SOLUTION

# %% check="reparameterize"
check(reparameterize)

# %% [markdown]
# **Look at it.** The same noise three times, for three Gaussians; five of the points have a colour. *Predict first:* the second
# Gaussian is the first one moved to the right, and the third is narrower and taller. Where do the coloured points go?

# %% picture="same-noise"
settings = [((0.0, 0.0), (1.0, 1.0)), ((2.0, 1.0), (1.0, 1.0)), ((2.0, 1.0), (0.4, 1.6))]
figure, row = plt.subplots(1, 3, figsize=(9, 2.8), sharex=True, sharey=True)
for axes, (mean, std) in zip(row, settings):
    mu = torch.tensor([mean]).expand(200, 2)
    logvar = 2 * torch.tensor([std]).log().expand(200, 2)
    z = reparameterize(mu, logvar, torch.Generator().manual_seed(3))
    axes.scatter(z[:, 0], z[:, 1], s=6, color="#bbbbbb")
    for number, colour in enumerate(
        ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")
    ):
        axes.scatter(z[number, 0], z[number, 1], s=40, color=colour)
    axes.set_title(f"μ = {mean}, σ = {std}", fontsize=9)
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Three scatter plots with the same cloud of points: round around zero, the same cloud moved to the right and up, and the moved cloud squeezed from the sides and stretched upwards. The five coloured points keep their places within the cloud.](attachment:same-noise.png)
#
# </details>
#
# Each point knows how it moves when $\mu$ or $\sigma$ does: by $1$ and by $\varepsilon$. That is all the derivative anybody needs.
#
# ## 2 · A path that is cut
#
# Now suppose somebody draws the code with `torch.distributions.Normal(mu, std).sample()`, or wraps the sampler in
# `torch.no_grad()`, or writes `.detach()` to get rid of a warning. The values are the same. The derivative is gone.
#
# *Predict first, and put your prediction into a function.* The loss is `-elbo`, reconstruction and KL term. With a detached code,
# which of the two still sends a gradient into the **encoder**?
#
# * **a** neither;
# * **b** the reconstruction term;
# * **c** the KL term;
# * **d** both, since `detach` does not change any value.

# %% solution="gradient_after_detach"
def gradient_after_detach() -> str:
    """Which term still teaches the encoder when the code is detached: "a", "b", "c" or
    "d"."""
    ### BEGIN SOLUTION
    return "c"
    ### END SOLUTION

# %% check="gradient_after_detach"
check(gradient_after_detach)

# %% [markdown]
# ([What exactly is lost](book:03_sampling#gradient-through-a-sample), in the book.)
#
# **Look at it.** Here is a VAE small enough for a minute: 16×16 pixels, one hidden layer each way (the real one is the next
# assignment). For one batch of paper dogs, the table shows how large the gradient of the encoder is that each term causes.

# %%
class SmallVAE(nn.Module):
    """16×16 colour pictures, 8 latent dimensions; ``sampler`` draws the codes."""

    def __init__(self, sampler) -> None:
        super().__init__()
        self.sampler = sampler
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(768, 128), nn.ReLU(), nn.Linear(128, 16)
        )
        self.decoder = nn.Sequential(
            nn.Linear(8, 128),
            nn.ReLU(),
            nn.Linear(128, 768),
            nn.Sigmoid(),
            nn.Unflatten(1, (3, 16, 16)),
        )

    def forward(self, x: Tensor):
        mu, logvar = self.encoder(x).chunk(2, dim=1)  # (B, 8) each
        return self.decoder(self.sampler(mu, logvar)), mu, logvar


def detached(mu: Tensor, logvar: Tensor) -> Tensor:
    """What ``Normal(mu, std).sample()`` gives: the right values, and no way back."""
    return reparameterize(mu, logvar).detach()


def encoder_gradient(model: SmallVAE, term: Tensor) -> float:
    """Length of the gradient that a term sends into the encoder's weights."""
    weights = list(model.encoder.parameters())
    gradients = torch.autograd.grad(term, weights, retain_graph=True, allow_unused=True)
    return sum(g.square().sum() for g in gradients if g is not None) ** 0.5


PIXEL_SIGMA = 0.1
pixels, _ = paper_dogs(1024, seed=3)
dogs = nn.functional.avg_pool2d(pixels.float() / 255, 4)  # (1024, 3, 16, 16)

print("sampler          loss   from the reconstruction   from the KL")
for name, sampler in (("reparameterize", reparameterize), ("detached", detached)):
    torch.manual_seed(0)
    model = SmallVAE(sampler)
    x_hat, mu, logvar = model(dogs[:64])
    reconstruction = -reconstruction_log_likelihood(dogs[:64], x_hat, PIXEL_SIGMA).mean()
    kl = kl_divergence(mu, logvar).mean()
    sizes = [float(encoder_gradient(model, term)) for term in (reconstruction, kl)]
    print(f"{name:14} {(reconstruction + kl).item():6.0f}   {sizes[0]:23.3f}   "
          f"{sizes[1]:11.3f}")

# %% [markdown]
# The loss is the same to the last digit, and nothing complains. But all the encoder hears in the second row is "be cheaper".
#
# Both models are trained now, in the same way. *Predict first:* what do the two curves of the loss look like, and what becomes of
# the KL term?

# %% long=true picture="silent"
def train(sampler, steps: int):
    """A small VAE, and its loss and KL over the steps, nats per image."""
    torch.manual_seed(0)
    model = SmallVAE(sampler)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    losses, kls = [], []
    for step in range(steps):
        x = dogs[torch.randint(len(dogs), (64,))]
        x_hat, mu, logvar = model(x)
        loss = -elbo(x, x_hat, mu, logvar, PIXEL_SIGMA).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        kls.append(kl_divergence(mu, logvar).mean().item())
    return model, losses, kls


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8))
models = {}
for name, sampler, colour in (
    ("reparameterize", reparameterize, "#0072B2"),
    ("detached", detached, "#D55E00"),
):
    models[name], losses, kls = train(sampler, 600 * SCALE)
    left.plot(losses, color=colour, label=name)
    right.plot(kls, color=colour, label=name)
left.set(xlabel="step", ylabel="loss (nats per image)")
right.set(xlabel="step", ylabel="KL (nats per image)")
left.legend()
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Two panels over 600 steps. Left, the loss: both curves fall steeply at first; that of the detached sampler levels out early, the other one keeps falling. Right, the KL: with reparameterize it jumps up, dips and settles near twenty nats; with the detached sampler it falls to zero within a few steps and stays there.](attachment:silent.png)
#
# </details>
#
# Seen alone, the orange loss is a fine curve: it falls, and it settles. The KL term gives it away. Here is what the two models make
# of six dogs.

# %% long=true
figure, rows = plt.subplots(3, 6, figsize=(6, 3))
with torch.no_grad():
    pictures = [dogs[:6]] + [model(dogs[:6])[0] for model in models.values()]
for row, images, name in zip(rows, pictures, ("dogs", "reparameterize", "detached")):
    for axes, image in zip(row, images):
        axes.imshow(image.permute(1, 2, 0))
        axes.set(xticks=[], yticks=[])
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
plt.show()

# %% [markdown]
# The decoder has learned the average dog, since the codes tell it nothing, and that is where the loss comes down. Posterior
# collapse has many causes; this is the one that a single `.detach()` brings.
#
# **How to find it.** Never trust a falling loss. Ask for the gradient: `check(reparameterize)` compares its *values* with those of
# $\mu+\sigma\varepsilon$, and the table above is the same test for a whole model. A test that only asks whether `encoder.weight.grad`
# is not `None` passes, because of the KL.
#
# ## 3 · The gradient along the path
#
# Let us look at the gradient itself. Take any function $f$ of a code. Through the samples,
#
# $$\nabla_\mu\,\mathbb E[f(z)]=\nabla_\mu\,\mathbb E[f(\mu+\sigma\varepsilon)]=\mathbb E[\nabla f(z)],$$
#
# so the slope of $f$ **at each sample** is an unbiased estimate ([the derivation](book:03_sampling#pathwise-estimator)). Return one
# estimate for each sample, so that we can see how they spread.

# %% solution="pathwise_gradient"
def pathwise_gradient(
    f,
    mu: Tensor,
    logvar: Tensor,
    num_samples: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Estimates of d/dmu E[f(z)], z ~ N(mu, exp(logvar)), from the slope of f.

    Args:
        f: function of codes, (N, L) → (N,), differentiable; row n of the result depends
            on row n only.
        mu: mean, (L,).
        logvar: log variances, (L,).
        num_samples: how many estimates, N.
        generator: source of the noise.

    Returns:
        One estimate a row, (N, L).
    """
    ### BEGIN SOLUTION
    z = reparameterize(
        mu.expand(num_samples, -1), logvar.expand(num_samples, -1), generator
    )
    z = z.detach().requires_grad_(True)
    # dz/dmu = 1, and the sum keeps the rows apart
    return torch.autograd.grad(f(z).sum(), z)[0]
    ### END SOLUTION

# %% check="pathwise_gradient"
check(pathwise_gradient)

# %% [markdown]
# ## 4 · The gradient from values alone
#
# What if $f$ has no slope: a reward, a rank, a step? Then differentiate the density instead, with $\nabla q=q\,\nabla\log q$:
#
# $$\nabla_\mu\,\mathbb E[f(z)]=\int f(z)\,\nabla_\mu q(z)\,dz=\mathbb E\big[f(z)\,\nabla_\mu\log q(z)\big],\qquad
# \nabla_\mu\log q(z)=\frac{z-\mu}{\sigma^2}.$$
#
# Values of $f$ are all it takes ([the derivation](book:03_sampling#score-function-estimator)). In reinforcement learning it is
# called REINFORCE.

# %% solution="score_function_gradient"
def score_function_gradient(
    f,
    mu: Tensor,
    logvar: Tensor,
    num_samples: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Estimates of d/dmu E[f(z)], z ~ N(mu, exp(logvar)), from values of f alone.

    Args:
        f: function of codes, (N, L) → (N,); it need not have a derivative.
        mu: mean, (L,).
        logvar: log variances, (L,).
        num_samples: how many estimates, N.
        generator: source of the noise.

    Returns:
        One estimate a row, (N, L).
    """
    ### BEGIN SOLUTION
    z = reparameterize(
        mu.expand(num_samples, -1), logvar.expand(num_samples, -1), generator
    ).detach()
    score = (z - mu) / torch.exp(logvar)  # (N, L)
    return f(z)[:, None] * score
    ### END SOLUTION

# %% check="score_function_gradient"
check(score_function_gradient)

# %% [markdown]
# **Two functions, two estimates.** *Predict first:* `floor` is a staircase. On average it rises by 1 when $\mu$ rises by 1. What does
# each estimator say about it?

# %%
functions = {
    "a parabola, (z − 3)²": (lambda z: (z[:, 0] - 3) ** 2, -6.0),
    "a staircase, floor(z)": (lambda z: z[:, 0].floor(), 1.0),
}
zero = torch.zeros(1)  # mu = 0 and sigma = 1
for name, (f, exact) in functions.items():
    print(f"{name}: exact {exact:+.2f}")
    for estimator in (pathwise_gradient, score_function_gradient):
        estimates = estimator(f, zero, zero, 100_000, torch.Generator().manual_seed(0))
        print(f"    {estimator.__name__:24} {estimates.mean():+.3f} ± "
              f"{estimates.std() / 100_000**0.5:.3f}")

# %% [markdown]
# Between its steps a staircase is flat, so the pathwise estimator says 0.000 ± 0.000: wrong, certain, and silent. It needs an $f$
# that is continuous. The other one needs nothing, but look at its error bar on the parabola.
#
# ## 5 · Why one is so much noisier
#
# Take one dimension and $f(z)=(z-a)^2$, let $d=\mu-a$, and write $z=\mu+\sigma\varepsilon$. The two estimates are
#
# $$g_{\text{path}}=2\,(d+\sigma\varepsilon),\qquad g_{\text{score}}=(d+\sigma\varepsilon)^2\,\frac{\varepsilon}{\sigma}.$$
#
# Both have the mean $2d$. With pencil and paper, find their variances; you need $\mathbb E[\varepsilon^2]=1$,
# $\mathbb E[\varepsilon^4]=3$, $\mathbb E[\varepsilon^6]=15$, and that odd powers average to 0. Then write the ratio as a function.
# ([The book](book:03_sampling#gradient-variance) does it for a line; the parabola is yours.)

# %% solution="variance_ratio"
def variance_ratio(distance: float, sigma: float) -> float:
    """Variance of the score function estimate over that of the pathwise estimate, for
    f(z) = (z − a)².

    Args:
        distance: d = mu − a.
        sigma: standard deviation of z, positive.

    Returns:
        The ratio of the variances, without a unit.
    """
    ### BEGIN SOLUTION
    score = distance**4 / sigma**2 + 14 * distance**2 + 15 * sigma**2
    pathwise = 4 * sigma**2
    return score / pathwise
    ### END SOLUTION

# %% check="variance_ratio"
check(variance_ratio)

# %% [markdown]
# **Measure it.** Your estimators against your formula, at a distance of 1. *Predict first:* an encoder that is sure of itself has a
# small σ. Is that easier or harder for the score function?

# %% picture="ratio"
sigmas = torch.logspace(-1.3, 0.7, 9)
measured = []
for sigma in sigmas:
    mu, logvar = torch.ones(1), 2 * sigma.log()[None]
    spreads = [
        estimator(
            lambda z: z[:, 0] ** 2, mu, logvar, 50_000, torch.Generator().manual_seed(1)
        )
        .var()
        .item()
        for estimator in (score_function_gradient, pathwise_gradient)
    ]
    measured.append(spreads[0] / spreads[1])
fine = torch.logspace(-1.3, 0.7, 100)
plt.figure(figsize=(6, 3))
plt.loglog(
    fine,
    [variance_ratio(1.0, s.item()) for s in fine],
    color="#0072B2",
    label="your formula",
)
plt.loglog(sigmas, measured, "o", color="#D55E00", label="measured")
plt.axhline(15 / 4, color="grey", linewidth=0.8, label="15/4")
plt.xlabel("σ, at a distance of 1 from the minimum")
plt.ylabel("variance: score / pathwise")
plt.legend()
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Log-log plot of the ratio of the variances over sigma. The measured dots lie on the curve of the formula. It falls from about forty thousand at sigma 0.05 and levels out a little above 15/4 at large sigma.](attachment:ratio.png)
#
# </details>
#
# The ratio explains itself if you read the estimates aloud. Pathwise: *here is the slope where I stand.* Score function: *here is a
# value; multiply it with the direction you happened to step in.* The value $d^2$ says nothing about the slope, yet it is multiplied
# with noise of size $1/\sigma$, and only the average over many samples takes it out again. So the noise grows with the **size** of
# $f$, and with the precision of the encoder.
#
# Two things follow. Subtracting a constant from $f$ (a *baseline*) does not change the mean and may save a lot. And in many
# dimensions the values of all the others come in as noise:

# %%
generator = torch.Generator().manual_seed(2)
print("dimensions   pathwise      score   with a baseline     "
      "samples for one pathwise sample")
for num_dims in (1, 4, 16, 64, 256):
    mu, logvar = torch.ones(num_dims), torch.full((num_dims,), 2 * math.log(0.5))
    f = lambda z: z.square().sum(dim=1)
    # of f, known here; otherwise that of the other samples
    mean = num_dims * (1 + 0.5**2)
    path = pathwise_gradient(f, mu, logvar, 20_000, generator).var(dim=0).mean()
    score = score_function_gradient(f, mu, logvar, 20_000, generator).var(dim=0).mean()
    base = (
        score_function_gradient(lambda z: f(z) - mean, mu, logvar, 20_000, generator)
        .var(dim=0)
        .mean()
    )
    print(f"{num_dims:10}   {path:8.2f}   {score:8.0f}   {base:15.1f}   "
          f"{score / path:8,.0f} or {base / path:5,.0f}")

# %% [markdown]
# The last column is how many samples of the score function are worth one pathwise sample: with 64 latent dimensions, tens of
# thousands, and with a good constant still hundreds. That is why a VAE trains with **one** code per image, and why its inventors' trick
# made it possible.
#
# And for the real $f$, the reconstruction term of a dog? Here is the decoder that was trained above, at the code of one dog.

# %% long=true
model = models["reparameterize"]
x = dogs[:1]
mu, logvar = (part[0].detach() for part in model.encoder(x).chunk(2, dim=1))


def reconstruction_term(z: Tensor) -> Tensor:
    return reconstruction_log_likelihood(
        x.expand(len(z), -1, -1, -1), model.decoder(z), PIXEL_SIGMA
    )


path = pathwise_gradient(reconstruction_term, mu, logvar, 5_000).var(dim=0).mean()
score = score_function_gradient(reconstruction_term, mu, logvar, 5_000).var(dim=0).mean()
print(f"variance of the gradient in mu: pathwise {path:,.1f}, score function "
      f"{score:,.1f}, ratio {score / path:,.0f}")

# %% [markdown]
# About a million. The value of this $f$ is some hundreds of nats, and the encoder is sure to a tenth: both count, as in your formula.
#
# ## 6 · Not only Gaussians
#
# A shift and a scale make a Gaussian from a Gaussian. Other distributions need other functions of noise. One recipe fits all that have
# a distribution function $F$ with an inverse: if $u$ is uniform in $(0,1)$, then $z=F^{-1}(u)$ has the distribution $F$
# ([why](book:03_sampling#inverse-cdf)).
#
# Waiting times are exponential: $F(z)=1-e^{-\lambda z}$ with rate $\lambda>0$. Solve for $z$ and write the sampler. (`torch.rand` may
# return 0, though rarely, and never 1: see that your logarithm survives it.)

# %% solution="draw_exponential"
def draw_exponential(rate: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw from exponential distributions so that gradients reach their rates.

    Args:
        rate: rates λ, positive, (B, L).
        generator: source of the noise.

    Returns:
        One draw for each rate, (B, L), of the type of ``rate``.
    """
    ### BEGIN SOLUTION
    u = torch.rand(rate.shape, generator=generator, dtype=rate.dtype)
    return -torch.log1p(-u) / rate
    ### END SOLUTION

# %% check="draw_exponential"
check(draw_exponential)

# %% [markdown]
# **Try it.** The mean of an exponential variable is $1/\lambda$, so the derivative of the mean is $-1/\lambda^2$. Does the gradient
# through your draws know?

# %%
for value in (0.5, 1.0, 4.0):
    rate = torch.full((100_000, 1), value, requires_grad=True)
    draws = draw_exponential(rate, torch.Generator().manual_seed(0))
    (slopes,) = torch.autograd.grad(draws.sum(), rate)
    print(f"rate {value}: mean {draws.mean():.3f} (exact {1 / value:.3f}), slope "
          f"{slopes.mean():+.4f} (exact {-1 / value**2:+.4f})")

# %% [markdown]
# **Where it ends.** A coin is $z=1$ if $u<p$, else 0: a staircase in $p$. You know what the pathwise gradient of a staircase is. For
# discrete codes there is no such function at all, and the choice is between the score function with a good baseline and a smooth
# imitation of the coin whose gradient is biased; [the book](book:03_sampling#discrete-codes) has both, and says
# [what the popular one costs](book:03_sampling#gumbel-softmax).
#
# ### A question in words (2 points)
#
# A colleague replaced your sampler with `torch.distributions.Normal(mu, std).sample()` and writes: "No error, and the loss went down
# nicely before it levelled out. But every reconstruction is the same dog." Explain in a few sentences which of her parameters
# still learn, and from what, and why the loss fell. Then name one measurement that would have shown the bug in the first minute.

# %% [markdown] answer="silent_loss"
# The decoder still learns from the reconstruction term, because nothing is cut between it and the loss. The encoder gets a
# gradient from the KL term only: the sample stands between it and the reconstruction, and `.sample()` cuts that path. So it moves
# every code to the prior, the code says nothing about the picture, and the best the decoder can do is the average dog. Getting
# from random pictures to the average dog and from some KL to none is what made the loss fall. One measurement: the gradient of
# the reconstruction term alone with respect to the encoder's weights, which is zero or `None`. (Or: the KL per image, which goes to
# zero; or: swap the codes of two images and see that the pictures do not change.)
#
# **Rubric** (2 points). 1: the encoder learns from the KL only (or: nothing from the pictures) while the decoder learns from the
# reconstruction, and this is why the loss falls. 1: a measurement that tells: gradient of the reconstruction term in the encoder,
# KL near zero, or swapped codes. "Look whether gradients are None" on the whole loss earns nothing here, since the KL fills them.

# %% [markdown]
# ## What you have now
#
# A draw that lets gradients through, a reason why one draw is enough, and a nose for paths that are cut. Still missing is the part
# that says `mu` and `logvar` in the first place, and the part that turns `z` into a picture. They are the
# [next assignment](book:04_networks).
