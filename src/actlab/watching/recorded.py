"""Looks as the arrays and facts of a recording, and a recording as looks: what was seen can be judged years later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from actlab.recording import Recording
from actlab.recording.measures import gradient_edges, histogram_edges
from actlab.watching.looks import NAN, Constant, FunctionLook, Look, WeightLook

# Measure → field of a look.
_OF_FUNCTIONS = {
    "activation_gradient_norm": "activation_gradient_norm",
    "pre_activation_gradient_norm": "pre_activation_gradient_norm",
    "flat_share": "flat",
    "dead_share": "dead_share",
    "pre_activation_mean": "pre_activation_mean",
    "pre_activation_std": "pre_activation_std",
    "activation_mean": "activation_mean",
    "activation_std": "activation_std",
    "activation_rms": "rms",
    "signal": "signal",
}
_OF_WEIGHTS = {
    "weight_gradient_norm": "gradient_norm",
    "update_ratio": "update_ratio",
    "weight_norm": "norm",
    "zero_gradient_share": "zero_share",
}
_HISTOGRAMS = {
    "pre_activation_histogram": ("pre_activation_histogram", "functions"),
    "activation_histogram": ("activation_histogram", "functions"),
    "activation_gradient_histogram": ("activation_gradient_histogram", "functions"),
    "weight_gradient_histogram": ("histogram", "weights"),
}
_GRADIENTS = ("activation_gradient_histogram", "weight_gradient_histogram")
Arrays = dict[str, npt.NDArray[Any]]


def arrays_of(looks: Sequence[Look], places: Sequence[str], layers: Sequence[str]) -> Arrays:
    """The measures of some looks as a recording of one member holds them, (looks, 1, …).

    What was not seen at a look is NaN, or counted nowhere. Beside the measures stands "step", the steps before each
    look, and, of each place, which units are dead, as "dead/PLACE": bits.

    Args:
        looks: in the order of their steps.
        places: names of functions' places, in the order of the recording.
        layers: names of layers with weights, likewise.
    """
    found: Arrays = {"step": np.array([[look.step] for look in looks], np.int64)}
    functions = [{own.name: own for own in look.functions} for look in looks]
    weights = [{own.name: own for own in look.weights} for look in looks]
    for names, fields, seen in ((places, _OF_FUNCTIONS, functions), (layers, _OF_WEIGHTS, weights)):
        for measure, field in fields.items():
            rows = [[getattr(own[name], field) if name in own else NAN for name in names] for own in seen]
            found[measure] = np.array(rows, np.float32).reshape(len(looks), 1, len(names))
    for measure, (field, along) in _HISTOGRAMS.items():
        names, seen = (places, functions) if along == "functions" else (layers, weights)
        bins = len(gradient_edges() if measure in _GRADIENTS else histogram_edges()) - 1
        counts = np.zeros((len(looks), 1, len(names), bins), np.uint32)
        for row, own in enumerate(seen):
            for column, name in enumerate(names):
                if name in own and len(getattr(own[name], field)) == bins:
                    counts[row, 0, column] = getattr(own[name], field)
        found[measure] = counts
    for place in places:
        units = max((own[place].dead.size for own in functions if place in own), default=0)
        if units:
            blank = np.zeros(units, bool)
            bits = [own[place].dead if place in own and own[place].dead.size == units else blank for own in functions]
            found[f"dead/{place}"] = np.packbits(np.array(bits), axis=-1)[:, None]
    return found


def told_of(look: Look) -> dict[str, Any]:
    """What of a look is no array: JSON-safe."""
    return {
        "step": look.step,
        "loss": look.loss,
        "constant": asdict(look.constant),
        "gradient_scale": look.gradient_scale,
        "facts": dict(look.facts),
        "unseen": dict(look.unseen),
        "functions": [[own.name, own.function, own.calls, own.samples, own.dead.size] for own in look.functions],
        "weights": [own.name for own in look.weights],
    }


def brief(told: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What is told of looks, each without what is as it was at the one before.

    >>> brief([{"step": 0, "a": 1}, {"step": 1, "a": 1}])
    [{'step': 0, 'a': 1}, {'step': 1}]
    """
    before: Mapping[str, Any] = {}
    found = []
    for own in told:
        found.append({key: value for key, value in own.items() if key not in before or before[key] != value})
        before = own
    return found


def in_full(briefly: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The reverse of `brief`.

    >>> in_full([{"step": 0, "a": 1}, {"step": 1}])
    [{'step': 0, 'a': 1}, {'step': 1, 'a': 1}]
    """
    before: dict[str, Any] = {}
    return [before := {**before, **own} for own in briefly]


def looks_of(recording: Recording) -> list[Look]:
    """The looks that a recording of a training that was watched holds, as they were seen.

    Places that were first seen after the recording had begun are not among them.
    """
    places, layers = recording.act_layers, recording.weight_layers
    rows = in_full(recording.facts.get("looks") or [])[: recording.epochs + 1]
    return [_look(recording, row, told, places, layers) for row, told in enumerate(rows)]


def _look(
    recording: Recording, row: int, told: Mapping[str, Any], places: Sequence[str], layers: Sequence[str]
) -> Look:
    probes = recording.probes
    functions = tuple(
        _function(probes, row, places.index(name), name, function, calls, samples, units)
        for name, function, calls, samples, units in told["functions"]
        if name in places
    )
    weights = tuple(_weights(probes, row, layers.index(name), name) for name in told["weights"] if name in layers)
    constant = Constant(**told["constant"])
    return Look(
        told["step"], told["loss"], constant, functions, weights, told["gradient_scale"], told["facts"], told["unseen"]
    )


def _function(
    probes: Mapping[str, npt.NDArray[Any]],
    row: int,
    column: int,
    name: str,
    function: str,
    calls: int,
    samples: int,
    units: int,
) -> FunctionLook:
    numbers = {
        field: float(probes[measure][row, 0, column])
        for measure, field in _OF_FUNCTIONS.items()
        if measure != "dead_share"
    }
    counts = {
        field: probes[measure][row, 0, column].astype(np.int64)
        for measure, (field, along) in _HISTOGRAMS.items()
        if along == "functions"
    }
    bits = probes.get(f"dead/{name}")
    dead = np.zeros(0, bool) if bits is None else np.unpackbits(bits[row, 0], count=units).astype(bool)
    return FunctionLook(name=name, function=function, calls=calls, samples=samples, dead=dead, **numbers, **counts)


def _weights(probes: Mapping[str, npt.NDArray[Any]], row: int, column: int, name: str) -> WeightLook:
    numbers = {field: float(probes[measure][row, 0, column]) for measure, field in _OF_WEIGHTS.items()}
    counts = probes["weight_gradient_histogram"][row, 0, column].astype(np.int64)
    return WeightLook(name=name, histogram=counts, **numbers)
