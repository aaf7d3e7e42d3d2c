"""The page of interfaces: what the modules of all chapters offer, signatures and docstrings as the code has them."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType

from autograder.assignments import CHAPTERS, Chapter

Documented = ast.FunctionDef | ast.ClassDef


def interfaces() -> str:
    """A section for each chapter, a block of code for each thing it offers, in MyST markdown."""
    return "\n\n".join(part for chapter in CHAPTERS for part in _chapter(chapter)) + "\n"


def _chapter(chapter: Chapter) -> Iterator[str]:
    module = importlib.import_module(f"vae_ref.{chapter.name}")
    yield f"(interface-{chapter.name})=\n## {chapter.number}. {chapter.title}"
    yield f"`vae_ref.{chapter.name}` belongs to [this chapter]({chapter.slug}.md)."
    for name in offered(module):
        yield f"### `{name}`\n\n```python\n{stub(getattr(module, name))}\n```"


def offered(module: ModuleType) -> list[str]:
    """Names of the functions and classes that a chapter offers, in the order of its code.

    Args:
        module: a file, which offers what it defines, or a folder, which says so in ``__all__``.
    """
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    things = {name: getattr(module, name) for name in names}
    return [
        name
        for name, thing in things.items()
        if (inspect.isfunction(thing) or inspect.isclass(thing))
        and f"{thing.__module__}.".startswith(f"{module.__name__}.")
    ]


def stub(thing: object) -> str:
    """The head of a function or a class as it stands in the code: signature and docstring, with public methods."""
    source = inspect.cleandoc("\n" + inspect.getsource(thing))  # type: ignore[arg-type]
    (node,) = ast.parse(source).body
    assert isinstance(node, Documented)
    lines = source.splitlines()
    heads = [_head(node, lines)]
    if isinstance(node, ast.ClassDef):
        methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
        heads += [
            _head(part, lines) for part in methods if not part.name.startswith("_") or part.name == "__init__"
        ]
    return "\n\n".join(heads)


def _head(node: Documented, lines: list[str]) -> str:
    """From the first decorator to the end of the docstring, or of the signature where there is none."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    if ast.get_docstring(node) is not None:
        last = node.body[0].end_lineno or node.lineno
    else:
        last = max(node.lineno, node.body[0].lineno - 1)
        while last > node.lineno and not lines[last - 1].split("#")[0].strip():
            last -= 1  # comments above the first statement
    return "\n".join(lines[first - 1 : last])
