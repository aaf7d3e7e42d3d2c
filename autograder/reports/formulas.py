"""Formulas without a script: TeX in HTML becomes MathML, which browsers draw and screen readers read by themselves."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from html import escape, unescape
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

MAX_CHARACTERS = 2000  # a longer formula stays as it was written
MATHML = "http://www.w3.org/1998/Math/MathML"
# What a formula of the course can need; an element or attribute beside these is left out, whatever TeX asked for it.
ELEMENTS = {
    "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "ms", "mfrac", "msqrt", "mroot", "msub", "msup",
    "msubsup", "munder", "mover", "munderover", "mmultiscripts", "mprescripts", "none", "mtable", "mtr",
    "mtd", "mstyle", "mpadded", "mphantom", "menclose",
}  # fmt: skip
ATTRIBUTES = {
    "display", "displaystyle", "scriptlevel", "stretchy", "fence", "form", "accent", "accentunder",
    "minsize", "maxsize", "lspace", "rspace", "width", "linethickness", "columnalign", "movablelimits",
    "largeop", "symmetric",
}  # fmt: skip
# browsers draw the letters of Unicode, and no longer heed this attribute
ALPHABETS = {
    "double-struck": "DOUBLE-STRUCK",
    "script": "SCRIPT",
    "fraktur": "FRAKTUR",
    "bold": "BOLD",
    "bold-italic": "BOLD ITALIC",
    "sans-serif": "SANS-SERIF",
    "monospace": "MONOSPACE",
}
FUNCTIONS = {
    "arg", "cos", "det", "dim", "exp", "inf", "lim", "ln", "log", "max", "min", "sin", "sup", "tan", "tanh",
}  # fmt: skip
BRACES = ("\N{BOTTOM CURLY BRACKET}", "\N{TOP CURLY BRACKET}")


def mathml(tex: str, block: bool = False) -> str:
    """A formula as MathML.

    Args:
        tex: without its dollar signs; nothing about it is trusted.
        block: whether it stands on a line of its own.

    Returns:
        MathML whose tree holds only harmless elements; the TeX in a ``code`` element where it cannot be converted.
    """
    try:
        if len(tex) > MAX_CHARACTERS:
            raise ValueError("too long")
        root = convert_to_element(tex, display="block" if block else "inline")
        _clean(root)
        return ElementTree.tostring(root, encoding="unicode")
    except Exception:  # the converter raises anything for what is no TeX, and learners write anything
        return f"<code>{escape(tex)}</code>"


def _clean(root: Element) -> None:
    for element in root.iter():
        if not isinstance(element.tag, str) or element.tag not in ELEMENTS:
            raise ValueError(f"{element.tag!r} has no place in a formula")
        variant = element.get("mathvariant", "")
        for name in [name for name in element.keys() if name not in ATTRIBUTES]:  # noqa: SIM118  (no dictionary)
            del element.attrib[name]
        element.text = _letters(unescape(element.text or ""), variant)
        element.tail = unescape(element.tail or "")
        if variant == "normal" and element.tag == "mi":
            element.set("mathvariant", "normal")  # the one value that is heeded: an upright letter
        if element.tag == "mi" and element.text in FUNCTIONS:  # what follows keeps its distance, as in TeX
            element.tag = "mo"
            element.attrib.update(form="prefix", lspace="0", rspace="0.17em")
        if element.text in BRACES:
            element.set("stretchy", "true")
    root.set("xmlns", MATHML)


def _letters(text: str, variant: str) -> str:
    """The same letters in another alphabet of Unicode, as far as it has them."""
    alphabet = ALPHABETS.get(variant)
    return text if alphabet is None else "".join(_letter(letter, alphabet) for letter in text)


def _letter(letter: str, alphabet: str) -> str:
    for name in _names(letter, alphabet):
        try:
            return unicodedata.lookup(name)
        except KeyError:
            continue
    return letter


def _names(letter: str, alphabet: str) -> Iterator[str]:
    """How Unicode may call a letter of an alphabet: the older ones, such as ℝ, are not called mathematical."""
    kind = "CAPITAL" if letter.isupper() else "SMALL"
    plain = unicodedata.name(letter, "").rpartition(" ")[2]
    if letter.isdigit():
        yield f"MATHEMATICAL {alphabet} DIGIT {plain}"
    elif letter.isalpha():
        yield f"MATHEMATICAL {alphabet} {kind} {plain}"
        yield f"{alphabet} {kind} {plain}"
