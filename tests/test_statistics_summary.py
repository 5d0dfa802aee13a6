"""The summary of recordings made up from known numbers: every rule and every branch, in JSON and in words."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from scipy import stats
from tests.synthetic_recording import CHOSEN, members_of, record, record_conditions, study

from actlab.errors import InvalidStudy
from actlab.statistics import reported, summarise
from actlab.statistics.intervals import mean_interval
from actlab.statistics.sentences import headline
from actlab.statistics.summary import json_safe
from actlab.study import Milestone

NAN = math.nan
KEYS = {"schema", "actlab", "study", "activations", "comparisons", "findings", "throughput"}
ROW_KEYS = {"name", "members", "diverged", "test_accuracy", "test_loss", "train_loss", "epochs_to_target"}
FINALS = {
    "sigmoid": [0.80, 0.82, 0.81, 0.84, 0.79, 0.83, 0.80, 0.85],
    "tanh": [0.90, 0.91, 0.93, 0.92, 0.90, 0.94, 0.91, 0.93],
    "relu": [0.91, 0.90, 0.94, 0.92, 0.92, 0.93, 0.93, 0.95],
}


def accuracy(member):
    return FINALS[member.activation][member.seed % 8]


def rows(summary):
    return {row["name"]: row for row in summary["activations"]}


def said(summary, words):
    return [note for note in summary["notes"] if words in note]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Three activations over eight seeds, with accuracies as in FINALS."""
    return record(
        tmp_path_factory.mktemp("plain") / "run",
        study(seeds=8),
        metrics={
            "test_accuracy": accuracy,
            "test_loss": lambda m: 1 - accuracy(m),
            "validation_accuracy": accuracy,
        },
    )


class TestSchema:
    def test_keys_of_the_design(self, plain):
        summary = summarise(plain)
        assert summary.keys() >= KEYS
        assert summary["schema"] == 1
        assert summary["study"]["name"] == "made-up"
        (finding,) = summary["findings"]
        assert finding["code"] == "within_noise"
        keys = {"code", "severity", "activation", "layer", "step", "sentence", "evidence", "cause", "help"}
        assert finding.keys() == keys
        assert summary["published"] == []
        assert summary["throughput"]["members"] == 24
        for row in summary["activations"]:
            assert row.keys() >= ROW_KEYS
            for metric in ("test_accuracy", "test_loss", "train_loss"):
                assert row[metric].keys() >= {"mean", "median", "ci95", "values"}
            assert row["epochs_to_target"].keys() == {"target", "median", "reached", "ci95", "reached_ci95"}
        for comparison in summary["comparisons"]:
            assert comparison.keys() >= {"a", "b", "metric", "difference", "ci95", "p", "p_holm"}

    def test_is_json_and_survives_it(self, plain):
        summary = summarise(plain)
        assert json.loads(json.dumps(summary, allow_nan=False)) == summary

    def test_same_recording_same_summary(self, plain):
        assert summarise(plain) == summarise(plain)

    def test_json_safe(self):
        value = {1: (np.float32(0.5), np.int64(3)), "a": [math.inf, -math.inf, NAN], "b": np.array([[True]])}
        assert json_safe(value) == {"1": [0.5, 3], "a": [None, None, None], "b": [[True]]}
        assert isinstance(json_safe(np.int64(3)), int)


class TestNumbers:
    def test_estimates(self, plain):
        row = rows(summarise(plain))["tanh"]
        assert row["test_accuracy"]["mean"] == pytest.approx(np.mean(FINALS["tanh"]))
        assert row["test_accuracy"]["median"] == pytest.approx(np.median(FINALS["tanh"]))
        assert row["test_accuracy"]["ci95"] == pytest.approx(mean_interval(FINALS["tanh"]))
        assert row["test_accuracy"]["values"] == pytest.approx(FINALS["tanh"])
        assert row["test_accuracy"]["count"] == 8
        assert row["seeds"] == list(range(8))
        assert (row["members"], row["diverged"], row["parameters"]) == (8, 0, 9)

    def test_best_first(self, plain):
        assert [row["name"] for row in summarise(plain)["activations"]] == ["relu", "tanh", "sigmoid"]

    def test_equal_accuracy_is_ranked_by_loss(self, tmp_path):
        losses = {"sigmoid": 0.3, "tanh": 0.1, "relu": 0.2}
        metrics = {
            "test_loss": lambda m: losses[m.activation],
            "test_accuracy": lambda m: 0.9 + 1e-12 * losses[m.activation],
        }
        recording = record(tmp_path / "run", metrics=metrics)
        assert [row["name"] for row in summarise(recording)["activations"]] == ["tanh", "relu", "sigmoid"]

    def test_comparisons(self, plain):
        found = summarise(plain)["comparisons"]
        assert [(c["a"], c["b"], c["metric"]) for c in found[:3]] == [
            ("relu", "tanh", "test_accuracy"),
            ("relu", "sigmoid", "test_accuracy"),
            ("tanh", "sigmoid", "test_accuracy"),
        ]
        assert [c["metric"] for c in found[3:]] == ["test_loss"] * 3
        first = found[0]
        in_hundredths = np.array([1, -1, 1, 0, 2, -1, 2, 2])
        assert first["difference"] == pytest.approx(np.mean(in_hundredths) / 100)
        assert first["p"] == pytest.approx(stats.wilcoxon(in_hundredths).pvalue)
        # Four ties of rank 2.5, three of rank 6: (2·2.5 + 3·6 − 2·2.5) / 28.
        assert first["effect_size"] == pytest.approx(18 / 28)
        assert first["pairs"] == 8
        # The other two: all eight differences on one side, 2/2⁸ each; Holm takes them three and two times.
        assert found[1]["p"] == found[2]["p"] == 2 / 256
        assert found[1]["p_holm"] == found[2]["p_holm"] == 6 / 256
        assert first["p_holm"] == first["p"]
        assert found[3]["difference"] == pytest.approx(-first["difference"])

    def test_the_test_set_is_read_at_the_last_epoch(self, tmp_path):
        """Here every member is best while untrained: the report must not say so."""
        recording = record(tmp_path / "run", metrics={"test_accuracy": 0.2, "test_loss": 3.0})
        assert recording.metrics["test_accuracy"].max() == 0.5
        row = summarise(recording)["activations"][0]
        assert row["test_accuracy"]["mean"] == pytest.approx(0.2)
        assert row["test_loss"]["mean"] == pytest.approx(3.0)
        assert row["test_accuracy"]["ci95"] == pytest.approx([0.2, 0.2])

    def test_probes(self, tmp_path):
        made_up = study(seeds=3, epochs=1)
        norms = np.ones((2, 9, 2), np.float32)
        norms[:, :3, 0] = [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]
        norms[0, 3, 1] = 0
        flat = np.zeros((2, 9, 2), np.float32)
        flat[1, :3] = [[0.1, 0.3], [0.5, 0.7], [0.0, 0.0]]
        dead = np.full((2, 9, 2), NAN, np.float32)
        arrays = {"weight_gradient_norm": norms, "flat_share": flat, "dead_share": dead}
        found = rows(summarise(record(tmp_path / "run", made_up, arrays=arrays)))
        assert found["sigmoid"]["gradient_ratio"] == pytest.approx(0.35)
        assert found["tanh"]["gradient_ratio"] == 1
        assert found["sigmoid"]["flat_share"] == pytest.approx(0.2)
        assert found["sigmoid"]["dead_share"] is None

    def test_one_weight_layer_has_no_gradient_ratio(self, tmp_path):
        made_up = study(seeds=2, epochs=1)
        recording = record(tmp_path / "run", made_up, arrays={"weight_gradient_norm": np.ones((2, 6, 1), np.float32)})
        assert summarise(recording)["activations"][0]["gradient_ratio"] is None


class TestWaiting:
    def test_epochs_to_target(self, plain):
        """Curves run straight from 0.5 to the final accuracy in eight epochs."""
        summary = summarise(plain)
        target = 0.95 * np.mean(FINALS["relu"])
        found = rows(summary)
        assert found["relu"]["epochs_to_target"]["target"] == pytest.approx(target)
        for name, finals in FINALS.items():
            epochs = [math.ceil(8 * (target - 0.5) / (f - 0.5)) if f >= target else math.inf for f in finals]
            expected = np.median(epochs)
            assert found[name]["epochs_to_target"]["median"] == (expected if np.isfinite(expected) else None)
            assert found[name]["epochs_to_target"]["reached"] == np.mean(np.isfinite(epochs))
        assert "87.9 %" in said(summary, "Epochs to target")[0]

    def test_milestones(self, tmp_path):
        milestones = (
            Milestone(name="negatives", label=0),
            Milestone(name="nearly all", accuracy=0.75),
            Milestone(name="all right"),
        )
        made_up = study(seeds=4, epochs=4, activations=("tanh", "relu"), milestones=milestones)
        classes = np.full((5, 8, 2), 0.5, np.float32)
        classes[3:, [0, 1, 2], 0] = 1
        classes[2:, :, 1] = 1
        finals = {"tanh": [1.0, 1.0, 0.7, 0.7], "relu": [1.0, 1.0, 1.0, 0.7]}
        recording = record(
            tmp_path / "run",
            made_up,
            metrics={"train_accuracy": lambda m: finals[m.activation][m.seed]},
            arrays={"class_accuracy": classes},
        )
        summary = summarise(recording)
        found = rows(summary)
        assert [(m["name"], m["median"], m["reached"]) for m in found["tanh"]["milestones"]] == [
            ("negatives", 3, 0.75),
            ("nearly all", None, 0.5),
            ("all right", None, 0.5),
        ]
        assert [(m["name"], m["median"], m["reached"]) for m in found["relu"]["milestones"]] == [
            ("negatives", None, 0),
            ("nearly all", 2, 0.75),
            ("all right", 4, 0.75),
        ]
        exact = stats.binomtest(3, 4).proportion_ci(method="exact")
        assert found["tanh"]["milestones"][0]["reached_ci95"] == pytest.approx([exact.low, exact.high])
        assert found["tanh"]["milestones"][0]["ci95"] is None
        assert said(summary, "Milestones")

    def test_none_without_milestones(self, plain):
        assert summarise(plain)["activations"][0]["milestones"] == []
        assert not said(summarise(plain), "Milestones")


class TestDiverged:
    def test_are_masked_counted_and_named(self, tmp_path):
        diverged = {
            ("relu", 0.05, 2): (3, "loss is not finite"),
            ("relu", 0.05, 5): (2, "weights are not finite"),
        }
        recording = record(tmp_path / "run", study(seeds=8), metrics={"test_accuracy": accuracy}, diverged=diverged)
        summary = summarise(recording)
        row = rows(summary)["relu"]
        left = [value for seed, value in enumerate(FINALS["relu"]) if seed not in (2, 5)]
        assert (row["members"], row["diverged"], row["test_accuracy"]["count"]) == (8, 2, 6)
        assert row["test_accuracy"]["mean"] == pytest.approx(np.mean(left))
        assert row["test_accuracy"]["values"][2] is None
        assert len(row["test_accuracy"]["values"]) == 8
        assert row["diverged_members"][0] == {
            "seed": 2,
            "learning_rate": 0.05,
            "init": "stated",
            "epoch": 3,
            "reason": "loss is not finite",
        }
        assert [c["pairs"] for c in summary["comparisons"][:3]] == [6, 6, 8]
        assert said(summary, "relu: 2 of 8 members diverged, the first at epoch 2 (weights are not finite)")
        assert "over the other 6" in said(summary, "relu:")[0]
        assert "over 6 of 8 seeds" in summary["headline"]

    def test_more_than_half_is_ranked_last_and_sets_no_target(self, tmp_path):
        diverged = {("relu", 0.05, seed): (1, "loss is not finite") for seed in range(5)}
        finals = {"sigmoid": 0.7, "tanh": 0.8, "relu": 0.99}
        metrics = dict.fromkeys(("test_accuracy", "validation_accuracy"), lambda m: finals[m.activation])
        summary = summarise(record(tmp_path / "run", study(seeds=8), metrics=metrics, diverged=diverged))
        assert [row["name"] for row in summary["activations"]] == ["tanh", "sigmoid", "relu"]
        assert summary["activations"][0]["epochs_to_target"]["target"] == pytest.approx(0.95 * 0.8)
        assert summary["headline"].startswith("tanh is best: test accuracy 80.0 %")

    def test_exactly_half_is_not(self, tmp_path):
        diverged = {("relu", 0.05, seed): (1, "loss is not finite") for seed in range(4)}
        finals = {"sigmoid": 0.7, "tanh": 0.8, "relu": 0.99}
        metrics = {"test_accuracy": lambda m: finals[m.activation]}
        summary = summarise(record(tmp_path / "run", study(seeds=8), metrics=metrics, diverged=diverged))
        assert summary["activations"][0]["name"] == "relu"

    def test_all_of_one(self, tmp_path):
        diverged = {("tanh", 0.05, seed): (0, "loss is not finite") for seed in range(4)}
        summary = summarise(record(tmp_path / "run", study(seeds=4), diverged=diverged))
        row = summary["activations"][-1]
        assert row["name"] == "tanh"
        assert row["test_accuracy"]["mean"] is None
        assert row["test_accuracy"]["ci95"] is None
        assert row["epochs_to_target"]["reached"] == 0
        assert row["gradient_ratio"] is None
        with_tanh = [c for c in summary["comparisons"] if "tanh" in (c["a"], c["b"])]
        assert all(c["pairs"] == 0 and c["p"] is None and c["p_holm"] is None for c in with_tanh)
        assert said(summary, "it has no numbers")

    def test_all_of_all(self, tmp_path):
        diverged = {(name, 0.05, seed): (1, "loss is not finite") for name in FINALS for seed in range(4)}
        summary = summarise(record(tmp_path / "run", study(seeds=4), diverged=diverged))
        assert json.dumps(summary, allow_nan=False)
        assert summary["headline"] == "No result: all members of sigmoid, tanh and relu diverged."
        keys = ("target", "median", "reached", "ci95", "reached_ci95")
        assert summary["activations"][0]["epochs_to_target"] == dict.fromkeys(keys)


class TestLearningRates:
    """Rates that still wait to be chosen from, as in the recordings of the tuning."""

    RATES = (0.1, 0.001, 0.01)
    BEST = MappingProxyType({"sigmoid": 0.1, "tanh": 0.01, "relu": 0.001})

    def made_up(self, **settings):
        return study(learning_rates=self.RATES, seeds=2, **settings)

    def metrics(self):
        """The validation set says BEST; the test set says that smaller ones are better."""

        def validation_loss(member):
            return 0.1 if member.learning_rate == self.BEST[member.activation] else 0.5

        return {"validation_loss": validation_loss, "test_accuracy": lambda member: 0.9 - member.learning_rate}

    def test_each_has_its_own_chosen_on_validation_data(self, tmp_path):
        summary = summarise(record(tmp_path / "run", self.made_up(), metrics=self.metrics()))
        found = rows(summary)
        assert {name: row["learning_rate"] for name, row in found.items()} == self.BEST
        for name, row in found.items():
            assert row["seeds"] == [0, 1]
            assert row["test_accuracy"]["values"] == pytest.approx([0.9 - self.BEST[name]] * 2)
        assert summary["contest"]["name"] == "best"
        assert summary["contests"] == summary["tuning"] == []

    def test_the_edge_of_the_grid_is_flagged(self, tmp_path):
        summary = summarise(record(tmp_path / "run", self.made_up(), metrics=self.metrics()))
        flags = {name: row["learning_rate_at_edge"] for name, row in rows(summary).items()}
        assert flags == {"sigmoid": True, "tanh": False, "relu": True}
        smaller, larger = sorted(said(summary, "at the edge"))
        assert "relu is 0.001" in smaller
        assert "a smaller one" in smaller
        assert "sigmoid is 0.1" in larger
        assert "a larger one" in larger

    def test_a_diverged_member_is_infinitely_bad(self, tmp_path):
        diverged = {("tanh", 0.01, 1): (2, "loss is not finite")}
        recording = record(tmp_path / "run", self.made_up(), metrics=self.metrics(), diverged=diverged)
        row = rows(summarise(recording))["tanh"]
        assert row["learning_rate"] == 0.001
        assert row["diverged"] == 0
        assert [member["learning_rate"] for member in row["diverged_members"]] == [0.01]

    def test_where_all_diverge_the_fewest_count(self, tmp_path):
        diverged = {("tanh", rate, seed): (2, "loss is not finite") for rate in self.RATES for seed in (0, 1)}
        del diverged["tanh", 0.1, 0]
        recording = record(tmp_path / "run", self.made_up(), metrics=self.metrics(), diverged=diverged)
        assert rows(summarise(recording))["tanh"]["learning_rate"] == 0.1
        del diverged["tanh", 0.01, 0]
        recording = record(tmp_path / "other", self.made_up(), metrics=self.metrics(), diverged=diverged)
        assert rows(summarise(recording))["tanh"]["learning_rate"] == 0.01

    def test_other_initial_weights_do_not_count(self, tmp_path):
        def loss(member):
            return 0.1 if (member.init, member.learning_rate) in (("gain", 0.1), ("stated", 0.01)) else 0.5

        recording = record(tmp_path / "run", self.made_up(init="gain"), metrics={"validation_loss": loss})
        assert {entry.learning_rate for entry in reported(recording)} == {0.01}
        assert {member.init for entry in reported(recording) for member in entry.members} == {"stated"}

    def test_a_single_rate_has_no_edge(self, plain):
        row = summarise(plain)["activations"][0]
        assert row["learning_rate"] == 0.05
        assert row["learning_rate_at_edge"] is False
        assert not said(summarise(plain), "at the edge")

    def test_entries_follow_the_seeds_of_the_study(self, tmp_path):
        recording = record(tmp_path / "run", study(seeds=(5, 2, 9), activations=("relu",)))
        recording.members = tuple(replace(m, seed={5: 9, 2: 2, 9: 5}[m.seed]) for m in recording.members)
        entry = reported(recording)[0]
        assert [member.seed for member in entry.members] == [5, 2, 9]
        assert entry.columns == (2, 1, 0)


class TestContests:
    def metrics(self):
        """As a function of the variant alone, so that a wrong member would show."""

        def accuracy(member):
            bonus = {"stated": 0.0, "gain": 0.1}[member.init]
            return 0.5 + member.learning_rate / 2 + bonus + 0.01 * list(FINALS).index(member.activation)

        return {"test_accuracy": accuracy, "validation_accuracy": accuracy}

    def test_the_best_rates_come_first_then_the_stated_settings_then_other_weights(self, tmp_path):
        summary = summarise(record_conditions(tmp_path / "run", self.metrics()))
        conditions = [{**summary, **summary["contest"]}, *summary["contests"]]
        assert [condition["name"] for condition in conditions] == ["best", "stated", "gain"]
        rates = {"best": CHOSEN["stated"], "stated": dict.fromkeys(FINALS, 0.1), "gain": CHOSEN["gain"]}
        for condition in conditions:
            assert len({condition["title"] for condition in conditions}) == 3
            found = rows(condition)
            for place, name in enumerate(FINALS):
                rate = rates[condition["name"]][name]
                expected = 0.5 + rate / 2 + 0.1 * (condition["name"] == "gain") + 0.01 * place
                assert found[name]["learning_rate"] == rate
                assert found[name]["seeds"] == list(range(7))
                assert found[name]["test_accuracy"]["values"] == pytest.approx([expected] * 7)
            means = [row["test_accuracy"]["mean"] for row in condition["activations"]]
            assert means == sorted(means, reverse=True)
            best = condition["activations"][0]
            assert condition["headline"].startswith(f"{best['name']} is best")
            assert condition["comparisons"][0]["a"] == best["name"]
            assert condition["comparisons"][0]["difference"] == pytest.approx(means[0] - means[1])
        assert json.loads(json.dumps(summary, allow_nan=False)) == summary

    def test_one_target_serves_all(self, tmp_path):
        summary = summarise(record_conditions(tmp_path / "run", self.metrics()))
        targets = {
            row["epochs_to_target"]["target"]
            for condition in (summary, *summary["contests"])
            for row in condition["activations"]
        }
        assert [*targets] == pytest.approx([0.95 * 0.7])
        assert rows(summary["contests"][0])["sigmoid"]["epochs_to_target"]["reached"] == 0

    def test_a_variant_of_two_conditions_is_trained_once(self, tmp_path):
        recording = record_conditions(tmp_path / "run")
        variants = {(m.activation, m.learning_rate, m.init) for m in recording.members}
        # Tanh and relu are at their best at the stated rate.
        assert len(recording.members) == 7 * len(variants) == 7 * (3 + 1 + 3)

    def test_what_was_tried_is_said_and_kept(self, tmp_path):
        summary = summarise(record_conditions(tmp_path / "run"))
        assert len(summary["tuning"]) == 18
        assert said(summary, "after 8 epochs with the seeds 7, 8 and 9, which serve nothing else; every")
        assert said(
            summary, "relu with weights scaled by its gain: every learning rate tried diverged, from 0.05 to 0.2."
        )
        assert len(said(summary, "diverged")) == 1
        assert not said(summary, "held out of the training data")
        held = summarise(record_conditions(tmp_path / "test", validation="test"))
        assert said(held, "mean validation loss on samples held out of the training data after 8 epochs")

    def test_edges_are_those_of_what_was_tried_in_every_condition(self, tmp_path):
        summary = summarise(record_conditions(tmp_path / "run"))
        flags = {
            condition["name"]: {row["name"] for row in condition["activations"] if row["learning_rate_at_edge"]}
            for condition in ({**summary, **summary["contest"]}, *summary["contests"])
        }
        assert flags == {"best": {"sigmoid"}, "stated": set(), "gain": {"tanh", "relu"}}
        assert said(summary, "at the edge") == [
            "The best learning rate of sigmoid is 0.4, at the edge of those tried: a larger one may be better.",
            "The best learning rate of tanh with weights scaled by its gain is 0.2, at the edge of those tried: a "
            "larger one may be better.",
            "The best learning rate of relu with weights scaled by its gain is 0.05, at the edge of those tried: a "
            "smaller one may be better.",
        ]

    def test_members_that_diverged_are_named_with_their_condition(self, tmp_path):
        diverged = {("sigmoid", 0.1, 2): (3, "loss is not finite"), ("sigmoid", 0.2, 1): (4, "loss is not finite")}
        summary = summarise(record_conditions(tmp_path / "run", diverged=diverged))
        assert said(summary, "sigmoid with the settings as stated: 1 of 7 members diverged, the first at epoch 3")
        assert said(summary, "sigmoid with weights scaled by its gain: 1 of 7 members diverged, the first at epoch 4")
        row = rows(summary)["sigmoid"]
        assert row["diverged"] == 0
        assert {member["init"] for member in row["diverged_members"]} == {"stated", "gain"}

    def test_members_of_two_conditions_are_named_once(self, tmp_path):
        diverged = {("tanh", 0.1, 2): (3, "loss is not finite")}
        (note,) = said(summarise(record_conditions(tmp_path / "run", diverged=diverged)), "members diverged")
        assert note.startswith("tanh: 1 of 7 members diverged")

    @pytest.mark.parametrize(
        ("init", "words"), [("gain", "no gain is known"), ("critical", "no mean-field critical point is known")]
    )
    def test_functions_without_weights_of_their_own_are_named(self, tmp_path, init, words):
        recording = record(tmp_path / "run", study(init=init))
        known = {"facts": {init: 1.0}}
        recording.functions |= {"tanh": known, "sigmoid": {"facts": {init: None}}, "relu": known}
        assert said(summarise(recording), words) == [f"sigmoid: {words}, the weights are as stated."]
        recording.functions["sigmoid"] = known
        assert not said(summarise(recording), words)

    def test_one_rate_and_other_weights_make_two(self, tmp_path):
        summary = summarise(record(tmp_path / "run", study(init="critical")))
        assert summary["contest"] == {"name": "stated", "title": "the settings as stated, alike for all"}
        (other,) = summary["contests"]
        assert (other["name"], other["title"]) == ("critical", "weights at each function's mean-field critical point")
        assert not said(summary, "learning rate")


class TestSeeds:
    @pytest.mark.parametrize(
        ("seeds", "activations", "words"),
        [
            (
                5,
                2,
                "With 5 seeds nothing can be told apart, however large it is (sign flips; the smallest possible p is",
            ),
            (5, 3, "smallest possible p is 0.0625): at least 6 seeds are needed."),
            (1, 2, "One seed has no spread: there is no interval, and nothing can be told apart."),
            (6, 2, None),
            (6, 3, None),
            (2, 1, None),
        ],
    )
    def test_too_few_are_said_in_words(self, tmp_path, seeds, activations, words):
        made_up = study(seeds=seeds, activations=tuple(FINALS)[:activations])
        summary = summarise(record(tmp_path / "run", made_up))
        if words is None:
            assert not said(summary, "nothing can be told apart")
        else:
            assert said(summary, words)

    def test_one_seed_has_no_interval(self, tmp_path):
        summary = summarise(record(tmp_path / "run", study(seeds=1), metrics={"test_accuracy": accuracy}))
        assert summary["activations"][0]["test_accuracy"]["ci95"] is None
        assert summary["comparisons"][0]["ci95"] is None
        assert summary["comparisons"][0]["p"] == 1
        assert "over 1 seed." in summary["headline"]


class TestStopped:
    def test_early(self, tmp_path):
        recording = record(tmp_path / "run", metrics={"test_accuracy": accuracy}, last_epoch=3, complete=False)
        summary = summarise(recording)
        assert (summary["epoch"], summary["complete"], summary["throughput"]) == (3, False, None)
        assert said(summary, "The run was stopped: the numbers are those after epoch 3 of 8.")
        assert "after 3 of 8 epochs" in summary["headline"]

    def test_untrained(self, tmp_path):
        summary = summarise(record(tmp_path / "run", last_epoch=0, complete=False))
        assert summary["epoch"] == 0
        assert "after 0 of 8 epochs" in summary["headline"]

    def test_before_the_first_commit(self, tmp_path):
        made_up = study(learning_rates=(0.1, 0.01), milestones=(Milestone(name="half", label=1, accuracy=0.5),))
        summary = summarise(record(tmp_path / "run", made_up, last_epoch=-1, complete=False))
        assert json.dumps(summary, allow_nan=False)
        assert summary["headline"] == "Nothing was recorded."
        assert summary["epoch"] is None
        assert summary["notes"] == [
            "The run was stopped before its first epochs were recorded: there is nothing to compare."
        ]
        row = summary["activations"][0]
        assert row["test_accuracy"]["mean"] is None
        assert row["learning_rate_at_edge"] is False
        (milestone,) = row["milestones"]
        assert (milestone["name"], milestone["median"], milestone["reached"]) == ("half", None, 0)

    def test_after_the_last_epoch(self, tmp_path):
        assert said(summarise(record(tmp_path / "run", complete=False)), "after its last epoch")


class TestHeadline:
    def test_best_and_what_it_cannot_be_told_apart_from(self, plain):
        assert summarise(plain)["headline"] == (
            "Highest mean: relu, test accuracy 92.5 % [91.2, 93.8] after 8 epochs over 8 seeds. May be the best: relu "
            "and tanh. Not the best (95 %): sigmoid."
        )

    def test_is_remade_from_the_summary_alone(self, plain):
        summary = json.loads(json.dumps(summarise(plain)))
        assert headline(summary) == summary["headline"]

    def test_clear_winner(self, tmp_path):
        finals = {"sigmoid": 0.7, "tanh": 0.8, "relu": 0.9}
        metrics = {"test_accuracy": lambda m: finals[m.activation] + 0.001 * m.seed}
        text = summarise(record(tmp_path / "run", metrics=metrics))["headline"]
        assert text.startswith("relu is best: test accuracy 90.5 %")
        assert text.endswith("10.0 points ahead of tanh after 8 epochs over 10 seeds. Not the best (95 %): tanh and "
                             "sigmoid.")  # fmt: skip

    def test_all_alike(self, tmp_path):
        text = summarise(record(tmp_path / "run", metrics={"test_accuracy": 0.9}))["headline"]
        assert text.startswith("Highest mean: sigmoid")
        assert text.endswith("Any of the 3 may be the best.")

    def test_many_alike_are_counted(self, tmp_path):
        made_up = study(activations=("sigmoid", "tanh", "relu", "elu", "gelu"), seeds=10)
        assert "Any of the 5 may be the best." in summarise(record(tmp_path / "run", made_up))["headline"]

    def test_too_few_seeds_for_any_test_are_not_called_alike(self, tmp_path):
        finals = {"sigmoid": 0.7, "tanh": 0.8, "relu": 0.9}
        metrics = {"test_accuracy": lambda m: finals[m.activation] + 0.001 * m.seed}
        text = summarise(record(tmp_path / "run", study(seeds=4), metrics=metrics))["headline"]
        assert text.startswith("Highest mean: relu")
        assert text.endswith("Which may be the best, 4 seeds cannot say: at least 6 are needed.")

    def test_what_mostly_diverged_is_not_called_alike(self, tmp_path):
        """Three seeds are left of relu: too few for a test, which is no merit."""
        diverged = {("relu", 0.05, seed): (3, "loss is not finite") for seed in range(7)}
        finals = {"sigmoid": 0.7, "tanh": 0.8, "relu": 0.1}
        metrics = {"test_accuracy": lambda m: finals[m.activation] + 0.002 * m.seed}
        text = summarise(record(tmp_path / "run", study(seeds=10), metrics=metrics, diverged=diverged))["headline"]
        assert text.startswith("tanh is best: test accuracy 80.9 %")
        assert "10.0 points ahead of sigmoid" in text
        assert text.endswith("Not the best (95 %): sigmoid. Not compared: relu (diverged with 7 of 10 seeds).")

    def test_single_activation(self, tmp_path):
        summary = summarise(record(tmp_path / "run", study(activations=("relu",), seeds=4)))
        assert summary["headline"] == "relu reaches a test accuracy of 90.0 % [90.0, 90.0] after 8 epochs over 4 seeds."
        assert summary["comparisons"] == []


def test_made_up_members_are_all_there():
    made_up = study(learning_rates=(0.1, 0.01), init="gain", seeds=2)
    assert len(members_of(made_up, {})) == 3 * 2 * 2 * 2


class TestChance:
    """What guessing and the most frequent class get: 500 of 1,000 test samples here."""

    FACTS = MappingProxyType(
        {"class_counts": [500.0, 500.0], "test_class_counts": [500, 500], "samples": {"train": 9, "test": 1000}}
    )

    def summary(self, path, mean, **settings):
        metrics = {"test_accuracy": lambda m: mean + 0.001 * m.seed, "validation_accuracy": lambda m: mean}
        return summarise(record(path, study(seeds=8, **settings), metrics=metrics, facts=dict(self.FACTS)))

    def test_no_function_is_called_best_where_none_is_above_it(self, tmp_path):
        summary = self.summary(tmp_path / "run", 0.52)
        assert summary["headline"].startswith("At chance: 1,000 test samples tell none from the 50.0 % of always")
        assert "best" not in summary["headline"]

    def test_what_is_clearly_above_it_is_not_at_chance(self, tmp_path):
        # Of 1,000 guesses 532 and more are right in 2.3 % of cases.
        assert summary_starts(self.summary(tmp_path / "run", 0.56), "Highest mean: ")
        # However few seeds there are.
        assert summary_starts(self.summary(tmp_path / "few", 0.9), "Highest mean: ")

    @pytest.mark.parametrize(("right", "told"), [(530, False), (531, False), (532, True), (540, True)])
    def test_the_bound_is_that_of_the_binomial_distribution(self, tmp_path, right, told):
        assert (stats.binom.sf(right - 1, 1000, 0.5) <= 0.025) == told
        metrics = {"test_accuracy": lambda m: right / 1000}
        summary = summarise(record(tmp_path / "run", study(seeds=6), metrics=metrics, facts=dict(self.FACTS)))
        assert summary["headline"].startswith("At chance") != told

    def test_fewer_than_the_most_frequent_class_is_not_said_to_be_alike(self, tmp_path):
        counts = {"class_counts": [900.0, 100.0], "test_class_counts": [900, 100]}
        metrics = {"test_accuracy": lambda m: 0.5 + 0.001 * m.seed}
        facts = dict(self.FACTS) | counts
        asked = study(seeds=6, metric="accuracy")
        text = summarise(record(tmp_path / "run", asked, metrics=metrics, facts=facts))["headline"]
        assert text.startswith("At chance: none is above the 90.0 % of always naming")

    def test_few_test_samples_cannot_tell_even_a_flawless_function_from_a_class_that_is_nearly_all(self, tmp_path):
        counts = {"class_counts": [95.0, 5.0], "test_class_counts": [38, 2], "samples": {"train": 100, "test": 40}}
        metrics = {"test_accuracy": lambda m: 1.0}
        facts = dict(self.FACTS) | counts
        asked = study(seeds=6, metric="accuracy")
        text = summarise(record(tmp_path / "run", asked, metrics=metrics, facts=facts))["headline"]
        # 0.95⁴⁰ is 13 %.
        assert text.startswith("At chance: 40 test samples tell none from the 95.0 % of always naming")
        assert "Highest mean: sigmoid, tanh and relu, 100.0 %" in text

    def test_a_target_below_it_is_none(self, tmp_path):
        summary = self.summary(tmp_path / "run", 0.52)
        assert summary["activations"][0]["epochs_to_target"]["target"] is None
        assert said(summary, "there is no target")
        assert self.summary(tmp_path / "far", 0.9)["activations"][0]["epochs_to_target"]["target"] is not None

    def test_guessing_is_one_of_the_classes(self, tmp_path):
        assert self.summary(tmp_path / "run", 0.9)["chance"] == 0.5


def summary_starts(summary, words):
    return summary["headline"].startswith(words)


class TestBaseline:
    LEADS = MappingProxyType({"sigmoid": 0.0, "tanh": 0.004, "relu": 0.01})

    @pytest.fixture
    def recording(self, tmp_path):
        rng = np.random.default_rng(0)
        noise = {name: rng.normal(0, 0.005, 10) for name in self.LEADS}
        metrics = {"test_accuracy": lambda m: 0.9 + self.LEADS[m.activation] + noise[m.activation][m.seed]}
        return record(tmp_path / "run", study(seeds=10), metrics=metrics)

    def test_each_is_compared_with_it_alone(self, recording):
        summary = summarise(recording, "tanh")
        beside = summary["baseline"]
        assert (beside["name"], len(summary["comparisons"])) == ("tanh", 6)
        assert [(row["a"], row["b"]) for row in beside["comparisons"]] == [("relu", "tanh"), ("sigmoid", "tanh")]
        every = {frozenset((row["a"], row["b"])): row for row in summary["comparisons"][:3]}
        for row in beside["comparisons"]:
            pair = every[frozenset((row["a"], row["b"]))]
            # Fewer comparisons at once: never a larger p, never a wider interval.
            assert row["p_max_t"] <= pair["p_max_t"]
            assert abs(row["difference"]) == pytest.approx(abs(pair["difference"]))
        (finding,) = [one for one in summary["findings"] if one["code"] == "within_noise"]
        assert "all 2 pairs asked at once" in finding["sentence"]
        # What may be the best does not depend on it.
        assert summary["headline"] == summarise(recording)["headline"]
        assert said(summary, "tanh, the baseline, all asked at once")

    def test_one_that_diverged_takes_no_conclusion_away(self, tmp_path):
        diverged = {("tanh", 0.05, seed): (3, "lost") for seed in range(8)}
        metrics = {"test_accuracy": lambda m: 0.9 + 0.05 * (m.activation == "relu") + 0.001 * m.seed}
        made = record(tmp_path / "run", study(seeds=10), metrics=metrics, diverged=diverged)
        summary, plain = summarise(made, "tanh"), summarise(made)
        assert summary["headline"] == plain["headline"]
        assert plain["headline"].startswith("relu is best")
        assert summary["findings"] == plain["findings"]
        assert all(row["told_apart"] is None for row in summary["baseline"]["comparisons"])
        assert said(summary, "tanh, the baseline, mostly diverged: nothing can be compared with it")

    def test_p_is_that_of_all_flips_of_the_two_differences(self, recording):
        beside = summarise(recording, "tanh")["baseline"]["comparisons"]
        values = {row["name"]: np.array(row["test_accuracy"]["values"]) for row in summarise(recording)["activations"]}
        differences = np.array([values["relu"] - values["tanh"], values["sigmoid"] - values["tanh"]])
        signs = np.array(list(itertools.product([1, -1], repeat=10)))
        size = [np.abs(stats.ttest_1samp(signs * row, 0, axis=1).statistic) for row in differences]
        largest = np.maximum(*size)
        first = max((0, 1), key=lambda i: size[i][0])
        assert beside[first]["p_max_t"] == pytest.approx(np.mean(largest >= size[first][0] - 1e-9))

    def test_one_that_is_not_in_the_study_is_refused(self, recording):
        with pytest.raises(InvalidStudy, match="one of the study's activations is expected: "):
            summarise(recording, "gelu")
