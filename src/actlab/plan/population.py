"""Who is trained together: variants (activation × learning rate × initial weights) times seeds, grouped by activation.

Members whose networks have the same weight shapes form one population. A function that changes the width (maxout)
has weights of its own shape, hence a population of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actlab.custom import TracedNetwork, named_leaves
from actlab.functions import Activation, catalogue
from actlab.layers import Act
from actlab.network import BuiltLayer, Network
from actlab.objectives import Objective, StatedLoss, objective_for
from actlab.recording import Member
from actlab.study import Study, Variant, variants

# Networks up to this size leave their weights at every epoch.
SMALL = 10_000


@dataclass(frozen=True)
class Group:
    """Consecutive variants that share a function: `start` to `stop` on the variant axis."""

    function: Activation
    start: int
    stop: int


@dataclass(frozen=True)
class Population:
    """Members that are trained by one program: `variants` × `seeds`, variants of one activation side by side.

    Attributes:
        networks: by activation, in the order of the study; all have weights of the same shapes.
        variants: activation by activation.
        seeds: of the study.
        loss: what training makes small where the targets are numbers; None where they are classes.
    """

    networks: dict[str, Network | TracedNetwork]
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    loss: StatedLoss | None = None

    @property
    def objective(self) -> Objective:
        """What the outputs mean."""
        return objective_for(self.network.output_shape[-1], self.loss)

    @property
    def network(self) -> Network | TracedNetwork:
        """The network of the first activation: in all but the functions it is that of every member."""
        return self.networks[self.variants[0].activation]

    @property
    def groups(self) -> tuple[Group, ...]:
        """The variants of each activation, as static slices."""
        of = [variant.activation for variant in self.variants]
        starts = [of.index(name) for name in self.networks]
        stops = [*starts[1:], len(of)]
        return tuple(map(Group, (catalogue[name] for name in self.networks), starts, stops))

    def weights(self, params: Mapping[str, Any]) -> list[Any]:
        """The weight matrices among parameters, or whatever is shaped like these: one for each of the weight layers."""
        names = self.network.weight_layers
        if isinstance(self.network, TracedNetwork):
            leaves = named_leaves(params["network"])
            return [leaves[name] for name in names]
        return [params[name]["weight"] for name in names]

    def groups_at(self, built: BuiltLayer) -> tuple[Group, ...]:
        """The groups at an `Act`: those of the study, or one group of all variants where the function is fixed."""
        if built.layer.function is None:
            return self.groups
        return (Group(catalogue[built.layer.function], 0, len(self.variants)),)

    def acts(self) -> Iterator[tuple[BuiltLayer, Group, dict[str, tuple[int, ...]]]]:
        """Every place, group and shapes of the trainable parameters of its function there (of one member)."""
        for number, built in enumerate(self.network.layers):
            if isinstance(built.layer, Act):
                for group in self.groups_at(built):
                    activation = self.variants[group.start].activation
                    yield built, group, dict(self.networks[activation].layers[number].parameter_shapes)


def populations(study: Study, input_shape: tuple[int, ...]) -> tuple[Population, ...]:
    """The populations of a complete study, in the order in which its activations name them.

    Args:
        study: with network and learning rates.
        input_shape: shape of one sample.

    >>> from actlab import Act, Dense
    >>> study = Study(network=[Dense(4), Act(), Dense(1)], activations=["tanh", "maxout", "relu"], learning_rates=[0.1])
    >>> [list(population.networks) for population in populations(study, (2,))]
    [['tanh', 'relu'], ['maxout']]
    """
    by_shapes: dict[Any, dict[str, Network | TracedNetwork]] = {}
    for name, network in study.networks(input_shape).items():
        by_shapes.setdefault(network.shapes, {})[name] = network
    return tuple(
        Population(
            networks,
            tuple(variant for variant in variants(study) if variant.activation in networks),
            study.seeds,
            study.loss,
        )
        for networks in by_shapes.values()
    )


def members(groups: Sequence[Population]) -> list[Member]:
    """All members: population by population, variant by variant, seed by seed; the order of every recorded array.

    Their ids count from 0. `groups` are a study's `populations`.
    """
    found: list[Member] = []
    for population in groups:
        for variant in population.variants:
            for seed in population.seeds:
                found.append(Member(len(found), variant.activation, variant.learning_rate, seed, variant.init))
    return found


def keeps_weights(population: Population) -> bool:
    """Whether every epoch's weights are recorded: those of SMALL networks."""
    return max(network.parameter_count for network in population.networks.values()) <= SMALL
