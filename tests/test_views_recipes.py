"""The recipes as text: rendered to a plain console of a fixed width and read back."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from actlab.recipes import RECIPES, Measured, Recipe
from actlab.study import Study
from actlab.views.terminal.recipes import recipe_card, recipes_table

NETWORK = [{"layer": "dense", "units": 3}, {"layer": "act"}, {"layer": "dense", "units": 1}]


def rendered(view, width):
    """The text as a pipe gets it, no line longer than the width, all blanks alike."""
    file = io.StringIO()
    Console(file=file, width=width).print(view)
    text = file.getvalue()
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= width
    return " ".join(text.split())


@pytest.mark.parametrize("width", [80, 120])
def test_every_recipe_has_its_data_its_size_and_its_time(width):
    text = rendered(recipes_table(RECIPES, {"digits": Measured(75.4, "2 cores")}), width)
    for name, recipe in RECIPES.items():
        assert name in text
        assert recipe.title in text
    for facts in (
        "digits: 1,797 samples of 8×8×1; 96 networks of 26,122 parameters, 40 epochs; time 1 min 15 s (2 cores)",
        "parabolas: 3,000 samples of 2 numbers; 300 networks of 9 parameters, 150 epochs; time –",
        "mnist: 70,000 samples of 28×28×1; 40 networks of 1,720,330 parameters, 5 epochs; time –",
        "cifar10: 60,000 samples of 32×32×3; 18 networks of 697,046 to 1,393,242 parameters, 10 epochs; time –",
    ):
        assert facts in text


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("width", [80, 120])
def test_a_card_says_all_of_a_recipe(name, width):
    recipe, text = RECIPES[name], rendered(recipe_card(RECIPES[name], None), width)
    for part in (recipe.title, recipe.source, *recipe.choices, *recipe.statements, *recipe.study.activations):
        assert part in text
    for point in recipe.published:
        assert f"{point.value:g}" in text
        assert point.note in text
    study = recipe.study
    assert f"{study.epochs} epochs in batches of {study.batch}" in text
    assert f"{study.optimiser.name} (" in text
    assert f"learning rate {study.learning_rates[0]:g}" in text


def test_a_card_says_what_initial_weights_and_penalty_each_layer_has():
    text = rendered(recipe_card(RECIPES["cifar10-cnn"], Measured(7300, "2 cores")), 120)
    assert "normal(0.05), normal(0.05), normal(0.04), normal(0.04), normal(0.005208); L2 0, 0, 0.004, 0.004, 0 " in text
    assert "time 2 h 2 min (2 cores)" in text
    assert "initial weights glorot_uniform optimiser" in rendered(recipe_card(RECIPES["mnist-mlp"], None), 120)


def test_published_numbers_stand_in_a_row_by_epoch():
    text = rendered(recipe_card(RECIPES["mnist-mlp"], None), 120)
    assert "sigmoid validation accuracy 0.9237 0.9409 0.9550 0.9629 0.9668" in text
    assert "tanh epoch of “all right” 69" in rendered(recipe_card(RECIPES["parabolas"], None), 120)


def test_brackets_are_no_markup():
    study = Study(task="moons", network=NETWORK, learning_rates=0.1)
    recipe = Recipe(title="A [1] b", source="[2]", study=study, choices=("[3] c",))
    assert "A [1] b" in rendered(recipes_table({"mine": recipe}, {}), 80)
    card = rendered(recipe_card(recipe, None), 80)
    assert all(part in card for part in ("A [1] b", "[2]", "[3] c"))
