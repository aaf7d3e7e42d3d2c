"""Attacks on the people who read notebooks, feedback, terminals and the formgrader."""

from __future__ import annotations

from attacks.attack import Attack

PICTURE_BOMB = """
import base64, struct, zlib
from IPython.display import display
def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
def png(width, height, *more):
    rows = zlib.compress(bytes(1000))
    return (b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + b"".join(more) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
text = chunk(b"zTXt", b"k\\0\\0" + zlib.compress(b"x" * 50_000_000))
for data in (png(60_000, 60_000), png(2**31 - 1, 1), png(2, 2, text), png(0, 0), b"\\x89PNG\\r\\n\\x1a\\n" + bytes(100)):
    display({"image/png": base64.b64encode(data).decode()}, raw=True)
print("TRIED")
"""

SHOWING = (
    Attack(
        "html", "Show HTML, JavaScript, SVG and LaTeX with scripts", "Only text and PNG pictures come out.",
        "the script runs in the instructor's browser",
        """
from IPython.display import HTML, Javascript, Latex, SVG, Markdown, IFrame, display
bad = "<script>alert('@MARK@')</script><img src=x onerror=alert('@MARK@')>"
for shown in (HTML(bad), Javascript("alert('@MARK@')"), Latex(bad), Markdown(bad), IFrame("https://example.org", 1, 1)):
    display(shown)
display({"image/svg+xml": f"<svg onload=alert(1)>{bad}</svg>", "text/html": bad, "text/latex": bad,
         "application/javascript": "alert(1)", "application/vnd.jupyter.widget-view+json": {}}, raw=True)
print("TRIED")
""",
    ),
    Attack(
        "markup-in-text", "Print HTML, Markdown links and terminal commands as text", "Shown as the text it is.",
        "harmless in the page, obeyed in a terminal",
        r"""
print("<script>alert('@MARK@')</script> <img src=x onerror=alert(1)> [x](javascript:alert(1)) {{7*7}} ${7*7}")
print("\x1b]0;title\x07\x1b[2J\x1b[1;1H\x1b[31mred\x1b[0m \x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\ \x9b2J")
print("\u202e reversed \u2066 \x00 \x08\x08\x08 TRIED")
""",
    ),
    Attack(
        "markup-in-errors", "Raise errors whose class, text and lines are HTML and terminal commands",
        "Shown as the text it is.", "",
        r"""
print("TRIED")
raise type("<script>alert('@MARK@')</script>", (Exception,), {})("<img src=x onerror=alert('@MARK@')>\x1b[2J\x1b]0;x\x07")
""",
    ),
    Attack(
        "markup-in-verdicts", "Raise such errors, or return such texts, when a check calls",
        "Shown as the text it is.", "",
        "print('TRIED')",
        answer=r"""
def kl_divergence(mu, logvar):
    x = "<script>alert('@MARK@')</script>"; raise ValueError("<img src=x onerror=alert('@MARK@')>\x1b[2J" + x)
""",
    ),
    Attack(
        "markup-in-sources", "Write HTML and scripts into code", "Shown as the code it is.", "",
        "# </pre></div><script>alert('@MARK@')</script><img src=x onerror=alert('@MARK@')>\n"
        "'''</script><script>alert(1)</script> $$\\\\href{javascript:alert(1)}{x}$$'''\nprint('TRIED')",
    ),
    Attack("picture-bombs", "Show pictures of 60,000 × 60,000 pixels, and others made to break a decoder",
           "Left out: at most 4 million pixels are drawn anew.", "the reader's browser stalls", PICTURE_BOMB),
    Attack(
        "picture-luggage", "Hide texts and profiles inside a picture", "The bare pixels are drawn anew.", "",
        """
import base64, io
from IPython.display import display
from PIL import Image, PngImagePlugin
info = PngImagePlugin.PngInfo()
info.add_text("Comment", "luggage-@MARK@")
file = io.BytesIO()
Image.new("RGB", (4, 4), "red").save(file, "PNG", pnginfo=info, icc_profile=b"luggage-@MARK@" * 9, exif=b"Exif\\0\\0luggage-@MARK@")
display({"image/png": base64.b64encode(file.getvalue()).decode()}, raw=True)
print("TRIED")
""",
    ),
    Attack(
        "endless-line", "Print a line of a million characters, and a million line ends",
        "Cut off after 20,000 characters.", "the page stalls",
        "print('x' * 10**6 + '\\n' * 10**6)", "the rest of the output was cut off",
    ),
    Attack(
        "many-pictures", "Show a thousand pictures", "Eight of a cell are kept, 32 MiB of a hand-in.", "feedback swells",
        """
import io, os, base64
from IPython.display import display
from PIL import Image
file = io.BytesIO()
Image.frombytes("RGB", (200, 200), os.urandom(120_000)).save(file, "PNG")
for _ in range(200):
    display({"image/png": base64.b64encode(file.getvalue()).decode()}, raw=True)
""", shows="",
    ),
    Attack(
        "odd-messages", "Send output messages whose fields have other types than they should",
        "Left out, or the text in them.", "crash",
        """
kernel = get_ipython().kernel
deep = []
for _ in range(300):
    deep = [deep]
for kind in ("stream", "error", "display_data", "execute_result"):
    for value in (None, 3, [], {}, deep, {"text/plain": deep, "image/png": 5}, "\\ud800", ["x", 3]):
        content = {"name": value, "text": value, "ename": value, "evalue": value, "traceback": value, "data": value}
        try:
            kernel.session.send(kernel.iopub_socket, kind, content, kernel.get_parent())
        except Exception:
            pass
print("TRIED")
""", "TRIED",
    ),
)  # fmt: skip
