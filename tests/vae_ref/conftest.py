"""A tiny Stanford Dogs in the official layout, made of synthetic pictures."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

# as in vae_ref.cli: on a shared machine threads that spin while they wait make every test many times slower
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

BREEDS = ("n02085620-Chihuahua", "n02085782-Japanese_spaniel")
ANNOTATION = """<annotation><folder>x</folder><size><width>{w}</width><height>{h}</height></size>
<object><name>dog</name><bndbox><xmin>{b[0]}</xmin><ymin>{b[1]}</ymin><xmax>{b[2]}</xmax><ymax>{b[3]}</ymax>
</bndbox></object>
<object><name>second</name><bndbox><xmin>0</xmin><ymin>0</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>
</annotation>"""


def jpeg(width: int, height: int, box: tuple[int, int, int, int]) -> bytes:
    """A grey picture with a red box."""
    image = Image.new("RGB", (width, height), (90, 90, 90))
    image.paste((200, 30, 30), box)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def write_tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


class TinyStanford:
    """Files of a small data set; change them, then ``write``. Pictures are half the annotated size."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images: dict[str, bytes] = {}
        self.annotations: dict[str, bytes] = {}
        self.lists: dict[str, list[tuple[str, int]]] = {"train": [], "test": []}
        for side, count in (("train", 6), ("test", 4)):
            for i in range(count):
                breed = BREEDS[i % 2]
                name = f"{breed}/{breed.split('-')[0]}_{side}{i}"
                box = (40, 20, 140, 160)
                self.images[f"Images/{name}.jpg"] = jpeg(100, 90, tuple(corner // 2 for corner in box))
                self.annotations[f"Annotation/{name}"] = ANNOTATION.format(w=200, h=180, b=box).encode()
                self.lists[side].append((name, i % 2 + 1))

    def name(self, side: str, i: int) -> str:
        return self.lists[side][i][0]

    def list_files(self) -> dict[str, bytes]:
        files = {}
        for side, rows in self.lists.items():
            buffer = io.BytesIO()
            table = {
                "file_list": np.array([[f"{name}.jpg"] for name, _ in rows], dtype=object),
                "annotation_list": np.array([[name] for name, _ in rows], dtype=object),
                "labels": np.array([[label] for _, label in rows], dtype=np.uint8),
            }
            savemat(buffer, table)
            files[f"{side}_list.mat"] = buffer.getvalue()
        return files

    def write(self) -> Path:
        self.root.mkdir(exist_ok=True)
        write_tar(self.root / "images.tar", self.images)
        write_tar(self.root / "annotation.tar", self.annotations)
        write_tar(self.root / "lists.tar", self.list_files())
        return self.root

    def write_unpacked(self) -> Path:
        for name, content in {**self.images, **self.annotations, **self.list_files()}.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return self.root


@pytest.fixture
def tiny(tmp_path: Path) -> TinyStanford:
    return TinyStanford(tmp_path / "data")
