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
# A model of dogs never sees a dog. It sees 12,288 numbers, and everything it can learn was decided before the first step of
# training: what was cut away, how it was shrunk, on which scale it is counted, and which pictures are kept for the verdict.
# This notebook makes those decisions, and measures what they cost. There is no network in it yet.
#
# After each function stands a line like `check(scale_box)`. Run it as often as you like: it costs nothing, and when it
# recognises your mistake, it tells you which one it is. If you are stuck, ask `check(scale_box, hint=1)`; there are three hints,
# and they are free as well.
#
# Where a question says *predict first*, write your guess down before you run the cell. Being wrong is the point.

# %% setup=true
# The installation of the course, where it is missing, is written here.

# %%
import io
import math
import os
import tempfile
import textwrap
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from autograder import check
from vae_ref.dogs.album import open_album
from vae_ref.dogs.drawing import paper_dogs

# %% [markdown]
# ## 1 · 120 breeds
#
# *Stanford Dogs* has 20,580 photographs of 120 breeds ([what is in it](book:01_dogs#stanford-dogs)). The photographs belong to
# the people who took them, so the course does not bring them along. You have two ways from here:
#
# * **With photos.** `vae-ref data stanford --download` in a terminal fetches them once (0.8 GB) and says where they are. Write
#   that folder into the next cell.
# * **Without.** Leave the cell as it is. An album of drawn photos, paper dogs on a lawn, takes their place. Everything in this
#   notebook and all points can be had with it.

# %%
# the folder with images.tar, annotation.tar and lists.tar
PHOTOS = os.environ.get("STANFORD_DOGS_ROOT", "")

album = open_album(PHOTOS)  # opening the photos takes some seconds
print(f"{album.name}: {len(album.breeds)} breeds, {len(album.train):,} training and "
      f"{len(album.test):,} test pictures")

# %% [markdown]
# First, look at your data. Here is one picture of each breed (or six of each coat, without photos). Before you scroll on, write
# down three things that would make life hard for a model of these pictures.

# %%
def contact_sheet(
    pictures: list[Image.Image], columns: int, side: int = 72
) -> Image.Image:
    """Small copies of PIL pictures in rows."""
    rows = math.ceil(len(pictures) / columns)
    sheet = Image.new("RGB", (columns * side, rows * side), "white")
    for number, picture in enumerate(pictures):
        small = picture.copy()
        small.thumbnail((side - 3, side - 3))
        sheet.paste(small, (number % columns * side, number // columns * side))
    return sheet


of_each = 1 if len(album.breeds) > 30 else 6
entries = []
for label in range(len(album.breeds)):
    entries += [entry for entry in album.train if entry.label == label][:of_each]
print(textwrap.fill(", ".join(album.breeds), 110))
contact_sheet([album.photo(entry) for entry in entries], columns=12)

# %% [markdown]
# Sizes, proportions and light differ; grass, sofas and people take most of the pixels; the dog is small, or cut off. A model
# whose pictures have 64×64 pixels cannot afford that. So we cut to the dog.
#
# ## 2 · Where is the dog?
#
# Each photo comes with an annotation: a box $(x_{\min}, y_{\min}, x_{\max}, y_{\max})$ around the dog, in pixels of **the picture that the
# annotator saw**, and that picture's width and height. The file you have may be a shrunk copy; many are. Then the box has to
# [shrink with it](book:01_dogs#boxes), on each axis by that axis's own ratio.

# %% solution="scale_box"
def scale_box(
    box: tuple[float, float, float, float],
    annotated_size: tuple[float, float],
    actual_size: tuple[float, float],
) -> tuple[float, float, float, float]:
    """The box of a dog in the file at hand.

    Args:
        box: (xmin, ymin, xmax, ymax), in pixels of the annotated picture.
        annotated_size: (width, height) of the annotated picture, pixels.
        actual_size: (width, height) of the file, pixels; a PIL picture calls it ``size``.

    Returns:
        (xmin, ymin, xmax, ymax), in pixels of the file; not rounded.
    """
    ### BEGIN SOLUTION
    x_ratio = actual_size[0] / annotated_size[0]
    y_ratio = actual_size[1] / annotated_size[1]
    return box[0] * x_ratio, box[1] * y_ratio, box[2] * x_ratio, box[3] * y_ratio
    ### END SOLUTION

# %% check="scale_box"
check(scale_box)

# %% [markdown]
# **Look at it.** Six pictures, each kept at 60 % of its annotated size, with two boxes: yours in white, and the one from the
# annotation as it stands there, dashed red. *Predict first:* for how many of the six would the wrong box raise an error?

# %%
def box_in(entry, picture: Image.Image):
    """The dog's box in a picture that may be a shrunk copy."""
    box, annotated_size = album.annotation(entry)
    return scale_box(box, annotated_size, picture.size)


def frame(axes, box, style: str, colour: str) -> None:
    """Draw a box."""
    left, top, right, bottom = box
    axes.plot(
        [left, right, right, left, left],
        [top, top, bottom, bottom, top],
        style,
        color=colour,
    )


def copy_of(entry) -> Image.Image:
    """The picture at 60 % of its annotated size."""
    width, height = album.annotation(entry)[1]
    return album.photo(entry).resize((round(0.6 * width), round(0.6 * height)))


some = entries[:: len(entries) // 6][:6]
figure, row = plt.subplots(1, 6, figsize=(9, 2))
for axes, entry in zip(row, some):
    picture = copy_of(entry)
    axes.imshow(picture)
    frame(axes, album.annotation(entry)[0], "--", "red")
    frame(axes, box_in(entry, picture), "-", "white")
    axes.set(xlim=(0, picture.width), ylim=(picture.height, 0), xticks=[], yticks=[])
plt.show()

silent = 0
for entry in entries:
    left, top, _, _ = album.annotation(entry)[0]
    width, height = copy_of(entry).size
    silent += left < width and top < height
print(f"{silent} of {len(entries)} boxes that were not scaled still show some of the "
      "picture: no error, only a wrong crop")

# %% [markdown]
# A wrong box hardly ever raises anything. The pictures come out a little off, the model learns lawns, and the loss looks fine.
# That is the typical mistake in data: only looking finds it.
#
# ## 3 · From a photo to a square
#
# Now the whole way. [The book](book:01_dogs#boxes) says why each step is there; you write them in this order:
#
# 1. convert the picture to RGB (some are grey, some have transparency);
# 2. round the box to whole pixels and clip it to the picture, and cut it out;
# 3. resize so that the **short** side has `size` pixels ([keep the proportions](book:01_dogs#aspect-ratio)), with a filter that
#    [averages](book:01_dogs#aliasing): Pillow's `BILINEAR` does when it shrinks;
# 4. cut out the square in the middle;
# 5. make it a tensor of bytes with the [channels first](book:01_dogs#channels-first).
#
# You may do it with Pillow or with torchvision.

# %% solution="crop_and_resize"
def crop_and_resize(
    image: Image.Image, box: tuple[float, float, float, float], size: int
) -> Tensor:
    """Cut a picture to its box, bring the short side to ``size`` and take the square in
    the middle.

    Args:
        image: a PIL picture of any mode.
        box: (xmin, ymin, xmax, ymax) in pixels of ``image``; it may stick out, and part
            of it always lies inside.
        size: side of the square, pixels.

    Returns:
        The square, uint8, (3, size, size).
    """
    ### BEGIN SOLUTION
    left, top = max(0, round(box[0])), max(0, round(box[1]))
    right, bottom = min(image.width, round(box[2])), min(image.height, round(box[3]))
    image = image.convert("RGB").crop((left, top, right, bottom))
    short = min(image.size)
    image = image.resize(
        (size * image.width // short, size * image.height // short),
        Image.Resampling.BILINEAR,
    )
    left, top = round((image.width - size) / 2), round((image.height - size) / 2)
    image = image.crop((left, top, left + size, top + size))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
    ### END SOLUTION

# %% check="crop_and_resize"
check(crop_and_resize)

# %% [markdown]
# **Look at it.** Drawn photos above, your squares below. The dog fills the square whatever the photo looked like, and it is as
# wide as it was.

# %% picture="squares"
paper_album = open_album()
figure, rows = plt.subplots(2, 8, figsize=(9, 2.6))
for (above, below), entry in zip(rows.T, paper_album.train[3::13]):
    photo = paper_album.photo(entry)
    box, annotated_size = paper_album.annotation(entry)
    box = scale_box(box, annotated_size, photo.size)
    above.imshow(photo)
    frame(above, box, "-", "white")
    below.imshow(crop_and_resize(photo, box, 64).permute(1, 2, 0))
    above.axis("off")
    below.axis("off")
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Eight drawn photos of dogs on lawns with white boxes around the dogs, and below each the square cut from it. In every square the dog fills the picture and keeps its proportions; where the box was tall, some of the chest or the ears is cut off.](attachment:squares.png)
#
# </details>
#
# The same for your album, one picture of each breed. Which breeds lose most to the square?

# %%
squares = [
    crop_and_resize(photo, box_in(entry, photo), 64)
    for entry in entries
    for photo in [album.photo(entry)]
]
contact_sheet(
    [Image.fromarray(square.permute(1, 2, 0).numpy()) for square in squares],
    columns=15,
    side=67,
)

# %% [markdown]
# ### Why resizing has to average
#
# Rings that get finer and finer, 512×512 pixels, are shrunk to 64×64 in two ways: by picking every eighth pixel, and by your
# function. *Predict first:* what belongs at the edge, where a ring is thinner than a pixel of the small picture?

# %% picture="aliasing"
steps = (np.arange(512) - 255.5) / 256
rings = 0.5 + 0.5 * np.cos(200 * (steps[:, None] ** 2 + steps[None, :] ** 2))
pixels = np.repeat((255 * rings).round().astype(np.uint8)[:, :, None], 3, axis=2)
yours = crop_and_resize(Image.fromarray(pixels), (0, 0, 512, 512), 64).permute(1, 2, 0)

figure, row = plt.subplots(1, 3, figsize=(9, 3))
for axes, picture, title in zip(
    row, (pixels, pixels[::8, ::8], yours), ("512×512", "every eighth pixel", "yours")
):
    axes.imshow(picture)
    axes.set_title(title)
    axes.axis("off")
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![Three squares. Left: concentric rings that get finer towards the edge. Middle, every eighth pixel: a grid of ring patterns that are not in the original. Right, averaged: rings in the middle that fade into grey towards the edge.](attachment:aliasing.png)
#
# </details>
#
# The middle picture is full of rings that nobody drew. In photographs it is fur and fences that turn into patterns, and a model
# would spend its code on them. The average of many thin rings is grey, and grey is the truth at this resolution.
#
# ## 4 · Why [0, 1]
#
# Files hold bytes. The models of this course see $x = k/255$, float32, and [the book has the reasons](book:01_dogs#why-unit-interval).

# %% solution="to_unit_interval"
def to_unit_interval(pixels: Tensor) -> Tensor:
    """Bytes as the numbers that models see.

    Args:
        pixels: uint8, (B, 3, H, W).

    Returns:
        The same pictures, float32, (B, 3, H, W), black 0 and white 1.
    """
    ### BEGIN SOLUTION
    return pixels.float() / 255
    ### END SOLUTION

# %% check="to_unit_interval"
check(to_unit_interval)

# %% [markdown]
# Is it a matter of taste? Somebody trains the same model on pictures in $[-1, 1]$, that is on $y = 2x - 1$, and reports its log
# density. *Predict first, then write it as a function:* shifting changes nothing; by how many nats does multiplying each of the
# $D$ numbers of a picture by $a$ change its log density?

# %% solution="change_of_scale"
def change_of_scale(num_dims: int, scale: float) -> float:
    """What a change of units does to a log density.

    Args:
        num_dims: numbers in a picture, D.
        scale: what each of them is multiplied with, positive.

    Returns:
        log density of ``scale * x`` minus log density of ``x``, nats.
    """
    ### BEGIN SOLUTION
    return -num_dims * math.log(scale)
    ### END SOLUTION

# %% check="change_of_scale"
check(change_of_scale)

# %% [markdown]
# **Try it on dogs.** The simplest model of pictures there is gives each of the 12,288 numbers a Gaussian of its own, fitted to
# 500 paper dogs. Here it judges another 100, on three scales. The last column should be your function.

# %%
def pixel_gaussians(x: Tensor):
    """Mean and standard deviation of each number of a picture, over a set of them."""
    return x.mean(dim=0), x.std(dim=0)


def log_density(model, x: Tensor) -> float:
    """Mean log density of pictures under such a model, nats per image."""
    return torch.distributions.Normal(*model).log_prob(x).sum(dim=(1, 2, 3)).mean().item()


train_pixels, _ = paper_dogs(500, seed=1)
test_pixels, _ = paper_dogs(100, seed=2)
train_x, test_x = to_unit_interval(train_pixels), to_unit_interval(test_pixels)
plain = log_density(pixel_gaussians(train_x), test_x)
for name, scale, shift in (("[0, 1]", 1, 0), ("[-1, 1]", 2, -1), ("[0, 255]", 255, 0)):
    value = log_density(pixel_gaussians(scale * train_x + shift), scale * test_x + shift)
    print(f"{name:>8}: {value:8,.0f} nats, against [0, 1] {value - plain:8,.0f}   "
          f"yours: {change_of_scale(12288, scale) + 0:8,.0f}")

# %% [markdown]
# One model, three numbers. None is better than the others, and no two may be compared. That is why all chapters keep one scale,
# and why results are reported in [bits per dimension](book:01_dogs#bits-per-dimension), which do not depend on it.
#
# ## 5 · The same dog, a little different
#
# A mirrored dog is a dog, and so is one in better light. During training each picture is mirrored with probability ½ and made
# brighter or darker by up to 20 % ([augmentation](book:01_dogs#augmentation)). Each picture has **its own** coin and **its own**
# factor, drawn evenly between 0.8 and 1.2, and the result is clipped to $[0, 1]$.
#
# Two requests come from those who will use your function. Draw all chance from `generator`, so that a run can be repeated. And
# leave `x` itself as it is: it will be needed again in the next epoch.

# %% solution="augment"
def augment(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Mirror images and change their light, each by chance of its own.

    Args:
        x: images, float, (B, 3, H, W), in [0, 1]; not changed.
        generator: source of the chance; None means torch's own.

    Returns:
        The varied images, of the shape and type of ``x``, in [0, 1].
    """
    ### BEGIN SOLUTION
    shape = (len(x), 1, 1, 1)
    mirrored = torch.rand(shape, generator=generator) < 0.5
    factor = 0.8 + 0.4 * torch.rand(shape, generator=generator, dtype=x.dtype)
    return (torch.where(mirrored, x.flip(-1), x) * factor).clamp(0, 1)
    ### END SOLUTION

# %% check="augment"
check(augment)

# %% [markdown]
# **Look at it.** One dog, and seven of the pictures it may become. How many different ones are there?

# %% picture="augmented"
one = to_unit_interval(paper_dogs(1, seed=3)[0])
varied = augment(one.expand(7, -1, -1, -1), torch.Generator().manual_seed(4))
figure, row = plt.subplots(1, 8, figsize=(9, 1.5))
for axes, picture in zip(row, [one[0], *varied]):
    axes.imshow(picture.permute(1, 2, 0))
    axes.axis("off")
row[0].set_title("original", fontsize=9)
plt.show()

# %% [markdown]
# <details><summary>What it should look like</summary>
#
# ![A drawn dog and seven variations. Some are mirrored, which shows in the ears and the patch, some are brighter and some darker; none is upside down or has changed its colour.](attachment:augmented.png)
#
# </details>
#
# ## 6 · Where augmentation must never go
#
# Training pictures may be varied because nobody reports numbers about them. Pictures that a model is **measured** on have to stay
# as they are. Put that into code once, so that nobody can forget it: a function that makes batches, and is told what for.

# %% solution="make_batch"
def make_batch(
    pixels: Tensor, training: bool, generator: torch.Generator | None = None
) -> Tensor:
    """Images for a training step, or to measure a model on.

    Args:
        pixels: uint8, (B, 3, H, W).
        training: whether they are for training; only then are they augmented.
        generator: source of the chance.

    Returns:
        Images in [0, 1], float32, (B, 3, H, W).
    """
    ### BEGIN SOLUTION
    x = to_unit_interval(pixels)
    return augment(x, generator) if training else x
    ### END SOLUTION

# %% check="make_batch"
check(make_batch)

# %% [markdown]
# **What goes wrong otherwise?** The Gaussian model from above is measured five times on the same 100 dogs: as they are, and
# augmented. *Predict first:* which row is better, and by how much do the numbers of a row differ?

# %%
model = pixel_gaussians(train_x)
for training, name in ((False, "as they are"), (True, "augmented")):
    values = [log_density(model, make_batch(test_pixels, training)) for _ in range(5)]
    print(
        f"{name:>12}: "
        + "  ".join(f"{value:8,.0f}" for value in values)
        + "  nats per image"
    )

# %% [markdown]
# The model is one and the same. The second row tells about other pictures than we asked about, and it does not even stand still:
# differences of that size are what people fight for in the chapters on better models.
#
# ### A question in words (2 points)
#
# A friend augments her validation pictures, too: "My training loss is measured on augmented pictures. If validation is not, the
# two curves cannot be compared, and I would not see overfitting." What is right about her wish, what is wrong with her way, and
# what would you do? Three or four sentences.

# %% [markdown] answer="noisy_validation"
# Her wish is sound: two curves can only be compared if both are measured in the same way, and here the training curve is about
# augmented pictures. But the validation number then describes another distribution than the one she cares about, with other
# light and noise, it is different in each evaluation, and nobody else can compare with it; a model may be chosen for being good
# at bright dogs. She should make the training number comparable instead: measure the model, without augmentation, on a fixed
# part of the training pictures, and compare that curve with the plain validation curve.
#
# **Rubric** (2 points). 1: says why augmented validation pictures give a number that is not wanted (another distribution, or a
# number that jitters, or one nobody can compare with). 1: measures training pictures **without** augmentation as well, and
# compares those two numbers.

# %% [markdown]
# ## 7 · What does decoding cost?
#
# A JPEG has to be decoded, cut and resized before it is a square, and the square is the same each time. One can do it in every
# epoch, or once, and keep the bytes in a file that is [mapped into memory](book:01_dogs#memory-map). Let us measure both on this
# machine, with the pictures of your album.
#
# *Predict first:* how many milliseconds does it take to make one square? How many pictures is that in a second?

# %%
def seconds_each(work, things) -> float:
    """Median seconds that ``work`` takes for one thing; the median forgives a busy
    machine."""
    times = []
    for thing in things:
        start = time.perf_counter()
        work(thing)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def decode(entry) -> Tensor:
    picture = Image.open(io.BytesIO(files[entry]))
    return crop_and_resize(picture, box_in(entry, picture), 64)


# already in memory: no waiting for the disk
files = {entry: album.file(entry) for entry in entries}
decode_seconds = seconds_each(decode, files)

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "squares.npy"
np.save(path, torch.stack([decode(entry) for entry in files]).repeat(20, 1, 1, 1).numpy())
# nothing is read yet: the file is mapped into memory
stored = np.load(path, mmap_mode="r")
order = np.random.default_rng(0).permutation(len(stored))
batches = np.split(order, len(order) // 30)
read_seconds = (
    seconds_each(lambda rows: to_unit_interval(torch.from_numpy(stored[rows])), batches)
    / 30
)

print(f"decode, cut and resize: {1e3 * decode_seconds:7.3f} ms a picture, "
      f"{1 / decode_seconds:9,.0f} a second")
print(f"read and divide by 255: {1e3 * read_seconds:7.3f} ms a picture, "
      f"{1 / read_seconds:9,.0f} a second")
print(f"12,000 squares take {12_000 * 3 * 64 * 64 / 1e6:.0f} MB as bytes, and four "
      "times that as float32")

# %% [markdown]
# The VAE of this course trains on about a thousand pictures a second on two cores. Compare that with the first line: whoever
# decodes in every epoch waits for JPEGs about as long as for the model, or longer. (The photos of the original download have some
# seven times as many pixels as the shrunk copies that some people use.)
#
# How much is it over a whole run? Decoding once costs `num_images` decodings before the first epoch, and one reading for each
# image in **each** epoch. Decoding every time costs a decoding for each image in each epoch.

# %% solution="seconds_saved"
def seconds_saved(
    num_images: int, num_epochs: int, decode_seconds: float, read_seconds: float
) -> float:
    """What decoding once saves against decoding in each epoch.

    Args:
        num_images: training images.
        num_epochs: how often each of them is used.
        decode_seconds: to decode, cut and resize one image, seconds.
        read_seconds: to read one stored square, seconds.

    Returns:
        Seconds saved over the whole run; negative if decoding once takes longer.
    """
    ### BEGIN SOLUTION
    every_epoch = num_images * num_epochs * decode_seconds
    once = num_images * decode_seconds + num_images * num_epochs * read_seconds
    return every_epoch - once
    ### END SOLUTION

# %% check="seconds_saved"
check(seconds_saved)

# %%
for num_epochs in (1, 2, 10, 100):
    saved = seconds_saved(12_000, num_epochs, decode_seconds, read_seconds)
    print(f"{num_epochs:3} epochs of 12,000 pictures: {saved:8.1f} seconds saved")

# %% [markdown]
# With a single epoch there is nothing to gain; from the second on there is. The course decodes once.
#
# One thing cannot be stored, and you know which: what `augment` does is different each time, so it happens when a batch is made.
# It costs little, since it works on small pictures, many at once.
#
# ## What you have now
#
# Squares with dogs in them, in $[0, 1]$, varied for training and untouched for the verdict; and a model of pictures so simple that
# it has no idea what a dog is: it thinks that pixels have nothing to do with each other. Its log density is a number in nats.
# The next assignment asks what that number *should* be, for a model that first imagines a few facts about a dog and then draws
# it: the [evidence lower bound](book:02_bound).

# %%
folder.cleanup()
