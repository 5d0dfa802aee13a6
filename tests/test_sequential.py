"""Seeds that are added as needed: when it ends, what is said of it, and that the recording is that of all at once."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from scipy import stats
from tests.synthetic_recording import record

import actlab
from actlab import cli, engine
from actlab.cli.compare import _what_is_left
from actlab.errors import InvalidStudy
from actlab.laboratory import sequential
from actlab.layers import Act, Dense
from actlab.recording import load
from actlab.recording.joined import Joined
from actlab.statistics import summarise
from actlab.statistics.best import chances_of_best
from actlab.statistics.new_data import new_data_intervals
from actlab.statistics.simultaneous import differences_at_once
from actlab.statistics.stopping import enough
from actlab.study import SGD, Milestone, Study, complete
from actlab.tasks.task import build
from actlab.views.paper import methods

NETWORK = (Dense(4), Act(), Dense(1))


@pytest.fixture(scope="module")
def task():
    """Points in two classes that overlap."""
    rng = np.random.default_rng(0)

    def part(count):
        y = np.arange(count) % 2
        return rng.normal(size=(count, 2)) + y[:, None], y

    return build("made-up", part(60), part(20), part(40), provenance="made up")


def study_of(**settings):
    defaults = {"name": "mine", "task": "made-up", "network": NETWORK, "activations": ["tanh", "maxout", "relu"]}
    return Study(
        **defaults | {"epochs": 2, "optimiser": SGD(), "seeds": "auto", "most_seeds": 16, "batch": 20} | settings
    )


def test_the_recording_is_that_of_all_seeds_trained_at_once(task, tmp_path, monkeypatch):
    """maxout has weights of another shape, so that members are of two populations."""
    monkeypatch.setattr(sequential, "enough", lambda joined: "most" if len(joined.study.seeds) == 16 else None)
    milestones = (Milestone(name="half", accuracy=0.6),)
    added = actlab.run(study_of(milestones=milestones), tmp_path / "added", task=task, progress=lambda _: None)
    once = engine.train(study_of(seeds=16, most_seeds=None, milestones=milestones), tmp_path / "once", task=task)
    added = load(added.directory)
    assert added.members == once.members
    assert added.complete
    assert added.study.seeds == tuple(range(16))
    assert added.facts["throughput"]["members"] == once.facts["throughput"]["members"]
    assert added.metrics.keys() == once.metrics.keys()
    for name, values in once.metrics.items():
        np.testing.assert_allclose(added.metrics[name], values, rtol=2e-5, atol=1e-6, err_msg=name)
    assert added.probes.keys() == once.probes.keys()
    for name in ("weight_gradient_norm", "flat_share", "class_accuracy"):
        np.testing.assert_allclose(added.probes[name], once.probes[name], rtol=1e-4, atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(added.right, once.right)
    np.testing.assert_array_equal(added.sample["x"], once.sample["x"])
    for activation in once.study.activations:
        ours, theirs = (found.weight_arrays(activation, [0, 1, 2]) for found in (added, once))
        for layer, parameters in theirs.items():
            for name, array in parameters.items():
                np.testing.assert_allclose(ours[layer][name], array, rtol=1e-4, atol=1e-6)
    assert not (added.directory / "seeds").exists()


def test_of_large_networks_the_weights_of_the_ends_and_of_the_first_seed_are_joined(task, tmp_path, monkeypatch):
    monkeypatch.setattr(sequential, "enough", lambda joined: "most" if len(joined.study.seeds) == 16 else None)
    large = {"network": (Dense(3000), Act(), Dense(1)), "activations": ["tanh", "relu"], "epochs": 5}
    added = actlab.run(study_of(**large), tmp_path / "added", task=task, progress=lambda _: None)
    once = engine.train(study_of(**large, seeds=16, most_seeds=None), tmp_path / "once", task=task)
    assert added.weight_epochs == once.weight_epochs == (0, 5)
    assert added.first_seed_epochs[:1] == once.first_seed_epochs[:1]
    for member in (once.members[0], once.members[-1]):
        ours, theirs = (found.weights(member, 5)["dense1"]["weight"] for found in (added, once))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    between = added.first_seed_epochs[1]
    first_of_relu = next(member for member in added.members if member.activation == "relu")
    assert added.weights(first_of_relu, between)["dense1"]["weight"].shape == (2, 3000)


def test_seeds_are_trained_once_and_the_same_command_goes_on(task, tmp_path, monkeypatch):
    monkeypatch.setattr(sequential, "enough", lambda joined: "most" if len(joined.study.seeds) == 16 else None)
    asked = study_of(activations=["tanh", "relu"])
    seen: list[str] = []

    def stop(now):
        seen.append(now.purpose)
        if now.purpose.startswith("seeds 9"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        actlab.run(asked, tmp_path / "run", task=task, progress=stop)
    assert sorted(path.name[0] for path in (tmp_path / "run" / "seeds").iterdir())[0] == "1"
    assert "the same command goes on" in _what_is_left(tmp_path / "run", None)
    seen.clear()
    recording = actlab.run(asked, tmp_path / "run", task=task, progress=lambda now: seen.append(now.purpose))
    assert set(seen) == {"seeds 9 to 16 of at most 16"}
    assert len(recording.members) == 32
    seen.clear()
    again = actlab.run(asked, tmp_path / "run", task=task, progress=lambda now: seen.append(now.purpose))
    assert seen == []
    assert again.members == recording.members
    # The study as it was recorded is the study that was asked for.
    assert load(tmp_path / "run").study.identity == complete(asked, task).identity


def made_up(directory, accuracies, seeds, **settings):
    """A recording of a look: (activations, seeds) accuracies."""
    names = ["tanh", "relu", "elu"][: len(accuracies)]
    asked = study_of(activations=names, learning_rates=[0.1], seeds="auto", **settings)
    asked = asked.model_copy(update={"seeds": tuple(range(seeds))})
    values = {"test_accuracy": lambda m: accuracies[names.index(m.activation)][m.seed]}
    diverged = {(names[place], 0.1, seed): (1, "the training loss became infinite")
                for place, own in enumerate(accuracies) for seed in range(seeds) if np.isnan(own[seed])}  # fmt: skip
    return record(directory, asked, metrics=values, diverged=diverged)


def ended(found):
    """The summary of a recording with which the adding of seeds ended."""
    found.facts["added"] = {"reason": enough(found), "metric": found.lead.name}
    return summarise(found)


NOISE = np.random.default_rng(3).normal(0, 0.01, (3, 64))


def test_seeds_are_enough_when_one_alone_may_be_the_best(tmp_path):
    found = made_up(tmp_path / "run", 0.8 + NOISE[:2, :8] + [[0.1], [0]], 8)
    assert enough(found) == "alone"
    summary = ended(found)
    assert summary["best_set"] == ["tanh"]
    assert summary["looks"] == {
        "taken": [8],
        "planned": [8, 16],
        "most": 16,
        "within": None,
        "unit": "points",
        "metric": "accuracy",
        "reason": "alone",
    }
    wanted = "Seeds were added by test accuracy until one activation alone may be the best: after 8 of at most 16."
    assert summary["notes"][0].startswith(wanted)
    assert json.dumps(summary["looks"])
    assert "by test accuracy, up to 16: a group-sequential design with 2 looks, after 8 and 16 seeds" in methods(found)
    # By which metric it is looked at later does not change why it ended.
    found.lead_by("loss")
    turned = summarise(found)
    assert turned["looks"] == summary["looks"]
    assert turned["notes"][0].startswith(wanted)


def test_more_are_wanted_while_two_may_be_the_best_and_none_after_the_last_look(tmp_path):
    assert enough(made_up(tmp_path / "first", 0.8 + NOISE[:2, :8], 8)) is None
    last = made_up(tmp_path / "last", 0.8 + NOISE[:2, :16], 16)
    assert enough(last) == "most"
    assert "do not tell which one is the best" in ended(last)["notes"][0]


def test_seeds_are_enough_when_the_best_lie_close_together(tmp_path):
    near = {"most_seeds": 64, "within": 2.0}
    assert enough(made_up(tmp_path / "near", 0.8 + NOISE[:2, :16], 16, **near)) == "within"
    assert enough(made_up(tmp_path / "far", 0.8 + 5 * NOISE[:2, :16], 16, **near)) is None
    summary = ended(load(tmp_path / "near"))
    assert "until all that may be the best lie within 2.0 points of each other" in summary["notes"][0]
    low, high = summary["comparisons"][0]["ci95_simultaneous"]
    assert -0.02 <= low < 0 < high <= 0.02


def test_nothing_to_compare_ends_it(tmp_path):
    found = made_up(tmp_path / "run", np.full((2, 8), np.nan), 8)
    assert enough(found) == "none"
    assert "as long as there was anything to compare" in ended(found)["notes"][0]


def test_everything_is_corrected_for_all_looks(tmp_path):
    """The same sixteen seeds, looked at once and up to four times."""
    accuracies = 0.8 + NOISE[:, :16] + [[0.008], [0], [0.004]]
    stated = summarise(made_up(tmp_path / "looks", accuracies, 16, most_seeds=64))
    once = study_of(activations=["tanh", "relu", "elu"], learning_rates=[0.1], seeds=16, most_seeds=None)
    names = list(once.activations)
    values = {"test_accuracy": lambda m: accuracies[names.index(m.activation)][m.seed]}
    plain = summarise(record(tmp_path / "once", once, metrics=values))
    assert plain["looks"] is None
    for ours, theirs in zip(stated["comparisons"], plain["comparisons"], strict=True):
        assert ours["p_max_t"] == pytest.approx(min(1, 4 * theirs["p_max_t"]))
        if ours["metric"] == "test_accuracy":
            assert ours["ci95_simultaneous"][0] < theirs["ci95_simultaneous"][0]
            assert ours["ci95_simultaneous"][1] > theirs["ci95_simultaneous"][1]
    for ours, theirs in zip(stated["activations"], plain["activations"], strict=True):
        assert ours["best_p"] == pytest.approx(min(1, 4 * theirs["best_p"]))
        assert ours["test_accuracy"]["ci95"] == theirs["test_accuracy"]["ci95"]


def test_a_single_difference_has_student_s_interval_at_the_level_of_a_look():
    differences = np.random.default_rng(5).normal(0.3, 1.0, 40)
    (found,) = differences_at_once(differences, looks=4)
    low, high = stats.t.interval(1 - 0.05 / 4, 39, differences.mean(), stats.sem(differences))
    # Sign flips may widen it, never narrow it.
    assert found.ci95[0] <= low + 1e-12
    assert found.ci95[1] >= high - 1e-12
    assert found.ci95[1] - found.ci95[0] < 1.1 * (high - low)


def test_too_few_seeds_for_so_many_looks_tell_nothing():
    """2/2⁸ times seven is more than 5 %; times six it is not."""
    differences = np.arange(1.0, 9.0)
    assert not differences_at_once(differences, looks=7)[0].is_told
    assert differences_at_once(differences, looks=6)[0].is_told
    assert chances_of_best([differences, 0 * differences], looks=3)[1] == pytest.approx(3 / 2**8)


def test_intervals_for_new_data_widen_with_the_looks():
    right = np.random.default_rng(1).random((2, 8, 100)) < [[[0.8]], [[0.7]]]
    (one, (low, high)), (_, (wider_low, wider_high)) = (
        new_data_intervals(right, [(0, 1)], looks)[0] for looks in (1, 4)
    )
    assert wider_low < low < one.mean < high < wider_high
    ratio = (wider_high - wider_low) / (high - low)
    freedom = int(one.freedom)
    assert ratio == pytest.approx(stats.t.ppf(1 - 0.025 / 4, freedom) / stats.t.ppf(0.975, freedom), rel=1e-6)


def test_only_what_recordings_of_the_study_consist_of_is_removed(task, tmp_path):
    """Beside them lie a user's notes, and the seeds of another study that was stopped."""
    asked = study_of(activations=["tanh", "relu"], most_seeds=8)
    other = study_of(activations=["tanh", "relu"], seeds=2, most_seeds=None, batch=10)
    folder = tmp_path / "run" / "seeds"
    engine.train(other, folder / "1-0123abcd", task=task)

    def write_beside(now):
        (own,) = [path for path in folder.iterdir() if path.name != "1-0123abcd"]
        (own / "notes.txt").write_text("mine", encoding="utf-8")

    recording = actlab.run(asked, tmp_path / "run", task=task, progress=write_beside)
    assert len(recording.members) == 16
    assert load(folder / "1-0123abcd").complete
    (own,) = [path for path in folder.iterdir() if path.name != "1-0123abcd"]
    assert [path.name for path in own.iterdir()] == ["notes.txt"]


def test_what_a_stopped_run_has_left_is_put_away_by_the_next(task, tmp_path, monkeypatch):
    asked = study_of(activations=["tanh", "relu"], most_seeds=8)
    with monkeypatch.context() as stopped:
        stopped.setattr("actlab.laboratory.sequential.remove_parts", lambda *_: None)
        actlab.run(asked, tmp_path / "run", task=task, progress=lambda _: None)
    assert (tmp_path / "run" / "seeds").exists()
    actlab.run(asked, tmp_path / "run", task=task, progress=lambda _: pytest.fail("trained again"))
    assert not (tmp_path / "run" / "seeds").exists()


def test_trained_anew_it_takes_the_place_of_itself_once_it_is_complete(task, tmp_path):
    asked = study_of(activations=["tanh", "relu"], most_seeds=8)
    first = actlab.run(asked, tmp_path / "run", task=task, progress=lambda _: None)
    seen = []

    def look(now):
        seen.append(load(tmp_path / "run").complete)

    again = actlab.run(asked, tmp_path / "run", task=task, restart=True, progress=look)
    assert seen
    assert all(seen)
    np.testing.assert_array_equal(again.metrics["test_loss"], first.metrics["test_loss"])
    assert not (tmp_path / "run" / "seeds").exists()


def test_by_which_metric_seeds_are_added_is_part_of_the_study_and_by_which_it_is_looked_at_is_not():
    assert study_of().identity != study_of(metric="loss").identity
    stated = {"seeds": 8, "most_seeds": None}
    assert study_of(**stated).identity == study_of(**stated, metric="loss").identity


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"most_seeds": None}, "without end: give most_seeds (--most-seeds) or within (--within)"),
        ({"most_seeds": 3}, "most_seeds: 6 or more is expected, got 3"),
        ({"most_seeds": "many"}, "most_seeds: a whole number is expected"),
        ({"most_seeds": 10**9}, "most_seeds: 100000 or less is expected"),
        ({"within": -1}, "within: more than 0 is expected, got -1"),
        ({"within": 100.0}, "within: less than 100 is expected"),
        ({"within": float("nan")}, "within: less than 100 is expected, got nan"),
        ({"seeds": 12}, "for seeds 'auto'"),
        ({"seeds": "some"}, "seeds: a whole number, or a list of them, is expected, got 'some'"),
        ({"activations": ["relu"]}, "give at least two"),
        ({"learning_rates": [0.1, 1.0], "tuning_seeds": [12, 20]}, "seeds and tuning_seeds share 12"),
    ],
)
def test_studies_that_cannot_be_are_refused(settings, said):
    with pytest.raises(InvalidStudy, match=re.escape(said)):
        study_of(**settings)


def test_a_region_alone_is_an_end_too():
    asked = study_of(most_seeds=None, within=0.5, learning_rates=[0.1, 1.0])
    assert asked.looks == (8, 16, 32, 64, 128, 256, 512, 1024)
    assert asked.tuning_seeds == (1024, 1025, 1026)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seeds", "auto"], "--seeds auto adds seeds until one function alone may be the best, which may be never"),
        (["--seeds", "x"], "--seeds: a whole number or auto is expected, got 'x'."),
        (["--seeds", "5", "--most-seeds", "9"], "most_seeds and within are for seeds 'auto'"),
        (["--within", "0.5"], "most_seeds and within are for seeds 'auto'"),
    ],
)
def test_the_command_line_says_what_is_wrong(arguments, said, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["actlab", "compare", "digits", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_rates_are_chosen_first_and_with_seeds_that_none_of_the_looks_has(task, tmp_path):
    asked = study_of(activations=["tanh", "relu"], learning_rates=[0.1, 0.3], most_seeds=8)
    found = actlab.run(asked, tmp_path / "run", task=task, progress=lambda _: None)
    assert set(found.study.tuning_seeds) == {8, 9, 10}
    assert found.facts["tuning"]
    assert len({member.seed for member in found.members}) == 8
    assert summarise(found)["choices"]


def test_joined_recordings_are_read_like_one(task, tmp_path):
    """By member, whatever the parts' order on the disk."""
    asked = study_of(seeds=5, most_seeds=None, activations=["tanh", "maxout"])
    parts = [
        engine.train(asked.model_copy(update={"seeds": own}), tmp_path / f"{own[0]}", task=task)
        for own in ((0, 1), (2,), (3, 4))
    ]
    joined = Joined(complete(asked, task), parts)
    assert [(m.activation, m.seed) for m in joined.members] == [
        (name, seed) for name in ("tanh", "maxout") for seed in range(5)
    ]
    by_member = {(m.activation, m.seed): (part, i) for part in parts for i, m in enumerate(part.members)}
    for place, member in enumerate(joined.members):
        part, i = by_member[member.activation, member.seed]
        np.testing.assert_array_equal(joined.metrics["train_loss"][:, place], part.metrics["train_loss"][:, i])
        np.testing.assert_array_equal(joined.probes["flat_share"][:, place], part.probes["flat_share"][:, i])
        np.testing.assert_array_equal(joined.right[place], part.right[i])
        ours, theirs = joined.weights(member, 2), part.weights(part.members[i], 2)
        np.testing.assert_array_equal(ours["dense1"]["weight"], theirs["dense1"]["weight"])
