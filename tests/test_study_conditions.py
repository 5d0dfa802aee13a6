"""Contests: which variants are compared in them, and which are trained."""

from __future__ import annotations

import itertools

import pytest

from actlab.study import Study, Variant, conditions, variants

NAMES = ("tanh", "relu", "gelu")
CHOSEN = {"tanh": 0.3, "relu": 0.1, "gelu": 0.03}
SUITED = {"tanh": 0.1, "relu": 0.1, "gelu": 0.9}


def study_of(**settings):
    return Study(**{"activations": NAMES, "learning_rates": [0.1, 0.03]} | settings)


def rates(condition):
    return {name: variant.learning_rate for name, variant in condition.variants.items()}


def test_one_rate_is_one_condition():
    (condition,) = conditions(study_of(learning_rates=0.1))
    assert (condition.name, condition.title) == ("stated", "the settings as stated, alike for all")
    assert condition.variants == {name: Variant(name, 0.1, "stated") for name in NAMES}


@pytest.mark.parametrize("init", ["gain", "critical"])
def test_one_rate_and_other_weights_are_two(init):
    stated, other = conditions(study_of(learning_rates=0.1, init=init))
    assert (stated.name, other.name) == ("stated", init)
    assert other.variants == {name: Variant(name, 0.1, init) for name in NAMES}


@pytest.mark.parametrize("rates", [None, [0.1, 0.03]])
def test_before_its_rates_are_known_a_study_has_none(rates):
    assert conditions(study_of(learning_rates=rates)) == ()


def test_chosen_rates_make_one_and_the_stated_rate_another():
    (best,) = conditions(study_of(chosen_rates={"stated": CHOSEN}))
    assert (best.name, rates(best)) == ("best", CHOSEN)
    stated, again = conditions(study_of(chosen_rates={"stated": CHOSEN}, stated_rate=0.5))
    assert again == best
    assert (stated.name, rates(stated)) == ("stated", dict.fromkeys(NAMES, 0.5))


def test_other_weights_have_rates_of_their_own():
    study = study_of(chosen_rates={"gain": SUITED, "stated": CHOSEN}, stated_rate=0.5, init="gain")
    found = conditions(study)
    assert [condition.name for condition in found] == ["stated", "best", "gain"]
    assert [condition.title for condition in found] == [
        "the settings as stated, alike for all",
        "each at its best learning rate",
        "weights scaled by each function's gain, each at its best learning rate",
    ]
    assert rates(found[2]) == SUITED
    assert [{variant.init for variant in condition.variants.values()} for condition in found] == [
        {"stated"},
        {"stated"},
        {"gain"},
    ]


def test_functions_stand_in_the_order_of_the_study():
    backwards = {name: CHOSEN[name] for name in reversed(NAMES)}
    for condition in conditions(study_of(chosen_rates={"stated": backwards}, stated_rate=0.1)):
        assert tuple(condition.variants) == NAMES


def test_variants_before_the_choice_are_all_rates_and_all_weights():
    found = variants(study_of(init="critical"))
    assert found == tuple(
        Variant(name, rate, init) for name, init, rate in itertools.product(NAMES, ("stated", "critical"), (0.1, 0.03))
    )


def test_variants_after_it_are_those_of_the_conditions_each_once():
    found = variants(study_of(chosen_rates={"stated": CHOSEN, "gain": SUITED}, stated_rate=0.1, init="gain"))
    assert found == (
        Variant("tanh", 0.1), Variant("tanh", 0.3), Variant("tanh", 0.1, "gain"),
        Variant("relu", 0.1), Variant("relu", 0.1, "gain"),
        Variant("gelu", 0.1), Variant("gelu", 0.03), Variant("gelu", 0.9, "gain"),
    )  # fmt: skip


def test_a_study_with_nothing_stated_has_no_variants_yet():
    assert variants(Study()) == ()
