"""Members' outcomes as one recording."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from actlab.errors import InvalidModel
from actlab.laboratory.own_loop.kept import Outcome
from actlab.objectives import PARTS, Metric, known_metric, own_objective
from actlab.plan.cards import card_of
from actlab.recording import Claim, Member, Recording, Writer, load
from actlab.recording.measures import EDGES, MEASURES
from actlab.study import Observed, variants
from actlab.watching.recorder import versions
from actlab.wording import counted, listed

Metrics = dict[str, np.ndarray]


def record(
    study: Observed,
    claim: Claim,
    outcomes: Mapping[tuple[str, float, int], Outcome],
    better: Mapping[str, str],
    **facts: Any,
) -> Recording:
    """Write the recording of a comparison.

    Args:
        study: with what was chosen.
        claim: of its directory.
        outcomes: of its members, by activation, factor and seed.
        better: of metrics that are not known by their names, which values are better.
        **facts: what is known besides.

    Raises:
        InvalidModel: nothing was told that functions could be compared by. RecordingFailed: it cannot be written.
    """
    keys = [(own.activation, own.learning_rate, seed) for own in variants(study) for seed in study.seeds]
    members = [Member(number, name, rate, seed) for number, (name, rate, seed) in enumerate(keys)]
    held = [outcomes[key] for key in keys]
    epochs = max(len(own.metrics) for own in held) - 1
    names, metrics = _metrics(held, epochs)
    notes = _notes(study, held, epochs)
    study, found = _held_out(study, names, metrics, notes)
    diverged = _mask(held, found, epochs)
    arrays, seen = _measures(held, epochs, notes)
    study = _completed(study, held, epochs)
    facts = {**seen, **_facts(study, held), "epochs": epochs, "data_notes": notes, **facts}
    writer = Writer.create(
        claim, study, members, {name: card_of(name) for name in study.activations}, _objective(names, better), **facts
    )
    try:
        writer.commit(0, found, arrays, diverged)
        writer.finish()
    finally:
        writer.close()
    return load(claim.directory)


def _facts(study: Observed, held: Sequence[Outcome]) -> dict[str, Any]:
    """What is known of the members, and of where they were trained."""

    def by_seed(key: str) -> dict[str, dict[str, Any]]:
        return {
            name: {str(own.seed): own.told[key] for own in held if own.activation == name and key in own.told}
            for name in study.activations
        }

    return {
        "classes": [],
        "input_shape": [1],
        **{name: edges().tolist() for name, edges in EDGES.items()},
        "parameters": {own.activation: own.told["parameters"] for own in reversed(held) if own.told.get("parameters")},
        "versions": versions(study.framework),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "started": time.time(),
        **{name: held[0].told[name] for name in ("swapped", "left") if name in held[0].told},
        "starts": by_seed("start"),
        "judged": by_seed("judged"),
        "paired": not _unpaired(held),
        "train_seconds": round(sum(own.told["seconds"] for own in held), 3),
    }


def _objective(names: Sequence[str], better: Mapping[str, str]) -> Any:
    made = [known_metric(name, better.get(name)) for name in names]
    return own_objective([own for own in made if isinstance(own, Metric)])


def _metrics(held: Sequence[Outcome], epochs: int) -> tuple[list[str], Metrics]:
    """Names of the metrics, the loss first, and all of them by part and row, NaN where nothing was told.

    A member that ended before the others holds what it had, for it was its end.
    """
    told = dict.fromkeys(key.partition("_")[2] for own in held for row in own.metrics for key in row)
    names = list({"loss": None} | told)
    found = {f"{part}_{name}": np.full((epochs + 1, len(held)), np.nan) for part in PARTS for name in names}
    for column, own in enumerate(held):
        for row in range(epochs + 1):
            for key, value in own.metrics[min(row, len(own.metrics) - 1)].items():
                found[key][row, column] = value
    return names, found


def _held_out(study: Observed, names: Sequence[str], metrics: Metrics, notes: list[str]) -> tuple[Observed, Metrics]:
    """The study with the metric that leads; where one part alone is held out, it stands for both.

    Raises:
        InvalidModel: nothing was told of data that are held out, or not what the study asks for.
    """
    parts = {part: [name for name in names if np.isfinite(metrics[f"{part}_{name}"]).any()] for part in PARTS}
    if not parts["validation"] and not parts["test"]:
        raise InvalidModel(
            "train tells nothing of validation or test data, by which functions are compared: give "
            "watch.epoch(validation_loss=…, …), or return the test score."
        )
    if not parts["validation"] or not parts["test"]:
        one, other = ("test", "validation") if parts["test"] else ("validation", "test")
        metrics = metrics | {f"{other}_{name}": metrics[f"{one}_{name}"].copy() for name in names}
        study = study.model_copy(update={"validation": "test"})
        notes.insert(
            0, f"The loop tells of one part of held-out data, its {one} data, which stand here for {other} data too."
        )
    known = [name for name in names if np.isfinite(metrics[f"test_{name}"]).any()]
    if study.metric is not None and study.metric not in known:
        raise InvalidModel(f"metric={study.metric!r} is not told of test data; known are {listed(known)}.")
    best = ["accuracy"] if "accuracy" in known else [name for name in known if name != "loss"]
    lead = study.metric or (best or ["loss"])[0]
    return study.model_copy(update={"metric": lead}), metrics


def _mask(held: Sequence[Outcome], metrics: Metrics, epochs: int) -> dict[int, tuple[int, str]]:
    """Who diverged, when and why; from then on there are no numbers of it."""
    diverged = {}
    for column, own in enumerate(held):
        if own.ended is not None:
            row = min(own.ended[0], epochs)
            diverged[column] = (row, own.ended[1])
            for values in metrics.values():
                values[row:, column] = np.nan
    return diverged


def _measures(held: Sequence[Outcome], epochs: int, notes: list[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The measures of all members, in the places and layers that all have."""
    seen = [own for own in held if own.arrays]
    axes: dict[str, list[str]] = {}
    for axis, what in (("places", "place"), ("layers", "layer")):
        every = dict.fromkeys(name for own in seen for name in own.told[axis])
        axes[axis] = [name for name in every if all(name in own.told[axis] for own in seen)]
        if left := [name for name in every if name not in axes[axis]]:
            many = f"{', '.join(left[:5])}{'' if len(left) <= 5 else f' and {len(left) - 5} others'}"
            notes.append(f"Measures of {counted(len(left), what)} that not all networks have are left out: {many}.")
    arrays: dict[str, np.ndarray] = {}
    for name in {name: None for own in seen for name in own.arrays}:
        axis = "layers" if MEASURES[name].along == "weights" else "places"
        if axes[axis]:
            arrays[name] = np.stack([_member(own, name, axis, axes[axis], seen, epochs) for own in held], axis=1)
    functions = {place: kind for own in reversed(seen) for place, kind in own.told["functions"].items()}
    return arrays, {
        "weight_layers": axes["layers"],
        "act_layers": axes["places"],
        "place_functions": {place: functions[place] for place in axes["places"]},
    }


def _member(
    own: Outcome, name: str, axis: str, wanted: Sequence[str], seen: Sequence[Outcome], epochs: int
) -> np.ndarray:
    """A measure of one member, (epochs + 1, places, …); after its end, what it was then."""
    if name not in own.arrays:
        like = next(other.arrays[name] for other in seen if name in other.arrays)
        blank = np.nan if like.dtype.kind == "f" else 0
        return np.full((epochs + 1, len(wanted), *like.shape[3:]), blank, like.dtype)
    columns = [own.told[axis].index(place) for place in wanted]
    values = own.arrays[name][:, 0, columns]
    rows = np.minimum(np.arange(epochs + 1), len(values) - 1)
    return values[rows]


def _unpaired(held: Sequence[Outcome]) -> list[tuple[int, str]]:
    """Seeds with which an activation starts from other weights than the first one, though they have the same shapes."""
    first: dict[int, Outcome] = {}
    found = []
    for own in held:
        other = first.setdefault(own.seed, own)
        if own.told["shapes"] == other.told["shapes"] and own.told["start"] != other.told["start"]:
            found.append((own.seed, own.activation))
    return found


def _notes(study: Observed, held: Sequence[Outcome], epochs: int) -> list[str]:
    """What a reader must know of these trainings."""
    notes = []
    if unpaired := _unpaired(held):
        names = listed(dict.fromkeys(name for _, name in unpaired))
        notes.append(
            f"Networks with {names} start from other weights than those with {study.activations[0]} and the same seed, "
            "though the shapes agree: build draws something that depends on the function, or not from the generators "
            "that are seeded. Differences are paired by seed all the same, and tell less."
        )
    early = [own for own in held if own.ended is None and len(own.metrics) - 1 < epochs]
    if early:
        least = min(len(own.metrics) for own in early) - 1
        notes.append(
            f"{counted(len(early), 'network')} of {len(held)} ended before epoch {epochs}, the first after {least}, by "
            "their own loop: their last values are held."
        )
    stopped = {own.told["stopped"]: None for own in held if own.told.get("stopped")}
    if stopped:
        notes.append(
            f"Watching ended before the training in some networks ({'; '.join(stopped)}): their measures are missing."
        )
    if skipped := list(dict.fromkeys(name for own in held for name in own.told.get("skipped", ()))):
        notes.append(f"Not recorded: {listed(skipped)}, of which nobody has said which values are better.")
    unseen = {place: reason for own in held for place, reason in own.told.get("unseen", {}).items()}
    if unseen:
        told = "; ".join(f"{place or 'the model'}: {reason}" for place, reason in list(unseen.items())[:5])
        notes.append(f"Not looked at: {told}{'' if len(unseen) <= 5 else f'; and {len(unseen) - 5} more'}.")
    return notes


def _completed(study: Observed, held: Sequence[Outcome], epochs: int) -> Observed:
    samples = [own.told["samples"] for own in held if own.told.get("samples")]
    told = {"epochs": max(epochs, 1), "rows": "epochs" if any(own.told["epochs"] for own in held) else "end"}
    return study.model_copy(update=told | ({"probe_samples": min(samples)} if samples else {}))
