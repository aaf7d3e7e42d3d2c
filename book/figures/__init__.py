"""What the interactive figures need besides their scripts: still pictures, weights and recordings for a browser.

All of it is made when the book is built, under ``_generated``, from the weights of the course and from ``recorded``;
what was made is kept until something it is made from changes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RECORDED = HERE / "recorded"  # written by book/record.py
WEIGHTS = ROOT / "vae_ref" / "weights"
SHIPPED = ("paper", "stanford")  # models that the explorer decodes


def _digest() -> str:
    """Identifies everything that the figures are made from."""
    digest = hashlib.sha256()
    for name in ("torch", "matplotlib", "pillow"):
        digest.update(f"{name}=={version(name)}\n".encode())
    code = [*HERE.glob("*.py"), HERE.parent / "book_style.py", *(ROOT / "vae_ref").glob("*.py")]
    drawing = (ROOT / "vae_ref" / "dogs").glob("*.py")
    weights = [WEIGHTS / f"{name}.safetensors" for name in SHIPPED]
    for path in sorted([*code, *drawing, *weights, *RECORDED.iterdir()]):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def make_figures(generated: Path) -> None:
    """Write the still pictures to ``generated/figures`` and what scripts load to ``generated/static/figures``.

    Args:
        generated: the book's folder of generated files.
    """
    stills, scripts, mark = (
        generated / "figures",
        generated / "static" / "figures",
        generated / "figures.digest",
    )
    digest = _digest()
    if mark.exists() and mark.read_text() == digest and stills.is_dir() and scripts.is_dir():
        return
    from figures.browser import model_script, recording_script  # torch takes seconds to import
    from figures.stills import STILLS, save

    mark.unlink(missing_ok=True)
    for folder in (stills, scripts):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for name in SHIPPED:
        (scripts / f"{name}.js").write_text(model_script(name), encoding="utf-8")
    for name in ("rate", "collapse"):
        recording = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
        (scripts / f"{name}-data.js").write_text(recording_script(name, recording), encoding="utf-8")
        shutil.copyfile(RECORDED / f"{name}.webp", scripts / f"{name}.webp")
    for name in STILLS:
        save(name, stills)
    mark.write_text(digest)
