"""Verified downloads: several mirrors each, every file checked by its SHA-256 before it is used or kept."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from actlab.errors import DownloadFailed

if TYPE_CHECKING:
    import requests
    from tqdm import tqdm

# Seconds to wait for a connection, and for the next bytes.
_TIMEOUT = (10, 60)
_CHUNK = 2**16


@dataclass(frozen=True)
class Mirror:
    """An address that ends in a slash, and what a waiting person should know about it."""

    address: str
    note: str = ""


@dataclass(frozen=True)
class Source:
    """The files of a data set: the sub-folder they lie in, their SHA-256, and where to get them, in order."""

    folder: str
    digests: Mapping[str, str]
    mirrors: tuple[Mirror, ...]


def data_directory() -> Path:
    """Return the directory of downloaded data: `$ACTLAB_DATA`, else the user's cache directory.

    >>> data_directory().is_absolute()
    True
    """
    if chosen := os.environ.get("ACTLAB_DATA"):
        return Path(chosen).expanduser().absolute()
    import pooch

    return Path(pooch.os_cache("actlab"))


def fetch(source: Source, directory: Path | None = None) -> dict[str, Path]:
    """Return the path of each file of `source`, downloading those that are not there yet.

    A file that lies there is used if its digest is right; with a wrong one it is neither used nor touched.

    Args:
        source: the files wanted.
        directory: where the folder of `source` lies; `data_directory()` unless given.

    Returns:
        Paths by file name; every file's digest is right.

    Raises:
        DownloadFailed: a file has the wrong digest, or could be had from no mirror.
    """
    folder = (directory or data_directory()) / source.folder
    missing = [file for file in source.digests if not (folder / file).exists()]
    for file, expected in source.digests.items():
        if file not in missing:
            _verify(folder / file, expected)
    for number, file in enumerate(missing):
        failures = _try_mirrors(source, file, folder)
        if failures:
            raise DownloadFailed(_nothing_came(source, folder, missing[number:], failures))
    return {file: folder / file for file in source.digests}


def _verify(path: Path, expected: str) -> None:
    """Raise DownloadFailed unless the file at `path` has the expected SHA-256."""
    import pooch

    try:
        found = pooch.file_hash(str(path))
    except OSError as error:
        raise DownloadFailed(f"{path} cannot be read ({error.strerror}): make it a readable file.") from None
    if found != expected:
        raise DownloadFailed(
            f"{path} has the wrong SHA-256 digest, expected {expected}, found {found}: it is cut short or "
            "altered, and not used; move it away to have it downloaded again."
        )


def _try_mirrors(source: Source, file: str, folder: Path) -> list[str]:
    """Download `file` from the first mirror that has it; return what went wrong if none has."""
    import requests

    failures = []
    for mirror in source.mirrors:
        host = urlsplit(mirror.address).netloc
        try:
            found = _download(mirror, file, folder / file, source.digests[file])
        except requests.RequestException as error:
            failures.append(f"{host} {_reason(error)}")
            continue
        except OSError as error:
            raise DownloadFailed(
                f"{folder / file} could not be saved ({error.strerror or error}): make room or allow "
                "writing there, or set ACTLAB_DATA to another directory."
            ) from None
        if found == source.digests[file]:
            return []
        failures.append(f"{host} sent a file with SHA-256 {found} where {source.digests[file]} was expected")
    return failures


def _download(mirror: Mirror, file: str, path: Path, expected: str) -> str:
    """Download to a temporary name, rename if the SHA-256 is the expected one; return the one found."""
    import pooch

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{file}.", delete=False) as temporary:
        try:
            # A server that "compresses" a .gz on its way would have requests unpack it: other bytes.
            downloader = pooch.HTTPDownloader(
                progressbar=_Progress(file, mirror.note),  # pyright: ignore[reportArgumentType]
                chunk_size=_CHUNK,
                timeout=_TIMEOUT,
                headers={"Accept-Encoding": "identity"},
            )
            downloader(mirror.address + file, temporary, None)
            temporary.close()
            found = pooch.file_hash(temporary.name)
            if found == expected:
                Path(temporary.name).chmod(0o644)
                os.replace(temporary.name, path)
            return found
        finally:
            temporary.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary.name)


class _Progress:
    """What pooch reports to: once bytes arrive, the mirror's note and, if stderr is a terminal, a bar."""

    def __init__(self, file: str, note: str) -> None:
        self.total = 0
        self._file = file
        self._note = note
        self._bar: tqdm | None = None

    def update(self, count: int) -> None:
        """Take note of `count` further bytes."""
        if self._bar is None:
            self._bar = self._begin()
        self._bar.update(count)

    def reset(self) -> None:
        """Start from 0 again, as pooch does before it fills the bar."""
        if self._bar is not None:
            self._bar.reset()

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()

    def _begin(self) -> tqdm:
        """Write the note and draw the bar."""
        from tqdm import tqdm

        if self._note:
            print(self._note, file=sys.stderr, flush=True)
        total = self.total or None
        return tqdm(total=total, desc=self._file, unit="B", unit_scale=True, disable=None, file=sys.stderr)


def _reason(error: requests.RequestException) -> str:
    """Say in a few words why a mirror failed; requests' own messages take several lines."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answered {error.response.status_code}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "broke off the transfer"
    if isinstance(error, requests.Timeout):
        return "did not answer in time"
    return "cannot be reached"


def _nothing_came(source: Source, folder: Path, files: list[str], failures: list[str]) -> str:
    """The sentence for files that could be had nowhere: what to put where, and what needs no download."""
    return (
        f"{files[0]} could be had from no mirror ({'; '.join(failures)}): connect to the network, "
        f"or put {', '.join(files)} (from {source.mirrors[-1].address}) into {folder}, "
        "or set ACTLAB_DATA to a directory that holds "
        f"{'it' if len(files) == 1 else 'them'} in {source.folder}/, or go on without: actlab compare digits."
    )
