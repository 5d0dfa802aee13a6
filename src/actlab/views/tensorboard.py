"""A recording as TensorBoard's event files: a run for each member, scalars and histograms at every epoch."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from actlab.errors import ActlabError
from actlab.files import temporary_beside
from actlab.recording import Member, Recording
from actlab.recording.measures import MEASURES, Measure
from actlab.study import is_watched

# TensorBoard shows thirty bins of equal width, of which gradients over many decades would fill one: sizes are told on
# the scale of their logarithms.
SIZES = "gradient_edges"
RECORDED = "the times of the epochs are those at which they were recorded"
OF_LOOKS = "the times of the looks are those at which they were recorded; their steps are those of the training"
OF_FILES = "this recording does not hold the times of its epochs: those of its files are given"


def export(recording: Recording, directory: str | Path) -> Path:
    """Write event files that `tensorboard --logdir DIRECTORY` shows: DIRECTORY/ACTIVATION/seed-N for each member.

    Members of several learning rates or initial weights have these in the name of their run, too. Gradients are
    histograms of log10 |g|; the lowest bin holds what is smaller than all others, zeros too. For the wall times see
    `epoch_times`.

    Args:
        recording: complete or not.
        directory: new or empty; it appears once everything is written.

    Raises:
        ActlabError: tensorboardX is not installed, the directory is not empty or cannot be written.
    """
    directory = Path(directory)
    writer_type = _writer_type()
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ActlabError(f"{directory} exists and is not empty: name a new directory for the event files.")
    seconds, _ = epoch_times(recording)
    temporary = temporary_beside(directory)
    try:
        for column, member in enumerate(recording.members):
            with writer_type(str(temporary / run_name(recording, member))) as writer:
                _write(recording, column, seconds, writer)
        if directory.exists():
            directory.rmdir()
        temporary.replace(directory)
    except OSError as error:
        raise ActlabError(f"{directory}: the event files cannot be written ({error.strerror or error}).") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return directory


def _writer_type() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise ActlabError("event files need tensorboardX: pip install 'actlab[tensorboard]' brings it.") from None
    return SummaryWriter


def run_name(recording: Recording, member: Member) -> str:
    """The name of a member's run, as "tanh/seed-3"."""
    several_rates = len({m.learning_rate for m in recording.members if m.activation == member.activation}) > 1
    rate = f"-rate-{member.learning_rate:g}" if several_rates else ""
    init = f"-{member.init}" if member.init != "stated" else ""
    # A run is a folder, and not every system has colons in the names of these.
    name = member.activation.replace(":", ".")
    return f"{name}{rate}{init}/seed-{member.seed}"


def epoch_times(recording: Recording) -> tuple[np.ndarray, str]:
    """When each epoch was recorded, (epochs + 1,) in Unix seconds, and a sentence on where that is known from.

    Epochs are recorded in chunks; within a chunk they are spread evenly. A run that was stopped, or an older one, left
    the times of its files alone.
    """
    recorded, began = recording.facts.get("recorded"), recording.facts.get("started")
    known = recorded or _times_of_files(recording)
    if began is None:
        began = min((recording.directory / "study.toml").stat().st_mtime, *(time for _, time in known), float("inf"))
    last, times = np.array([(-1, began), *known], dtype=float).T
    # Times do not fall where a clock was set back or files were copied.
    seconds = np.interp(np.arange(recording.epochs + 1), last, np.maximum.accumulate(times))
    where = OF_LOOKS if is_watched(recording.study) else RECORDED
    return seconds, where if recorded else OF_FILES


def _steps(recording: Recording) -> Sequence[int]:
    """The step of each row: its epoch; of a training that was watched, the steps before the look."""
    if is_watched(recording.study):
        return recording.probes["step"][:, 0].tolist()
    return range(recording.epochs + 1)


def _times_of_files(recording: Recording) -> list[tuple[int, float]]:
    """The last epoch of each chunk and when its file was written."""
    chunks = [(s.last_epoch, recording.directory / s.file) for s in recording.segments if s.kind == "epochs"]
    # A missing file is reported when it is read.
    return [(last, path.stat().st_mtime) for last, path in chunks if path.is_file()]


def _write(recording: Recording, column: int, seconds: np.ndarray, writer: Any) -> None:
    steps = _steps(recording)
    for name, values in recording.metrics.items():
        part, what = name.split("_", 1)
        _scalars(writer, f"{what}/{part}", values[:, column], seconds, steps)
    for measure in MEASURES.values():
        if measure.name in recording.probes:
            values = recording.probes[measure.name][:, column]
            if measure.edges:
                _histograms(recording, measure, values, seconds, writer, steps)
            elif measure.axis is None:
                _scalars(writer, measure.name, values, seconds, steps)
            else:
                for i, place in enumerate(recording.facts[measure.axis]):
                    _scalars(writer, f"{measure.name}/{place}", values[:, i], seconds, steps)


def _histograms(
    recording: Recording, measure: Measure, values: np.ndarray, seconds: np.ndarray, writer: Any, steps: Sequence[int]
) -> None:
    limits, tag = np.array(recording.facts[measure.edges], dtype=float), measure.name.removesuffix("_histogram")
    if measure.edges == SIZES:
        limits, tag = logarithms(limits), f"log10 |{tag}|"
    for i, layer in enumerate(recording.facts[measure.axis or ""]):
        for row, counts in enumerate(values[:, i]):
            if counts.sum():
                told = histogram(counts, limits)
                writer.add_histogram_raw(f"{tag}/{layer}", **told, global_step=steps[row], walltime=seconds[row])


def _scalars(writer: Any, tag: str, values: np.ndarray, seconds: np.ndarray, steps: Sequence[int]) -> None:
    for row, value in enumerate(values):
        if np.isfinite(value):
            writer.add_scalar(tag, float(value), steps[row], walltime=seconds[row])


def logarithms(edges: np.ndarray) -> np.ndarray:
    """log10 of the edges of sizes; the first bin, from 0 on, becomes as wide as the next one.

    >>> logarithms(np.array([0.0, 1e-3, 1e-2, 1e-1])).tolist()
    [-4.0, -3.0, -2.0, -1.0]
    """
    found = np.log10(edges[1:])
    return np.concatenate([[2 * found[0] - found[1]], found])


def histogram(counts: np.ndarray, edges: np.ndarray) -> Mapping[str, Any]:
    """Counts as TensorBoard's events hold them: by upper limits of the bins; sums as if values lay in the middle.

    >>> histogram(np.array([0, 2, 0]), np.array([0.0, 1.0, 2.0, 3.0]))["bucket_limits"]
    [1.0, 2.0]
    """
    used = np.flatnonzero(counts)
    first, last = int(used[0]), int(used[-1])
    middles = (edges[:-1] + edges[1:]) / 2
    # The empty bin before the first used one is kept: its limit is where the used one begins.
    start = max(first - 1, 0)
    return {
        "min": float(edges[first]),
        "max": float(edges[last + 1]),
        "num": float(counts.sum()),
        "sum": float(counts @ middles),
        "sum_squares": float(counts @ middles**2),
        "bucket_limits": edges[start + 1 : last + 2].tolist(),
        "bucket_counts": counts[start : last + 1].astype(float).tolist(),
    }
