"""The finished book, the same on paper, and a server for it on this machine."""

from __future__ import annotations

import functools
import gzip
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

sys.path.insert(0, str(Path(__file__).parent))  # helpers of these tests stand beside them
from figure_scripts import BOOK, SCRIPTS, open_scripts

ROOT = Path(__file__).resolve().parents[2]


def _made_once(goal: Path, *command: str) -> Path:
    """Run a command that makes ``goal``, unless another of the processes that run the tests has done so."""
    with FileLock(f"{goal}.lock"):
        if not goal.exists():
            result = subprocess.run([sys.executable, *command], capture_output=True, text=True)
            assert result.returncode == 0, result.stdout + result.stderr
    return goal


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(scope="session")
def book(shared: Path) -> Path:
    """Folder of the finished pages: the one that BOOK_HTML names, or one built now."""
    if given := os.environ.get("BOOK_HTML"):
        return Path(given).resolve()
    return _made_once(shared / "book", str(ROOT / "book" / "build.py"), "--out", str(shared / "book"))


@pytest.fixture(scope="session")
def pdf(book: Path, shared: Path) -> Path:
    """The book on paper: the file that BOOK_PDF names, or one printed now."""
    if given := os.environ.get("BOOK_PDF"):
        return Path(given).resolve()
    out = shared / "book.pdf"
    return _made_once(out, str(ROOT / "book" / "pdf.py"), "--book", str(book), "--out", str(out))


class _Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; packs text as web servers do when a browser says that it can unpack it."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        packs = "gzip" in self.headers.get("Accept-Encoding", "")
        if not (
            packs and path.is_file() and path.suffix in {".html", ".css", ".js", ".svg", ".json", ".txt"}
        ):
            return super().do_GET()
        data = gzip.compress(path.read_bytes(), compresslevel=6)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        return None


@pytest.fixture(scope="session")
def address(book: Path) -> Iterator[str]:
    """Address of the book on the loopback interface, ending in a slash."""
    handler = functools.partial(_Server, directory=str(book))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@dataclass
class Visit:
    """A page in the browser, and what happened while it was opened."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def visit(browser: Any) -> Any:
    """A function that opens a page, has its formulas set if they matter, and notes requests and complaints."""

    def open_page(url: str, width: int = 1280, context: Any = browser, formulas: bool = True) -> Visit:
        options = {"viewport": {"width": width, "height": 900}} if context is browser else {}
        page = context.new_page(**options)
        seen = Visit(page)
        page.on("request", lambda request: seen.requests.append(request.url))
        page.on("requestfailed", lambda request: seen.complaints.append(f"failed: {request.url}"))
        page.on("pageerror", lambda error: seen.complaints.append(f"script: {error}"))
        page.on("console", lambda m: m.type == "error" and seen.complaints.append(f"console: {m.text}"))
        page.on("response", lambda r: r.status >= 400 and seen.complaints.append(f"{r.status}: {r.url}"))
        if not formulas:  # where nobody looks at them: setting them takes longer than all else
            page.route(
                "**/mathjax/*.js", lambda route: route.fulfill(content_type="text/javascript", body="")
            )
        page.goto(url)
        page.evaluate("async () => { await window.MathJax?.startup?.promise; }")
        return seen

    return open_page


@pytest.fixture(scope="session")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All scripts in one folder, as in the finished book."""
    generated = tmp_path_factory.mktemp("generated")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BOOK))
        from figures import make_figures

        make_figures(generated)
    for script in SCRIPTS.glob("*.js"):
        (generated / "static" / "figures" / script.name).write_bytes(script.read_bytes())
    return generated / "static" / "figures"


@pytest.fixture(scope="session")
def numbers(browser: Any, scripts: Path) -> Iterator[Any]:
    page = open_scripts(browser, scripts)
    yield page
    page.close()
