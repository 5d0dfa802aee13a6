"""Contests: which arms are compared in them, and which are trained."""

from __future__ import annotations

import itertools

import pytest

from actlab.study import Arm, Study, arms, contests

NAMES = ("tanh", "relu", "gelu")
CHOSEN = {"tanh": 0.3, "relu": 0.1, "gelu": 0.03}
SUITED = {"tanh": 0.1, "relu": 0.1, "gelu": 0.9}


def study_of(**settings):
    return Study(**{"activations": NAMES, "learning_rates": [0.1, 0.03]} | settings)


def rates(contest):
    return {name: arm.learning_rate for name, arm in contest.arms.items()}


def test_one_rate_is_one_contest():
    (contest,) = contests(study_of(learning_rates=0.1))
    assert (contest.name, contest.title) == ("stated", "the settings as stated, alike for all")
    assert contest.arms == {name: Arm(name, 0.1, "stated") for name in NAMES}


@pytest.mark.parametrize("init", ["gain", "critical"])
def test_one_rate_and_other_weights_are_two(init):
    stated, other = contests(study_of(learning_rates=0.1, init=init))
    assert (stated.name, other.name) == ("stated", init)
    assert other.arms == {name: Arm(name, 0.1, init) for name in NAMES}


@pytest.mark.parametrize("rates", [None, [0.1, 0.03]])
def test_before_its_rates_are_known_a_study_has_none(rates):
    assert contests(study_of(learning_rates=rates)) == ()


def test_chosen_rates_make_one_and_the_stated_rate_another():
    (best,) = contests(study_of(chosen_rates={"stated": CHOSEN}))
    assert (best.name, rates(best)) == ("best", CHOSEN)
    stated, again = contests(study_of(chosen_rates={"stated": CHOSEN}, stated_rate=0.5))
    assert again == best
    assert (stated.name, rates(stated)) == ("stated", dict.fromkeys(NAMES, 0.5))


def test_other_weights_have_rates_of_their_own():
    study = study_of(chosen_rates={"gain": SUITED, "stated": CHOSEN}, stated_rate=0.5, init="gain")
    found = contests(study)
    assert [contest.name for contest in found] == ["stated", "best", "gain"]
    assert [contest.title for contest in found] == [
        "the settings as stated, alike for all",
        "each at its best learning rate",
        "weights scaled by each function's gain, each at its best learning rate",
    ]
    assert rates(found[2]) == SUITED
    assert [{arm.init for arm in contest.arms.values()} for contest in found] == [{"stated"}, {"stated"}, {"gain"}]


def test_functions_stand_in_the_order_of_the_study():
    backwards = {name: CHOSEN[name] for name in reversed(NAMES)}
    for contest in contests(study_of(chosen_rates={"stated": backwards}, stated_rate=0.1)):
        assert tuple(contest.arms) == NAMES


def test_arms_before_the_choice_are_all_rates_and_all_weights():
    found = arms(study_of(init="critical"))
    assert found == tuple(
        Arm(name, rate, init) for name, init, rate in itertools.product(NAMES, ("stated", "critical"), (0.1, 0.03))
    )


def test_arms_after_it_are_those_of_the_contests_each_once():
    found = arms(study_of(chosen_rates={"stated": CHOSEN, "gain": SUITED}, stated_rate=0.1, init="gain"))
    assert found == (
        Arm("tanh", 0.1), Arm("tanh", 0.3), Arm("tanh", 0.1, "gain"),
        Arm("relu", 0.1), Arm("relu", 0.1, "gain"),
        Arm("gelu", 0.1), Arm("gelu", 0.03), Arm("gelu", 0.9, "gain"),
    )  # fmt: skip


def test_a_study_with_nothing_stated_has_no_arms_yet():
    assert arms(Study()) == ()
