"""Fonts of the printed book.

Text and code are set in fonts that come with Matplotlib, so that every machine prints the same. The fonts of formulas
are MathJax's; their outlines are cubic curves (CFF), which Chromium's PDF writer takes apart into drawings that look
heavy on a screen. The same outlines as quadratic curves (TrueType) are embedded as fonts. Two fonts stay as they are:
MathJax makes tall brackets from pieces of these by stretching them a few hundred times, which viewers do to drawings
but refuse to do to letters.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import matplotlib
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

TEXT_AND_CODE = (
    "STIXGeneral.ttf", "STIXGeneralBol.ttf", "STIXGeneralItalic.ttf", "STIXGeneralBolIta.ttf",
    "DejaVuSans.ttf", "DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf",
)  # fmt: skip
STRETCHED = ("MathJax_Size1", "MathJax_Size4")
EXACT = 0.5  # units, of a thousand to the size of the font, that a quadratic curve may be off


def quadratic(font: TTFont) -> TTFont:
    """A font with the same glyphs, whose outlines are quadratic curves.

    Args:
        font: with cubic outlines, in a table CFF.
    """
    glyphs, order = font.getGlyphSet(), font.getGlyphOrder()
    outlines = {}
    for name in order:
        pen = TTGlyphPen(None)
        glyphs[name].draw(Cu2QuPen(pen, EXACT, reverse_direction=True))
        outlines[name] = pen.glyph()
    names, head, line = font["name"], font["head"], font["hhea"]
    builder = FontBuilder(head.unitsPerEm, isTTF=True)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap(font.getBestCmap())
    builder.setupGlyf(outlines)
    builder.setupHorizontalMetrics({name: font["hmtx"][name] for name in order})
    builder.setupHorizontalHeader(ascent=line.ascent, descent=line.descent)
    family = names.getDebugName(1) or "MathJax"
    style = names.getDebugName(2) or "Regular"
    post_script = names.getDebugName(6) or f"{family}-{style}".replace(" ", "")
    builder.setupNameTable(
        {"familyName": family, "styleName": style, "psName": post_script, "fullName": post_script}
    )
    builder.setupOS2(
        sTypoAscender=line.ascent,
        sTypoDescender=line.descent,
        usWinAscent=line.ascent,
        usWinDescent=-line.descent,
    )
    builder.setupPost()
    return builder.font


def copy_fonts(mathjax: Path, folder: Path) -> None:
    """Put all fonts of the printed book into a folder.

    Args:
        mathjax: folder of MathJax's fonts in the finished book.
        folder: where they go.
    """
    folder.mkdir()
    for name in TEXT_AND_CODE:
        shutil.copyfile(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, folder / name)
    for path in mathjax.glob("*.woff"):
        font = TTFont(path)
        if "CFF " in font and not path.name.startswith(STRETCHED):
            font = quadratic(font)
        font.flavor = "woff"
        font.save(folder / path.name)
