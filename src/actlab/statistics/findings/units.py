"""Whether units are dead: flat for every sample, so that no gradient passes them."""

from __future__ import annotations

import numpy as np

from actlab.recording import Recording
from actlab.statistics.findings.course import Course, probe
from actlab.statistics.findings.finding import Finding, finding, share
from actlab.statistics.selection import Reported, probe_samples
from actlab.statistics.sentences import counted

# Healthy networks of rectifiers have up to a fifth of a layer's units dead (`benchmarks/faults.py`), of 60 healthy
# trainings in PyTorch none more than half; Amazon SageMaker Debugger's rule DeadRelu speaks from half of a layer on.
DEAD = 0.5
# With so many of a layer's units dead, they are what keeps the gradient from passing; with fewer, a gradient that
# vanishes has another cause.
NEARLY_ALL = 0.9


def dead_units(recording: Recording, entry: Reported, went: Course) -> Finding | None:
    """Whether more than half of a layer's units are flat for every sample at the end, and the network learns badly."""
    shares = probe(recording, entry, "dead_share")
    if shares is None or not went.poor or not np.isfinite(shares[-1]).any():
        return None
    place = int(np.nanargmax(shares[-1]))
    first, end = float(shares[0, place]), float(shares[-1, place])
    if not end > DEAD:
        return None
    early = first > DEAD
    layer = recording.act_layers[place]
    since = f"{share(first)} of them from the start" if early else f"{share(first)} of them when untrained"
    sentence = (
        f"{entry.activation}: {share(end)} of the units at {layer} are dead, {since}: the function is flat there for "
        f"all of {counted(probe_samples(recording), 'sample')}, and no gradient passes."
    )
    evidence = {"dead": {"first": first, "last": end}, "samples": probe_samples(recording), "from_the_start": early}
    remedy = (
        "Start from weights and biases that leave the units where the function has a slope."
        if early
        else "Take a lower learning rate, or a function that is nowhere flat."
    )
    return finding("dead_units", "warning", sentence, evidence, activation=entry.activation, layer=layer, remedy=remedy)
