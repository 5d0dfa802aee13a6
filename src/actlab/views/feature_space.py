"""The feature space of a hidden layer of two units: where the samples lie in it, epoch by epoch.

Nothing of it is recorded: it is computed anew, in NumPy, from the recorded weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidRecording, UnknownName
from actlab.layers import WEIGHTED, Act
from actlab.network import Network, Params
from actlab.recording import Member, Recording
from actlab.statistics import entries
from actlab.views.figures import Chart, Floats, plotly_text, rounded, thinned
from actlab.views.palette import CLASSES, Look, css_class

Labels = npt.NDArray[np.integer[Any]]
FRAMES = 24
POINTS = 400
BOUNDARY_STEPS = 200


@dataclass(frozen=True)
class Frame:
    """A feature space after one epoch.

    Attributes:
        epoch: 0 is the untrained network.
        points: (samples, 2), the activations (a₁, a₂).
        right: share of the samples that the network classifies rightly, in [0, 1].
        boundaries: polylines (points, 2) on which two classes are equally likely and likelier than any other.
    """

    epoch: int
    points: Floats
    right: float
    boundaries: tuple[Floats, ...]


@dataclass(frozen=True)
class FeatureSpace:
    """The feature space of one member over training.

    Attributes:
        activation, layer, seed: whose it is.
        labels: (samples,), the class of each point.
        frames: in the order of their epochs.
        box: ((low, high), (low, high)) of both axes, holding the points of all frames with a margin.
    """

    activation: str
    layer: str
    seed: int
    labels: Labels
    frames: tuple[Frame, ...]
    box: Floats


def two_unit_layer(network: Network) -> str | None:
    """Name of the last layer of activation functions that has two units, or None."""
    found = [site.name for site in network.sites if isinstance(site.layer, Act) and site.output_shape == (2,)]
    return found[-1] if found else None


def feature_spaces(recording: Recording, epochs: int | Sequence[int] = FRAMES) -> list[FeatureSpace]:
    """Feature spaces of one seed, an entry for each activation whose network has a layer of two units.

    The seed is a typical one: its validation accuracy, averaged over the activations, is the median.

    Args:
        recording: any; without weights, samples or a layer of two units there are no feature spaces.
        epochs: which, each of them a recorded one; or at most how many.

    Raises:
        InvalidRecording: the weights of an epoch were not kept.
    """
    kept = recording.weight_epochs
    if not kept or not recording.sample:
        return []
    seed = typical_seed(recording)
    chosen = _chosen_epochs(kept, epochs) if isinstance(epochs, int) else tuple(epochs)
    rows = _spread_by_class(recording.sample["y"], POINTS)
    found = []
    for entry in entries(recording):
        try:
            layer = two_unit_layer(recording.network(entry.activation))
        except (UnknownName, InvalidRecording):
            # A function or network of somebody's own, which is not here: it cannot be computed again.
            continue
        member = next((member for member in entry.members if member.seed == seed), None)
        if layer and member:
            found.append(_feature_space(recording, member, layer, chosen, rows))
    return found


def typical_seed(recording: Recording) -> int | None:
    """The seed of median validation accuracy, averaged over activations; a diverged member counts as 0."""
    seeds = recording.study.seeds
    accuracy = recording.metrics["validation_accuracy"][-1]
    totals = dict.fromkeys(seeds, 0.0)
    for entry in entries(recording):
        for member, column in zip(entry.members, entry.columns, strict=True):
            totals[member.seed] += float(np.nan_to_num(accuracy[column]))
    ranked = sorted(seeds, key=lambda seed: (totals[seed], seed))
    return ranked[len(ranked) // 2] if ranked else None


def _chosen_epochs(kept: Sequence[int], most: int) -> tuple[int, ...]:
    """At most `most` of the recorded epochs: closer at the start, where most of the motion is."""
    last = len(kept) - 1
    if last < most:
        return tuple(kept)
    places = np.unique(np.round(last * np.linspace(0, 1, most) ** 1.6).astype(int))
    return tuple(kept[place] for place in places)


def _spread_by_class(labels: Labels, most: int) -> npt.NDArray[np.intp]:
    """Rows of at most `most` samples, evenly spread through each class."""
    classes = np.unique(labels)
    each = max(most // len(classes), 1)
    places = [np.flatnonzero(labels == label) for label in classes]
    return np.sort(np.concatenate([rows[thinned(len(rows) - 1, each)] for rows in places]))


def _feature_space(
    recording: Recording, member: Member, layer: str, epochs: Sequence[int], rows: npt.NDArray[np.intp]
) -> FeatureSpace:
    network = recording.network(member.activation)
    x, y = recording.sample["x"], recording.sample["y"]
    weights = [recording.weights(member, epoch) for epoch in epochs]
    passes = [(params, *hidden(network, params, x, layer)) for params in weights]
    points = np.concatenate([features[rows] for _, features, _ in passes])
    box = np.array([_with_margin(points[:, 0]), _with_margin(points[:, 1])])
    frames = [
        Frame(
            epoch,
            features[rows],
            float(np.mean(predicted(logits) == y)),
            boundaries(network, params, layer, box) if np.isfinite(features).all() else (),
        )
        for epoch, (params, features, logits) in zip(epochs, passes, strict=True)
    ]
    return FeatureSpace(member.activation, layer, member.seed, y[rows], tuple(frames), box)


def hidden(network: Network, params: Params, x: Floats, layer: str) -> tuple[Floats, Floats]:
    """Outputs of an `Act` layer, (samples, units), and of the network, (samples, outputs), in NumPy."""
    functions = {
        site.name: site.layer.activation(network.activation)
        for site in network.sites
        if site.name in network.act_layers
    }
    caught: dict[str, Floats] = {}

    def act(pre_activation: Floats, *, name: str) -> Floats:
        caught[name] = functions[name](pre_activation, **params.get(name, {}))
        return caught[name]

    # A diverged member has weights that overflow here; its points are not drawn.
    with np.errstate(all="ignore"):
        logits = network.apply(params, x, act)
    return caught[layer], logits


def predicted(logits: Floats) -> Labels:
    """Predicted class, (samples,): the sign of a single output, else the largest one.

    >>> predicted(np.array([[-1.0], [2.0]])).tolist()
    [0, 1]
    """
    return (logits[:, 0] > 0).astype(int) if logits.shape[1] == 1 else logits.argmax(axis=1)


def boundaries(network: Network, params: Params, layer: str, box: Floats) -> tuple[Floats, ...]:
    """Where the decision changes in the feature space: straight lines inside `box`, (2, 2).

    Empty where more than one layer follows `layer`, for the boundary is then no line.
    """
    place = [site.name for site in network.sites].index(layer)
    following = network.sites[place + 1 :]
    if len(following) != 1 or not isinstance(following[0].layer, WEIGHTED):
        return ()
    given = params[following[0].name]
    weight = np.asarray(given["weight"], dtype=float)
    bias = np.asarray(given.get("bias", np.zeros(weight.shape[1])), dtype=float)
    if weight.shape[1] == 1:
        weight, bias = np.hstack([0 * weight, weight]), np.append(0.0, bias)
    lines = []
    for i in range(weight.shape[1]):
        for j in range(i):
            line = _line(weight[:, i] - weight[:, j], bias[i] - bias[j], box)
            if line is not None:
                logits = line @ weight + bias
                leads = np.maximum(logits[:, i], logits[:, j]) >= logits.max(axis=1) - 1e-9
                lines += [line[leads]] if leads.sum() > 1 else []
    return tuple(lines)


def _line(normal: Floats, offset: float, box: Floats) -> Floats | None:
    """Points with normal·a + offset = 0 inside `box`, ((low, high), (low, high)); None without any."""
    length = float(np.hypot(*normal))
    if length == 0 or not np.isfinite(length + offset):
        return None
    centre = box.mean(axis=1)
    foot = centre - normal * (normal @ centre + offset) / length**2
    reach = float(np.hypot(*np.ptp(box, axis=1)))
    along = np.array([-normal[1], normal[0]]) / length
    line = foot + np.linspace(-reach, reach, 2 * BOUNDARY_STEPS + 1)[:, None] * along
    inside = ((line >= box[:, 0]) & (line <= box[:, 1])).all(axis=1)
    return line[inside] if inside.sum() > 1 else None


def _with_margin(values: Floats) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    room = 0.07 * (high - low) or 0.5
    return low - room, high + room


def charts(spaces: Sequence[FeatureSpace], classes: Sequence[str], looks: Mapping[str, Look]) -> list[Chart]:
    """A panel for each feature space, with a frame for each epoch."""
    return [_chart(space, classes) for space in spaces if space.activation in looks]


def _chart(space: FeatureSpace, classes: Sequence[str]) -> Chart:
    present = [int(label) for label in np.unique(space.labels)]
    lines = max((len(frame.boundaries) for frame in space.frames), default=0)
    frames = [_frame(space, frame, present, lines) for frame in space.frames]
    points = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": plotly_text(str(classes[label])),
            "marker": {"color": css_class(label), "size": 5, "opacity": 0.75},
            "hovertemplate": f"{plotly_text(str(classes[label]))}<br>%{{x:.3~g}}, %{{y:.3~g}}<extra></extra>",
        }
        for label in present
    ]
    boundary = {
        "type": "scatter",
        "mode": "lines",
        "line": {"color": "var(--ink)", "width": 2},
        "hoverinfo": "skip",
    }
    horizontal, vertical = space.box
    layout = {
        "height": 280,
        "xaxis": {"title": {"text": "a₁"}, "range": rounded(horizontal), "zeroline": True},
        "yaxis": {"title": {"text": "a₂"}, "range": rounded(vertical), "zeroline": True},
    }
    label = f"Feature space of {space.activation} in {space.layer}, seed {space.seed}, samples coloured by class"
    return Chart(
        f"feature-space-{space.activation}",
        space.activation,
        label,
        [*points, *([boundary] * lines)],
        layout,
        activation=space.activation,
        frames=frames,
    )


def _frame(space: FeatureSpace, frame: Frame, present: Sequence[int], lines: int) -> dict[str, Any]:
    """Coordinates of every trace after one epoch: the classes' points, then the boundaries."""
    groups = [frame.points[space.labels == label] for label in present]
    empty = np.empty((0, 2))
    # A boundary is straight: its two ends are enough.
    ends = [line[[0, -1]] for line in frame.boundaries]
    groups += [*ends, *([empty] * (lines - len(ends)))]
    traces = [{"x": rounded(group[:, 0], 4), "y": rounded(group[:, 1], 4)} for group in groups]
    return {"epoch": frame.epoch, "text": f"{100 * frame.right:.1f} % right", "traces": traces}


def feature_space_figure(recording: Recording, epochs: Sequence[int], path: str | Path) -> Path:
    """Write a still picture of the feature spaces: a row for each activation, a column for each epoch.

    Args:
        recording: of a network with an activation layer of two units.
        epochs: the recorded epochs to show.
        path: a .png, .svg or .pdf file.

    Raises:
        InvalidRecording: no layer of two units, or weights or epochs that were not kept.
        InvalidFunction: a file type that cannot be written.
    """
    from matplotlib.figure import Figure

    from actlab.views.functions_figure import save

    spaces = feature_spaces(recording, epochs)
    if not spaces:
        raise InvalidRecording(
            f"{recording.directory} has no feature space to draw: an activation layer of two units "
            "and recorded weights are needed."
        )
    size = (2.3 * len(epochs) + 0.6, 2.35 * len(spaces) + 0.8)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(spaces), len(epochs), squeeze=False)
    for row, space in zip(axes, spaces, strict=True):
        row[0].set_ylabel(space.activation, fontsize=12, fontweight="bold")
        for panel, frame in zip(row, space.frames, strict=True):
            _draw(panel, space, frame)
    for panel, epoch in zip(axes[0], epochs, strict=True):
        panel.set_title(f"epoch {epoch}", fontsize=11)
    names = [str(recording.facts["classes"][int(label)]) for label in np.unique(spaces[0].labels)]
    figure.legend(axes[0][0].lines[: len(names)], names, loc="outside lower center", ncols=8, frameon=False)
    return save(figure, path)


def _draw(panel: Any, space: FeatureSpace, frame: Frame) -> None:
    for label in np.unique(space.labels):
        points = frame.points[space.labels == label]
        panel.plot(*points.T, ".", color=CLASSES[int(label) % len(CLASSES)], markersize=3.5)
    for line in frame.boundaries:
        panel.plot(*line[[0, -1]].T, color="#222222", linewidth=1.4)
    horizontal, vertical = space.box
    panel.set(xlim=horizontal, ylim=vertical, xticks=[], yticks=[])
    panel.set_xlabel(f"{100 * frame.right:.0f} % right", fontsize=9, color="#555555", labelpad=3)
    panel.spines[:].set_color("#bbbbbb")
