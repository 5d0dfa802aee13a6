"""Which layout a population trains in, and which it is observed in: chosen once, by the size of its layers."""

from __future__ import annotations

import math
from typing import NamedTuple

from actlab.custom import TracedNetwork
from actlab.layers import Act, BatchNorm, Dense, Dropout, Flatten, Fork, Join, Scale
from actlab.network import BuiltLayer, Network

# Largest number of inputs of a layer up to which sums of products with the members last beat whole matrix products.
# Measured by benchmarks/layouts.py: from some thirty members on; with fewer, both take microseconds.
MEMBERS_LAST_INPUTS = 16


class Layouts(NamedTuple):
    """Names of layouts (see `actlab.engine.layouts`): while training, and while observing.

    In both of observing, "stacked" and "planes", parameters are members first.
    """

    training: str
    observing: str


SMALL = Layouts("lanes", "planes")
LARGE = Layouts("stacked", "stacked")


def choose(network: Network | TracedNetwork) -> Layouts:
    """Members last for fully connected networks whose layers have few inputs, members first for all others.

    >>> from actlab.network import build
    >>> choose(build([Dense(2), Act(), Dense(1)], (2,))).training, choose(build([Dense(10)], (784,))).training
    ('lanes', 'stacked')
    """
    if isinstance(network, TracedNetwork):
        return LARGE
    known = (Act, BatchNorm, Dense, Dropout, Flatten, Fork, Join, Scale)
    few = all(
        isinstance(built.layer, known)
        and (
            built.weighted_layer is None
            or (isinstance(built.weighted_layer, Dense) and _inputs(built) <= MEMBERS_LAST_INPUTS)
        )
        for built in network.layers
    )
    return SMALL if few else LARGE


def _inputs(built: BuiltLayer) -> int:
    return math.prod(built.parameter_shapes["weight"][:-1])
