"""Who may write into a run directory."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from actlab.errors import InvalidRecording, InvalidStudy
from actlab.study import Study, from_toml

# What a run leaves that is killed at its very start, or while it chooses learning rates.
BEGINNING = re.compile(r"study\.toml\.tmp|segments|tuning(/\d-[0-9a-f]{8})?")


def refuse_others(directory: Path, study: Study) -> None:
    """Refuse a directory that is neither new, nor empty, nor that of an earlier recording of `study`.

    Raises:
        InvalidRecording: the directory holds another study or other files; it is untouched.
    """
    if not directory.exists() or (directory.is_dir() and all(map(BEGINNING.fullmatch, _contents(directory)))):
        return
    advice = "it is left as it is; choose another directory with --out."
    if not (directory / "study.toml").is_file():
        raise InvalidRecording(f"{directory} exists and holds no recording: {advice}")
    try:
        identity = from_toml(directory / "study.toml", recorded=True).identity
    except InvalidStudy:
        identity = ""
    if identity != study.identity:
        raise InvalidRecording(f"{directory} holds another study: {advice}")


def _contents(directory: Path) -> list[str]:
    """Names in a directory, those within `segments` and `tuning` among them."""
    found = (path for pattern in ("*", "segments/*", "tuning/*") for path in directory.glob(pattern))
    return [path.relative_to(directory).as_posix() for path in found]


def clear(directory: Path) -> None:
    """Remove an earlier recording of the same study: the same bytes will come again."""
    for name in ("study.db", "study.db-journal", "summary.json", "report.html"):
        (directory / name).unlink(missing_ok=True)
    shutil.rmtree(directory / "segments", ignore_errors=True)


def abandon(directory: Path, made: Iterable[Path]) -> None:
    """Leave nothing of a recording that could not be started, nor of the directories made for it."""
    with suppress(OSError):
        clear(directory)
        (directory / "study.toml").unlink(missing_ok=True)
        for path in made:
            path.rmdir()
