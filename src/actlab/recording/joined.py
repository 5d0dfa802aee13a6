"""Recordings of some seeds each, read as one recording of them all, and written as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from actlab.recording.directory import Claim
from actlab.recording.format import Member, Segment
from actlab.recording.reader import Recording
from actlab.recording.writer import Writer
from actlab.study import Study

Arrays = dict[str, np.ndarray]
# What the kinds of segments hold that are of all members.
OF_ALL = ("epochs", "weights", "test")


class Joined(Recording):
    """Complete recordings of one study, each with some of its seeds, as if they were one.

    It is a view: nothing is written, and its arrays are read when they are asked for. Members are ordered as in a
    recording that was trained at once: variant by variant, and in each seed by seed.
    """

    def __init__(self, study: Study, parts: Sequence[Recording]) -> None:
        """Join recordings.

        Args:
            study: with the seeds of all parts, in their order.
            parts: complete recordings of the study with some of its seeds, in everything else alike.
        """
        first = self._first = parts[0]
        self.directory, self.facts, self.functions, self.study = first.directory, first.facts, first.functions, study
        self._parts, self._loaded = tuple(parts), {}
        own = [(member, part) for part, recording in enumerate(parts) for member in recording.members]
        variants = {_variant(member): place for place, member in enumerate(first.members)}
        # Stable: within a variant and a part, members stay in the order of their seeds.
        self._order = sorted(range(len(own)), key=lambda i: (variants[_variant(own[i][0])], own[i][1]))
        self._variants = [_variant(own[i][0]) for i in self._order]
        self.members = tuple(replace(own[i][0], id=number) for number, i in enumerate(self._order))
        self.metrics = {
            name: np.concatenate([part.metrics[name] for part in parts], axis=1)[:, self._order]
            for name in first.metrics
        }
        self.segments: tuple[Segment, ...] = ()

    def _arrays(self, kind: str) -> Arrays:
        if kind not in OF_ALL:
            return self._first._arrays(kind)
        own = [part._arrays(kind) for part in self._parts]
        if kind == "test":
            # A part of very many members may lack the outputs that the others have.
            own = [{name: arrays[name] for name in arrays if all(name in other for other in own)} for arrays in own]
        if any(arrays.keys() != own[0].keys() for arrays in own):
            return {}
        return {name: self._side_by_side(name, [arrays[name] for arrays in own], 1) for name in own[0]}

    def _weights_in(self, *kinds: str) -> dict[int, Arrays]:
        if not set(kinds) <= set(OF_ALL):
            return self._first._weights_in(*kinds)
        own = [part._weights_in(*kinds) for part in self._parts]
        return {
            epoch: {name: self._side_by_side(name, [arrays[epoch][name] for arrays in own], 0) for name in names}
            for epoch, names in own[0].items()
            if all(epoch in arrays for arrays in own)
        }

    def _side_by_side(self, name: str, arrays: Sequence[np.ndarray], axis: int) -> np.ndarray:
        """An array of the parts along the axis of the members, in the order of all members."""
        if name == "targets":
            return arrays[0]  # The test samples of all parts are the same.
        return np.take(np.concatenate(arrays, axis=axis), self._order_of(name), axis=axis)

    def _order_of(self, name: str) -> np.ndarray:
        """Where the members that an array is of stand in the parts' arrays side by side."""
        order = np.array(self._order)
        if name.startswith("weights/"):
            activation = name.split("/")[1]
            order = order[[variant[0] == activation for variant in self._variants]]
        # The places among themselves: an array of one activation has no gaps for the others.
        return np.argsort(np.argsort(order))


def _variant(member: Member) -> tuple[str, float, str]:
    return member.activation, member.learning_rate, member.init


def write(joined: Joined, claim: Claim, **facts: Any) -> Recording:
    """Write a view of recordings as one recording into a claimed directory.

    Args:
        joined: what is written; all its arrays are in memory meanwhile.
        claim: the directory.
        facts: what is known of them together, in the place of the first part's facts.

    Raises:
        RecordingFailed: it cannot be written; the parts are as they were.
    """
    first = joined._first
    held = {name: value for name, value in {**first.facts, **facts}.items() if name not in WRITTEN_BY_ITSELF}
    ends = {name: held.pop(name) for name in ("throughput", "recorded") if name in held}
    writer = Writer.create(claim, joined.study, joined.members, joined.functions, joined.objective, **held)
    try:
        epochs = joined._arrays("epochs")
        by_kind = sorted(first.segments, key=lambda segment: segment.first_epoch)
        for segment in by_kind:
            rows = slice(segment.first_epoch, segment.last_epoch + 1)
            if segment.kind == "epochs":
                metrics = {name: values[rows] for name, values in joined.metrics.items()}
                writer.commit(segment.first_epoch, metrics, {name: a[rows] for name, a in epochs.items()}, {})
                continue
            arrays, members = _of(joined, segment)
            if arrays:
                writer.commit(segment.first_epoch, {}, arrays, {}, kind=segment.kind, members=members)
        writer.finish(**ends)
    finally:
        writer.close()
    return Recording(writer.directory)


# Facts that the writer enters.
WRITTEN_BY_ITSELF = ("schema", "epochs", "complete", "chosen_rates", "objective", "metrics")


def _of(joined: Joined, segment: Segment) -> tuple[Mapping[str, np.ndarray], list[int] | None]:
    """The arrays of all parts that a segment of the first part begins, and the members that they are of."""
    if segment.kind == "weights":
        own = joined._weights_in("weights").get(segment.first_epoch, {})
        return {name: array[None] for name, array in own.items()}, None
    if segment.kind == "first-seed":
        seed = joined.study.seeds[0]
        return joined._first._load(segment), [member.id for member in joined.members if member.seed == seed]
    return joined._arrays(segment.kind), None
