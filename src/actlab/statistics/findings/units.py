"""Whether units are dead: flat for every sample, so that no gradient passes them."""

from __future__ import annotations

import numpy as np

from actlab.errors import InvalidNetwork, InvalidRecording
from actlab.functions.measured.facts import slope_supremum
from actlab.recording import Recording
from actlab.statistics.findings.course import Course, probe, reads_weights
from actlab.statistics.findings.finding import Finding, finding, share
from actlab.statistics.intervals import median
from actlab.statistics.selection import Reported, probe_samples
from actlab.wording import counted

# Healthy networks of rectifiers have up to a fifth of a layer's units dead (`benchmarks/faults.py`), of 60 healthy
# trainings in PyTorch none more than half; Amazon SageMaker Debugger's rule DeadRelu speaks from half of a layer on.
DEAD = 0.5
# With so many of a layer's units dead, they are what keeps the gradient from passing; with fewer, a gradient that
# vanishes has another cause.
NEARLY_ALL = 0.9


# A function counts as flat where its slope is below this share of the largest, as in the measure `dead_share`.
FLAT = 1e-3


def dead_units(recording: Recording, entry: Reported, went: Course) -> Finding | None:
    """Whether more than half of a layer's units are flat for every sample at the end, and the network learns badly.

    The measure sees the probe batch alone, for which units may be flat that fire for one sample in a hundred. Where
    weights and more samples were kept, these decide.
    """
    shares = probe(recording, entry, "dead_share")
    if shares is None or not went.poor or not np.isfinite(shares[-1]).any():
        return None
    place = int(np.nanargmax(shares[-1]))
    layer, samples = recording.act_layers[place], probe_samples(recording)
    first, end = float(shares[0, place]), float(shares[-1, place])
    if end > DEAD and (more := dead_among_samples(recording, entry, layer)):
        end, samples = min(end, more[0]), more[1]
    if not end > DEAD:
        return None
    early = first > DEAD
    since = f"{share(first)} from the start" if early else f"{share(first)} of them when untrained"
    sentence = (
        f"{entry.activation}: {share(end)} of the units at {layer} are dead, {since}: the function is flat there for "
        f"all of {counted(samples, 'sample')}, and no gradient passes."
    )
    evidence = {"dead": {"first": first, "last": end}, "samples": samples, "from_the_start": early}
    remedy = (
        "Start from weights and biases that leave the units where the function has a slope."
        if early
        else "Take a lower learning rate, or a function that is nowhere flat."
    )
    return finding("dead_units", "warning", sentence, evidence, activation=entry.activation, layer=layer, remedy=remedy)


def dead_among_samples(recording: Recording, entry: Reported, layer: str) -> tuple[float, int] | None:
    """Share of a layer's units that are flat for all recorded training samples, by the last weights of all members.

    A unit of an image layer is a channel.

    Returns:
        the median over members that did not diverge, and the number of samples; None where weights, samples or the code
        of a network or function are not at hand, or too many weights to read, and for functions that mix units.
    """
    if not reads_weights(recording):
        return None
    epoch = max(recording.weight_epochs, default=0)
    members = [member for member in entry.members if member.diverged_epoch is None]
    try:
        network = recording.network(entry.activation)
    except (InvalidRecording, InvalidNetwork):
        return None
    if epoch < recording.epochs or not recording.sample or not members:
        return None
    function = next(b.layer.activation(network.activation) for b in network.layers if b.name == layer)
    steepest = slope_supremum(function)
    if steepest is None:
        return None
    bound = FLAT * steepest if np.isfinite(steepest) else 0.0
    caught: dict[str, np.ndarray] = {}

    def act(z: np.ndarray, *, name: str) -> np.ndarray:
        caught[name] = z
        own = next(built.layer.activation(network.activation) for built in network.layers if built.name == name)
        return own(z, **params.get(name, {}))

    shares = []
    for member in members:
        params = recording.weights(member, epoch)
        with np.errstate(all="ignore"):
            network.apply(params, recording.sample["x"], act)
            flat = np.abs(function.derivative(caught[layer], **params.get(layer, {}))) <= bound
        shares.append(flat.all(axis=tuple(range(flat.ndim - 1))).mean())
    return median(shares), len(recording.sample["x"])
