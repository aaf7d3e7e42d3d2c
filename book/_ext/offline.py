"""Make the book ask no other host for anything.

MathJax comes from the book. The package sphinx-mathjax-offline carries MathJax 3.2.2 as released: 24 MB, most of
it for other input and output formats. Only what pages can ask for is copied: the components that turn TeX into HTML
with hidden MathML, which screen readers read, and their fonts. The combined file of the package would also bring
MathJax's menu, a third of its size; with it every formula of a page is a stop of the Tab key.

Jupyter Book always loads sphinx-thebe, whose scripts fetch a kernel client from elsewhere when they are used.
This book offers no live kernels, so they stay out of its pages.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx_thebe import init_thebe_core, update_thebe_context

START = "startup.js"
COMPONENTS = ["core", "input/tex", "output/chtml", "a11y/assistive-mml"]
# loaded when a formula uses them
EXTENSIONS = ["boldsymbol", "cancel", "color", "mathtools"]
PARTS = (
    START,
    *(f"{name}.js" for name in COMPONENTS),
    *(f"input/tex/extensions/{name}.js" for name in EXTENSIONS),
    "output/chtml/fonts/tex.js",
    "output/chtml/fonts/woff-v2",
)
LICENCE = Path(__file__).parent.parent / "_licences" / "MathJax-LICENSE.txt"


def _source() -> Path:
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    if package is None or package.origin is None:
        raise ExtensionError("MathJax is missing; install it with: pip install sphinx-mathjax-offline")
    return Path(package.origin).parent / "static" / "mathjax"


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Copy the parts into the finished book."""
    if exception is not None or app.builder.format != "html":
        return
    source, target = _source(), Path(app.outdir) / "_static" / "mathjax"
    for part in PARTS:
        origin, destination = source / part, target / part
        destination.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, destination, dirs_exist_ok=True)
        else:
            shutil.copyfile(origin, destination)
    shutil.copyfile(LICENCE, target / "LICENSE.txt")


def use_mathjax(app: Sphinx, config: Config) -> None:
    """Tell pages where MathJax is and what of it to load."""
    config.mathjax_path = f"mathjax/{START}"
    config.mathjax3_config = {"loader": {"load": COMPONENTS}} | (config.mathjax3_config or {})


def leave_out_thebe(app: Sphinx) -> None:
    """Disconnect what sphinx-thebe would add to pages; it has no setting for that."""
    for listeners in list(app.events.listeners.values()):
        for listener in list(listeners):
            if listener.handler in (init_thebe_core, update_thebe_context):
                app.disconnect(listener.id)


def setup(app: Sphinx) -> dict[str, bool]:
    _source()  # say at once what is missing
    app.connect("config-inited", use_mathjax)
    app.connect("build-finished", copy_mathjax)
    leave_out_thebe(app)  # local extensions are set up last
    return {"parallel_read_safe": True, "parallel_write_safe": True}
