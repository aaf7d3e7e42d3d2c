"""The picture that other sites show beside a link to the book: its title over a row of drawn dogs."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

NAME = "social-card.png"
SUBTITLE = "A book with exercises that name your mistake"
WIDTH, HEIGHT = 1200, 630  # what the preview of most sites is cut to
ALT = "Two rows of drawn dogs below the title of the book: Variational Autoencoders, drawn and graded"
PAPER, INK, FAINT = (250, 247, 240), (32, 28, 34), (96, 88, 84)
SIDE = 150  # of a dog, in pixels
COLUMNS, ROWS = WIDTH // SIDE, 2


def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


def draw_card(title: str, subtitle: str) -> Image.Image:
    """The picture, 1200×630.

    Args:
        title: up to the first comma in the first line, the rest in the second.
        subtitle: a line below.
    """
    from vae_ref.dogs import paper_dogs  # with torch, for which pages that only name the picture do not wait

    card = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    drawing = ImageDraw.Draw(card)
    lines = [part.strip() for part in title.split(",", 1)]
    drawing.text((60, 46), lines[0], font=_font("STIXGeneralBol.ttf", 88), fill=INK)
    if len(lines) > 1:
        drawing.text((60, 148), lines[1], font=_font("STIXGeneralItalic.ttf", 64), fill=INK)
    drawing.text((62, 244), subtitle, font=_font("DejaVuSans.ttf", 29), fill=FAINT)
    dogs, _ = paper_dogs(COLUMNS * ROWS, seed=8)
    for index, dog in enumerate(dogs.permute(0, 2, 3, 1).numpy()):
        picture = Image.fromarray(dog).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        row, column = divmod(index, COLUMNS)
        card.paste(picture, (column * SIDE, HEIGHT - (ROWS - row) * SIDE))
    return card


def card_png(title: str) -> bytes:
    """The picture of the book with this title, as a file."""
    file = io.BytesIO()
    draw_card(title, SUBTITLE).save(file, "PNG", optimize=True)
    return file.getvalue()
