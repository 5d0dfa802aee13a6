"""A recording as TensorBoard's event files: a run for each member, scalars and histograms at every epoch."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from actlab.errors import ActlabError
from actlab.recording import METRICS, Member, Recording

# Probes that are a number for each layer, and those that are a histogram, with the edges they are counted by.
SCALARS = {
    "weight_gradient_norm": "weight_layers",
    "update_ratio": "weight_layers",
    "activation_gradient_norm": "act_layers",
    "pre_activation_gradient_norm": "act_layers",
    "flat_share": "act_layers",
    "dead_share": "act_layers",
}
HISTOGRAMS = {
    "pre_activation_histogram": ("act_layers", "histogram_edges"),
    "activation_histogram": ("act_layers", "histogram_edges"),
    "weight_gradient_histogram": ("weight_layers", "gradient_edges"),
    "activation_gradient_histogram": ("act_layers", "gradient_edges"),
}


def export(recording: Recording, directory: str | Path) -> Path:
    """Write event files that `tensorboard --logdir DIRECTORY` shows: DIRECTORY/ACTIVATION/seed-N for each member.

    Members of several learning rates or initial weights have these in the name of their run, too.

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
    temporary = directory.with_name(f".{directory.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        for column, member in enumerate(recording.members):
            with writer_type(str(temporary / run_name(recording, member))) as writer:
                _write(recording, column, writer)
        if directory.exists():
            directory.rmdir()
        temporary.replace(directory)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise ActlabError(f"{directory}: the event files cannot be written ({error.strerror or error}).") from None
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
    return f"{member.activation}{rate}{init}/seed-{member.seed}"


def _write(recording: Recording, column: int, writer: Any) -> None:
    for name in METRICS:
        part, what = name.split("_")
        _scalars(writer, f"{what}/{part}", recording.metrics[name][:, column])
    for name, layers in SCALARS.items():
        if name in recording.probes:
            for i, layer in enumerate(getattr(recording, layers)):
                _scalars(writer, f"{name}/{layer}", recording.probes[name][:, column, i])
    for name, (layers, edges) in HISTOGRAMS.items():
        if name in recording.probes:
            limits = np.array(recording.facts[edges], dtype=float)
            for i, layer in enumerate(getattr(recording, layers)):
                tag = f"{name.removesuffix('_histogram')}/{layer}"
                for epoch, counts in enumerate(recording.probes[name][:, column, i]):
                    if counts.sum():
                        writer.add_histogram_raw(tag, **histogram(counts, limits), global_step=epoch, walltime=epoch)


def _scalars(writer: Any, tag: str, values: np.ndarray) -> None:
    for epoch, value in enumerate(values):
        if np.isfinite(value):
            writer.add_scalar(tag, float(value), epoch, walltime=epoch)


def histogram(counts: np.ndarray, edges: np.ndarray) -> Mapping[str, Any]:
    """Counts as TensorBoard's events hold them: by upper limits of the bins; sums as if values lay in the middle.

    >>> histogram(np.array([0, 2, 0]), np.array([0.0, 1.0, 2.0, 3.0]))["bucket_limits"]
    [1.0, 2.0]
    """
    used = np.flatnonzero(counts)
    first, last = int(used[0]), int(used[-1])
    middles = (edges[:-1] + edges[1:]) / 2
    # The bin before the first one used is kept, empty: its limit is where the first one begins.
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
