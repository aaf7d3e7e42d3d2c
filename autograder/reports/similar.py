"""Answers of a class that are nearly the same: a hint where to look, never a verdict.

Two answers are compared as MOSS compares programs (Schleimer, Wilkerson and Aiken, "Winnowing", SIGMOD 2003): as runs
of tokens in which all names of one's own are the same, and without what was given to everybody or written by many. For
answers in a course are short, and right ones look alike. The rule, which the page repeats:

* names that the learner chose, comments, docstrings, annotations and layout do not count;
* an answer is looked at if it is no released stub, has at least ``MIN_TOKENS`` tokens more than it, and at most
  :func:`many` hand-ins have one like it;
* two answers are alike if at least ``ALIKE`` of their runs of ``RUN`` tokens are the same;
* two hand-ins are listed if such answers of theirs are alike in at least two places, or in one that has at least
  ``LONG`` tokens more than the stub.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

MIN_TOKENS = 60
LONG = 200
RUN = 5
ALIKE = 0.7  # different right answers of the catalogue have less than 0.3; a test measures it
OWN = "·"  # stands for every name that the learner chose


@dataclass(frozen=True)
class Group:
    """Hand-ins whose answers are alike.

    Attributes:
        students: who handed them in, in order.
        answers: names of the cells in which some of them are alike.
    """

    students: tuple[str, ...]
    answers: tuple[str, ...]


def many(hand_ins: int) -> int:
    """With more hand-ins than this, an answer that they share is no hint.

    Args:
        hand_ins: the size of the class.
    """
    return min(max(3, hand_ins // 50), hand_ins // 2)


def similar_hand_ins(
    answers: Mapping[str, Mapping[str, str]], stubs: Mapping[str, str], given: Collection[str] = ()
) -> list[Group]:
    """Groups of hand-ins that the rule of this module lists.

    Args:
        answers: source of each solution cell, by learner and name of the cell.
        stubs: source of each as it was released.
        given: names that the assignment asks for, which nobody chose.
    """
    shared: dict[tuple[str, str], dict[str, int]] = {}
    for cell in dict.fromkeys(name for sources in answers.values() for name in sources):
        sources = {student: own[cell] for student, own in answers.items() if cell in own}
        for pair, length in _alike(sources, stubs.get(cell, ""), given, many(len(answers))):
            shared.setdefault(pair, {})[cell] = length
    listed = {pair: cells for pair, cells in shared.items() if len(cells) > 1 or max(cells.values()) >= LONG}
    return list(_groups(listed))


def tokens(source: str, given: Collection[str] = ()) -> tuple[str, ...]:
    """The tokens of a source that its writer's names, comments and layout do not change; none if it cannot be read.

    Args:
        source: Python.
        given: names that count although the source defines them.
    """
    try:
        tree = ast.parse(source)
        own = set(_bound(tree)) - set(given)
        return tuple(_walk(tree, own))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # learners write anything
        return ()


def _bound(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name


def _walk(node: ast.AST, own: Collection[str]) -> Iterator[str]:
    """Kinds of nodes, and names and constants in them, from the outside to the inside."""
    if isinstance(node, ast.Load | ast.Store | ast.Del):
        return
    yield type(node).__name__
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "type_comment", "kind", "ctx"):
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.AST):
                # a text that stands alone is a docstring or a comment
                if not (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant)):
                    yield from _walk(item, own)
            elif item is not None:
                # the name of an argument in a call is the callee's choice, unless the callee is the learner's own
                yield OWN if isinstance(item, str) and item in own and field != "attr" else repr(item)


def _alike(
    sources: Mapping[str, str], stub: str, given: Collection[str], limit: int
) -> Iterator[tuple[tuple[str, str], int]]:
    """Pairs of learners whose answers of one cell are alike and not too many people's; the length of the shorter."""
    base = len(tokens(stub, given))
    owners: dict[tuple[str, ...], list[str]] = {}  # of answers that have the same tokens
    for student, source in sources.items():
        found = tokens(source, given)
        if len(found) - base >= MIN_TOKENS and found != tokens(stub, given):
            owners.setdefault(found, []).append(student)
    different = list(owners)
    if not different:
        return
    close = _close(different)
    counts = np.array([len(owners[answer]) for answer in different])
    rare = close @ counts <= limit  # how many hand-ins have an answer like this one
    for i, j in zip(*np.nonzero(np.triu(close)), strict=True):
        if not (rare[i] and rare[j]):
            continue
        length = min(len(different[i]), len(different[j])) - base
        a, b = owners[different[i]], owners[different[j]]
        pairs = combinations(a, 2) if i == j else ((x, y) for x in a for y in b)
        for x, y in pairs:
            yield (min(x, y), max(x, y)), length


def _close(answers: Sequence[tuple[str, ...]]) -> np.ndarray:
    """Which answers are alike: a symmetric (N, N) matrix of bools, true on the diagonal."""
    runs = [{answer[k : k + RUN] for k in range(len(answer) - RUN + 1)} for answer in answers]
    number = {run: k for k, run in enumerate(dict.fromkeys(run for some in runs for run in some))}
    columns = [number[run] for some in runs for run in some]
    ends = np.cumsum([0, *(len(some) for some in runs)])
    has = csr_matrix((np.ones(len(columns), dtype=np.int32), columns, ends), shape=(len(runs), len(number)))
    both = (has @ has.T).toarray()
    sizes = both.diagonal()
    return both >= ALIKE * (sizes[:, None] + sizes[None, :] - both)  # Jaccard's index of two sets


def _groups(pairs: Mapping[tuple[str, str], Mapping[str, int]]) -> Iterator[Group]:
    """The pairs joined where they have a learner in common."""
    students = sorted({student for pair in pairs for student in pair})
    place = {student: k for k, student in enumerate(students)}
    links = [(place[a], place[b]) for a, b in pairs]
    rows, columns = zip(*links, strict=True) if links else ((), ())
    graph = csr_matrix((np.ones(len(links)), (rows, columns)), shape=(len(students), len(students)))
    count, label = connected_components(graph, directed=False) if students else (0, [])
    for k in range(count):
        members = tuple(student for student in students if label[place[student]] == k)
        cells = {cell: None for pair, found in pairs.items() if pair[0] in members for cell in found}
        yield Group(members, tuple(cells))
