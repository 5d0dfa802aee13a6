"""Changing some settings of a study: what changes with them, and what wrong ones are answered with."""

from __future__ import annotations

import pytest

from actlab.errors import InvalidStudy, UnknownName
from actlab.layers import Act, Dense
from actlab.recipes import RECIPES, recipe
from actlab.study import SGD, Adam, Milestone, Study
from actlab.study.changes import changed

NETWORK = (Dense(3), Act(), Dense(2, bias=False), Act("tanh"), Dense(1))
STUDY = Study(task="moons", network=NETWORK, milestones=[Milestone(name="a"), Milestone(name="b")])


@pytest.mark.parametrize("name", RECIPES)
def test_nothing_asked_for_changes_nothing(name):
    assert changed(recipe(name).study, {}) is recipe(name).study


@pytest.mark.parametrize("name", RECIPES)
def test_a_setting_changed_there_and_back_leaves_the_study_the_same(name):
    study = recipe(name).study
    there = changed(study, {"epochs": 77})
    assert there == study.model_copy(update={"epochs": 77})
    assert changed(there, {"epochs": study.epochs}).identity == study.identity


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("epochs=3", {"epochs": 3}),
        (" epochs = 3 ", {"epochs": 3}),
        ("match=parameters", {"match": "parameters"}),
        ('match="parameters"', {"match": "parameters"}),
        ("seeds=[4, 7]", {"seeds": (4, 7)}),
        ("seeds=2", {"seeds": (0, 1)}),
        ("activations=relu, swish", {"activations": ("relu", "silu")}),
        ('activations=["relu"]', {"activations": ("relu",)}),
        ("name=a=b", {"name": "a=b"}),
        ("optimiser.beta1=0.5", {"optimiser": Adam(beta1=0.5)}),
        ("optimiser={name = 'adam', epsilon = 1e-7}", {"optimiser": Adam(epsilon=1e-7)}),
        ("network.0.units=8", {"network": (Dense(8), *NETWORK[1:])}),
        ("network.2.bias=true", {"network": (*NETWORK[:2], Dense(2), *NETWORK[3:])}),
        ("network.3={layer = 'act'}", {"network": (*NETWORK[:3], Act(), NETWORK[4])}),
        ("milestones.1.accuracy=0.5", {"milestones": (Milestone(name="a"), Milestone(name="b", accuracy=0.5))}),
        ("seeds.9=77", {"seeds": (*range(9), 77)}),
    ],
)
def test_one_assignment_changes_one_setting(assignment, expected):
    assert changed(STUDY, {}, [assignment]) == STUDY.model_copy(update=expected)


def test_assignments_come_after_settings_and_in_order():
    made = changed(STUDY, {"epochs": 2, "batch": 7}, ["epochs=3", "network.0.units=8", "network.0.units=9"])
    assert (made.epochs, made.batch, made.network[0].units) == (3, 7, 9)


def test_a_network_as_a_whole():
    made = changed(STUDY, {}, ['network=[{layer = "act"}, {layer = "dense", units = 1}]', "network.1.units=2"])
    assert made.network == (Act(), Dense(2))


# What goes with a setting


@pytest.mark.parametrize("settings", [{"optimiser": "sgd"}, {}])
def test_another_optimiser_comes_with_its_own_settings_and_rate(settings):
    study = Study(optimiser=Adam(beta1=0.5), learning_rates=0.002)
    assignments = ["optimiser.momentum=0.9"] if settings else ["optimiser.name=sgd", "optimiser.momentum=0.9"]
    made = changed(study, settings, assignments)
    assert (made.optimiser, made.learning_rates) == (SGD(momentum=0.9), None)
    made = changed(study, settings | {"learning_rates": [0.3]}, assignments)
    assert (made.optimiser, made.learning_rates) == (SGD(momentum=0.9), (0.3,))


def test_the_same_optimiser_keeps_settings_and_rate():
    study = Study(optimiser=Adam(beta1=0.5), learning_rates=0.002)
    made = changed(study, {}, ["optimiser.beta2=0.99"])
    assert (made.optimiser, made.learning_rates) == (Adam(beta1=0.5, beta2=0.99), (0.002,))


def test_several_rates_keep_the_single_one_as_the_stated_one():
    study = Study(learning_rates=0.002, seeds=3)
    for rates in ([0.1, 0.01], "auto"):
        made = changed(study, {"learning_rates": rates})
        assert made.stated_rate == 0.002
        assert made.tuning_seeds == (3, 4, 5)
        assert changed(made, {"learning_rates": [0.1]}) == study.model_copy(update={"learning_rates": (0.1,)})
    assert 0.002 in changed(study, {"learning_rates": "auto"}).learning_rates
    assert changed(study, {"learning_rates": [0.1, 0.2]}, ["stated_rate=0.2"]).stated_rate == 0.2
    assert changed(Study(), {"learning_rates": [0.1, 0.2]}).stated_rate is None


def test_other_seeds_have_other_tuning_seeds():
    study = Study(learning_rates=[0.1, 0.01], seeds=3)
    assert changed(study, {"seeds": 5}).tuning_seeds == (5, 6, 7)
    assert changed(study, {}, ["seeds=5"]).tuning_seeds == (5, 6, 7)
    assert changed(study, {"seeds": 5}, ["tuning_seeds=[70]"]).tuning_seeds == (70,)
    assert changed(study, {"epochs": 5}).tuning_seeds == study.tuning_seeds


RUN = STUDY.model_copy(
    update={"target": "t", "header": "no", "digest": "d", "provenance": "p", "chosen_rates": {"stated": {"relu": 0.1}}}
)


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"task": "digits"}, (None, None, None)),
        ({"target": "other"}, ("other", None, None)),
        ({"task_seed": 4}, ("t", None, None)),
        ({"validation": "test"}, ("t", None, None)),
        ({"epochs": 4}, ("t", "d", "p")),
    ],
)
def test_what_was_known_of_other_data_or_chosen_for_other_settings_goes(settings, left):
    for made in (changed(RUN, settings), changed(RUN, {}, [f"{key}={value}" for key, value in settings.items()])):
        assert (made.target, made.digest, made.provenance) == left
        assert made.header == (None if "task" in settings else "no")
        assert made.chosen_rates is None


# What is refused


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("epochs", "'epochs': KEY=VALUE is expected, as in epochs=5 or network.1.units=256."),
        ("=3", "'=3': KEY=VALUE is expected, as in epochs=5 or network.1.units=256."),
        ("epoch=3", "epoch=3: unknown key 'epoch': did you mean 'epochs'?"),
        ("epochs=0", "epochs=0: 1 or more is expected, got 0."),
        ("epochs=many", "epochs=many: a whole number is expected, got 'many'."),
        ("epochs=", "epochs=: a whole number is expected, got ''."),
        ("epochs=3\nbatch=3", "epochs=3 batch=3: a whole number is expected, got '3\\nbatch=3'."),
        ("epochs.first=3", "epochs.first=3: epochs is 40 and has no first: set epochs as a whole."),
        ("digest.0=3", "digest.0=3: digest is not set and has no 0: set digest as a whole."),
        ("optimizer.beta1=0", "unknown key 'optimizer': did you mean 'optimiser'?"),
        ("optimiser.beta11=0", "optimiser.beta11=0: unknown key 'beta11': did you mean 'beta1'?"),
        (
            "optimiser.momentum=0.5",
            "optimiser.momentum=0.5: unknown key 'momentum': known: beta1, beta2, epsilon, name.",
        ),
        ("optimiser.beta1=2", "optimiser.beta1=2: less than 1 is expected, got 2."),
        ("network.5.units=3", "network.5.units=3: network has the entries 0 to 4, and so no 5."),
        ("network.5=3", "network.5=3: network has the entries 0 to 4, and so no 5."),
        ("network.dense.units=3", "network.dense.units=3: network has the entries 0 to 4, and so no dense."),
        ("network.-1.units=3", "network.-1.units=3: network has the entries 0 to 4, and so no -1."),
        ("network.0.unit=3", "network.0.unit=3: unknown key 'unit': did you mean 'units'?"),
        ("network.0.units=0", "network.0.units=0: more than 0 is expected, got 0."),
        (
            "network.0.units.x=0",
            "network.0.units.x=0: network.0.units is 3 and has no x: set network.0.units as a whole.",
        ),
        ("network.0.layer=desne", "unknown layer 'desne': did you mean 'dense'?"),
        ("network.0.init=he_norml", "unknown initialiser 'he_norml': did you mean 'he_normal'?"),
        ("seeds=[1, 1]", "seeds=[1, 1]: 1 is named twice."),
        ("tuning_seeds.0=1", "tuning_seeds.0=1: tuning_seeds has no entries, and so no 0."),
        ("activations=gelo", "unknown activation 'gelo': did you mean 'gelu'?"),
    ],
)
def test_wrong_assignments_are_refused_by_their_own_name(assignment, sentence):
    with pytest.raises((InvalidStudy, UnknownName)) as caught:
        changed(STUDY, {}, [assignment])
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        (f"seeds={'[' * 3000}{']' * 3000}", "lists or tables lie too deep within each other."),
        (f"optimiser={'{a=' * 400}1{'}' * 400}", "lists or tables lie too deep within each other."),
        (f"epochs={'9' * 5000}", "it holds a whole number of more than 4,300 digits."),
        (f"epochs=0x{'f' * 5000}", "less than 2147483648 is expected, got 0xfff"),
        (f"seeds.{'9' * 5000}=1", "seeds has the entries 0 to 9, and so no 999"),
    ],
    ids=lambda text: text[:20],
)
def test_what_python_cannot_hold_is_refused_in_a_short_sentence(assignment, sentence):
    with pytest.raises(InvalidStudy) as caught:
        changed(Study(), {}, [assignment])
    assert str(caught.value).startswith(f"{assignment[:59]}…: {sentence}")
    assert len(str(caught.value)) < 200


def test_a_wrong_setting_is_not_blamed_on_an_assignment():
    with pytest.raises(InvalidStudy, match=r"^batch: 1 or more is expected, got 0\.$"):
        changed(STUDY, {"batch": 0}, ["epochs=3"])


def test_the_study_that_is_changed_stays_as_it_is():
    before = STUDY.identity
    changed(STUDY, {"epochs": 3}, ["network.0.units=8"])
    assert STUDY.identity == before
