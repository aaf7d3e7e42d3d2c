"""Run Jupyter Book on all cores: python book/parallel.py build …, with the arguments that jupyter-book takes.

Its command line has no option for that, though its builder has. Cells of different pages are executed at the same time,
and so are the other steps. Plugins of the bibliography are looked up once, not in all installed packages for each
citation, which took a tenth of a build.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from types import ModuleType

import jupyter_book.sphinx
import pybtex.plugin
import sphinx.builders
import sphinx_jupyterbook_latex
import sphinx_multitoc_numbering
from jupyter_book.cli.main import main

# for each process: few enough to be handed over quickly, many enough that none waits for the slowest
PORTIONS = 4


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def portions(pages: Sequence[str], processes: int) -> list[Sequence[str]]:
    """Pages dealt out one by one: those that take long, the chapters, have names that follow each other."""
    count = PORTIONS * processes
    return [pages[first::count] for first in range(min(count, len(pages)))]


def declare_safe(extension: ModuleType) -> None:
    """Say of an extension that it may run in several processes, where it does not say so itself."""
    setup = extension.setup

    def with_declaration(app: object) -> dict[str, bool]:
        setup(app)
        return {"parallel_read_safe": True, "parallel_write_safe": True}

    extension.setup = with_declaration


if __name__ == "__main__":
    declare_safe(sphinx_multitoc_numbering)  # switched off in _config.yml
    declare_safe(sphinx_jupyterbook_latex)  # does nothing to web pages
    sphinx.builders.make_chunks = portions
    pybtex.plugin.entry_points = functools.cache(pybtex.plugin.entry_points)
    jupyter_book.sphinx.build_sphinx = functools.partial(jupyter_book.sphinx.build_sphinx, jobs=cores())
    main()
