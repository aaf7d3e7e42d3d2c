"""Downloads from a real server on this machine that drops, cuts, forges and forgets, and unpacking."""

import contextlib
import errno
import hashlib
import io
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from vae_ref import dogs as dogs_module
from vae_ref.cli import main
from vae_ref.config import DEFAULTS
from vae_ref.dogs import archives as archives_module
from vae_ref.dogs import download as download_module
from vae_ref.dogs import load_stanford
from vae_ref.dogs.archives import ARCHIVES, Archive, part_of, unpack
from vae_ref.dogs.download import download
from vae_ref.errors import CourseError

from .conftest import TinyStanford

CONTENT = random.Random(0).randbytes(300_000)
FILE = Archive("images.tar", "Images", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
TAMPERED = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])


class Handler(BaseHTTPRequestHandler):
    """Does what the server's next plan says; serves well, with ranges, when there is none."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        server = self.server
        server.asked.append((self.path, self.headers.get("Range")))
        self.close_connection = True
        with contextlib.suppress(ConnectionError):  # the client hung up: some plans make it
            plan = server.plans.pop(0) if server.plans else server.always
            plan(self)

    def log_message(self, *_: object) -> None:
        pass

    def reply(self, status: int, body: bytes = b"", **headers: object) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    @property
    def first(self) -> int:
        """The byte that the request asks to begin with."""
        return int((self.headers.get("Range") or "bytes=0-")[6:-1])

    def body(self) -> bytes:
        return self.server.files.get(self.path, self.server.content)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.plans: list[Callable[[Handler], None]] = []
        self.always: Callable[[Handler], None] = well
        self.content = CONTENT
        self.files: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def ranges(self) -> list[str | None]:
        return [wanted for _, wanted in self.asked]


def well(handler: Handler) -> None:
    body, first = handler.body(), handler.first
    if not first:
        handler.reply(200, body)
    elif first >= len(body):
        handler.reply(416, Content_Range=f"bytes */{len(body)}")
    else:
        where = f"bytes {first}-{len(body) - 1}/{len(body)}"
        handler.reply(206, body[first:], Content_Range=where)


def without_ranges(handler: Handler) -> None:
    handler.reply(200, handler.body())


def drop_after(num_bytes: int, ranges: bool = True) -> Callable[[Handler], None]:
    def plan(handler: Handler) -> None:
        body, first = handler.body(), handler.first if ranges else 0
        where = f"bytes {first}-{len(body) - 1}/{len(body)}" if first else None
        status, rest = (206, body[first:]) if first else (200, body)
        handler.reply(status, rest[:num_bytes], Content_Length=len(rest), Content_Range=where)

    return plan


def answer(status: int, body: bytes = b"", **headers: object) -> Callable[[Handler], None]:
    return lambda handler: handler.reply(status, body, **headers)


def chunked(body: bytes) -> Callable[[Handler], None]:
    """Serve without telling the length before."""

    def plan(handler: Handler) -> None:
        handler.reply(200, Content_Length=None, Transfer_Encoding="chunked")
        for i in range(0, len(body), 50_000):
            piece = body[i : i + 50_000]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    return plan


@pytest.fixture
def servers() -> Iterator[Callable[[], Server]]:
    started: list[tuple[Server, threading.Thread]] = []

    def start() -> Server:
        server = Server()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server(servers) -> Server:
    return servers()


@pytest.fixture(autouse=True)
def waits(monkeypatch) -> list[float]:
    """No test waits, and none asks a proxy for this machine."""
    seconds: list[float] = []
    monkeypatch.setattr(download_module.time, "sleep", seconds.append)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return seconds


def fetch(root: Path, *servers: Server) -> None:
    download(root, [server.url for server in servers], [FILE])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def assert_whole(root: Path) -> None:
    assert (root / FILE.name).read_bytes() == CONTENT
    assert names(root) == [FILE.name]


def begin(root: Path, content: bytes) -> None:
    root.mkdir(exist_ok=True)
    part_of(root / FILE.name).write_bytes(content)


def test_a_good_server_is_asked_once(server: Server, tmp_path: Path) -> None:
    fetch(tmp_path / "a" / "b", server)
    assert_whole(tmp_path / "a" / "b")
    assert server.asked == [("/images.tar", None)]


def test_dropped_connections_are_continued(server: Server, tmp_path: Path, waits: list[float]) -> None:
    server.plans = [drop_after(70_000), drop_after(0), drop_after(1), drop_after(50_000)]
    fetch(tmp_path, server)
    assert_whole(tmp_path)
    starts = (70_000, 70_000, 70_001, 120_001)
    assert server.ranges == [None, *(f"bytes={start}-" for start in starts)]
    assert waits == [1, 2, 1, 1]  # longer only while nothing arrives


def test_without_ranges_it_starts_again(server: Server, tmp_path: Path) -> None:
    server.plans = [drop_after(70_000, ranges=False), drop_after(40_000, ranges=False), without_ranges]
    fetch(tmp_path, server)
    assert_whole(tmp_path)
    assert server.ranges == [None, "bytes=70000-", "bytes=40000-"]


def test_a_server_that_never_gets_there_is_given_up(
    server: Server, servers, tmp_path: Path, waits: list[float]
) -> None:
    server.always = drop_after(70_000, ranges=False)
    with pytest.raises(CourseError, match=r"fails again and again: ended 230,000 bytes early") as error:
        fetch(tmp_path, server)
    assert "\n" not in str(error.value) and waits == [1, 2, 4, 8]
    assert part_of(tmp_path / FILE.name).read_bytes() == CONTENT[:70_000]
    better = servers()
    fetch(tmp_path, server, better)  # a later call goes on, and at another server
    assert_whole(tmp_path)
    assert better.ranges == ["bytes=70000-"]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path, status: int, waits) -> None:
    server.plans = [answer(status)] * 4
    fetch(tmp_path, server)
    assert_whole(tmp_path)
    assert waits == [1, 2, 4, 8]


@pytest.mark.parametrize("status", [404, 403, 204])
def test_a_server_without_the_file_is_left_at_once(
    server: Server, servers, tmp_path: Path, status: int, waits
) -> None:
    server.always = answer(status, Content_Length=None if status == 204 else 0)
    fetch(tmp_path, server, servers())
    assert_whole(tmp_path)
    assert len(server.asked) == 1 and waits == []


def test_no_server_at_all_names_each(server: Server, servers, tmp_path: Path) -> None:
    server.always, other = answer(404), servers()
    other.always = answer(500)
    with pytest.raises(CourseError) as error:
        fetch(tmp_path, server, other)
    message = str(error.value)
    assert f"{server.url}/images.tar answers 404 Not Found" in message and "\n" not in message
    assert f"{other.url}/images.tar fails again and again: answers 500" in message and "--mirror" in message
    assert list(tmp_path.iterdir()) == []


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="cannot be reached: Connection refused"):
        download(tmp_path, ["http://127.0.0.1:1"], [FILE])


def test_a_silent_server_times_out(server: Server, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(download_module, "_TIMEOUT", 2.0)
    released = threading.Event()

    def stall(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(FILE.size))
        handler.end_headers()
        handler.wfile.write(CONTENT[:1000])
        released.wait(30)

    server.plans = [stall, lambda _: released.wait(30) and None]
    began = time.monotonic()
    fetch(tmp_path, server)
    assert time.monotonic() - began < 20  # not until the server lets go
    released.set()
    assert_whole(tmp_path)
    assert server.ranges == [None, "bytes=1000-", "bytes=1000-"]


def test_a_tampered_file_is_removed_and_the_next_mirror_tried(
    server: Server, servers, tmp_path: Path
) -> None:
    server.content = TAMPERED
    with pytest.raises(CourseError, match="another file: its sha256 is not the published one"):
        fetch(tmp_path, server)
    assert list(tmp_path.iterdir()) == [] and len(server.asked) == 1
    fetch(tmp_path, server, servers())
    assert_whole(tmp_path)


def test_a_wrong_beginning_is_not_blamed_on_the_server_that_ends_it(server: Server, tmp_path: Path) -> None:
    begin(tmp_path, b"x" * 1000)
    fetch(tmp_path, server)
    assert_whole(tmp_path)
    assert server.ranges == ["bytes=1000-", None]


@pytest.mark.parametrize("there", [CONTENT, TAMPERED, CONTENT + b"x"], ids=["whole", "tampered", "oversize"])
def test_a_partial_file_of_full_length_is_judged_before_asking(
    server: Server, tmp_path: Path, there: bytes
) -> None:
    begin(tmp_path, there)
    fetch(tmp_path, server)
    assert_whole(tmp_path)
    assert server.ranges == ([] if there == CONTENT else [None])


@pytest.mark.parametrize("length", [0, 100, FILE.size - 1, FILE.size + 1, 10 * FILE.size])
def test_a_file_of_another_length_is_refused_unread(server: Server, tmp_path: Path, length: int) -> None:
    server.content = bytes(length)
    with pytest.raises(CourseError, match=f"has another file: Content-Length '{length}', not {FILE.size}"):
        fetch(tmp_path, server)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_tell_the_length_cannot_fill_the_disk(
    server: Server, tmp_path: Path, monkeypatch
) -> None:
    sizes = []
    real = download_module._sha256
    monkeypatch.setattr(
        download_module, "_sha256", lambda path: sizes.append(path.stat().st_size) or real(path)
    )
    server.plans = [chunked(bytes(5 * FILE.size)), chunked(CONTENT)]
    with pytest.raises(CourseError, match="sha256"):
        fetch(tmp_path, server)
    assert sizes == [FILE.size] and list(tmp_path.iterdir()) == []
    fetch(tmp_path, server)
    assert_whole(tmp_path)


def test_a_shorter_file_of_untold_length_is_given_up(server: Server, tmp_path: Path) -> None:
    server.always = chunked(CONTENT[:200_000])
    with pytest.raises(CourseError, match="ended 100,000 bytes early"):
        fetch(tmp_path, server)
    assert len(server.asked) == 5


def test_a_server_whose_file_ends_before_ours_is_left(server: Server, servers, tmp_path: Path) -> None:
    begin(tmp_path, CONTENT[:200_000])
    server.content = CONTENT[:150_000]
    other = servers()
    fetch(tmp_path, server, other)
    assert_whole(tmp_path)
    assert other.ranges == ["bytes=200000-"]


def test_a_range_from_elsewhere_is_not_appended(server: Server, tmp_path: Path, waits: list[float]) -> None:
    begin(tmp_path, CONTENT[:1000])
    where = f"bytes 2000-{FILE.size - 1}/{FILE.size}"
    server.plans = [answer(206, CONTENT[2000:], Content_Range=where)]
    fetch(tmp_path, server)
    assert_whole(tmp_path)
    assert server.ranges == ["bytes=1000-", None] and waits == [1]  # refused by its header, not by the sum


def test_a_range_from_the_start_replaces_what_is_there(server: Server, tmp_path: Path) -> None:
    begin(tmp_path, CONTENT[:1000])
    where = f"bytes 0-{FILE.size - 1}/{FILE.size}"
    server.plans = [answer(206, CONTENT, Content_Range=where)]
    fetch(tmp_path, server)
    assert_whole(tmp_path)
    assert server.ranges == ["bytes=1000-"]


@pytest.mark.parametrize("where", [None, "", "bytes 1000-9/10", "items 1000-2000/300000", "bytes 1e3-9/*"])
def test_a_range_of_another_file_or_none_is_refused(
    server: Server, servers, tmp_path: Path, where: str | None
) -> None:
    begin(tmp_path, CONTENT[:1000])
    server.always = answer(206, CONTENT[1000:], Content_Range=where)
    with pytest.raises(CourseError, match="answers with Content-Range"):
        fetch(tmp_path, server)
    assert part_of(tmp_path / FILE.name).read_bytes() == CONTENT[:1000]
    fetch(tmp_path, server, servers())
    assert_whole(tmp_path)


def test_redirects_are_followed_with_the_range(server: Server, servers, tmp_path: Path) -> None:
    begin(tmp_path, CONTENT[:1000])
    other = servers()
    server.always = answer(302, Location=f"{other.url}/elsewhere")
    fetch(tmp_path, server)
    assert_whole(tmp_path)
    assert other.asked == [("/elsewhere", "bytes=1000-")]


@pytest.mark.parametrize("place", ["file:///etc/hostname", "http://[", "/images.tar"])
def test_redirects_to_senseless_places_are_one_line(server: Server, tmp_path: Path, place: str) -> None:
    server.always = answer(302, Location=place)
    with pytest.raises(CourseError, match=r"cannot download images\.tar: .*--mirror") as error:
        fetch(tmp_path, server)
    assert "\n" not in str(error.value) and list(tmp_path.iterdir()) == []


def test_redirects_do_not_lead_out_of_http(server: Server, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(download_module, "_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        server.always = answer(302, Location=f"ftp://127.0.0.1:{listener.getsockname()[1]}/images.tar")
        with pytest.raises(CourseError, match="unknown url type: ftp"):
            fetch(tmp_path, server)
        with pytest.raises(BlockingIOError):  # nobody has called
            listener.accept()


def test_what_is_no_http_is_one_line_without_control_characters(server: Server, tmp_path: Path) -> None:
    server.always = lambda handler: handler.wfile.write(b"\x1b[2Jnonsense\r\n\r\n") and None
    with pytest.raises(CourseError, match=r"broke off: BadStatusLine") as error:
        fetch(tmp_path, server)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    "mirror",
    (
        *("", "ftp://host/dir", "file:///tmp", "host/dir", "http://", "http://[", "http://host:99999"),
        *("http://a b", "http://me:secret@host", "http://hóst", "http://host/?dir=x", "http://host/\n"),
    ),
)
def test_addresses_that_are_none_are_refused_before_anything(tmp_path: Path, mirror: str) -> None:
    with pytest.raises(CourseError, match="no address of a folder; --mirror takes") as error:
        download(tmp_path / "new", ["http://127.0.0.1:1", mirror], [FILE])
    assert "\n" not in str(error.value) and not (tmp_path / "new").exists()


def test_a_file_that_is_there_is_verified_and_kept(server: Server, tmp_path: Path) -> None:
    (tmp_path / FILE.name).write_bytes(CONTENT)
    before = (tmp_path / FILE.name).stat()
    fetch(tmp_path, server)
    after = (tmp_path / FILE.name).stat()
    assert server.asked == [] and (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


@pytest.mark.parametrize(
    ("there", "problem"),
    [(TAMPERED, "has another sha256"), (CONTENT[:9], "has 9 bytes, not 300,000")],
    ids=["tampered", "short"],
)
def test_somebody_elses_file_is_neither_taken_nor_overwritten(
    server: Server, tmp_path: Path, there: bytes, problem: str
) -> None:
    (tmp_path / FILE.name).write_bytes(there)
    with pytest.raises(
        CourseError, match=rf"images.tar is not the published file: it {problem}; move it away"
    ):
        fetch(tmp_path, server)
    assert (tmp_path / FILE.name).read_bytes() == there and server.asked == []


def test_a_full_disk_keeps_what_has_arrived(server: Server, tmp_path: Path, monkeypatch) -> None:
    real = download_module._chunks

    def filling(*arguments: object) -> Iterator[bytes]:
        yield next(real(*arguments))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(download_module, "_chunks", filling)
    with pytest.raises(
        CourseError, match=r"cannot write to .*: No space left on device; free some space .*--root"
    ):
        fetch(tmp_path, server)
    monkeypatch.undo()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    arrived = part_of(tmp_path / FILE.name).stat().st_size
    assert 0 < arrived < FILE.size
    fetch(tmp_path, server)
    assert_whole(tmp_path)
    assert server.ranges[-1] == f"bytes={arrived}-"


def test_a_folder_that_cannot_be_written_is_one_line(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(CourseError, match=r"cannot write to .*; .* choose another folder with --root"):
            fetch(root, server)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_read_only_folder_is_one_line(server: Server, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(CourseError, match=r"Permission denied; .*--root"):
        fetch(tmp_path, server)


def test_ctrl_c_keeps_what_has_arrived(server: Server, tmp_path: Path, monkeypatch) -> None:
    server.plans = [drop_after(70_000)]

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(download_module.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path, server)
    assert part_of(tmp_path / FILE.name).read_bytes() == CONTENT[:70_000]
    fetch(tmp_path, server)
    assert_whole(tmp_path)


def test_a_killed_process_is_continued_and_holds_no_lock(server: Server, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from vae_ref.dogs.archives import Archive; "
        "from vae_ref.dogs.download import download; "
        "download(Path(sys.argv[1]), [sys.argv[2]], [Archive(*sys.argv[3:5], int(sys.argv[5]), sys.argv[6])])"
    )
    stalled, released = threading.Event(), threading.Event()

    def stall(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(FILE.size))
        handler.end_headers()
        handler.wfile.write(CONTENT[:150_000])
        stalled.set()
        released.wait(30)

    server.plans = [stall]
    arguments = [str(tmp_path), server.url, FILE.name, FILE.folder, str(FILE.size), FILE.sha256]
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.DEVNULL)
    assert stalled.wait(120)
    part, patience = part_of(tmp_path / FILE.name), threading.Event()
    for _ in range(500):
        if part.exists() and part.stat().st_size == 150_000:
            break
        patience.wait(0.01)
    with pytest.raises(CourseError, match="another process is downloading"):
        fetch(tmp_path, server)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    released.set()
    kept = part.stat().st_size
    assert 0 < kept <= 150_000
    fetch(tmp_path, server)
    assert_whole(tmp_path)
    assert server.ranges == [None, f"bytes={kept}-"]


def test_unpacked_archives_load_like_packed_ones(tiny: TinyStanford, tmp_path: Path) -> None:
    root, cache = tiny.write(), tmp_path / "cache"
    unpack(root, tmp_path / "new" / "photos", ARCHIVES)
    packed, unpacked = (load_stanford(place, 16, cache) for place in (root, tmp_path / "new" / "photos"))
    assert np.array_equal(packed.train.images, unpacked.train.images)
    assert np.array_equal(packed.test.labels, unpacked.test.labels)
    assert names(tmp_path / "new") == ["photos"]
    with pytest.raises(CourseError, match="exists already"):
        unpack(root, tmp_path / "new" / "photos", ARCHIVES)


def write_members(path: Path, *members: tarfile.TarInfo) -> None:
    with tarfile.open(path, "w") as archive:
        for member in members:
            member.size = 4 if member.isreg() else 0
            archive.addfile(member, io.BytesIO(b"evil") if member.isreg() else None)


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.pax_headers = {"path": name} if "\0" in name else {}  # the usual field ends at a zero
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("culprit", "others"),
    [
        (member("../evil"), []),
        (member("Images/../../evil"), []),
        (member("/tmp/evil"), []),
        (member("..", tarfile.DIRTYPE), []),
        (member("Images/link", tarfile.SYMTYPE, "../../outside"), [member("Images/link/evil")]),
        (member("Images/evil", tarfile.SYMTYPE, "/etc/passwd"), []),
        (member("Images/evil", tarfile.LNKTYPE, "Images/good"), []),
        (member("Images/evil", tarfile.LNKTYPE, "../../outside/kept"), []),
        (member("Images/evil", tarfile.FIFOTYPE), []),
        (member("Images/evil", tarfile.CHRTYPE), []),
        (member("Images/evil", tarfile.GNUTYPE_SPARSE), []),
        (member("Images/evil\0"), []),
        (member("Images/good"), []),  # twice
        (member("Images/good/evil"), []),  # below a file
        (member("Images"), []),  # a folder already
    ],
    ids=lambda value: f"{value.name} {value.type.decode()}" if isinstance(value, tarfile.TarInfo) else "",
)
def test_an_archive_that_reaches_out_is_refused_and_leaves_nothing(
    tmp_path: Path, culprit: tarfile.TarInfo, others: list[tarfile.TarInfo]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    root = tmp_path / "root"
    root.mkdir()
    write_members(root / FILE.name, member("Images/good"), culprit, *others)
    with pytest.raises(CourseError, match=rf"images\.tar holds {re.escape(repr(culprit.name))},"):
        unpack(root, tmp_path / "below" / "photos", [FILE])
    assert names(tmp_path / "below") == [] and names(tmp_path) == [
        "below",
        "outside",
        "root",
    ]
    assert names(outside) == ["kept"] and (outside / "kept").read_text() == "kept"


def test_an_archive_cut_short_is_not_unpacked(tiny: TinyStanford, tmp_path: Path) -> None:
    root = tiny.write()
    path = root / "images.tar"
    path.write_bytes(path.read_bytes().rstrip(b"\0")[: 5 * 512])
    with pytest.raises(CourseError, match=r"images\.tar is not a whole tar archive"):
        unpack(root, tmp_path / "photos", ARCHIVES)
    path.unlink()
    with pytest.raises(CourseError, match=r"cannot read .*images\.tar"):
        unpack(root, tmp_path / "photos", ARCHIVES)
    assert names(tmp_path) == ["data"]


def test_a_full_disk_leaves_nothing_unpacked(tiny: TinyStanford, tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(archives_module.shutil, "copyfileobj", full)
    with pytest.raises(CourseError, match="No space left on device; free some space"):
        unpack(tiny.write(), tmp_path / "photos", ARCHIVES)
    assert names(tmp_path) == ["data"]


@pytest.fixture
def published(tiny: TinyStanford, server: Server, monkeypatch) -> Server:
    """A server with the tiny set, which stands for the published one."""
    root, archives = tiny.write(), []
    for archive in ARCHIVES:
        content = (root / archive.name).read_bytes()
        server.files[f"/dogs/{archive.name}"] = content
        digest = hashlib.sha256(content).hexdigest()
        archives.append(Archive(archive.name, archive.folder, len(content), digest))
    monkeypatch.setattr(archives_module, "ARCHIVES", archives)
    return server


def test_the_command_downloads_where_training_looks(
    published: Server, tmp_path: Path, monkeypatch, capsys
) -> None:
    from vae_ref.runs import open_data  # brings the whole evaluation with it

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert main(["data", "stanford"]) == 1
    captured = capsys.readouterr()
    assert captured.out.count("missing") == 3
    assert captured.err == (
        "vae-ref: not everything is there; get it with vae-ref data stanford --download\n"
    )
    mirrors = ["--mirror", f"{published.url}/nowhere/", f"{published.url}/dogs/"]
    command = ["data", "stanford", "--download", *mirrors, "--unpack", str(tmp_path / "photos")]
    published.files["/nowhere/lists.tar"] = b""
    assert main(command) == 0
    assert capsys.readouterr().out.count("whole (") == 3
    assert (tmp_path / "photos" / "train_list.mat").is_file()
    assert published.asked[:2] == [("/nowhere/lists.tar", None), ("/dogs/lists.tar", None)]
    assert main(["data", "stanford"]) == 0
    data = open_data(DEFAULTS["stanford"], None, tmp_path / "cache", False)
    assert len(data.train) == 6 and len(data.test) == 4


def test_the_command_says_what_is_not_whole(tiny: TinyStanford, capsys) -> None:
    root = tiny.write()
    assert main(["data", "stanford", "--root", str(root)]) == 0
    assert capsys.readouterr().out.count("whole, but not as published") == 3  # as resized copies are
    (root / "images.tar").write_bytes((root / "images.tar").read_bytes()[:2000])
    assert main(["data", "stanford", "--root", str(root)]) == 1
    assert "is not a whole tar archive" in capsys.readouterr().out
    TinyStanford(root).write()
    (root / "lists.tar").rename(part_of(root / "lists.tar"))
    assert main(["data", "stanford", "--root", str(root)]) == 1
    captured = capsys.readouterr()
    assert "% downloaded" in captured.out
    assert captured.err.endswith(f"get it with vae-ref data stanford --download --root {root}\n")


def test_the_command_does_not_touch_the_network_unasked(tmp_path: Path, capsys) -> None:
    root = ["--root", str(tmp_path)]
    assert main(["data", "stanford", *root, "--mirror", "http://127.0.0.1:1"]) == 1
    assert "add --download" in capsys.readouterr().err
    assert main(["data", "stanford", *root, "--download", "--mirror", "/dev/null"]) == 1
    assert "'/dev/null' is no address of a folder" in capsys.readouterr().err


def test_the_published_archives_are_those_of_tensorflow_datasets() -> None:
    published = {(archive.name, archive.size, archive.sha256[:8]) for archive in ARCHIVES}
    assert published == {
        ("images.tar", 793_579_520, "a443fc2f"),
        ("annotation.tar", 21_852_160, "662ed36f"),
        ("lists.tar", 481_280, "34b47cac"),
    }
    assert all(len(archive.sha256) == 64 and int(archive.sha256, 16) for archive in ARCHIVES)


def test_paper_dogs_are_drawn_by_command(tmp_path: Path, capsys, monkeypatch) -> None:
    real = dogs_module.load_paper
    monkeypatch.setattr(dogs_module, "load_paper", lambda cache: real(30, 5, cache=cache))
    assert main(["data", "paper", "--cache", str(tmp_path)]) == 0
    assert "30 to train on, 5 to test with" in capsys.readouterr().out
    assert [path.name.split("-")[0] for path in tmp_path.iterdir()] == ["paper"]
