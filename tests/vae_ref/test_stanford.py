"""The Stanford Dogs loader on a small set in the official layout, whole and damaged in every way we know."""

import errno
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from vae_ref.dogs import Batches, load_paper, load_stanford
from vae_ref.dogs import cache as cache_module
from vae_ref.errors import CourseError

from .conftest import ANNOTATION, TinyStanford, jpeg


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def only_dog(picture: np.ndarray) -> bool:
    """Whether a picture shows the red box and nothing of the grey around it."""
    return bool((picture[0] > 150).all() and (picture[1] < 80).all())


def test_boxes_are_scaled_to_the_resized_pictures(tiny: TinyStanford, cache: Path) -> None:
    data = load_stanford(tiny.write(), size=16, cache=cache)
    assert data.train.images.shape == (6, 3, 16, 16) and data.test.images.shape == (4, 3, 16, 16)
    assert data.train.images.dtype == np.uint8
    # the outermost pixels may mix with the background through JPEG's 8×8 blocks
    assert all(only_dog(picture[:, 2:-2, 2:-2]) for picture in data.train.images)
    assert data.train.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert data.class_names == ("Chihuahua", "Japanese spaniel")
    assert data.skipped == ()


def test_unpacked_folders_give_the_same_pictures(tiny: TinyStanford, cache: Path, tmp_path: Path) -> None:
    packed = load_stanford(tiny.write(), size=16, cache=cache)
    unpacked = load_stanford(TinyStanford(tmp_path / "unpacked").write_unpacked(), size=16, cache=cache)
    assert np.array_equal(packed.train.images, unpacked.train.images)
    assert np.array_equal(packed.test.labels, unpacked.test.labels)


def test_the_second_time_nothing_is_decoded(tiny: TinyStanford, cache: Path, monkeypatch) -> None:
    root = tiny.write()
    first = load_stanford(root, size=16, cache=cache)
    monkeypatch.setattr("vae_ref.dogs.stanford._decode", None)
    again = load_stanford(root, size=16, cache=cache)
    assert np.array_equal(first.train.images, again.train.images)
    os.utime(root / "images.tar", ns=(1, 1))
    with pytest.raises(TypeError):  # changed files are decoded again
        load_stanford(root, size=16, cache=cache)
    monkeypatch.undo()
    assert load_stanford(root, size=8, cache=cache).train.images.shape[-1] == 8


def test_the_fingerprint_is_that_of_the_pictures_not_of_their_files(
    tiny: TinyStanford, tmp_path: Path
) -> None:
    first = load_stanford(tiny.write(), size=16, cache=tmp_path / "a")
    for path in tiny.root.iterdir():  # as a copy or another download has it
        os.utime(path, (1, 1))
    assert load_stanford(tiny.root, size=16, cache=tmp_path / "b").fingerprint == first.fingerprint
    tiny.images[f"Images/{tiny.name('test', 0)}.jpg"] = jpeg(100, 90, (0, 0, 60, 60))
    assert load_stanford(tiny.write(), size=16, cache=tmp_path / "b").fingerprint != first.fingerprint


def test_paper_dogs_are_cached_alike(cache: Path) -> None:
    data = load_paper(40, 9, seed=2, cache=cache)
    assert data.train.images.shape == (40, 3, 64, 64) and data.test.factors.shape == (9, 10)
    assert not any(np.array_equal(a, data.test.images[0]) for a in data.train.images)
    assert np.array_equal(load_paper(50, 9, seed=2, cache=cache).train.images[:40], data.train.images)
    assert data.train.labels.min() >= 0 and data.train.labels.max() < len(data.class_names)


def test_batches_cover_every_picture_once(cache: Path) -> None:
    dogs = load_paper(20, 7, cache=cache).test
    sizes = [len(x) for x, _ in Batches(dogs, 3)]
    assert sizes == [3, 3, 1] and len(Batches(dogs, 3)) == 3
    x, labels = next(iter(Batches(dogs, 7)))
    assert x.dtype == torch.float32 and labels.dtype == torch.int64
    assert np.array_equal((255 * x).round().numpy(), dogs.images)
    shuffled = Batches(dogs, 2, shuffle=True, generator=torch.Generator().manual_seed(0))
    first, second = (torch.cat([x for x, _ in shuffled]) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first.sum((1, 2, 3)).sort()[0], x.sum((1, 2, 3)).sort()[0])


def damage(tiny: TinyStanford, how: str) -> str:
    """Spoil one training picture and return what its complaint must name."""
    name = tiny.name("train", 1)
    image, annotation = f"Images/{name}.jpg", f"Annotation/{name}"
    if how == "corrupt JPEG":
        tiny.images[image] = b"\xff\xd8 not a picture"
    elif how == "truncated JPEG":
        tiny.images[image] = tiny.images[image][:400]
    elif how == "missing picture":
        del tiny.images[image]
    elif how == "missing annotation":
        del tiny.annotations[annotation]
    elif how == "broken annotation":
        tiny.annotations[annotation] = b"<annotation><size>"
    elif how == "no box":
        tiny.annotations[annotation] = (
            b"<annotation><size><width>9</width><height>9</height></size></annotation>"
        )
    elif how == "no size":
        tiny.annotations[annotation] = ANNOTATION.format(w=0, h=0, b=(1, 1, 9, 9)).encode()
    elif how == "box outside":
        tiny.annotations[annotation] = ANNOTATION.format(w=200, h=180, b=(300, 20, 400, 90)).encode()
    elif how in ("box of NaN", "endless box"):
        far = {"box of NaN": "nan", "endless box": "1e999"}[how]
        tiny.annotations[annotation] = ANNOTATION.format(w=200, h=180, b=(1, 1, far, 90)).encode()
    elif how == "unknown encoding":
        tiny.annotations[annotation] = b'<?xml version="1.0" encoding="martian"?><annotation/>'
    elif how == "path that escapes":
        tiny.lists["train"][1] = ("../../../etc/passwd", 2)
        return "passwd"
    return name


DAMAGES = (
    "corrupt JPEG",
    "truncated JPEG",
    "missing picture",
    "missing annotation",
    "broken annotation",
    "no box",
    "no size",
    "box outside",
    "box of NaN",
    "endless box",
    "unknown encoding",
    "path that escapes",
)


@pytest.mark.parametrize("packed", [True, False], ids=["tar", "folder"])
@pytest.mark.parametrize("how", DAMAGES)
def test_an_unusable_picture_is_named_and_left_out_or_refused(
    tiny: TinyStanford, cache: Path, how: str, packed: bool
) -> None:
    culprit = damage(tiny, how)
    root = tiny.write() if packed else tiny.write_unpacked()
    with pytest.raises(CourseError, match=culprit) as refusal:
        load_stanford(root, size=16, cache=cache, strict=True)
    assert "\n" not in str(refusal.value)
    with pytest.warns(UserWarning, match=f"left out 1 of 10 pictures: .*{culprit}"):
        data = load_stanford(root, size=16, cache=cache)
    assert len(data.train) == 5 and len(data.test) == 4
    assert data.train.labels.tolist() == [0, 0, 1, 0, 1]
    with pytest.raises(CourseError, match=culprit):  # also when the prepared pictures are there already
        load_stanford(root, size=16, cache=cache, strict=True)


def test_a_box_that_overlaps_the_picture_is_clipped(tiny: TinyStanford, cache: Path) -> None:
    name = tiny.name("train", 0)
    tiny.images[f"Images/{name}.jpg"] = jpeg(100, 90, (50, 0, 100, 90))
    tiny.annotations[f"Annotation/{name}"] = ANNOTATION.format(w=200, h=180, b=(100, -40, 900, 800)).encode()
    data = load_stanford(tiny.write(), size=16, cache=cache)
    assert only_dog(data.train.images[0][:, :, 2:])


@pytest.mark.parametrize("name", ["images.tar", "annotation.tar", "lists.tar"])
@pytest.mark.parametrize("how", ["missing", "cut inside", "cut at a member", "garbage", "empty"])
def test_a_broken_archive_is_one_line(tiny: TinyStanford, cache: Path, name: str, how: str) -> None:
    root = tiny.write()
    path = root / name
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "cut inside":
        path.write_bytes(content[: len(content) // 3 // 512 * 512 + 700])
    elif how == "cut at a member":
        path.write_bytes(content.rstrip(b"\0")[: len(content) // 2 // 512 * 512])
    else:
        path.write_bytes(b"not a tar " * 500 if how == "garbage" else b"")
    with pytest.raises(CourseError, match=name) as error:
        load_stanford(root, size=16, cache=cache)
    assert "\n" not in str(error.value)
    assert not cache.exists() or list(cache.iterdir()) == []


def test_a_label_below_the_first_is_a_damaged_list(tiny: TinyStanford, cache: Path) -> None:
    tiny.lists["train"][1] = (tiny.lists["train"][1][0], 0)
    with pytest.raises(CourseError, match=r"train_list.mat is damaged \(a label is 0, the first is 1\)"):
        load_stanford(tiny.write(), size=16, cache=cache)


@pytest.mark.parametrize("how", ["other text", "no names", "labels cut"])
def test_damaged_prepared_pictures_are_one_line(tiny: TinyStanford, cache: Path, how: str) -> None:
    root = tiny.write()
    load_stanford(root, size=16, cache=cache)
    (folder,) = cache.iterdir()
    if how == "labels cut":
        np.save(folder / "train_labels.npy", np.load(folder / "train_labels.npy")[:-1])
    else:
        (folder / "meta.json").write_text("[1, 2]" if how == "other text" else '{"skipped": []}')
    with pytest.raises(CourseError, match=r"are damaged .* delete that folder and run again") as error:
        load_stanford(root, size=16, cache=cache)
    assert "\n" not in str(error.value)


def test_a_wrong_folder_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(
        CourseError, match=r"has no images.tar and no annotation.tar and no lists.tar; .*--root"
    ):
        load_stanford(tmp_path)
    with pytest.raises(CourseError, match="there is no folder"):
        load_stanford(tmp_path / "nowhere")


def test_damaged_lists_are_named(tiny: TinyStanford, cache: Path) -> None:
    root = tiny.write_unpacked()
    (root / "test_list.mat").write_bytes(b"MATLAB 5.0 MAT-file and then nothing" * 9)
    with pytest.raises(CourseError, match=r"test_list.mat is damaged"):
        load_stanford(root, cache=cache)


def test_archives_that_do_not_belong_together_are_refused(tiny: TinyStanford, cache: Path) -> None:
    tiny.images = {name.replace("_", "-"): content for name, content in tiny.images.items()}
    with pytest.raises(CourseError, match=r"no usable train picture .* belong together"):
        load_stanford(tiny.write(), cache=cache)


def test_a_full_disk_leaves_nothing_behind(tiny: TinyStanford, cache: Path, monkeypatch) -> None:
    real = cache_module.np.lib.format.write_array_header_1_0

    def full(file, header) -> None:
        real(file, header)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    root = tiny.write()
    monkeypatch.setattr(cache_module.np.lib.format, "write_array_header_1_0", full)
    with pytest.raises(CourseError, match=r"No space left on device; free some space .*--cache"):
        load_stanford(root, size=16, cache=cache)
    assert list(cache.iterdir()) == []
    monkeypatch.undo()
    assert len(load_stanford(root, size=16, cache=cache).train) == 6


def test_damaged_prepared_pictures_are_named(tiny: TinyStanford, cache: Path) -> None:
    root = tiny.write()
    load_stanford(root, size=16, cache=cache)
    (folder,) = cache.iterdir()
    (folder / "train.npy").write_bytes(b"")
    with pytest.raises(CourseError, match="delete that folder"):
        load_stanford(root, size=16, cache=cache)


@pytest.mark.slow
def test_two_processes_at_once(cache: Path) -> None:
    code = (
        "import sys; from vae_ref.dogs import load_paper; "
        "print(load_paper(300, 3, cache=sys.argv[1]).train.images.sum())"
    )
    command = [sys.executable, "-c", code, str(cache)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sums = [process.communicate(timeout=120)[0] for process in both]
    assert all(process.returncode == 0 for process in both)
    assert sums[0] == sums[1] != ""
    assert [path.suffix for path in cache.iterdir()] == [""]


@pytest.mark.slow
@pytest.mark.skipif(
    "STANFORD_DOGS_ROOT" not in os.environ, reason="STANFORD_DOGS_ROOT names no copy of the data"
)
def test_real_photos_decode_on_the_official_split(cache: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load_stanford(os.environ["STANFORD_DOGS_ROOT"], cache=cache)
    assert len(data.class_names) == 120
    assert 11_000 < len(data.train) <= 12_000 and 8_000 < len(data.test) <= 8_580
    assert set(np.unique(data.test.labels)) == set(range(120))
    mean = data.train.images[::10].mean((0, 2, 3))
    assert mean.min() > 90 and mean.max() < 150  # photos are neither dark nor burnt out
