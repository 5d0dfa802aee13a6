"""Looks as the arrays and facts of a recording, and a recording as looks: what was seen can be judged years later."""

from __future__ import annotations

import base64
import math
import zlib
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


def _packed(value: Any) -> Any:
    """Something of a look as JSON: an array by its bytes, which a list of numbers would be many times as long as."""
    if isinstance(value, np.ndarray):
        packed = base64.b64encode(zlib.compress(np.ascontiguousarray(value).tobytes())).decode()
        return {"dtype": value.dtype.str, "shape": list(value.shape), "packed": packed}
    if isinstance(value, (tuple, list)):
        return [_packed(own) for own in value]
    return {name: _packed(own) for name, own in value.items()} if isinstance(value, Mapping) else value


def _unpacked(value: Any) -> Any:
    """The reverse."""
    if isinstance(value, Mapping) and value.keys() == {"dtype", "shape", "packed"}:
        shape, dtype = [int(own) for own in value["shape"]], np.dtype(value["dtype"])
        size = math.prod(shape) * dtype.itemsize
        # No more is unpacked than the array has bytes.
        data = zlib.decompressobj().decompress(base64.b64decode(value["packed"]), size)
        return np.frombuffer(data, dtype).reshape(shape).copy()
    if isinstance(value, list):
        return [_unpacked(own) for own in value]
    return {name: _unpacked(own) for name, own in value.items()} if isinstance(value, Mapping) else value


def told_of(look: Look) -> dict[str, Any]:
    """What of a look is no array: JSON-safe."""
    return {
        "step": look.step,
        "loss": look.loss,
        "constant": asdict(look.constant),
        "gradient_scale": look.gradient_scale,
        "facts": {name: _packed(value) for name, value in look.facts.items()},
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
    places, layers = (
        {name: column for column, name in enumerate(names)} for names in (recording.act_layers, recording.weight_layers)
    )
    rows = in_full(recording.facts.get("looks") or [])[: recording.epochs + 1]
    return [_look(recording, row, told, places, layers) for row, told in enumerate(rows)]


def _look(
    recording: Recording, row: int, told: Mapping[str, Any], places: Mapping[str, int], layers: Mapping[str, int]
) -> Look:
    # All layers of a row at once: there may be hundreds, and hundreds of rows.
    numbers, counts = _numbers(recording, row, "functions"), _counts(recording, row, "functions")
    functions = tuple(
        FunctionLook(
            name=name,
            function=function,
            calls=calls,
            samples=samples,
            dead=_dead(recording, row, name, units),
            **{field: values[places[name]] for field, values in numbers.items()},
            **{field: values[places[name]] for field, values in counts.items()},
        )
        for name, function, calls, samples, units in told["functions"]
        if name in places
    )
    numbers, counts = _numbers(recording, row, "weights"), _counts(recording, row, "weights")
    weights = tuple(
        WeightLook(
            name=name,
            **{field: values[layers[name]] for field, values in numbers.items()},
            **{field: values[layers[name]] for field, values in counts.items()},
        )
        for name in told["weights"]
        if name in layers
    )
    constant, facts = Constant(**told["constant"]), {name: _unpacked(value) for name, value in told["facts"].items()}
    return Look(told["step"], told["loss"], constant, functions, weights, told["gradient_scale"], facts, told["unseen"])


def _numbers(recording: Recording, row: int, along: str) -> dict[str, list[float]]:
    """The numbers of a row by field, one for each layer."""
    fields = _OF_FUNCTIONS if along == "functions" else _OF_WEIGHTS
    return {
        field: recording.probes[measure][row, 0].tolist()
        for measure, field in fields.items()
        if measure != "dead_share"  # Counted from the units.
    }


def _counts(recording: Recording, row: int, along: str) -> dict[str, npt.NDArray[np.int64]]:
    """The histograms of a row by field, (layers, bins)."""
    return {
        field: recording.probes[measure][row, 0].astype(np.int64)
        for measure, (field, held) in _HISTOGRAMS.items()
        if held == along
    }


def _dead(recording: Recording, row: int, name: str, units: int) -> npt.NDArray[np.bool_]:
    bits = recording.probes.get(f"dead/{name}")
    return np.zeros(0, bool) if bits is None else np.unpackbits(bits[row, 0], count=units).astype(bool)
