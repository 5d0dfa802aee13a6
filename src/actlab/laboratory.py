"""A study from end to end: train, record, summarise, report."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actlab import recording as recordings
from actlab.errors import RecordingFailed
from actlab.files import write_synced
from actlab.study import Study, load_task
from actlab.tasks import Task
from actlab.views.pictures import Recording, load

if TYPE_CHECKING:
    from actlab.engine import Progress


def run(
    study: Study,
    directory: str | Path,
    *,
    task: Task | None = None,
    memory: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Recording:
    """Train the population of a study, record it, and write `summary.json` and `report.html` beside it.

    With several learning rates, each activation's own is chosen first: see `actlab.tuning`.

    Args:
        study: what to compare.
        directory: the run directory: new, empty, or one that holds an earlier run of the same study.
        task: the data, if they are at hand; loaded by the study's `task` otherwise.
        memory: bytes that the process is to stay below while it trains: a larger population runs in slices of its
            seeds, with the same result but for rounding.
        progress: called after compiling and after every chunk of epochs. None for a bar on a terminal.

    Returns:
        the recording.

    Raises:
        ActlabError: one clear sentence; nothing half-written is left, and what was recorded before loads.
    """
    from actlab.views.progress import bar

    with bar() if progress is None else nullcontext(progress) as show:
        recording = _record(study, Path(directory), task, memory, show)
    conclude(recording)
    return load(recording.directory)


def _record(
    study: Study, directory: Path, task: Task | None, memory: int | None, progress: Callable[[Progress], None]
) -> recordings.Recording:
    from actlab import engine, tuning

    task = task or load_task(study)
    tried = None
    if len(study.learning_rates or ()) > 1:
        study, tried = tuning.tune(study, directory, task, memory=memory, progress=progress)
    return engine.run(study, directory, task=task, memory=memory, tuning=tried, progress=progress)


def conclude(recording: recordings.Recording) -> dict[str, Any]:
    """Write `summary.json` and `report.html` into the run directory; returns the summary."""
    from actlab.statistics import summarise
    from actlab.views.report import report

    summary = summarise(recording)
    path = recording.directory / "summary.json"
    try:
        write_synced(path, (json.dumps(summary, indent=1, allow_nan=False) + "\n").encode())
    except OSError as error:
        raise RecordingFailed(
            f"{path}: the summary cannot be written ({error.strerror}); the recording is complete and loads."
        ) from None
    report(recording, recording.directory / "report.html")
    return summary
