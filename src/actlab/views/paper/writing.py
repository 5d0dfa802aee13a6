"""What all that is written for a paper shares: nothing is written of nothing, and a text is written whole."""

from __future__ import annotations

from pathlib import Path

from actlab.errors import ActlabError
from actlab.files import write_synced
from actlab.recording import Recording
from actlab.study import is_watched


def check_recorded(recording: Recording) -> None:
    """Raise ActlabError where no epoch is recorded, or nothing is compared."""
    if is_watched(recording.study):
        raise ActlabError(
            f"{recording.directory} is a single training that was watched: there is no comparison to write of. Its "
            "numbers are in its report, in event files (--tensorboard), and in actlab.load(...).probes."
        )
    if recording.epochs < 0:
        raise ActlabError(f"{recording.directory} was stopped before its first epoch: there is nothing to compare.")


def check_file(file: Path) -> None:
    """Raise ActlabError where a file is a directory, or there is none to put it into."""
    if file.is_dir():
        raise ActlabError(f"{file} is a directory: name the file to write.")
    if not file.parent.is_dir():
        raise ActlabError(f"{file}: there is no directory {file.parent}: make it, or name another place.")


def write_text(file: Path, text: str) -> Path:
    """Write a file of text whole, or raise ActlabError."""
    check_file(file)
    try:
        write_synced(file, text.encode())
    except OSError as error:
        raise ActlabError(f"{file}: the text cannot be written ({error.strerror}).") from None
    return file
