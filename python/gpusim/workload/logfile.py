"""Opens a log file, gzip-compressed or not, and hands it out in blocks of whole lines.

What the file is, is told from its first bytes and never from its name. Blocks keep the memory of a reader
bounded whatever the size of the log. Everything that can go wrong before the first number is read ends
here: a missing file or a folder (`UsageError`), a cut or damaged gzip stream, another compression, bytes
that are no text (`WorkloadError`).
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from gpusim.errors import Problem, UsageError, WorkloadError
from gpusim.suggest import did_you_mean

BLOCK_BYTES = 4 << 20
_HEAD_BYTES = 1 << 16
_LINE_BYTES = 64 << 20
_GZIP = b"\x1f\x8b"
_ARCHIVES = {
    b"BZh": ("bzip2", "bunzip2"),
    b"\xfd7zXZ": ("xz", "unxz"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"),
    b"PK\x03\x04": ("zip", "unzip"),
    b"7z\xbc\xaf": ("7-zip", "7z x"),
    b"\x1f\x9d": ("compress (.Z)", "uncompress"),
    b"PAR1": ("Parquet", "pandas.read_parquet and gpusim.Jobs"),
}
_TEXT_CONTROLS = b"\t\n\v\f\r"
_NO_TEXT = bytes(code for code in [*range(32), 127] if code not in _TEXT_CONTROLS)


def blocks(path: str | os.PathLike[str], block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield the text of a log in blocks of whole lines, decompressed, each ending in a line feed.

    Parameters
    ----------
    path : path-like
        A text file, or a gzip-compressed one.
    block_bytes : int, default 4 MiB
        About how much to hold at a time [bytes].

    Raises
    ------
    UsageError
        The file is missing, is a folder, or may not be read.
    WorkloadError
        It is empty, is no text, is compressed in another way, or its gzip stream is cut or damaged.
    """
    name = os.fspath(path)
    with _open(name) as raw:
        head = raw.peek(8)[:8]  # also works on a pipe
        zipped = head.startswith(_GZIP)
        stream: IO[bytes] = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if zipped else raw
        if not zipped:
            _refuse_archive(name, head)
        rest, total, lone_returns = b"", 0, False
        while True:
            chunk = _read(stream, max(block_bytes, 1), name, total, zipped)
            if total == 0:
                chunk = chunk.removeprefix(b"\xef\xbb\xbf")
                _refuse_binary(name, chunk[:_HEAD_BYTES])
                lone_returns = b"\n" not in chunk and b"\r" in chunk
            if not chunk:
                break
            total += len(chunk)
            if lone_returns:
                chunk = chunk.replace(b"\r", b"\n")
            end = chunk.rfind(b"\n") + 1
            if end:
                yield rest + chunk[:end]
                rest = chunk[end:]
            else:
                rest += chunk
                _refuse_endless_line(name, rest)
        if rest:
            yield rest + b"\n"


def _open(name: str) -> io.BufferedReader:
    try:
        return open(name, "rb")
    except FileNotFoundError:
        near = _near_name(name)
        folder = Path(name).absolute().parent
        remedy = f"did you mean {near}?" if near else f"check the path (looked in {folder})"
        raise UsageError(Problem(name, "there is no such file", remedy, "usage/missing-file")) from None
    except IsADirectoryError:
        raise UsageError(
            Problem(name, "is a folder", "name one log file inside it", "usage/folder")
        ) from None
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error)
        remedy = "check that you may read it"
        raise UsageError(Problem(name, "cannot be opened", remedy, "usage/unreadable-file", what)) from None


def _near_name(name: str) -> str | None:
    """The path of a file beside `name` with a similar name."""
    folder = Path(name).parent
    try:
        beside = [entry.name for entry in os.scandir(folder) if entry.is_file()]
    except OSError:
        return None
    near = did_you_mean(Path(name).name, beside)
    return str(folder / near) if near else None


def _read(stream: IO[bytes], size: int, name: str, done: int, zipped: bool) -> bytes:
    """Read up to `size` bytes; tell a cut stream from a damaged one and from a failing disk."""
    try:
        return stream.read(size)
    except EOFError:
        what, code = "the gzip stream is cut short", "workload/truncated"
        remedy = "copy or download the file again, whole"
    except (zlib.error, gzip.BadGzipFile):
        what, code = "the gzip stream is damaged", "workload/corrupt"
        remedy = "copy or download the file again; 'gzip -t' must accept it"
    except OSError as error:
        remedy, found = "check the disk and try again", error.strerror or str(error)
        problem = Problem(name, "cannot be read", remedy, "usage/unreadable-file", found)
        raise UsageError(problem) from None
    raise WorkloadError(Problem(name, what, remedy, code, f"after {done:,} bytes of text")) from None


def _refuse_archive(name: str, head: bytes) -> None:
    for magic, (kind, tool) in _ARCHIVES.items():
        if head.startswith(magic):
            remedy = f"unpack it first (with {tool}) or compress it with gzip"
            raise WorkloadError(Problem(name, f"is a {kind} file", remedy, "workload/not-text"))


def _refuse_binary(name: str, head: bytes) -> None:
    strange = len(head) - len(head.translate(None, _NO_TEXT))
    if b"\0" not in head and strange <= len(head) // 100:
        return
    found = f"{strange:,} control bytes among the first {len(head):,}"
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        found = "UTF-16"
    remedy = "give a plain text log (ASCII or UTF-8), or one compressed with gzip"
    raise WorkloadError(Problem(name, "is not a text file", remedy, "workload/not-text", found))


def _refuse_endless_line(name: str, line: bytes) -> None:
    if len(line) > _LINE_BYTES:
        found = f"no line feed in {len(line):,} bytes"
        remedy = "give a text log with one job a line"
        raise WorkloadError(Problem(name, "has an endless line", remedy, "workload/not-text", found))
