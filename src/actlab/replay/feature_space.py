"""A network at an epoch, in NumPy: its feature space, its decisions, its losses.

All is computed anew from the recorded weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidRecording, UnknownName
from actlab.layers import Act, Fork, Join
from actlab.network import Network, Params
from actlab.recording import Member, Recording
from actlab.replay.forward import hidden, judged
from actlab.replay.projection import limits, principal_axes
from actlab.statistics import Reported, reported
from actlab.statistics.intervals import Floats

# Points to a side of the grid on which decisions are computed, and of each coordinate line.
GRID = 101
LINES = 13
LINE_POINTS = 41
# Epochs from which the limits of a feature space are found.
BOX_EPOCHS = 40
# Shared axes hold a feature space that reaches at most so many times as far as the middle one.
FAR = 10


@dataclass(frozen=True)
class DecisionSurface:
    """The network's outputs over a plane.

    Attributes:
        box: ((low, high), (low, high)) of its two coordinates.
        logits: (GRID, GRID, outputs), rows upwards.
    """

    box: Floats
    logits: Floats


@dataclass(frozen=True)
class Snapshot:
    """A network after an epoch.

    Attributes:
        epoch: 0 is the untrained network.
        points: (samples, 2), where the samples lie in the feature space.
        probability: (samples,), of class 1 with one output, of the true class with several.
        loss: (samples,), cross-entropy.
        right: (samples,), whether the class is the true one.
        features: the outputs over the feature space; None where it is a projection, or where more than it counts.
        inputs: the outputs over the input space; None where that is no plane.
        lines: (lines, points, 2), the input space's coordinate lines in the feature space; None likewise.
    """

    epoch: int
    points: Floats
    probability: Floats
    loss: Floats
    right: npt.NDArray[np.bool_]
    features: DecisionSurface | None
    inputs: DecisionSurface | None
    lines: Floats | None


@dataclass(frozen=True, eq=False)
class FeatureSpace:
    """The feature space of one member in one layer, at every epoch whose weights were kept.

    Attributes:
        recording, member, layer: whose it is.
        network: of the member's activation.
        x, y: the samples and their classes.
        shared: the limits of its figures where it shares them with others.
    """

    recording: Recording
    member: Member
    layer: str
    network: Network
    x: Floats
    y: npt.NDArray[np.integer]
    shared: Floats | None = None

    @property
    def epochs(self) -> tuple[int, ...]:
        """Those there are, up to the last one before the member diverged."""
        kept = kept_epochs(self.recording, self.member.seed)
        ended = self.member.diverged_epoch
        return tuple(epoch for epoch in kept if ended is None or epoch < max(ended, 1))

    @cached_property
    def axes(self) -> Floats | None:
        """Mean and two principal axes at the last epoch, (3, units), the same for all; None for two units."""
        values = self._activations(self.epochs[-1])
        return None if values.shape[1] == 2 else principal_axes(values)

    @cached_property
    def box(self) -> Floats:
        """((low, high), (low, high)) that holds the samples at all epochs, with room around them."""
        places = np.unique(np.linspace(0, len(self.epochs) - 1, BOX_EPOCHS).astype(int))
        points = np.concatenate([self._placed(self._activations(self.epochs[place])) for place in places])
        return np.array([limits(points[:, 0]), limits(points[:, 1])])

    @property
    def shown(self) -> Floats:
        """The limits of its figures."""
        return self.box if self.shared is None else self.shared

    @property
    def planar(self) -> bool:
        """Whether the input space is a plane."""
        return self.x[0].size == 2

    def at(self, epoch: int) -> Snapshot:
        """The network after an epoch. Raises InvalidRecording if its weights were not kept."""
        params = self.recording.weights(self.member, epoch)
        caught, logits = hidden(self.network, params, self.x)
        found = judged(logits, self.y)
        return Snapshot(
            epoch,
            self._placed(caught[self.layer].reshape(len(self.x), -1)),
            found.probability,
            found.loss,
            found.right,
            self._over_features(params),
            self._over_inputs(params) if self.planar else None,
            self._lines(params) if self.planar else None,
        )

    @cached_property
    def input_box(self) -> Floats:
        """The limits of the input space."""
        return np.array([limits(self.x.reshape(-1, 2)[:, k]) for k in (0, 1)])

    def _activations(self, epoch: int) -> Floats:
        caught, _ = hidden(self.network, self.recording.weights(self.member, epoch), self.x)
        return caught[self.layer].reshape(len(self.x), -1)

    def _placed(self, activations: Floats) -> Floats:
        if activations.shape[1] == 2:
            return activations
        assert self.axes is not None
        mean, *axes = self.axes
        return (activations - mean) @ np.stack(axes, axis=1)

    def _over_features(self, params: Params) -> DecisionSurface | None:
        place = [built.name for built in self.network.layers].index(self.layer)
        if self.network.layers[place].output_shape != (2,):
            return None
        following = self.network.layers[place + 1 :]
        # Inside a residual block the next layers need the block's input, too; behind the last layer there are none.
        forks = sum(isinstance(built.layer, Fork) - isinstance(built.layer, Join) for built in following)
        if not following or forks < 0:
            return None
        return DecisionSurface(self.shown, _over(Network(following, self.network.activation), params, self.shown))

    def _over_inputs(self, params: Params) -> DecisionSurface:
        return DecisionSurface(self.input_box, _over(self.network, params, self.input_box))

    def _lines(self, params: Params) -> Floats:
        ticks = np.stack([np.linspace(low, high, LINES) for low, high in self.input_box])
        along = np.stack([np.linspace(low, high, LINE_POINTS) for low, high in self.input_box])
        upright = np.stack(np.broadcast_arrays(ticks[0][:, None], along[1][None]), axis=-1)
        level = np.stack(np.broadcast_arrays(along[0][None], ticks[1][:, None]), axis=-1)
        points = np.concatenate([upright, level])
        caught, _ = hidden(self.network, params, points.reshape(-1, *self.x.shape[1:]).astype(self.x.dtype))
        return self._placed(caught[self.layer].reshape(points.shape[0] * LINE_POINTS, -1)).reshape(-1, LINE_POINTS, 2)


def _over(network: Network, params: Params, box: Floats) -> Floats:
    """Outputs over a plane, (GRID, GRID, outputs)."""
    across, up = np.meshgrid(*(np.linspace(low, high, GRID) for low, high in box))
    points = np.stack([across.ravel(), up.ravel()], axis=1).astype(np.float32)
    _, logits = hidden(network, params, points.reshape(-1, *network.layers[0].input_shape))
    return logits.reshape(GRID, GRID, -1)


def feature_space(
    recording: Recording, activation: str, layer: str | None = None, seed: int | None = None
) -> FeatureSpace:
    """The feature space of one activation's network.

    Args:
        recording: with samples, and weights of some epochs.
        activation: one of the study.
        layer: a place of the function; the last of two units, or else the last one, where None.
        seed: one of the study; a typical one (see `typical_seed`) where None.

    Raises:
        UnknownName: no such activation, layer or seed in this recording.
        InvalidRecording: no weights or samples, or a function or network that is not known here.
    """
    if not recording.objective.decides:
        raise InvalidRecording(
            f"{recording.directory}: its targets are {'numbers' if recording.objective.predicts else 'labels'}, and "
            "these figures are drawn of classes: its report shows them, and `actlab figure` its curves."
        )
    if not recording.sample or not recording.first_seed_epochs:
        raise InvalidRecording(f"{recording.directory} holds no samples and weights to compute a network from.")
    by_name = {entry.activation: entry for entry in reported(recording)}
    if activation not in by_name:
        raise UnknownName("activation", activation, list(by_name))
    chosen = shown_seed(recording) if seed is None else seed
    member = next((m for m in by_name[activation].members if m.seed == chosen), None)
    if member is None:
        raise UnknownName("seed", str(chosen), [str(own) for own in recording.study.seeds])
    network = recording.network(activation)
    layer = layer or two_unit_layer(network) or network.act_layers[-1]
    if layer not in network.act_layers:
        raise UnknownName("layer", layer, list(network.act_layers))
    return FeatureSpace(recording, member, layer, network, recording.sample["x"], recording.sample["y"])


def on_shared_axes(spaces: Sequence[FeatureSpace]) -> tuple[FeatureSpace, ...]:
    """The same feature spaces with common limits of their figures.

    As in the page, what diverged or reaches more than ten times as far as the middle one does not stretch them.
    """
    held = [space.box for space in spaces if space.member.diverged_epoch is None] or [space.box for space in spaces]
    reach = [float(np.abs(box).max()) for box in held]
    most = FAR * sorted(reach)[(len(reach) - 1) // 2]
    near = np.stack([box for box, own in zip(held, reach, strict=True) if own <= most])
    shared = np.stack([near[..., 0].min(axis=0), near[..., 1].max(axis=0)], axis=1)
    return tuple(replace(space, shared=shared) for space in spaces)


def kept_epochs(recording: Recording, seed: int) -> tuple[int, ...]:
    """Epochs at which the weights of a seed were kept: the first one's at more."""
    return recording.first_seed_epochs if seed == recording.study.seeds[0] else recording.weight_epochs


def shown_seed(recording: Recording) -> int:
    """The typical seed where every epoch of it was kept, else the first one."""
    typical = typical_seed(recording)
    return (
        recording.study.seeds[0]
        if typical is None or kept_epochs(recording, typical) != recording.first_seed_epochs
        else typical
    )


def two_unit_layer(network: Network) -> str | None:
    """Name of the last layer of activation functions that has two units, or None."""
    found = [built.name for built in network.layers if isinstance(built.layer, Act) and built.output_shape == (2,)]
    return found[-1] if found else None


def typical_seed(recording: Recording, entries: Iterable[Reported] | None = None) -> int | None:
    """The seed of the median metric that is followed, on validation data, averaged over activations.

    A member that diverged counts as the worst of its activation; of an accuracy, as 0.
    """
    seeds: Sequence[int] = recording.study.seeds
    lead = recording.followed
    gains = lead.gain(recording.metrics[lead.validation][-1])
    known = gains[np.isfinite(gains)]
    worst = 0.0 if lead.is_share else float(known.min(initial=0.0))
    totals = dict.fromkeys(seeds, 0.0)
    for entry in reported(recording) if entries is None else entries:
        for member, column in zip(entry.members, entry.columns, strict=True):
            totals[member.seed] += float(np.nan_to_num(gains[column], nan=worst))
    ranked = sorted(seeds, key=lambda seed: (totals[seed], seed))
    return ranked[len(ranked) // 2] if ranked else None
