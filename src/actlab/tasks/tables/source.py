"""A file as bytes: unpacked within a bound, refused where it is another kind than its name says."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from actlab.errors import InvalidData, cut
from actlab.tasks.reading import TABLES, TEXTS
from actlab.wording import size

PACKED = (".gz", ".zip")
# A table takes several times its file while it is read: texts, numbers, and the arrays made of them.
TIMES_ITS_FILE = 3
# As arrays do, whose numbers become others of 4 bytes, and parts.
TIMES_THE_ARRAYS = 3
# What unpacks to more than this share of the memory is refused.
SHARE_TO_UNPACK = 5
_BLOCK = 2**20
# How files begin that are no text, and what they are.
_BEGINNINGS = (
    (b"PAR1", "a Parquet table", (".parquet",)),
    (b"ARROW1", "an Arrow table", (".feather", ".arrow")),
    (b"\x1f\x8b", "compressed by gzip", (".gz",)),
    (b"PK\x03\x04", "a zip archive", (".xlsx", ".ods", ".zip", ".npz")),
    (b"\xd0\xcf\x11\xe0", "an old workbook, or one that is protected by a password", ()),
    (b"%PDF", "a PDF document", ()),
    (b"\x89PNG", "a picture", ()),
    (b"\xff\xd8\xff", "a picture", ()),
    (b"SQLite format 3", "an SQLite database", ()),
    (b"\x89HDF", "an HDF5 file", ()),
    (b"\x80\x04\x95", "a Python pickle, which is never opened", ()),
    (b"<!doctype html", "a web page", ()),
    (b"<html", "a web page", ()),
)


@dataclass(frozen=True)
class Source:
    """A table's bytes, and what kind of table they are.

    Attributes:
        name: of the file, as messages name it.
        suffix: one of `TABLES`.
        path: where the file lies.
        unpacked: its bytes, where it was packed; else None, and they are read from the disk as they are needed.
    """

    name: str
    suffix: str
    path: Path
    unpacked: bytes | None = None

    def open(self) -> IO[bytes]:
        """A stream of all bytes, unpacked."""
        return self.path.open("rb") if self.unpacked is None else io.BytesIO(self.unpacked)

    def content(self) -> bytes:
        """All bytes, unpacked."""
        return self.path.read_bytes() if self.unpacked is None else self.unpacked

    def beginning(self, length: int) -> bytes:
        """The first bytes."""
        with self.open() as stream:
            return stream.read(length)

    @property
    def length(self) -> int:
        """How many bytes it holds, unpacked."""
        return self.path.stat().st_size if self.unpacked is None else len(self.unpacked)

    def blocks(self) -> Iterator[bytes]:
        """All bytes, a mebibyte at a time."""
        with self.open() as stream:
            while block := stream.read(_BLOCK):
                yield block


def suffix_of(name: str) -> str:
    """The ending that says what kind of table a file is, without that of its packing; empty where it has none.

    >>> suffix_of("a.csv"), suffix_of("b.TSV.gz"), suffix_of("c.zip"), suffix_of("d.npz")
    ('.csv', '.tsv', '.zip', '.npz')
    """
    path = Path(name)
    suffix = path.suffix.lower()
    inner = Path(path.stem).suffix.lower()
    return inner if suffix in PACKED and inner in TABLES else suffix


def memory() -> int:
    """The memory of this machine in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def most_unpacked() -> int:
    """How many bytes a packed file may unpack to."""
    return memory() // SHARE_TO_UNPACK


def refuse_beyond_memory(name: str, length: int, what: str, way_out: str) -> None:
    """Raise InvalidData where arrays of a length in bytes would take, with what is made of them, more than the memory.

    Args:
        name: how the message begins: the file or folder.
        length: of the arrays.
        what: they are, in words.
        way_out: what a user can do.
    """
    if TIMES_THE_ARRAYS * length > memory():
        raise InvalidData(
            f"{name}: {what} take {size(length)}, and reading them some {TIMES_THE_ARRAYS} times that, more than the "
            f"{size(memory())} of memory here: {way_out}."
        )


def open_source(path: Path, otherwise: str = "") -> Source:
    """The bytes of a table's file; one whose ending says nothing is taken for the kind `otherwise`.

    Raises:
        InvalidData: too large for the memory, or for its bound when unpacked; protected by a password; a damaged
            archive, or one of several files; another kind of file than its name says.
    """
    try:
        length = path.stat().st_size
        if length * TIMES_ITS_FILE > memory():
            raise InvalidData(
                f"{path.name} holds {size(length)}, and reading it takes some {TIMES_ITS_FILE} times that, more than "
                f"the {size(memory())} of memory here: take a part of its rows or columns."
            )
        packing = path.suffix.lower() if path.suffix.lower() in PACKED else ""
        if not packing:
            suffix = suffix_of(path.name)
            source = Source(path.name, suffix if suffix in TABLES or not otherwise else otherwise, path)
        else:
            with path.open("rb") as stream:
                source = _unzipped(path, stream) if packing == ".zip" else _gunzipped(path, stream)
    except OSError as error:
        raise InvalidData(f"{cut(str(path))} cannot be read ({error.strerror or error}).") from None
    _refuse_other_kinds(source)
    return source


def _gunzipped(path: Path, stream: IO[bytes]) -> Source:
    suffix = suffix_of(path.name)
    with gzip.GzipFile(fileobj=stream) as packed:
        content = _bounded(path, packed)
    return Source(path.name, suffix if suffix in TABLES else ".txt", path, content)


def _unzipped(path: Path, stream: IO[bytes]) -> Source:
    """The one table of an archive. What macOS adds beside it is passed over."""
    try:
        with zipfile.ZipFile(stream) as archive:
            files = [
                entry
                for entry in archive.infolist()
                if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")
            ]
            tables = [entry for entry in files if Path(entry.filename).suffix.lower() in TABLES]
            if len(tables) != 1:
                held = ", ".join(entry.filename for entry in files[:6]) or "nothing"
                raise InvalidData(
                    f"{path.name} holds {len(tables)} tables, where one is expected ({cut(held)}): unpack it, and give "
                    "the file that is meant."
                )
            if tables[0].flag_bits & 1:
                raise InvalidData(f"{path.name} is protected by a password: unpack it first.")
            with archive.open(tables[0]) as packed:
                content = _bounded(path, packed)
            return Source(path.name, Path(tables[0].filename).suffix.lower(), path, content)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise InvalidData(f"{path.name} cannot be unpacked ({error}): get a fresh copy.") from None


def _bounded(path: Path, packed: IO[bytes] | gzip.GzipFile) -> bytes:
    """All that a stream unpacks to; refused as soon as it is more than the bound."""
    bound = most_unpacked()
    found = io.BytesIO()
    try:
        while block := packed.read(_BLOCK):
            if found.tell() + len(block) > bound:
                raise InvalidData(
                    f"{path.name} unpacks to more than {size(bound)}, a fifth of the memory here: unpack it first, and "
                    "take a part of its rows or columns."
                )
            found.write(block)
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise InvalidData(f"{path.name} cannot be unpacked ({error}): get a fresh copy.") from None
    return found.getvalue()


def refuse_large_archive(source: Source) -> None:
    """Raise InvalidData at a workbook, which is an archive, that unpacks to more than the bound."""
    bound = most_unpacked()
    try:
        with source.open() as stream, zipfile.ZipFile(stream) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile as error:
        raise InvalidData(f"{source.name} cannot be read as a workbook ({error}): save it again.") from None
    if unpacked > bound:
        raise InvalidData(
            f"{source.name} unpacks to {size(unpacked)}, more than {size(bound)}, a fifth of the memory here: save the "
            "sheet that is meant as .csv."
        )


def _refuse_other_kinds(source: Source) -> None:
    """Raise InvalidData at what begins like another kind of file than its name says."""
    beginning = source.beginning(64)
    if not beginning:
        raise InvalidData(f"{source.name} is empty: it holds nothing; give a header row and one row for each sample.")
    beginning = beginning.lstrip().lower()
    for mark, what, suffixes in _BEGINNINGS:
        if not beginning.startswith(mark.lower()) or source.suffix in suffixes:
            continue
        if source.suffix in TEXTS or suffixes or source.suffix in (".xlsx", ".ods"):
            way_out = f"give it the ending {' or '.join(suffixes)}" if suffixes else "save the table as .csv or .xlsx"
            raise InvalidData(f"{source.name} ends in {source.suffix}, and holds {what}: {way_out}.")
