"""The player's data: small networks with all their weights, for the page to compute at every epoch.

The page gets weights, not figures: from nine numbers a network and epoch it draws the input space, the feature space
and the distributions anew, as often as the screen does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from actlab.errors import InvalidFunction, InvalidRecording
from actlab.layers import Act
from actlab.network import Network
from actlab.recording import Member, Recording
from actlab.replay.feature_space import typical_seed
from actlab.replay.forward import hidden
from actlab.replay.projection import limits, principal_axes
from actlab.statistics.selection import Reported
from actlab.statistics.time_to_target import milestone_epochs
from actlab.study import Milestone
from actlab.views.palette import Styles
from actlab.views.report import page_data
from actlab.views.report.frames import frames

# Weights take this many bytes at most; where there are more, seeds are left out, and then epochs.
BYTES = 3_000_000
SAMPLES = 3_000
# What samples are called that do not have a label, or have it.
WITHOUT_AND_WITH = ("without the label", "with the label")
Entries = Mapping[str, Reported]


def content(recording: Recording, entries: Entries, styles: Styles) -> dict[str, Any] | None:
    """The player's data, or None where the page cannot compute these networks.

    Args:
        recording: any; weights of several epochs, samples and small fully connected networks are needed.
        entries: by activation, in the order in which they are shown.
        styles: colour and dash by activation.
    """
    if len(recording.first_seed_epochs) < 2 or "x" not in recording.sample:
        return None
    # The weights of large networks lie in segments of their own, and are not there for every epoch.
    every = not any(segment.kind == "weights" for segment in recording.segments)
    networks = _networks(recording, entries) if every else {}
    return _computed(recording, entries, networks, styles) if networks else _framed(recording, entries, styles)


def _framed(recording: Recording, entries: Entries, styles: Styles) -> dict[str, Any] | None:
    """Figures of networks too large for the page to compute: where the samples lie, at epochs of the first seed."""
    found = frames(recording, entries)
    if not found["networks"]:
        return None
    seed = recording.study.seeds[0]
    networks = []
    for given in found["networks"]:
        entry = entries[given["name"]]
        chosen = [next(member for member in entry.members if member.seed == seed)]
        networks.append(given | _happened(recording, entry, chosen) | {"colour": styles[given["name"]].css})
    # Of several labels what is said of each is judged in the page.
    pictures = {"networks": networks, "seeds": [seed], "functions": {}, "objectives": _objectives(recording, ())}
    return found | _shared(recording, found["samples"]) | pictures | {"box": None}


def _shared(recording: Recording, count: int) -> dict[str, Any]:
    """What the first so many samples are, and are called."""
    x, y = (recording.sample[name][:count] for name in ("x", "y"))
    several = _has_labels(recording)
    return {
        "classes": list(WITHOUT_AND_WITH) if several else [str(name) for name in recording.facts["classes"]],
        "samples": len(y),
        "y": y.tolist() if recording.objective.decides else [],
        "labels": {"names": list(recording.facts["targets"]), "y": page_data.packed(y.T, "u1")} if several else None,
        "numbers": _numbers(recording, y, x[0].size) if recording.objective.predicts else None,
        "last": recording.epochs,
    }


def _has_labels(recording: Recording) -> bool:
    """Whether a sample may have several labels: the page shows one at a time."""
    return not (recording.objective.decides or recording.objective.predicts)


def _objectives(recording: Recording, outputs: Iterable[int]) -> dict[str, str]:
    """What networks of so many outputs say of a sample, in JavaScript."""
    if _has_labels(recording):
        return page_data.objectives([1])
    return page_data.objectives(outputs, recording.study.loss)


def _computed(
    recording: Recording, entries: Entries, networks: Mapping[str, Network], styles: Styles
) -> dict[str, Any]:
    """Networks that the page computes from all their weights."""
    kept = recording.weight_epochs
    numbers = max(network.parameter_count for network in networks.values()) * len(networks)
    seeds = _seeds(recording, entries, numbers * len(kept))
    epochs = _thinned(kept, BYTES // (4 * numbers * len(seeds)))
    x = recording.sample["x"][:SAMPLES]
    rows = x.reshape(len(x), -1)
    plane = rows.shape[1] == 2
    return _shared(recording, len(x)) | {
        "x": page_data.packed(rows),
        "box": [limits(rows[:, 0]), limits(rows[:, 1])] if plane else None,
        "epochs": list(epochs),
        "seeds": list(seeds),
        "functions": page_data.functions(list(networks.values())),
        "objectives": _objectives(recording, {network.output_shape[-1] for network in networks.values()}),
        "networks": [
            _member(recording, entries[name], network, epochs, seeds) | {"colour": styles[name].css}
            for name, network in networks.items()
        ],
    }


def _numbers(recording: Recording, targets: np.ndarray, inputs: int) -> dict[str, Any]:
    """Numbers as targets: standardised, by what they were, and of how many inputs they are a function."""
    facts = recording.facts
    scaled = {"names": list(facts["targets"]), "means": facts["target_means"], "scales": facts["target_scales"]}
    return scaled | {"targets": page_data.packed(targets), "inputs": inputs}


def _networks(recording: Recording, names: Iterable[str]) -> dict[str, Network]:
    """The networks of those activations that the page can compute."""
    found = {}
    for name in names:
        try:
            network = recording.network(name)
            if page_data.computable(network) and network.act_layers:
                page_data.functions([network])
                found[name] = network
        except (InvalidRecording, InvalidFunction):
            # A user's own function or network: its rule is not here, or cannot be written in JavaScript.
            continue
    return found


def _seeds(recording: Recording, entries: Entries, numbers: int) -> tuple[int, ...]:
    """Seeds that every activation has, as many as there is room for, the typical one first."""
    common = [
        seed
        for seed in recording.study.seeds
        if all(any(member.seed == seed for member in entry.members) for entry in entries.values())
    ]
    most = max(1, BYTES // (4 * numbers))
    if len(common) <= most:
        return tuple(common)
    typical = typical_seed(recording, entries.values())
    first = [seed for seed in common if seed == typical]
    return tuple(sorted([*first, *(seed for seed in common if seed != typical)][:most]))


def _thinned(kept: Sequence[int], most: int) -> tuple[int, ...]:
    places = np.unique(np.round(np.linspace(0, len(kept) - 1, max(2, min(most, len(kept))))).astype(int))
    return tuple(kept[place] for place in places)


def _member(
    recording: Recording, entry: Reported, network: Network, epochs: Sequence[int], seeds: Sequence[int]
) -> dict[str, Any]:
    """One activation: its layers, the weights of its networks, what happened to them."""
    ids = [member.id for member in recording.members if member.activation == entry.activation]
    chosen = [next(member for member in entry.members if member.seed == seed) for seed in seeds]
    rows = [ids.index(member.id) for member in chosen]
    arrays = recording.weight_arrays(entry.activation, epochs)
    own = {layer: {name: array[:, rows] for name, array in given.items()} for layer, given in arrays.items()}
    return _happened(recording, entry, chosen) | {
        "name": entry.activation,
        "outputs": network.output_shape[-1],
        "layers": page_data.layers(network),
        "weights": page_data.packed(page_data.parameters(network, own, leading=2)),
        "spaces": _spaces(recording, network, own, [_last_place(member, epochs) for member in chosen]),
    }


def _last_place(member: Member, epochs: Sequence[int]) -> int:
    """The place of the last epoch before a member diverged; that of the last one of all if it never did."""
    ended = member.diverged_epoch
    before = [place for place, epoch in enumerate(epochs) if ended is None or epoch < max(ended, 1)]
    return before[-1] if before else 0


def _happened(recording: Recording, entry: Reported, chosen: Sequence[Member]) -> dict[str, Any]:
    """What happened to some members: curves, divergence, milestones."""
    columns = [member.id for member in chosen]
    return {
        "accuracy": page_data.packed(recording.metrics[_above(recording)][:, columns].T),
        "loss": page_data.packed(recording.metrics["train_loss"][:, columns].T),
        "diverged": [
            None
            if member.diverged_epoch is None
            else {"epoch": member.diverged_epoch, "reason": member.diverged_reason or ""}
            for member in chosen
        ],
        "milestones": [
            {"name": milestone.name, "epochs": _reached(recording, entry, milestone, chosen)}
            for milestone in recording.study.milestones
        ],
    }


def _above(recording: Recording) -> str:
    """What the curves show above the loss."""
    if _has_labels(recording):
        return "validation_label_accuracy"
    return "validation_accuracy" if recording.objective.decides else "validation_rmse"


def _reached(recording: Recording, entry: Reported, milestone: Milestone, chosen: Sequence[Member]) -> list[int | None]:
    epochs = milestone_epochs(recording, entry, milestone)
    found = [epochs[entry.members.index(member)] for member in chosen]
    return [int(epoch) if np.isfinite(epoch) else None for epoch in found]


def _spaces(
    recording: Recording, network: Network, arrays: Mapping[str, Mapping[str, np.ndarray]], ends: Sequence[int]
) -> list[dict[str, Any]]:
    """The layers of functions: two units are a plane by themselves, more are projected on two axes.

    The place is that among the layers the page computes; `ends` are the places of each seed's last epoch.
    """
    computed = [layer["name"] for layer in page_data.layers(network)]
    found = []
    for built in network.layers:
        if isinstance(built.layer, Act):
            units = int(np.prod(built.output_shape))
            axes = None if units == 2 else page_data.packed(_axes(recording, network, arrays, built.name, ends))
            found.append({"name": built.name, "layer": computed.index(built.name), "units": units, "axes": axes})
    return found


def _axes(
    recording: Recording,
    network: Network,
    arrays: Mapping[str, Mapping[str, np.ndarray]],
    layer: str,
    ends: Sequence[int],
) -> np.ndarray:
    """Mean and first two principal axes of a layer's activations at the end, (seeds, 3, units)."""
    x = recording.sample["x"]
    found = []
    for seed, end in enumerate(ends):
        last = {name: {key: array[end, seed] for key, array in given.items()} for name, given in arrays.items()}
        found.append(principal_axes(hidden(network, last, x)[0][layer].reshape(len(x), -1)))
    return np.stack(found)
