"""Where this copy of the course can be found: the one place for its addresses.

Empty until a copy is published. Badges and links to a website appear only once they are set; until then links lead to
the files beside the notebooks. After a change: make exercises.
"""

from __future__ import annotations

REPOSITORY = ""  # such as "https://github.com/OWNER/NAME"
BRANCH = "main"
BOOK = ""  # the published book, such as "https://OWNER.github.io/NAME"

COLAB = "https://colab.research.google.com"
BINDER = "https://mybinder.org"
LINKS_ARE_TEXTS = (
    " Links lead to the book's texts; `make book` makes pages of them."  # at the top of each exercise
)


def badges(slug: str) -> str:
    """Markdown of the buttons that open an assignment's notebook elsewhere; empty if the course is nowhere yet.

    Args:
        slug: name of the assignment.
    """
    if not REPOSITORY:
        return ""
    notebook = f"exercises/{slug}/{slug}.ipynb"
    place = REPOSITORY.removeprefix("https://github.com/")
    quoted = notebook.replace("/", "%2F")
    return (
        f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({COLAB}/github/{place}/blob/{BRANCH}/{notebook}) "
        f"[![Open in Binder]({BINDER}/badge_logo.svg)]({BINDER}/v2/gh/{place}/{BRANCH}?labpath={quoted})"
    )


def in_book(page: str, label: str = "") -> str:
    """The address of a page of the book, as seen from a released notebook.

    Args:
        page: its name, such as ``02_bound``.
        label: of a section on it; empty for the top.
    """
    place = f"{BOOK}/{page}.html" if BOOK else f"../../book/{page}.md"
    return f"{place}#{label}" if label else place


def setup_code() -> str:
    """Code of a notebook's first cell: installs the course where it is missing."""
    install = (
        f'subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "git+{REPOSITORY}@{BRANCH}"], check=True)'
        if REPOSITORY
        else 'raise ModuleNotFoundError("install the course into this Python, as its README says")'
    )
    imports = "import importlib.util\n" + ("import subprocess\nimport sys\n" if REPOSITORY else "")
    return f'{imports}\nif importlib.util.find_spec("vae_ref") is None:  # as on Colab\n    {install}'
