"""Who is trained together: order of variants, members and groups, and who shares a program with whom."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from actlab.functions import catalogue
from actlab.layers import Act, Dense
from actlab.plan.population import Group, members, populations
from actlab.study import Study, Variant

LAYERS = [Dense(4), Act(), Dense(4), Act("prelu", per_unit=False), Dense(1)]


def study_of(activations, rates=(0.1, 0.02), seeds=(4, 1), layers=LAYERS, **changes):
    return Study(network=layers, activations=activations, learning_rates=rates, seeds=seeds, **changes)


def test_maxout_in_the_middle_of_the_list_stands_alone_and_last():
    first, second = populations(study_of(["tanh", "maxout", "prelu", "softmax"]), (2,))
    assert list(first.networks) == ["tanh", "prelu", "softmax"]
    assert list(second.networks) == ["maxout"]
    assert first.seeds == second.seeds == (4, 1)
    assert first.variants == tuple(Variant(name, rate) for name in ("tanh", "prelu", "softmax") for rate in (0.1, 0.02))
    assert second.variants == (Variant("maxout", 0.1), Variant("maxout", 0.02))
    assert first.network.activation.name == "tanh"
    assert second.network.layers[0].output_shape == (8,)


def test_populations_come_in_the_order_in_which_their_first_activation_is_named():
    order = [list(p.networks) for p in populations(study_of(["maxout", "relu", "elu"]), (2,))]
    assert order == [["maxout"], ["relu", "elu"]]


def test_groups_are_the_variants_of_each_function_one_after_the_other():
    (population,) = populations(study_of(["tanh", "prelu", "gelu"], rates=(0.3, 0.1, 0.2)), (2,))
    names = ("tanh", "prelu", "gelu")
    assert population.groups == tuple(Group(catalogue[n], 3 * i, 3 * i + 3) for i, n in enumerate(names))
    for group in population.groups:
        own = population.variants[group.start : group.stop]
        assert {variant.activation for variant in own} == {group.function.name}
        # The rates stay in the study's order, which need not be that of their size.
        assert [variant.learning_rate for variant in own] == [0.3, 0.1, 0.2]


def test_groups_hold_as_many_variants_as_their_function_has_conditions():
    """Tanh is at its best at the stated rate: what would be the same variant twice is one."""
    chosen = {"stated": {"relu": 0.2, "tanh": 0.1, "elu": 0.3}, "gain": {"relu": 0.1, "tanh": 0.1, "elu": 0.3}}
    study = study_of(["relu", "tanh", "elu"], stated_rate=0.1, init="gain", chosen_rates=chosen)
    (population,) = populations(study, (2,))
    assert [(group.start, group.stop) for group in population.groups] == [(0, 3), (3, 5), (5, 8)]
    assert population.variants[3:5] == (Variant("tanh", 0.1), Variant("tanh", 0.1, "gain"))
    found = members((population,))
    assert [(m.activation, m.learning_rate, m.init) for m in found[::2]] == [
        (variant.activation, variant.learning_rate, variant.init) for variant in population.variants
    ]


def test_a_fixed_function_has_one_group_of_all_variants():
    (population,) = populations(study_of(["tanh", "prelu"]), (2,))
    layers = {built.name: built for built in population.network.layers}
    assert population.groups_at(layers["act1"]) == population.groups
    assert population.groups_at(layers["act2"]) == (Group(catalogue["prelu"], 0, 4),)


def test_trainable_parameters_are_listed_place_by_place():
    (population,) = populations(study_of(["tanh", "prelu"]), (2,))
    listed = [
        (built.name, group.function.name, group.start, group.stop, shapes) for built, group, shapes in population.acts()
    ]
    assert listed == [
        ("act1", "tanh", 0, 2, {}),
        ("act1", "prelu", 2, 4, {"negative_slope": (4,)}),
        ("act2", "prelu", 0, 4, {"negative_slope": (1,)}),
    ]


def test_members_are_numbered_variant_by_variant_and_seed_by_seed():
    study = study_of(["relu", "maxout", "tanh"], init="critical")
    found = members(populations(study, (2,)))
    expected = list(itertools.product(["relu", "tanh", "maxout"], ["stated", "critical"], [0.1, 0.02], [4, 1]))
    assert [(m.activation, m.init, m.learning_rate, m.seed) for m in found] == expected
    assert [m.id for m in found] == list(range(24))
    assert all(m.diverged_epoch is None and m.diverged_reason is None for m in found)


@pytest.mark.parametrize("case", range(6))
def test_the_place_of_a_member_is_its_row_in_an_array_of_variants_and_seeds(case):
    """Arrays (variants, seeds) of the populations, flattened and put end to end, are in the order of the members."""
    rng = np.random.default_rng(case)
    names = ["relu", "maxout", "prelu", "softmax", "elu", "silu", "sigmoid"]
    activations = rng.permutation(names)[: rng.integers(1, 8)].tolist()
    rates = rng.permutation([0.001, 0.003, 0.01, 0.03])[: rng.integers(1, 5)].tolist()
    seeds = rng.permutation(50)[: rng.integers(1, 9)].tolist()
    study = study_of(activations, rates, seeds)
    groups = populations(study, (3,))
    found = members(groups)
    rows = []
    for population in groups:
        for variant in population.variants:
            rows += [(variant.activation, variant.learning_rate, seed) for seed in population.seeds]
        edges = [0, *(group.stop for group in population.groups)]
        assert [group.start for group in population.groups] == edges[:-1]
        assert edges[-1] == len(population.variants)
    assert [(m.activation, m.learning_rate, m.seed) for m in found] == rows
    assert set(rows) == set(itertools.product(activations, rates, seeds))
    assert len(rows) == len(activations) * len(rates) * len(seeds)


def test_tuning_seeds_are_nobodys():
    study = study_of(["relu"], seeds=[7, 3])
    assert study.tuning_seeds == (8, 9, 10)
    assert {m.seed for m in members(populations(study, (2,)))} == {7, 3}


@pytest.mark.parametrize("match", ["units", "parameters"])
def test_all_networks_of_a_population_have_weights_of_one_shape(match):
    study = study_of(["maxout", "relu", "prelu", "softmax"], match=match, layers=[Dense(12), Act(), Dense(1)])
    for population in populations(study, (5,)):
        shapes = {
            tuple(tuple(s.parameter_shapes.items()) for s in network.layers if s.name.startswith("dense"))
            for network in population.networks.values()
        }
        assert len(shapes) == 1


def test_a_function_that_only_mixes_units_shares_the_population():
    """Softmax looks at all units of a layer but leaves the width as it is."""
    assert len(populations(study_of(["softmax", "relu"]), (2,))) == 1
