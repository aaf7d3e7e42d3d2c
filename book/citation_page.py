"""How to cite the course, made from CITATION.cff: the file that GitHub and Zotero read is the only source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def _name(author: dict[str, Any]) -> str:
    given = " ".join(filter(None, [author.get("given-names", ""), author.get("name-particle", "")]))
    family = author.get("family-names", "")
    return f"{family}, {given}" if family and given else family or author["name"]


def citation(cff: Path, year: str, address: str = "") -> str:
    """A sentence and a BibTeX entry to copy, in Markdown.

    Args:
        cff: the file CITATION.cff.
        year: of publication; the file's own date comes first.
        address: of the published book, if it has one.
    """
    about = yaml.safe_load(cff.read_text(encoding="utf-8"))
    names = [_name(author) for author in about["authors"]]
    year = str(about.get("date-released", year))[:4]
    where = address or about.get("url", "") or about.get("repository-code", "")
    sentence = f"{'; '.join(names)} ({year}). *{about['title']}* (version {about['version']})."
    authors = " and ".join(
        name if "," in name else f"{{{name}}}" for name in names
    )  # braces: no first and last name
    fields = {
        "author": f"{{{authors}}}",
        "title": f"{{{{{about['title']}}}}}",
        "year": f"{{{year}}}",
        "version": f"{{{about['version']}}}",
    }
    if where:
        sentence += f" <{where}>"
        fields["url"] = f"{{{where}}}"
    entry = ",\n".join(f"  {name} = {value}" for name, value in fields.items())
    return f"> {sentence}\n\nFor BibTeX:\n\n```bibtex\n@misc{{vae-course,\n{entry}\n}}\n```\n"
