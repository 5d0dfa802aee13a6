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
from actlab.recording.format import REPORT, SUMMARY
from actlab.statistics.pairs import check_baseline
from actlab.study import Study, complete, load_task
from actlab.tasks import Task
from actlab.views.figures.recording import Recording

if TYPE_CHECKING:
    from actlab.engine import Progress


def run(
    study: Study,
    directory: str | Path,
    *,
    task: Task | None = None,
    memory: int | None = None,
    restart: bool = False,
    baseline: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Recording:
    """Train the population of a study, record it, and write `summary.json` and `report.html` beside it.

    With several learning rates, each activation's own is chosen first: see `actlab.laboratory.tuning`. With
    `seeds="auto"`, seeds are added until enough is known: see `actlab.laboratory.sequential`. Where a complete
    recording of the study lies in the directory, nothing is trained, and that is returned.

    Args:
        study: what to compare.
        directory: the run directory: new, empty, or one that holds a complete recording of the same study.
        task: the data, if they are at hand; loaded by the study's `task` otherwise.
        memory: bytes that the process is to stay below while it trains: a larger population runs in slices of its
            seeds, with the same result but for rounding.
        restart: train anew where a recording of the study lies there, complete or not. It stays as it is until the new
            one is complete, and whatever stops the run before leaves it so.
        baseline: an activation that all others are compared with, instead of each with each: fewer tests, which tell
            more. It changes what is said, not what is trained.
        progress: called after compiling and after every chunk of epochs. None for a bar on a terminal.

    Returns:
        the recording.

    Raises:
        InvalidStudy: the baseline is not in the study.
        InvalidRecording: the directory holds something else, or a part of a recording of the study without `restart`,
            or another run writes there. It is left as it is.
        ActlabError: one clear sentence; nothing half-written is left, and what was recorded before loads.
    """
    from actlab.engine import devices
    from actlab.laboratory import sequential
    from actlab.views.terminal.progress import bar

    check_baseline(study, baseline)
    task = task or load_task(study)
    devices.prepare()
    with recordings.Claim(directory, complete(study, task), restart=restart) as claim:
        if claim.finished is None:
            with bar() if progress is None else nullcontext(progress) as show:
                recording = Recording.of(_record(study, claim, task, memory, restart, show))
            write_results(recording, baseline)
        else:
            recording = Recording.of(claim.finished)
            recording.baseline = baseline
            _lead_by(recording, study.metric)
            # The last run may have been stopped before it had put its things away.
            if study.looks:
                sequential.remove_parts(claim.directory, recording.study)
            write_missing_results(recording, baseline)
    return recording


def _lead_by(recording: Recording, metric: str | None) -> None:
    """Lead by a metric; where what it is derived from is lacking the notes say so, as they do after training."""
    if metric is not None and recording.lacks(metric):
        recording.metric = metric
    else:
        recording.lead_by(metric)


def _record(
    study: Study,
    claim: recordings.Claim,
    task: Task,
    memory: int | None,
    restart: bool,
    progress: Callable[[Progress], None],
) -> recordings.Recording:
    from actlab import engine
    from actlab.laboratory import sequential, tuning

    tried = None
    if len(study.learning_rates or ()) > 1:
        study, tried = tuning.tune(study, claim.directory, task, memory=memory, restart=restart, progress=progress)
    if study.looks:
        return sequential.train(study, claim, task, memory=memory, restart=restart, tuning=tried, progress=progress)
    return engine.train(study, claim, task=task, memory=memory, tuning=tried, progress=progress)


def write_missing_results(recording: Recording, baseline: str | None = None) -> None:
    """Write summary and report, unless they lie there and are of this version and tell of this baseline."""
    if baseline is not None:
        recording.baseline = baseline
    if not (_is_written(recording.directory / REPORT) and _holds(recording.directory / SUMMARY, recording.summary)):
        write_results(recording, baseline)


def _is_written(path: Path) -> bool:
    """Whether a file has anything in it: a loss of power may have left an empty one."""
    return path.is_file() and path.stat().st_size > 0


def _holds(path: Path, summary: dict[str, Any]) -> bool:
    """Whether a file is this summary."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) == summary
    except (OSError, ValueError):
        return False


def write_results(recording: recordings.Recording, baseline: str | None = None) -> dict[str, Any]:
    """Write `summary.json` and `report.html` into the run directory; returns the summary.

    Args:
        recording: what they are of.
        baseline: as of `run`; the recording's summary is with it from now on.

    Raises:
        InvalidStudy: the baseline is not in the study.
        ActlabError: they cannot be written; the recording is as it was.
    """
    from actlab.views.report.report import report

    drawn = Recording.of(recording)
    if baseline is not None:
        drawn.baseline = baseline
    summary = drawn.summary
    path = recording.directory / SUMMARY
    try:
        write_synced(path, (json.dumps(summary, indent=1, allow_nan=False) + "\n").encode())
    except OSError as error:
        kept = "is complete" if recording.complete else "holds what it held"
        raise RecordingFailed(
            f"{path}: the summary cannot be written ({error.strerror}); the recording {kept} and loads."
        ) from None
    report(recording, recording.directory / REPORT, summary)
    return summary
