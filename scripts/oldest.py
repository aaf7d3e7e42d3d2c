"""Print the oldest version that each range in pyproject.toml allows, as constraints for pip.

    python scripts/oldest.py grade > build/oldest.txt
    pip install -c build/oldest.txt '.[grade]'

Extras are named as arguments; what every learner needs is always among them.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def oldest(extras: Sequence[str], project: Path = PROJECT) -> Iterator[str]:
    """A line for each direct dependency: the lower bound of its range, or the one version that it names.

    Args:
        extras: whose dependencies, besides those of the package itself.
        project: the file with the ranges.

    Raises:
        KeyError: there is no such extra.
        ValueError: a range has no lower bound, so that nobody can say what was tested.
    """
    tables = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    texts = [
        *tables["dependencies"],
        *(t for extra in extras for t in tables["optional-dependencies"][extra]),
    ]
    for requirement in map(Requirement, texts):
        if requirement.name == tables["name"]:
            continue  # an extra that takes others along
        bounds = [part.version for part in requirement.specifier if part.operator in (">=", "==")]
        if len(bounds) != 1:
            raise ValueError(f"{requirement} has no lower bound; give it the oldest version that was tested")
        yield f"{requirement.name}=={bounds[0]}"


if __name__ == "__main__":
    print("\n".join(oldest(sys.argv[1:])))
