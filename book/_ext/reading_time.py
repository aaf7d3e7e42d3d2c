"""Estimate how long a page takes to read, from what stands on it.

Adults read English non-fiction silently at 238 words a minute, most of them at 175 to 300 (Brysbaert 2019,
doi:10.1016/j.jml.2019.104047). Text with formulas in it is read at the slow end of that range, and what is not words
has a price of its own.
"""

from __future__ import annotations

from docutils import nodes

WORDS_A_MINUTE = 180
SECONDS_A_FORMULA = 15  # one set off from the text
SECONDS_A_FIGURE = 15
SECONDS_A_LINE_OF_CODE = 2
# what is folded away, and what a program printed, is looked at rather than read
SKIPPED_CLASSES = {"cell_output", "tag_hide-input", "tag_hide-cell", "tag_remove-input"}


def reading_seconds(node: nodes.Node) -> float:
    """Seconds for a node of a page and everything in it."""
    if isinstance(node, nodes.Text):
        return len(node.astext().split()) * 60 / WORDS_A_MINUTE
    if isinstance(node, (nodes.comment, nodes.raw, nodes.substitution_definition)):
        return 0.0
    if isinstance(node, nodes.math_block):
        return SECONDS_A_FORMULA
    if isinstance(node, nodes.math):
        return 60 / WORDS_A_MINUTE  # a formula in a sentence is a word of it
    if isinstance(node, nodes.image):
        return SECONDS_A_FIGURE
    if isinstance(node, nodes.literal_block):
        return SECONDS_A_LINE_OF_CODE * len([line for line in node.astext().splitlines() if line.strip()])
    if isinstance(node, nodes.Element) and SKIPPED_CLASSES & set(node.get("classes", [])):
        return sum(SECONDS_A_FIGURE for _ in node.findall(nodes.image))
    return sum(reading_seconds(child) for child in node.children)


def reading_minutes(page: nodes.Node) -> int:
    """Minutes for a page: exact below ten, then in steps of five; at least one."""
    minutes = reading_seconds(page) / 60
    return max(1, round(minutes)) if minutes < 10 else 5 * round(minutes / 5)
