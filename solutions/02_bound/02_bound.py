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
# In the first assignment dogs became tensors. Now we decide what it means for a model to explain them *well*. Everything
# a variational autoencoder is trained on fits into one line,
#
# $$\log p(x) \;\ge\; \underbrace{\mathbb E_{q(z\mid x)}\big[\log p(x\mid z)\big]}_{\text{reconstruction}}
# \;-\; \underbrace{\mathrm{KL}\big(q(z\mid x)\,\|\,p(z)\big)}_{\text{price of the code}},$$
#
# and this notebook is that line, piece by piece. [The derivation](book:02_bound#elbo-assembled) is in the book; here you
# make it compute.
#
# Three rules hold in all assignments:
#
# * `logvar` is $\log\sigma^2$, not $\sigma$ and not $\sigma^2$;
# * everything is in **nats**, natural logarithms;
# * every function returns **one number for each image**, shape `(B,)`: summed over pixels or latent dimensions, never
#   averaged, and never reduced over the batch.
#
# After each function stands a line like `check(log_normal)`. Run it as often as you like: it costs nothing, and when it
# recognises your mistake, it tells you which one it is. Stuck? `check(log_normal, hint=1)` gives a hint, and there are three.

# %% setup=true
# The installation of the course, where it is missing, is written here.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from autograder import check
from vae_ref.dogs import paper_dogs

# %% [markdown]
# ## 1 · How likely is a point?
#
# All three distributions of our VAE are Gaussians with independent dimensions. For such a Gaussian the log density of a
# point $x$ with $L$ dimensions is
#
# $$\log \mathcal N(x;\mu,\sigma^2) = -\tfrac12 \sum_{j=1}^{L}\Big[\log 2\pi + \log\sigma_j^2 + \frac{(x_j-\mu_j)^2}{\sigma_j^2}\Big].$$
#
# ([Where this comes from](book:02_bound#gaussian-log-density).) Before you write it: how many times does $\log 2\pi$ enter
# for a point with 16 dimensions?

# %% solution="log_normal"
def log_normal(x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Log density of a diagonal Gaussian.

    Args:
        x: points, (B, L).
        mu: means, (B, L).
        logvar: log variances, (B, L).

    Returns:
        log N(x; mu, exp(logvar)) in nats, (B,).
    """
    ### BEGIN SOLUTION
    terms = math.log(2 * math.pi) + logvar + (x - mu) ** 2 / torch.exp(logvar)
    return -0.5 * terms.sum(dim=1)
    ### END SOLUTION

# %% check="log_normal"
check(log_normal)

# %% [markdown]
# **Look at it.** A density is not a probability: when σ is small, it rises above 1, and its log above 0. Run the cell and
# find the σ at which the peak of the curve crosses zero. (It is $1/\sqrt{2\pi}\approx 0.4$. Why?)

# %% picture="densities"
x = torch.linspace(-3, 3, 301)[:, None]
for sigma in (0.2, 0.4, 1.0):
    density = log_normal(x, torch.zeros_like(x), torch.full_like(x, 2 * math.log(sigma)))
    plt.plot(x[:, 0], density, label=f"σ = {sigma}")
plt.axhline(0, color="grey", linewidth=0.8)
plt.ylim(-8, 2)
plt.xlabel("x")
plt.ylabel("log density (nats)")
plt.legend()
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Three parabolas that open downwards: the narrower the density, the higher its peak; that of σ = 0.4 just touches zero.](attachment:densities.png)
#
# </details>
#
# ## 2 · The price of a code
#
# The encoder answers each picture with a Gaussian $q(z\mid x)=\mathcal N(\mu,\sigma^2)$ over codes. Being specific costs: the
# further $q$ moves away from the prior $\mathcal N(0,I)$, the more nats the bound charges. For two Gaussians the charge has a
# closed form. Derive it from the definition $\mathrm{KL}(q\|p)=\mathbb E_q[\log q(z)-\log p(z)]$ with pencil and paper (you need
# $\mathbb E_q[z^2]=\mu^2+\sigma^2$ and nothing else), or read [the derivation](book:02_bound#kl-closed-form), then write it down.
#
# Two things to test yourself against: the result is 0 exactly when $\mu=0$ and $\sigma=1$, and it is never negative.

# %% solution="kl_divergence"
def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) ‖ N(0, I)) in closed form.

    Args:
        mu: means, (B, L).
        logvar: log variances, (B, L).

    Returns:
        The divergence in nats, (B,).
    """
    ### BEGIN SOLUTION
    return 0.5 * (mu**2 + torch.exp(logvar) - logvar - 1).sum(dim=1)
    ### END SOLUTION

# %% check="kl_divergence"
check(kl_divergence)

# %% [markdown]
# **Look at it.** Predict first: a latent dimension that the encoder does not use has $\mu=0$ and $\sigma=1$ and costs nothing.
# What does it cost to move $\mu$ by one? To halve $\sigma$? To make $\sigma$ ten times smaller? Write three guesses down.

# %%
print("mu moved by one:       "
      f"{kl_divergence(torch.tensor([[1.0]]), torch.tensor([[0.0]])).item():.3f} nats")
for factor in (2, 10, 100):
    logvar = torch.tensor([[-2 * math.log(factor)]])
    print(f"sigma {factor:>3} times smaller: "
          f"{kl_divergence(torch.tensor([[0.0]]), logvar).item():.3f} nats")

# %% [markdown]
# Each further factor of ten in precision costs about $\ln 10\approx 2.3$ nats: the KL term is the length of the message that the
# encoder sends, and precision is digits.
#
# ## 3 · The same price, by sampling
#
# Most distributions have no closed form. Then one draws samples from $q$ and averages,
#
# $$\mathrm{KL}(q\|p)\approx\frac1K\sum_{k=1}^{K}\big[\log q(z_k)-\log p(z_k)\big],\qquad z_k=\mu+\sigma\,\varepsilon_k,\quad\varepsilon_k\sim\mathcal N(0,I).$$
#
# ([Why this works, and how fast](book:02_bound#kl-monte-carlo).) Write it with your `log_normal`. Every image needs noise of its own. Draw it with `torch.randn(..., generator=generator)`, so
# that whoever calls the function can repeat it. (A tensor of shape `(K, B, L)` holds all samples at once; does your
# `log_normal` sum over the right axis for it?)

# %% solution="kl_monte_carlo"
def kl_monte_carlo(
    mu: Tensor, logvar: Tensor, num_samples: int, generator: torch.Generator | None = None
) -> Tensor:
    """KL(N(mu, exp(logvar)) ‖ N(0, I)) as a mean over samples.

    Args:
        mu: means, (B, L).
        logvar: log variances, (B, L).
        num_samples: how many z to draw for each image, K.
        generator: source of the noise; None means torch's own.

    Returns:
        The estimate in nats, (B,).
    """
    ### BEGIN SOLUTION
    shape = (num_samples, *mu.shape)  # (K, B, L)
    eps = torch.randn(shape, generator=generator, dtype=mu.dtype)
    # as K · B rows, because log_normal sums over the second axis
    rows = [
        t.expand(shape).flatten(0, 1)
        for t in (mu + torch.exp(0.5 * logvar) * eps, mu, logvar)
    ]
    zero = torch.zeros_like(rows[0])
    log_ratio = log_normal(*rows) - log_normal(rows[0], zero, zero)  # (K · B,)
    return log_ratio.reshape(num_samples, -1).mean(dim=0)
    ### END SOLUTION

# %% check="kl_monte_carlo"
check(kl_monte_carlo)

# %% [markdown]
# **Three ways, one number.** The closed form, your samples and `torch.distributions` must agree, and the samples approach the
# others like $1/\sqrt K$.

# %%
from torch.distributions import Normal, kl_divergence as torch_kl

generator = torch.Generator().manual_seed(0)
mu = torch.randn(1, 8, generator=generator)
logvar = torch.randn(1, 8, generator=generator)
exact = torch_kl(Normal(mu, torch.exp(0.5 * logvar)), Normal(0.0, 1.0)).sum().item()
print(f"torch.distributions {exact:.4f}   "
      f"closed form {kl_divergence(mu, logvar).item():.4f}")
for num_samples in (1, 10, 100):
    estimates = torch.cat(
        [kl_monte_carlo(mu, logvar, num_samples, generator) for _ in range(50)]
    )
    print(f"K = {num_samples:>3}: {estimates.mean():.4f} ± {estimates.std():.4f}")

# %% [markdown]
# ## 4 · How well is the picture explained?
#
# The decoder answers a code with a picture $\hat x$. To turn "close" into nats we need a distribution: a Gaussian around $\hat x$
# with one standard deviation σ for all $D=C\cdot H\cdot W$ numbers of the picture,
#
# $$\log p(x\mid z)=\log\mathcal N(x;\hat x,\sigma^2 I).$$
#
# ([The same with every constant](book:02_bound#reconstruction-likelihood).) Write it out with the formula of part 1. The squared error appears, divided by $2\sigma^2$, *and a constant that depends on σ and
# on D*. Leave it out and the loss can no longer tell a good σ from a bad one.

# %% solution="reconstruction_log_likelihood"
def reconstruction_log_likelihood(x: Tensor, x_hat: Tensor, sigma: float) -> Tensor:
    """Log likelihood of images under a Gaussian around their reconstructions.

    Args:
        x: images, (B, C, H, W), in [0, 1].
        x_hat: reconstructions, (B, C, H, W).
        sigma: standard deviation of each number of a picture, positive.

    Returns:
        log N(x; x_hat, sigma² I) in nats, (B,).
    """
    ### BEGIN SOLUTION
    num_dims = x[0].numel()
    squared_error = ((x - x_hat) ** 2).flatten(1).sum(dim=1)
    log_sigma = torch.log(torch.as_tensor(sigma, dtype=x.dtype))
    log_volume = num_dims * (log_sigma + 0.5 * math.log(2 * math.pi))
    return -squared_error / (2 * sigma**2) - log_volume
    ### END SOLUTION

# %% check="reconstruction_log_likelihood"
check(reconstruction_log_likelihood)

# %% [markdown]
# **Look at it.** Here are eight paper dogs and a poor reconstruction: the mean of all eight. Which σ makes these pictures most
# likely? Predict its size from the errors before you run the cell.

# %% picture="best_sigma"
pictures, _ = paper_dogs(8, seed=2)
x = pictures.float() / 255
x_hat = x.mean(dim=0, keepdim=True).expand_as(x)
sigmas = torch.logspace(-1.7, 0.5, 60)
curve = torch.stack(
    [reconstruction_log_likelihood(x, x_hat, s.item()).mean() for s in sigmas]
)
root_mean_square = (x - x_hat).square().mean().sqrt().item()

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
left.imshow(torch.cat([x[:4], x_hat[:1]]).permute(2, 0, 3, 1).reshape(64, -1, 3))
left.set_title("four dogs, and the mean of eight")
left.axis("off")
right.semilogx(sigmas, curve)
right.axvline(
    root_mean_square, color="black", linestyle=":", label="root mean squared error"
)
right.set_ylim(-20_000, curve.max() + 2_000)
right.set_xlabel("σ")
right.set_ylabel("log p(x|z) per image (nats)")
right.legend()
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Left: four paper dogs, and as the fifth the blurred mean of eight. Right: the log likelihood as a function of σ rises steeply, has its peak at the dotted line, and falls slowly.](attachment:best_sigma.png)
#
# </details>
#
# The best σ is the root mean squared error itself. With σ = 1, the silent choice behind "just use the MSE", these pictures are
# thousands of nats less likely, and the KL term looks far too expensive. Much of what people call "tuning β" is this σ.
#
# ## 5 · The bound
#
# Put it together. With one sample $z$, whose decoded picture is `x_hat`, the estimate of the bound is the reconstruction term
# minus the KL term. β weights the KL; [only β = 1](book:02_bound#beta-is-not-sigma) gives a bound on $\log p(x)$.

# %% solution="elbo"
def elbo(
    x: Tensor,
    x_hat: Tensor,
    mu: Tensor,
    logvar: Tensor,
    sigma: float = 1.0,
    beta: float = 1.0,
) -> Tensor:
    """The evidence lower bound, to be made as large as possible.

    Args:
        x: images, (B, C, H, W), in [0, 1].
        x_hat: reconstructions, (B, C, H, W).
        mu: means of the codes, (B, L).
        logvar: log variances of the codes, (B, L).
        sigma: standard deviation of each number of a picture.
        beta: weight of the KL term.

    Returns:
        The bound in nats, (B,).
    """
    ### BEGIN SOLUTION
    log_likelihood = reconstruction_log_likelihood(x, x_hat, sigma)
    return log_likelihood - beta * kl_divergence(mu, logvar)
    ### END SOLUTION

# %% check="elbo"
check(elbo)

# %% [markdown]
# **Is it a bound?** Here is a model in which $\log p(x)$ is known: $z\sim\mathcal N(0,1)$ and $x=2z+\text{noise}$ with variance $\tfrac14$, so
# $x\sim\mathcal N(0,\,4\tfrac14)$, and the true posterior is a Gaussian too. Your `elbo` is averaged over many samples of $z$. Run it: the
# bound touches the dotted line at one place only. Which one, and what is the gap elsewhere?

# %% picture="gap"
weight, noise_sigma = 2.0, 0.5
x_value = 3.0
evidence = Normal(0.0, math.sqrt(weight**2 + noise_sigma**2))
log_p = evidence.log_prob(torch.tensor(x_value)).item()
posterior_variance = 1 / (1 + weight**2 / noise_sigma**2)
posterior_mean = posterior_variance * weight * x_value / noise_sigma**2

count = 20_000
means = torch.linspace(posterior_mean - 0.8, posterior_mean + 0.8, 41)
bounds = []
for mean in means:
    mu = torch.full((count, 1), mean.item())
    logvar = torch.full((count, 1), math.log(posterior_variance))
    z = mu + torch.exp(0.5 * logvar) * torch.randn(count, 1, generator=generator)
    x = torch.full((count, 1, 1, 1), x_value)
    x_hat = (weight * z)[:, :, None, None]
    bounds.append(elbo(x, x_hat, mu, logvar, sigma=noise_sigma).mean().item())

plt.plot(means, bounds, label="ELBO")
plt.axhline(log_p, color="black", linestyle=":", label="log p(x)")
plt.axvline(
    posterior_mean, color="grey", linewidth=0.8, label="mean of the true posterior"
)
plt.xlabel("mean of q(z|x)")
plt.ylabel("nats")
plt.legend()
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![The bound over the mean of q is a parabola that opens downwards. It touches the dotted line of log p(x) at the mean of the true posterior, and stays below it everywhere else.](attachment:gap.png)
#
# </details>
#
# The gap is $\mathrm{KL}\big(q(z\mid x)\,\|\,p(z\mid x)\big)$: training a VAE raises the bound by making the model better *and* by moving
# $q$ toward the true posterior, and the two cannot be told apart from the number alone.
#
# ## Before you go: sum or mean?
#
# Many VAEs on the web average the squared error over pixels but sum the KL over latents. Predict what that does to the
# balance of the two terms for a picture of 64×64×3 numbers, then run the cell. (The book has
# [the table that ends the argument](book:02_bound#sum-versus-mean).)

# %%
x = pictures.float() / 255
x_hat = x.mean(dim=0, keepdim=True).expand_as(x)
mu, logvar = torch.full((8, 16), 0.5), torch.full((8, 16), -1.0)
kl = kl_divergence(mu, logvar).mean().item()
summed = (x - x_hat).square().flatten(1).sum(1).mean().item()
averaged = (x - x_hat).square().mean().item()
print(f"KL {kl:.1f}   squared error summed {summed:.1f}, averaged {averaged:.4f}")
print(f"averaging makes a picture {summed / averaged:,.0f} times cheaper: as if beta "
      f"were {summed / averaged:,.0f}")

# %% [markdown]
# With a β of 12,288 the model is best off sending no code at all and painting the average dog each time. It is the most
# common bug in VAE code, and it raises no error. You would see it here, in the units.
#
# **Three questions to take along.** Answer each in one sentence before you unfold it.
#
# <details><summary>Your bound is −12,000 on one picture and +3,000 on another. Is one of them a mistake?</summary>
#
# Not by itself. A log density may be positive: with a small σ a picture that is hit well has a density far above 1. Only differences
# between models on the same data, with the same pixel range, mean something.
#
# </details>
#
# <details><summary>A colleague's loss is squared error plus KL, both summed. Which σ has been chosen?</summary>
#
# $\sigma^2=\tfrac12$: the squared error then stands with the factor $1/(2\sigma^2)=1$. Pixels in [0, 1] are claimed to have a noise of 0.7.
#
# </details>
#
# <details><summary>The KL term fell to 0 during training. Good news?</summary>
#
# No. The encoder says nothing any more: $\mu=0$, $\sigma=1$. Then every picture gets the same code, and the decoder has to paint the
# average dog. A small KL is no success.
#
# </details>
#
# Next: `z` was drawn at random, and yet the gradient must reach `mu` and `logvar` through it. That trick is the next
# assignment.
