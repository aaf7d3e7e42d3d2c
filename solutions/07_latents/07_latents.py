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
# In the last assignment you saw codes from outside: where they lie, and where they do not. Now we look *into* them. A code has sixteen numbers. Which
# of them holds the colour of the coat? The pose of the ears? Is there such a number at all?
#
# For photos nobody could check the answer. Paper dogs are drawn from ten known **factors**, so here one can: whatever we believe to see in the code, we compare
# with what the dogs were really made from. Expect one or two of your beliefs to fail.

# %% setup=true
# The installation of the course, where it is missing, is written here.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from autograder import check
from vae_ref.bound import kl_divergence
from vae_ref.dogs import COAT_NAMES, FACTOR_NAMES, Batches, DogSet, paper_dogs
from vae_ref.figures import tile
from vae_ref.generation import reconstruct
from vae_ref.weights import load_weights

SCALE = 1  # 10 on a GPU or with time: more pictures to measure with
torch.set_grad_enabled(False)  # nothing is trained here

model, _ = load_weights("paper")
# none of them was seen in training; factors (N, 10)
images, factors = paper_dogs(1200 * SCALE, seed=7)
# the nearest of five colours is the label
coats = factors[:, FACTOR_NAMES.index("coat")].round().long()
loader = Batches(DogSet(images.numpy(), coats.numpy()), batch_size=128)
print(f"{len(images)} pictures, codes of {model.latent_dim} numbers, factors "
      f"{', '.join(FACTOR_NAMES)}")

# %% [markdown]
# ## 1 · Collect the codes
#
# All that follows works on the mean codes of a whole data set, in the order of the loader, so that row $n$ of the codes, of the labels and of the factors belong
# to the same picture ([the section](book:07_latents#codes-of-a-data-set)). The last batch may be short.

# %% solution="encode_dataset"
def encode_dataset(model, loader) -> tuple[Tensor, Tensor]:
    """Collect the mean codes of all images.

    Args:
        model: a VAE with encode(x) -> mu, logvar.
        loader: batches of images (B, 3, 64, 64) in [0, 1] and labels (B,), in a fixed
            order.

    Returns:
        mu, (N, L), and labels, (N,), in the loader's order.
    """
    ### BEGIN SOLUTION
    codes, labels = [], []
    for x, y in loader:
        codes.append(model.encode(x)[0])
        labels.append(y)
    return torch.cat(codes), torch.cat(labels)
    ### END SOLUTION

# %% check="encode_dataset"
check(encode_dataset)

# %%
mu, labels = encode_dataset(model, loader)
print(
    "codes",
    tuple(mu.shape),
    "  dogs of each coat:",
    dict(zip(COAT_NAMES, labels.bincount().tolist())),
)

# %% [markdown]
# ## 2 · Who works?
#
# A latent whose mean is the same for all pictures says nothing about them. The usual count of *active units*
# ([the section](book:07_latents#active-units)) takes the variance of the mean over pictures, one number for each latent, and a threshold of 0.01.

# %% solution="active_units"
def active_units(mu: Tensor, threshold: float = 0.01) -> int:
    """Count the latents whose mean code varies with the image.

    Args:
        mu: codes of many images, (N, L).
        threshold: variance above which a latent counts.

    Returns:
        How many latents have a variance above the threshold.
    """
    ### BEGIN SOLUTION
    return int((mu.var(dim=0) > threshold).sum())
    ### END SOLUTION

# %% check="active_units"
check(active_units)

# %% [markdown]
# **Look at it.** A model with too many latents switches some off. What does one look like that does? Here four dead latents are put beside the sixteen: their
# means are not exactly constant, networks never are. Predict the two counts, then run. Would any threshold between 0.001 and 0.1 have changed them?

# %%
dead = 0.02 * torch.randn(len(mu), 4, generator=torch.Generator().manual_seed(0)) + 0.1
print(f"active: {active_units(mu)} of {mu.shape[1]}; with dead ones beside them "
      f"{active_units(torch.cat([mu, dead], dim=1))} of {mu.shape[1] + 4}")
print(
    "variances of the means:",
    " ".join(f"{v:.2f}" for v in mu.var(dim=0).tolist()),
    "| dead:",
    f"{dead.var(dim=0).mean():.4f}",
)

# %% [markdown]
# ## 3 · The main directions
#
# **Question.** Suppose training had succeeded perfectly and the codes of all dogs were spread exactly like the prior $\mathcal N(0,I)$ in $L$ dimensions. You look
# for the $K$ orthogonal directions along which they vary most. What share of the total variance do those hold? Predict for $K=2$, $L=16$: nearly all, a half, an eighth?
# ([What PCA cannot show](book:07_latents#pca-limits).)

# %% solution="share_of_isotropic"
def share_of_isotropic(num_components: int, latent_dim: int) -> float:
    """Share of the variance along the K main directions of very many codes from N(0, I).

    Args:
        num_components: how many directions, K.
        latent_dim: length of a code, L.

    Returns:
        The share, between 0 and 1.
    """
    ### BEGIN SOLUTION
    return num_components / latent_dim
    ### END SOLUTION

# %% check="share_of_isotropic"
check(share_of_isotropic)

# %% [markdown]
# Real codes are not spread alike in all directions, so it is worth looking for the directions in which they are spread most:
# [principal components](book:07_latents#main-directions). Subtract the mean of the codes, take the singular value decomposition
# $Z-\bar z=U S V^\top$; the rows of $V^\top$ are the directions, the squares of the singular values are in proportion to the variances along them.

# %% solution="principal_components"
def principal_components(
    mu: Tensor, num_components: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the orthogonal directions along which codes vary most.

    Args:
        mu: codes, (N, L).
        num_components: how many directions, K, at most min(N, L).

    Returns:
        components (K, L): directions of length 1, the one with most variance first; their
        signs are free; explained_variance_ratio (K,): the share of the total variance
        along each; projected (N, K): the centred codes in these directions.
    """
    ### BEGIN SOLUTION
    centred = mu - mu.mean(dim=0)
    _, singular, directions = torch.linalg.svd(centred, full_matrices=False)
    components = directions[:num_components]
    variance = singular**2
    return (
        components,
        (variance / variance.sum())[:num_components],
        centred @ components.T,
    )
    ### END SOLUTION

# %% check="principal_components"
check(principal_components)

# %% [markdown]
# **Two others, one result.** scikit-learn and torch have PCA on board. Up to signs all three must agree; `pca_lowrank` is a randomised approximation for large matrices.

# %%
from sklearn.decomposition import PCA

components, ratio, projected = principal_components(mu, 16)
theirs = PCA(16).fit(mu.numpy())
print(
    "scikit-learn: ratios differ by at most",
    f"{abs(theirs.explained_variance_ratio_ - ratio.numpy()).max():.1e};",
    end=" ",
)
print("directions agree up to sign to "
      f"{1 - abs((theirs.components_ * components.numpy()).sum(axis=1)).min():.1e}")
torch.manual_seed(0)
# it wants a few more directions than one needs
_, singular, _ = torch.pca_lowrank(mu, q=8)
print(
    "pca_lowrank: spread along the first four",
    (singular[:4] / math.sqrt(len(mu) - 1)).numpy().round(3),
    " ours",
    projected[:, :4].std(dim=0).numpy().round(3),
)

# %% [markdown]
# **Look at it.** Left: how the shares add up, beside your formula for a perfectly trained model. Right: the dogs in the plane of the first two directions, coloured by where in the
# picture the head is. What do you read from the right panel? Why are there two directions for what looks like *one* bent band?

# %% picture="map"
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
counts = torch.arange(1, 17)
left.plot(counts, ratio.cumsum(dim=0), "o-", color="#0072B2", label="codes of dogs")
left.plot(
    counts,
    [share_of_isotropic(k, 16) for k in counts.tolist()],
    ":",
    color="black",
    label="codes like N(0, I)",
)
left.set_xticks([1, 4, 8, 12, 16])
left.set_xlabel("number of directions")
left.set_ylabel("share of the variance")
left.legend(fontsize=8)
points = right.scatter(
    *projected[:, :2].T,
    c=factors[:, FACTOR_NAMES.index("position")],
    s=5,
    cmap="coolwarm",
)
figure.colorbar(points, label="position of the head (pixels)")
right.set_xlabel("1st direction")
right.set_ylabel("2nd direction")
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Left: the shares rise above the dotted straight line; two directions hold 42 percent, ten hold 89. Right: the dots form a horseshoe, blue at its left end and red at its right end, mixed in the middle.](attachment:map.png)
#
# </details>
#
# PCA shows *that* there is structure and in which plane to look. It cannot unbend a horseshoe: it knows straight directions only, so a bent band takes two of them. And it
# knows nothing about factors: it sorts by variance, in units that the decoder is free to choose. Double one latent and halve it again as the first thing in the decoder: the same pictures, and PCA
# gives another answer.
#
# ## 4 · Walk along one latent
#
# The usual way to ask what a latent means: take the code of a picture, set **one** number to several values, decode
# ([the section](book:07_latents#latent-traversal)).

# %% solution="traverse"
def traverse(model, z: Tensor, dim: int, values: Tensor) -> Tensor:
    """Decode one code with one of its numbers set to each of some values.

    Args:
        model: a VAE with decode(z) -> x_hat for batches.
        z: the code, (L,); it stays as it is.
        dim: which number, 0 … L − 1.
        values: what it is set to, (V,).

    Returns:
        Images, (V, 3, 64, 64), in the order of the values.
    """
    ### BEGIN SOLUTION
    codes = z.repeat(len(values), 1)  # (V, L)
    codes[:, dim] = values
    return model.decode(codes)
    ### END SOLUTION

# %% check="traverse"
check(traverse)

# %% [markdown]
# **Predict first.** There are ten factors and sixteen latents, all at work. Below are the four latents with the largest variance, each taken over the range that real codes have in it.
# How many *things about the dog* will change in a row: one, or several?

# %% picture="traversals"
z = mu[5]
mean, spread = mu.mean(dim=0), mu.std(dim=0)
steps = torch.linspace(-1.5, 1.5, 9)
widest = spread.argsort(descending=True)[:4].tolist()
rows = [traverse(model, z, dim, mean[dim] + steps * spread[dim]) for dim in widest]
plt.figure(figsize=(8, 3.8))
plt.imshow(tile(torch.cat(rows), len(steps)))
plt.yticks([66 * row + 32 for row in range(4)], [f"latent {dim}" for dim in widest])
plt.xticks([])
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Four rows of nine paper dogs. In each row several things change together, such as the tilt of the head, the ears, the patch and the colours; at the ends of two rows the heads are torn.](attachment:traversals.png)
#
# </details>
#
# Two lessons. Several things change at once: one latent, many factors. And some pictures are torn, although each latent stays in its usual range: the *combination* is one that no picture has. A traversal
# leaves the cloud of codes (that was the hole of the last assignment). What it shows is the decoder along a line, and most of the line is in places where the model knows nothing.
#
# Directions of PCA follow the cloud. Is it better to walk along those? Look for the row in which the fewest things change.

# %%
walks = []
for k in range(4):
    # from one end of the direction to the other
    along = steps * projected[:, k].std() - projected[5, k]
    walks.append(model.decode(z + along[:, None] * components[k]))
plt.figure(figsize=(8, 3.8))
plt.imshow(tile(torch.cat(walks), len(steps)))
plt.yticks([66 * row + 32 for row in range(4)], [f"direction {k + 1}" for k in range(4)])
plt.xticks([])
plt.show()

# %% [markdown]
# ## 5 · Ask what the code knows
#
# Looking is not measuring. A **linear probe** ([the section](book:07_latents#linear-probes)) is the simplest reader: predict a factor $y$ from the code with weights and a constant,
# $\hat y=w\cdot\mu+c$, by least squares on some pictures, and score it on **others**:
#
# $$R^2 = 1-\frac{\sum(y-\hat y)^2}{\sum(y-\bar y)^2}\qquad\text{over the other pictures, with } \bar y \text{ the mean there.}$$
#
# Use `torch.linalg.lstsq`, or scikit-learn's `LinearRegression`.

# %% solution="linear_probe_r2"
def linear_probe_r2(
    mu: Tensor, target: Tensor, test_mu: Tensor, test_target: Tensor
) -> float:
    """How much of a quantity a linear function of the code predicts on other images.

    Args:
        mu, target: codes (N, L) and what to predict (N,), for fitting.
        test_mu, test_target: of other images, for scoring.

    Returns:
        R² on the other images, with the mean of test_target as the baseline: at most 1,
        and it may be negative.
    """
    ### BEGIN SOLUTION
    ones, test_ones = mu.new_ones(len(mu), 1), mu.new_ones(len(test_mu), 1)
    # (L + 1, 1)
    weights = torch.linalg.lstsq(torch.cat([mu, ones], dim=1), target[:, None]).solution
    predicted = (torch.cat([test_mu, test_ones], dim=1) @ weights)[:, 0]
    return float(
        1
        - ((test_target - predicted) ** 2).sum()
        / ((test_target - test_target.mean()) ** 2).sum()
    )
    ### END SOLUTION

# %% check="linear_probe_r2"
check(linear_probe_r2)

# %% [markdown]
# **Predict first:** which of the ten factors will be read best, which worst? Look at the reconstructions of the last assignment again if you like: coat, ear pose, ear length, snout, gap of the eyes, patch, tilt,
# background, position, width of the head.

# %%
half = 2 * len(mu) // 3
train, test = slice(0, half), slice(half, None)
probes = {
    name: linear_probe_r2(mu[train], factors[train, k], mu[test], factors[test, k])
    for k, name in enumerate(FACTOR_NAMES)
}
for name, score in sorted(probes.items(), key=lambda item: -item[1]):
    print(f"{name:12} {score:6.2f}  {'█' * round(30 * max(score, 0))}")

# %% [markdown]
# Ear length and patch: nothing. Does the code not know them? But the reconstructions showed patches where they belong. And `background` is a place on a *circle* of colours; no straight line goes round a circle. So give the same reader
# other questions, or other things to read: products of pairs of latents beside the latents themselves. Is it the code that does not know, or the reader that cannot read?

# %%
hue = 2 * math.pi * factors[:, FACTOR_NAMES.index("background")]
for name, target in (
    ("cos of the background's angle", hue.cos()),
    ("sin of the background's angle", hue.sin()),
):
    print(f"{name:30} "
          f"{linear_probe_r2(mu[train], target[train], mu[test], target[test]):.3f}")

first, second = torch.triu_indices(16, 16)
centred = (mu - mean) / spread
# 16 + 136 numbers
richer = torch.cat([centred, centred[:, first] * centred[:, second]], dim=1)
print(f"\n{'':12} latents   and their products")
for k, name in enumerate(FACTOR_NAMES):
    score = linear_probe_r2(
        richer[train], factors[train, k], richer[test], factors[test, k]
    )
    print(f"{name:12} {probes[name]:7.2f} {score:12.2f}")

# %% [markdown]
# A high score says: it is there, and easy to read. A low score says only that *this reader* did not find it.
#
# The same for **breeds**: of a photo the label is one of 120 breeds; of a paper dog it is one of five coats. A linear classifier (logistic regression) reads it from the code. Compare it with the share of the most frequent
# coat, which is what one gets for knowing nothing.

# %%
from sklearn.linear_model import LogisticRegression

probe = LogisticRegression(max_iter=500).fit(mu[train].numpy(), labels[train].numpy())
print(f"coat named right: {probe.score(mu[test].numpy(), labels[test].numpy()):.1%}, by "
      f"chance {labels[test].bincount().max() / len(labels[test]):.1%}")

# %% [markdown]
# (For 120 breeds of photos the same probe gets 6 % where chance is 2 %: the code of the photo model is spent on colour and light. Its
# card in `vae_ref/weights/stanford.md` says so.)
#
# ## 6 · One latent, one factor?
#
# All latents *together* know nearly everything. That was not the question at the start: is there *a number* for the coat? Representations in which each factor has a latent of its own are called **disentangled**. There are many scores for it; one of the
# simplest is **SAP** ([the section](book:07_latents#sap-score)): for each factor, predict it from each latent **alone**, take the best $R^2$ minus the second best, and average over the factors.
#
# For a line through one latent, $R^2$ on the pictures it was fitted to is the squared correlation
#
# $$R^2_{jk}=\frac{\mathrm{Cov}(z_j,y_k)^2}{\mathrm{Var}(z_j)\,\mathrm{Var}(y_k)},$$
#
# so no fit is needed. A latent that never varies predicts nothing: its $R^2$ is 0 (and not 0/0).

# %% solution="sap_score"
def sap_score(mu: Tensor, factors: Tensor) -> float:
    """How much better the best latent predicts a factor than the second best, mean over
    factors.

    Args:
        mu: codes, (N, L), L at least 2.
        factors: what the images were drawn from, (N, K), each in its own units.

    Returns:
        Mean over factors of the largest minus the second largest squared correlation.
    """
    ### BEGIN SOLUTION
    codes, known = mu - mu.mean(dim=0), factors - factors.mean(dim=0)
    variances = (codes**2).sum(dim=0)[:, None] * (known**2).sum(dim=0)  # (L, K)
    r2 = (codes.T @ known) ** 2 / variances.clamp(min=1e-12)
    best = r2.topk(2, dim=0).values  # (2, K)
    return float((best[0] - best[1]).mean())
    ### END SOLUTION

# %% check="sap_score"
check(sap_score)

# %% [markdown]
# **Look at it.** The table of all $R^2_{jk}$, for the latents and for the directions of PCA. In a disentangled code each column has one dark cell. Which of the two is nearer to that?

# %% picture="tables"
def table(codes: Tensor) -> Tensor:
    """Squared correlations of each number of the codes with each factor, (L, K)."""
    both = torch.corrcoef(torch.cat([codes, factors], dim=1).T)
    return both[: codes.shape[1], codes.shape[1] :] ** 2


figure, panels = plt.subplots(1, 2, figsize=(9, 3), sharey=True, layout="constrained")
panels[0].set_yticks([0, 3, 7, 11, 15])
for axes, codes, name in zip(panels, (mu, projected), ("latents", "directions of PCA")):
    drawn = axes.imshow(table(codes), vmin=0, vmax=1, cmap="Blues", aspect="auto")
    axes.set_xticks(
        range(10),
        [factor.replace("_", " ") for factor in FACTOR_NAMES],
        rotation=60,
        ha="right",
        fontsize=8,
    )
    axes.set_title(f"{name}: SAP {sap_score(codes, factors):.2f}", fontsize=10)
figure.colorbar(drawn, ax=panels, label="R²")
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Two tables of sixteen rows and ten columns in shades of blue. For the latents all cells are pale, SAP 0.05. For the directions of PCA some are dark: the coat in the fourth row, the ear pose in the fifth, the head width in the last but one; tilt and position share the first and the third. SAP 0.17.](attachment:tables.png)
#
# </details>
#
# Turning the codes onto the axes of PCA tripled the score, though not a single picture has changed. So is a code with a low score a *worse* code?
#
# **Question.** Turn *all* codes by one rotation $R$, and let the decoder turn them back first: $\mu'(x)=R\,\mu(x)$ and $\hat x'(z)=\hat x(R^\top z)$, with
# the prior $\mathcal N(0,I)$ as before. What changes?
#
# * `"a"`: neither the distribution $p(x)$ of the pictures that the model draws from its prior, nor SAP;
# * `"b"`: SAP changes, $p(x)$ does not;
# * `"c"`: $p(x)$ changes, SAP does not;
# * `"d"`: both change.

# %% solution="what_a_rotation_changes"
def what_a_rotation_changes() -> str:
    """What changes when all codes are turned and the decoder turns them back.

    Returns:
        "a", "b", "c" or "d", see above.
    """
    ### BEGIN SOLUTION
    return "b"
    ### END SOLUTION

# %% check="what_a_rotation_changes"
check(what_a_rotation_changes)

# %% [markdown]
# **See it.** SAP of the latents and of twenty random rotations of them. Where among the rotations are the latents that training found?

# %%
generator = torch.Generator().manual_seed(1)
rotations = [
    torch.linalg.qr(torch.randn(16, 16, generator=generator))[0] for _ in range(20)
]
scores = torch.tensor([sap_score(mu @ rotation.T, factors) for rotation in rotations])
print(f"latents {sap_score(mu, factors):.3f}; turned {scores.min():.3f} … "
      f"{scores.median():.3f} … {scores.max():.3f}; PCA "
      f"{sap_score(projected, factors):.3f}")
print("factors themselves, with six numbers of noise: "
      f"{sap_score(torch.cat([factors, torch.randn(len(mu), 6)], dim=1), factors):.3f}")
noise = torch.randn(2000, 16, generator=generator)
print(f"draws of N(0, I), turned: mean {(noise @ rotations[0].T).mean():.2f}, spread "
      f"{(noise @ rotations[0].T).std():.2f}: nobody can tell")

# %% [markdown]
# The latents of this model are an arbitrary rotation among others: nothing in the pictures, and nothing in $p(x)$, asks for another one. That is not bad luck of one training. Without labels or other
# assumptions *no* method can know which axes the factors have ([the theorem, and what it does not say](book:07_latents#limits-of-disentanglement)).
#
# **Question (graded by a person, 3 points).** A report shows one traversal, "latent 7 moves the head from left to right", and concludes: "The model has discovered the concept of position, without any labels." Answer in
# a few sentences, with numbers of this notebook: What may one conclude from a traversal, and what not? Is position known by the code, and is latent 7 the place where? Name one measurement that the
# report should have shown.

# %%
position, tilt = FACTOR_NAMES.index("position"), FACTOR_NAMES.index("tilt")
scores = table(mu)
print(f"R² of latent 7 alone with position {scores[7, position]:.2f}, with tilt "
      f"{scores[7, tilt]:.2f}")
print(
    "the three best latents for position:",
    [
        (j, round(scores[j, position].item(), 2))
        for j in scores[:, position].argsort(descending=True)[:3].tolist()
    ],
)
print(f"all latents together: position {probes['position']:.2f}, tilt "
      f"{probes['tilt']:.2f}")

# %% [markdown] answer="what_it_means"
# **What a traversal shows** is what the *decoder* does along one line through one code. It does not show what pictures the encoder answers with that latent, whether other latents say the same, or what happens around
# other codes; and most of the line lies where no picture has its code.
#
# **Position is known**: a linear probe of all latents explains 98 % of its variance on other pictures. **But not by latent 7**: alone it explains half, two others explain 0.3 each, and latent 7 tells 28 % of the tilt as well. The information is spread over several
# latents, each of which says several things.
#
# **"Discovered the concept"** does not follow: any rotation of the codes gives the same $p(x)$, so that axes which match factors are an accident of training or come from an assumption. The report should have shown the $R^2$ of *all* latents with
# position and of latent 7 with *all* factors (or SAP), over several seeds, on pictures whose factors are known.
#
# **Rubric** (3 points). 1: says what a traversal cannot show (decoder only, one code, other latents, off the data; one of them with a reason is enough). 1: tells "known by the code together" from "held by latent 7 alone", with a number for each. 1: names a measurement that would decide (table of R², SAP or MIG,
# probe on held-out pictures, several seeds), or argues with the rotation that axes are arbitrary.

# %% [markdown]
# ## Before you go: all nats are not equal
#
# One last look at what latents cost. Each latent has its own share of the KL term; a code of sixteen numbers could be sixteen equally busy ones. Which latents would you do without?

# %%
x = images[:200].float() / 255
mu_200, logvar_200 = model.encode(x)
each = torch.stack(
    [kl_divergence(mu_200[:, [j]], logvar_200[:, [j]]).mean() for j in range(16)]
)
print("nats of each latent:", " ".join(f"{nats:.1f}" for nats in each.tolist()))
error = (reconstruct(model, x) - x).square().mean().sqrt()
without = mu_200.clone()
without[:, each.argmin()] = mean[each.argmin()]
print(f"error {error:.3f}; without the cheapest latent "
      f"{(model.decode(without) - x).square().mean().sqrt():.3f}")

# %% [markdown]
# Even without the cheapest one the error grows by nearly a third: this model uses all it has. The patients of the next assignment do not. They are VAEs that run, train and look almost right, and something in each is broken. You will have to find out
# what, by experiment.
