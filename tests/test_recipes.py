"""The named studies: complete, as published, and reachable by name."""

from __future__ import annotations

import pytest

from actlab.errors import UnknownName
from actlab.recipes import RECIPES, recipe
from actlab.study import complete, from_toml
from actlab.tasks import load


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_named_as_they_are_found_and_fit_their_data(name):
    found = recipe(name)
    assert found.study.name == name
    assert found.title
    assert found.source
    task = load(found.study.task, seed=found.study.task_seed)
    completed = complete(found.study, task)
    assert completed.network == found.study.network
    assert completed.learning_rates == found.study.learning_rates


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_survive_the_way_through_a_file(name, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(recipe(name).study.to_toml(), encoding="utf-8")
    assert from_toml(path) == recipe(name).study


def test_parabolas_is_the_published_network():
    study = recipe("parabolas").study
    networks = study.networks((2,))
    assert {network.parameter_count for network in networks.values()} == {9}
    assert [layer.layer for layer in study.network] == ["dense", "act", "dense"]
    assert (study.network[0].init, study.network[2].init) == ("glorot_normal", "normal(0.05)")
    assert study.activations == ("sigmoid", "tanh", "relu")
    assert (study.optimiser.name, study.optimiser.momentum, study.learning_rates) == ("sgd", 0, (0.05,))
    assert (study.batch, study.epochs, len(study.seeds)) == (16, 150, 100)
    assert [(m.label, m.accuracy) for m in study.milestones] == [(0, 1), (None, 1)]


def test_a_misspelt_recipe_comes_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'parabolas'"):
        recipe("parabola")


def test_recipes_cannot_be_changed():
    with pytest.raises(TypeError):
        RECIPES["mine"] = recipe("digits")  # type: ignore[index]
