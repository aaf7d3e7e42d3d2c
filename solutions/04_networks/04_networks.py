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
# By now you have a number to make large (exercise 02) and a way to draw a code so that gradients pass through the draw
# (exercise 03). What is missing are the two networks: an **encoder** that looks at a dog and names a Gaussian over codes, and a
# **decoder** that turns a code into a picture.
#
# Their architecture is up to you. Nothing here prescribes a layer, and the checks do not look for any: they ask whether your
# networks have the right shapes, whether both heads can say any number, whether pixels stay in $[0,1]$, whether gradients arrive
# everywhere. A network that runs in milliseconds on a laptop is enough.
#
# Before the first layer there is a little arithmetic: what comes out, how much of the picture it has seen, how many numbers it
# learns. Five minutes of it save evenings.

# %% setup=true
# The installation of the course, where it is missing, is written here.

# %%
import time

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

from autograder import check
from vae_ref.dogs import paper_dogs
from vae_ref.sampling import reparameterize

SCALE = 1  # 10 with time: how many steps the training at the end takes

pictures, _ = paper_dogs(8, seed=4)
dogs = pictures.float() / 255  # (8, 3, 64, 64)


def show(images: Tensor, title: str = "") -> None:
    """Draw images (N, 3, H, W) side by side."""
    plt.figure(figsize=(9, 9 / len(images) + 0.3))
    plt.imshow(images.detach().permute(2, 0, 3, 1).reshape(images.shape[2], -1, 3))
    plt.title(title)
    plt.axis("off")
    plt.show()

# %% [markdown]
# ## 1 · Shapes by hand
#
# A convolution slides a kernel of `kernel` pixels over a row of `side` pixels that was made longer by `padding` pixels at *both*
# ends, and moves on by `stride` pixels. How many places does it stop at? ([The book](book:04_networks#shapes-by-hand) counts them with
# a drawing.)
#
# **Predict first**, with pencil and paper: 64 pixels, kernel 4, stride 2, padding 1. And with kernel 3 instead of 4?

# %% solution="conv_output_side"
def conv_output_side(side: int, kernel: int, stride: int, padding: int) -> int:
    """Side of what a convolution makes of a square picture.

    Args:
        side: of the picture, in pixels.
        kernel: side of the kernel, in pixels.
        stride: how many pixels the kernel moves on.
        padding: how many pixels are added at each of the four edges.

    Returns:
        Side of the result, in places.
    """
    ### BEGIN SOLUTION
    return (side + 2 * padding - kernel) // stride + 1
    ### END SOLUTION

# %% check="conv_output_side"
check(conv_output_side)

# %% [markdown]
# **Look at it.** The same question to torch itself, for a stack of layers. Where do two of them lead to the same side although they
# are not the same?

# %%
for kernel, stride, padding in ((4, 2, 1), (3, 2, 1), (5, 2, 2), (8, 8, 0)):
    sides, x = [64], dogs[:1]
    while sides[-1] >= kernel:
        sides.append(conv_output_side(sides[-1], kernel, stride, padding))
        x = nn.Conv2d(3, 3, kernel, stride, padding)(x)
        assert x.shape[2] == sides[-1], "torch counts otherwise"
    print(f"kernel {kernel}, stride {stride}, padding {padding}: "
          + " → ".join(str(side) for side in sides))

# %% [markdown]
# ## 2 · How much of the dog does a number see?
#
# A number deep inside the network depends on a square of pixels only, its **receptive field**. If that square is smaller than a
# head, nobody in the network has ever seen a head. Each layer adds to the field, and behind a stride it adds more:
# [the book](book:04_networks#receptive-field) has the two lines of the recursion.
#
# **Predict first:** three layers with kernel 3 and stride 1 see 7 pixels. What do three layers with kernel 3 and stride 2 see?

# %% solution="receptive_field"
def receptive_field(layers: list[tuple[int, int]]) -> int:
    """Side of the square of pixels that one place of the last layer can see.

    Args:
        layers: kernel and stride of each convolution, from the picture on; there may be
            none.

    Returns:
        The side in pixels, as if the picture had no edge.
    """
    ### BEGIN SOLUTION
    # pixels seen by a place, and pixels between neighbouring places
    field, distance = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * distance
        distance *= stride
    return field
    ### END SOLUTION

# %% check="receptive_field"
check(receptive_field)

# %% [markdown]
# **Look at it.** Squares that one place sees, in a plan of three convolutions with kernel 4 and stride 2, drawn over a dog. Which
# layer is the first to see a whole eye, which a whole face?

# %% picture="receptive_field"
plan = [(4, 2), (4, 2), (4, 2), (3, 1), (3, 1)]
colours = ("#56B4E9", "#009E73", "#F0E442", "#D55E00", "#CC79A7")
figure, axes = plt.subplots(figsize=(5, 3))
axes.imshow(dogs[0].permute(1, 2, 0))
for number, colour in enumerate(colours, start=1):
    side = receptive_field(plan[:number])
    corner = (31.5 - side / 2, 31.5 - side / 2)
    label = f"layer {number}: {side} pixels"
    axes.add_patch(
        plt.Rectangle(
            corner, side, side, fill=False, edgecolor=colour, linewidth=2, label=label
        )
    )
axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
axes.axis("off")
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![A paper dog with five nested squares around the middle of the picture, with sides of 4, 10, 22, 38 and 54 pixels for layers 1 to
# 5. The second is about as large as an eye with its surroundings, the fourth as the face, the fifth holds the head but for the
# tips of its ears.](attachment:receptive_field.png)
#
# </details>
#
# The last layers, at stride 1 but behind three strides of 2, add 16 pixels each for the price of a 3×3 kernel. A linear layer
# behind them sees everything at once.
#
# ## 3 · How many numbers does it learn?
#
# A convolution has one square kernel for each *pair* of a channel that goes in and a channel that comes out, and one bias for each
# channel that comes out ([the book](book:04_networks#parameter-count)).

# %% solution="conv_parameters"
def conv_parameters(
    in_channels: int, out_channels: int, kernel: int, bias: bool = True
) -> int:
    """How many numbers a convolution learns.

    Args:
        in_channels: channels that go in.
        out_channels: channels that come out.
        kernel: side of the kernel.
        bias: whether there are biases.

    Returns:
        The number of its parameters.
    """
    ### BEGIN SOLUTION
    return out_channels * (in_channels * kernel**2 + bias)
    ### END SOLUTION

# %% check="conv_parameters"
check(conv_parameters)

# %% [markdown]
# **Predict, then run.** Here is a plan for an encoder with 16 latents. Which of its four parts holds most of the parameters? Which
# part multiplies most numbers for a picture? (A convolution uses each of its weights again at every place.)

# %%
channels, side = (3, 32, 64, 128), 64
print("layer                    places  parameters   products a picture")
for before, after in zip(channels, channels[1:]):
    side = conv_output_side(side, 4, 2, 1)
    count = conv_parameters(before, after, 4)
    print(f"conv {before:3} → {after:3}, 4×4    {side:2}×{side:<2}   {count:9,}   "
          f"{count * side**2:18,}")
heads = 2 * (128 * side**2 + 1) * 16
print(f"two heads {128 * side**2} → 16      1    {heads:9,}   {heads:18,}")

# %% [markdown]
# Three fifths of the numbers learned sit in the two heads, where every place of every channel meets every latent; nine tenths of
# the work is done in the last two convolutions.
#
# ## 4 · Dogs that see each other
#
# Between convolutions one usually normalises. In **training mode**, one of these four layers makes the code of a dog depend on the
# other dogs that happen to be in its batch. Which one?
#
# * **A** `nn.GroupNorm(8, 32)`
# * **B** `nn.BatchNorm2d(32)`
# * **C** `nn.LayerNorm([32, 16, 16])`
# * **D** `nn.Dropout(0.1)`
#
# Predict first; you can also make an experiment with a batch and its first image alone. ([Normalisation in the
# book](book:04_networks#normalisation).)

# %% solution="mixing_layer"
def mixing_layer() -> str:
    """Through which of the four layers do dogs of a batch see each other in training
    mode?

    Returns:
        "A", "B", "C" or "D".
    """
    ### BEGIN SOLUTION
    return "B"
    ### END SOLUTION

# %% check="mixing_layer"
check(mixing_layer)

# %% [markdown]
# It matters twice in a VAE. The bound is a sum over images, each on its own; and a network that computes something else in
# evaluation than in training is a source of surprises. The reference uses GroupNorm.
#
# ## 5 · The encoder
#
# From an image to the two vectors that name a Gaussian. What has to hold, whatever you build:
#
# * two results, `mu` and `logvar`, `(B, L)` each, from **two heads** on the same features;
# * both heads end in a **linear** layer: a mean may be negative, and a log variance is negative most of the time
#   ([why two heads, why the logarithm](book:04_networks#two-heads));
# * the batch may be of any size, also 1; each image is encoded on its own; the images that come in are not changed.
#
# Not sure where to start? Use the plan that you have just counted: three convolutions with kernel 4, stride 2 and padding 1, each
# followed by `nn.GroupNorm(8, …)` and `nn.SiLU()`, then `nn.Flatten()` and two `nn.Linear`. Write the shape behind every line.

# %% solution="Encoder"
class Encoder(nn.Module):
    """q(z|x): from images to the mean and log variance of their codes.

    Args:
        latent_dim: length of a code, L.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.features = nn.Sequential(
            nn.Conv2d(3, 32, 4, stride=2, padding=1),  # (B, 32, 32, 32)
            nn.GroupNorm(8, 32),
            nn.SiLU(),
            nn.Conv2d(32, 64, 4, stride=2, padding=1),  # (B, 64, 16, 16)
            nn.GroupNorm(8, 64),
            nn.SiLU(),
            nn.Conv2d(64, 128, 4, stride=2, padding=1),  # (B, 128, 8, 8)
            nn.GroupNorm(8, 128),
            nn.SiLU(),
            nn.Flatten(),  # (B, 8192)
        )
        self.mu = nn.Linear(128 * 8 * 8, latent_dim)
        self.logvar = nn.Linear(128 * 8 * 8, latent_dim)
        ### END SOLUTION

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Encode images.

        Args:
            x: images, (B, 3, 64, 64), in [0, 1].

        Returns:
            mu and logvar, (B, L) each.
        """
        ### BEGIN SOLUTION
        features = self.features(x)
        return self.mu(features), self.logvar(features)
        ### END SOLUTION

# %% check="Encoder"
check(Encoder)

# %% [markdown]
# **Look at it.** What an untrained encoder says of eight dogs, 16 latents each. Both clouds should lie on both sides of zero. What
# would you see if a ReLU had slipped in behind a head?

# %%
torch.manual_seed(0)
encoder = Encoder(latent_dim=16)
with torch.no_grad():
    mu, logvar = encoder(dogs)
figure, axes = plt.subplots(figsize=(5, 2.2))
axes.plot(
    mu.flatten(), torch.ones(mu.numel()) + 0.3 * torch.rand(mu.numel()), ".", label="mu"
)
axes.plot(logvar.flatten(), 0.3 * torch.rand(logvar.numel()), ".", label="logvar")
axes.axvline(0, color="grey", linewidth=0.8)
axes.set_yticks([0.15, 1.15], ["logvar", "mu"])
axes.set_xlabel("what the heads say")
plt.show()

# %% [markdown]
# **How fast is it?** The reference does without a pyramid: one convolution with kernel 8 and stride 8, a *patch stem*, cuts the
# picture into 8×8 blocks, and everything after it happens on 8×8 places. That keeps nearly all work in a few large matrix
# products, which a processor likes ([the book](book:04_networks#patch-stem)). Yours beside a stem with one 3×3 layer behind it:

# %%
stem = nn.Sequential(
    nn.Conv2d(3, 128, 8, stride=8),
    nn.SiLU(),
    nn.Conv2d(128, 128, 3, padding=1),
    nn.Flatten(),
)
for name, network in (("your encoder", encoder), ("patch stem  ", stem)):
    with torch.no_grad():
        network(dogs)
        start = time.perf_counter()
        for _ in range(10):
            network(dogs)
    milliseconds = 1000 * (time.perf_counter() - start) / (10 * len(dogs))
    count = sum(parameter.numel() for parameter in network.parameters())
    print(f"{name} {milliseconds:5.2f} ms a picture, {count:9,} parameters")

# %% [markdown]
# ## 6 · Enlarging without a checkerboard
#
# The decoder goes the other way, from few places to many. A *transposed* convolution lets each place of its input write a whole
# kernel into the result, `stride` places after its neighbour's; where kernels overlap they add up. How many inputs write to each place
# of the result? Without padding there are $(n-1)\cdot\text{stride}+\text{kernel}$ places.
#
# **Predict first** for three inputs, kernel 3 and stride 2: the counts of the seven places, one by one.
# ([Checkerboards in the book](book:04_networks#checkerboards).)

# %% solution="coverage"
def coverage(num_inputs: int, kernel: int, stride: int) -> list[int]:
    """How many places of its input write to each place behind a transposed convolution
    without padding.

    Args:
        num_inputs: places in a row of the input.
        kernel: how many places of the result each of them writes to.
        stride: distance in the result between the first places that neighbours write to.

    Returns:
        The counts, one for each of the (num_inputs - 1) * stride + kernel places of a row
        of the result.
    """
    ### BEGIN SOLUTION
    counts = [0] * ((num_inputs - 1) * stride + kernel)
    for number in range(num_inputs):
        for place in range(number * stride, number * stride + kernel):
            counts[place] += 1
    return counts
    ### END SOLUTION

# %% check="coverage"
check(coverage)

# %% [markdown]
# **Look at it.** The same in two dimensions: how often each pixel is written to, which is also the picture that equal weights and
# equal inputs draw. In which of the three will the network have to unlearn a pattern before it can paint a smooth
# surface?

# %% picture="checkerboard"
figure, panels = plt.subplots(1, 3, figsize=(8, 2.9))
for axes, (kernel, stride) in zip(panels, ((3, 2), (4, 2), (2, 2))):
    row = torch.tensor(coverage(8, kernel, stride))
    axes.imshow(row[:, None] * row, cmap="gray", vmin=0, vmax=5)
    axes.set_title(f"kernel {kernel}, stride {stride}")
    axes.axis("off")
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Three squares. Kernel 3 and stride 2: a checkerboard of bright, middle and dark pixels all over. Kernel 4 and stride 2: even
# and bright, with a darker frame. Kernel 2 and stride 2: one even dark grey.](attachment:checkerboard.png)
#
# </details>
#
# A kernel that the stride divides writes to all pixels equally often. With kernel = stride nothing overlaps at all, and that is what
# `nn.Conv2d` to $s^2$ times the channels and `nn.PixelShuffle(s)` do: compute the $s\times s$ pixels of each place as channels,
# then lay them out. The reference ends in a single `nn.PixelShuffle(8)`.
#
# ## 7 · The decoder
#
# From a code to a picture. What has to hold:
#
# * `(B, L)` in, `(B, 3, 64, 64)` out, for any B;
# * all of the code is used, negative numbers included: nothing bends it before the first linear layer;
# * pixels end in $[0,1]$, and get there smoothly, so that a pixel at the edge can still learn
#   ([what to end in](book:04_networks#pixels-in-range)).
#
# Not sure where to start? `nn.Linear` to $128\cdot 8\cdot 8$ numbers, `nn.Unflatten(1, (128, 8, 8))`, then three times a 3×3
# convolution and `nn.PixelShuffle(2)`.

# %% solution="Decoder"
class Decoder(nn.Module):
    """The mean of p(x|z): from codes to images in [0, 1].

    Args:
        latent_dim: length of a code, L.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, 128 * 8 * 8),
            nn.Unflatten(1, (128, 8, 8)),  # (B, 128, 8, 8)
            nn.SiLU(),
            nn.Conv2d(128, 4 * 64, 3, padding=1),
            nn.PixelShuffle(2),  # (B, 64, 16, 16)
            nn.GroupNorm(8, 64),
            nn.SiLU(),
            nn.Conv2d(64, 4 * 32, 3, padding=1),
            nn.PixelShuffle(2),  # (B, 32, 32, 32)
            nn.GroupNorm(8, 32),
            nn.SiLU(),
            nn.Conv2d(32, 4 * 3, 3, padding=1),
            nn.PixelShuffle(2),  # (B, 3, 64, 64)
            nn.Sigmoid(),
        )
        ### END SOLUTION

    def forward(self, z: Tensor) -> Tensor:
        """Decode codes.

        Args:
            z: codes, (B, L).

        Returns:
            x_hat: images, (B, 3, 64, 64), in [0, 1].
        """
        ### BEGIN SOLUTION
        return self.layers(z)
        ### END SOLUTION

# %% check="Decoder"
check(Decoder)

# %% [markdown]
# **Look at it.** Eight random codes through an untrained decoder. No dogs yet, of course: look for a different picture for each code, and
# for a grid. (A PixelShuffle lays out kernels that start at random, so a faint pattern at first is normal; it is not built in, and
# a few steps of training take it away.)

# %%
torch.manual_seed(0)
decoder = Decoder(latent_dim=16)
with torch.no_grad():
    x_hat = decoder(3 * torch.randn(8, 16))
print(f"pixels from {x_hat.min():.2f} to {x_hat.max():.2f}")
show(x_hat, "an untrained decoder")

# %% [markdown]
# ## 8 · Joined by one sample
#
# The VAE has both, and one place where they meet: `forward` encodes, draws **one code for each image** with the `reparameterize` of
# exercise 03, and decodes *that code*, not its mean, in training and in evaluation alike
# ([why](book:04_networks#one-sample-joins-them)). The decoder learns of the image through the code
# and [in no other way](book:04_networks#no-way-around-the-code).

# %% solution="VAE"
class VAE(nn.Module):
    """Encoder and decoder, joined by one sample of the code.

    Args:
        latent_dim: length of a code, L.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.encoder = Encoder(latent_dim)
        self.decoder = Decoder(latent_dim)
        ### END SOLUTION

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, 3, 64, 64) to mu and logvar, (B, L) each."""
        ### BEGIN SOLUTION
        return self.encoder(x)
        ### END SOLUTION

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, L) to images (B, 3, 64, 64) in [0, 1]."""
        ### BEGIN SOLUTION
        return self.decoder(z)
        ### END SOLUTION

    def forward(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Encode, draw one code for each image, decode it.

        Args:
            x: images, (B, 3, 64, 64), in [0, 1].
            generator: source of the noise; None means torch's own.

        Returns:
            x_hat (B, 3, 64, 64), mu (B, L), logvar (B, L), in this order.
        """
        ### BEGIN SOLUTION
        mu, logvar = self.encode(x)
        z = reparameterize(mu, logvar, generator)
        return self.decode(z), mu, logvar
        ### END SOLUTION

# %% check="VAE"
check(VAE)

# %% [markdown]
# ## 9 · Can it learn anything? Eight dogs by heart
#
# The cheapest test of a new network, and the one to run before any long training: can it learn a handful of pictures by heart?
# If it cannot do that, something is cut off, and no amount of data will help. Here the squared error alone is made small.
# Nothing has a price yet.
#
# **Predict first:** the encoder also chooses its own noise, through `logvar`. What will it do with it when the code costs nothing?
# (This cell takes some seconds. Grading leaves it out.)

# %% long=true
torch.manual_seed(0)
model = VAE(latent_dim=16)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
errors, spreads = [], []
for _ in range(150 * SCALE):
    x_hat, mu, logvar = model(dogs)
    error = (dogs - x_hat).square().mean()
    optimizer.zero_grad()
    error.backward()
    optimizer.step()
    errors.append(error.item())
    spreads.append((0.5 * logvar).exp().median().item())
print(f"root mean squared error {errors[-1] ** 0.5:.3f}, median σ of a code "
      f"{spreads[0]:.2f} at first, {spreads[-1]:.3f} now")

# %% long=true picture="by_heart"
figure, (above, below) = plt.subplots(2, 1, figsize=(8, 4.2), height_ratios=(1, 1.1))
with torch.no_grad():
    both = torch.stack([dogs, model(dogs)[0]])  # (2, 8, 3, 64, 64)
above.imshow(both.permute(0, 3, 1, 4, 2).reshape(128, -1, 3))
above.set_title("dogs, and what is left of them", fontsize=10)
above.axis("off")
below.semilogy(errors, label="mean squared error")
below.semilogy(spreads, "--", label="median σ of a code")
below.set_xlabel("step")
below.legend()
figure.tight_layout()
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Above, eight paper dogs and below each a slightly blurred copy with the right coat, ears and posture. Below, two curves over 150
# steps on a logarithmic axis: the mean squared error falls by a factor of ten or more, and the median standard deviation of a code
# falls as well, by a larger factor.](attachment:by_heart.png)
#
# </details>
#
# The noise dies out: the encoder makes σ as small as it can, since noise only spoils pictures. What you see is an ordinary
# autoencoder in the making. The KL term charges for that precision, and it comes back in the next exercise.
#
# ## Before you go: what is the encoder for?
#
# One could do without an encoder: keep for each of the 12,000 training images of Stanford Dogs a `mu` and a `logvar` of its
# own, numbers that are learned like weights. An encoder that answers for all images is called
# [*amortised* inference](book:04_networks#amortised-inference). In a few sentences, for 64 latents:
#
# 1. How many numbers would that be, and how many has your encoder? (Count both; a line of code is fine.)
# 2. What would have to be done for a picture that arrives after training?
# 3. On the training images, the encoder's codes can never give a higher bound than the best free numbers. Why? Where does the
#    difference come from, and what is it called?

# %% [markdown] answer="amortised"
# 1. $2\cdot 64\cdot 12{,}000=1{,}536{,}000$ free numbers, growing with the data. The encoder above with 64 latents has 1,214,752
#    parameters (`sum(p.numel() for p in Encoder(64).parameters())`), and as many for a million images.
# 2. With free numbers: an optimisation of a new `mu` and `logvar` for this picture, hundreds of steps through the decoder. With
#    the encoder: one pass.
# 3. For every image the best free `mu` and `logvar` are the best Gaussian there is for it; whatever the encoder says is one of the
#    Gaussians they could have chosen. It has to answer for all images with the same weights, so for most it is a little off. What
#    this costs, the bound with the best Gaussian minus the bound with the encoder's, is the amortisation gap; what
#    is left of the gap even with the best Gaussian comes from the family of Gaussians itself.
#
# **Rubric** (3 points). 1: both counts, the first one right. 1: names an optimisation per new picture against one pass. 1: says that
# the free numbers include whatever the encoder can say (or that one network must serve all images), and names the amortisation gap.

# %% [markdown]
# Two networks, joined by a sample, with gradients everywhere. Next they are trained: loss, warm-up, curves, and a dog that looks like one.
