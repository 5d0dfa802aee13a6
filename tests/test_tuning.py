"""The choice of learning rates: what is tried, what is taken, on which data and seeds, and what is left on disk."""

from __future__ import annotations

import dataclasses
import json
import math
import re

import numpy as np
import pytest
from tests.synthetic_recording import record

import actlab
from actlab import engine
from actlab.cli import compare
from actlab.engine import Progress
from actlab.errors import InvalidRecording
from actlab.laboratory import tuning
from actlab.layers import Act, Dense
from actlab.recording import load
from actlab.statistics import summarise
from actlab.study import SGD, Milestone, Study, complete
from actlab.tasks import load as load_task
from actlab.tasks.task import build, validated_on_test

NETWORK = (Dense(4), Act(), Dense(1))


@pytest.fixture(scope="module")
def task():
    """Sixty points in two classes, none of them twice, in a third each."""
    rng = np.random.default_rng(0)

    def part(count):
        y = np.arange(count) % 2
        return rng.normal(size=(count, 2)) + 3 * y[:, None], y

    return build("made-up", part(60), part(20), part(20), provenance="made up")


def study_of(**settings):
    defaults = {"name": "mine", "task": "made-up", "network": NETWORK, "activations": ["tanh", "relu"], "epochs": 2}
    return Study(**defaults | {"optimiser": SGD(), "seeds": 2, "batch": 20} | settings)


@pytest.fixture
def trained(monkeypatch):
    """An engine that trains nothing: validation losses are those that `trained.loss` makes of a member.

    NaN stands for a member that diverges. Every run asked for is kept in `trained.runs`.
    """

    class Engine:
        def __init__(self):
            self.runs = []
            self.loss = lambda member: 1.0

        def train(self, study, directory, *, task, memory=None, restart=False, progress=lambda _: None):
            self.runs.append(
                {"study": study, "directory": directory, "task": task, "memory": memory, "restart": restart}
            )
            progress(Progress(2, 2, 1, 0, 0.0))
            finished = complete(study, task)
            losses = {"validation_loss": lambda m: np.nan_to_num(self.loss(m))}
            rates = [(name, rate, seed) for name in study.activations for rate in study.learning_rates
                     for seed in study.seeds]  # fmt: skip
            gone = {key: (1, "the training loss became infinite") for key in rates
                    if math.isnan(self.loss(SimpleMember(*key)))}  # fmt: skip
            return record(directory, finished, metrics=losses, diverged=gone)

    made = Engine()
    monkeypatch.setattr(engine, "train", made.train)
    return made


@dataclasses.dataclass(frozen=True)
class SimpleMember:
    activation: str
    learning_rate: float
    seed: int
    init: str = "stated"


def distance_from(best):
    """A loss that is smallest at a rate of each function, and grows with the logarithm to either side."""
    return lambda member: abs(math.log10(member.learning_rate / best[member.activation]))


def tried(rows, activation, init="stated"):
    return [row["learning_rate"] for row in rows if (row["activation"], row["init"]) == (activation, init)]


# What is chosen


def test_each_function_gets_the_rate_of_its_lowest_mean_validation_loss(trained, task, tmp_path):
    losses = {("tanh", 0.1): (0.4, 0.4, 0.4), ("relu", 0.1): (0.1, 0.9, 0.9), ("relu", 0.01): (0.5, 0.5, 0.5)}
    trained.loss = lambda m: losses.get((m.activation, m.learning_rate), (0.7, 0.7, 0.7))[m.seed - 2]
    study = study_of(learning_rates=[1.0, 0.1, 0.01, 0.001])
    chosen, rows = tuning.tune(study, tmp_path / "run", task)
    assert chosen == study.model_copy(update={"chosen_rates": {"stated": {"tanh": 0.1, "relu": 0.01}}})
    assert len(trained.runs) == 1
    assert [(row["activation"], row["learning_rate"]) for row in rows] == [
        (name, rate) for name in ("tanh", "relu") for rate in (0.001, 0.01, 0.1, 1.0)
    ]
    assert rows[6] == {
        "activation": "relu", "init": "stated", "learning_rate": 0.1,
        "validation_loss": pytest.approx(1.9 / 3), "diverged": 0, "members": 3,
        "validation_losses": pytest.approx([0.1, 0.9, 0.9]), "validation_accuracies": rows[6]["validation_accuracies"],
    }  # fmt: skip


def test_of_equals_the_smallest_is_taken(trained, task, tmp_path):
    trained.loss = lambda m: 1.0 if m.learning_rate in (0.1, 1.0) else 2.0
    chosen, _ = tuning.tune(study_of(learning_rates=[10.0, 1.0, 0.1, 0.01]), tmp_path / "run", task)
    assert chosen.chosen_rates == {"stated": {"tanh": 0.1, "relu": 0.1}}


def test_other_initial_weights_have_rates_of_their_own(trained, task, tmp_path):
    best = {"stated": 0.1, "gain": 0.01}
    trained.loss = lambda m: abs(math.log10(m.learning_rate / best[m.init]))
    study = study_of(learning_rates=[1.0, 0.1, 0.01, 0.001], init="gain")
    chosen, rows = tuning.tune(study, tmp_path / "run", task)
    assert chosen.chosen_rates == {init: dict.fromkeys(("tanh", "relu"), rate) for init, rate in best.items()}
    assert [(row["activation"], row["init"]) for row in rows[::4]] == [
        ("tanh", "stated"), ("tanh", "gain"), ("relu", "stated"), ("relu", "gain"),
    ]  # fmt: skip


def test_a_member_that_diverged_makes_its_rate_infinitely_bad(trained, task, tmp_path):
    def loss(member):
        diverges = (member.activation, member.learning_rate, member.seed) == ("relu", 0.1, 4)
        return math.nan if diverges else abs(math.log10(member.learning_rate) + 1)

    trained.loss = loss
    chosen, rows = tuning.tune(study_of(learning_rates=[1.0, 0.1, 0.01, 0.001]), tmp_path / "run", task)
    # Its neighbours are equals, and the smaller one is taken.
    assert chosen.chosen_rates == {"stated": {"tanh": 0.1, "relu": 0.01}}
    (row,) = [row for row in rows if row["diverged"]]
    assert (row["activation"], row["learning_rate"]) == ("relu", 0.1)
    assert (row["validation_loss"], row["diverged"], row["members"]) == (None, 1, 3)


def test_where_all_rates_diverge_the_fewest_members_count(trained, task, tmp_path):
    survivors = {0.01: (2, 3), 0.1: (2,), 1.0: ()}
    trained.loss = lambda m: 1.0 if m.seed in survivors.get(m.learning_rate, ()) else math.nan
    chosen, rows = tuning.tune(study_of(activations=["relu"], learning_rates=[0.001, 0.1, 0.01, 1.0]), tmp_path, task)
    assert chosen.chosen_rates == {"stated": {"relu": 0.01}}
    assert [row["diverged"] for row in rows] == [3, 1, 2, 3]


# The edge of the grid


def test_a_best_rate_at_an_end_is_looked_for_beyond_it(trained, task, tmp_path):
    trained.loss = distance_from({"tanh": 0.03, "relu": 0.0001})
    chosen, rows = tuning.tune(study_of(learning_rates=[0.003, 0.03, 0.3]), tmp_path / "run", task)
    assert tried(rows, "tanh") == [0.003, 0.03, 0.3]
    # Two steps of the same factor: 0.0003 and 0.00003 straddle 0.0001; the first of them is nearer.
    assert tried(rows, "relu") == [0.00003, 0.0003, 0.003, 0.03, 0.3]
    assert chosen.chosen_rates == {"stated": {"tanh": 0.03, "relu": 0.0003}}
    assert [run["study"].activations for run in trained.runs] == [("tanh", "relu"), ("relu",)]


@pytest.mark.parametrize(
    ("far", "rates"),
    [
        (1e9, [0.1, 0.3, 0.9, 2.7, 8.1, 24.3, 72.9, 219]),
        (1e-9, [0.000137, 0.000412, 0.00123, 0.0037, 0.0111, 0.0333, 0.1, 0.3]),
    ],
)
def test_it_is_looked_for_three_times_and_then_flagged(trained, task, tmp_path, far, rates):
    trained.loss = distance_from({"tanh": far})
    study = study_of(activations=["tanh"], learning_rates=[0.3, 0.1])
    chosen, rows = tuning.tune(study, tmp_path / "run", task)
    np.testing.assert_allclose(tried(rows, "tanh"), rates, rtol=1e-2)
    last = tried(rows, "tanh")[-1 if far > 1 else 0]
    assert chosen.chosen_rates == {"stated": {"tanh": last}}
    assert len(trained.runs) == 1 + 3
    summary = summarise(record(tmp_path / "found", complete(chosen, task), facts={"tuning": rows}))
    assert summary["activations"][0]["learning_rate_at_edge"] is True
    words = f"is {last:g}, at the edge of those tried: a {'larger' if far > 1 else 'smaller'} one may be better."
    assert any(words in note for note in summary["notes"])


def test_a_best_rate_inside_what_was_tried_in_the_end_is_not_flagged(trained, task, tmp_path):
    """0.3 was an end of the study's list, not of what was tried."""
    trained.loss = distance_from({"tanh": 0.3})
    chosen, rows = tuning.tune(study_of(activations=["tanh"], learning_rates=[0.1, 0.3]), tmp_path / "run", task)
    assert chosen.chosen_rates == {"stated": {"tanh": 0.3}}
    summary = summarise(record(tmp_path / "found", complete(chosen, task), facts={"tuning": rows}))
    assert summary["activations"][0]["learning_rate_at_edge"] is False


def test_functions_that_go_the_same_way_go_together(trained, task, tmp_path):
    names = ["tanh", "relu", "elu", "gelu"]
    trained.loss = distance_from({"tanh": 10.0, "relu": 0.001, "elu": 10.0, "gelu": 0.1})
    tuning.tune(study_of(activations=names, learning_rates=[0.01, 0.1, 1.0]), tmp_path / "run", task)
    asked = [(run["study"].activations, run["study"].learning_rates) for run in trained.runs]
    assert asked[0] == (tuple(names), (0.01, 0.1, 1.0))
    assert sorted(asked[1:]) == [(("elu", "tanh"), (10.0, 100.0)), (("relu",), (0.001, 0.0001))]


# Seeds, data, settings


def test_the_runs_of_the_choice_use_nothing_of_the_report(trained, task, tmp_path):
    trained.loss = distance_from({"tanh": 0.01, "relu": 10.0})
    seen = []
    study = study_of(learning_rates=[0.01, 0.1, 1.0], stated_rate=0.1, milestones=[Milestone(name="all right")])
    tuning.tune(study, tmp_path / "run", task, memory=10**10, progress=seen.append)
    assert len(trained.runs) == 2 + 1
    for run in trained.runs:
        own = run["study"]
        assert own.seeds == study.tuning_seeds == (2, 3, 4)
        assert not set(own.seeds) & set(study.seeds)
        assert (own.stated_rate, own.milestones, own.chosen_rates) == (None, (), None)
        assert run["directory"].parent == tmp_path / "run" / "tuning"
        assert (run["memory"], run["task"]) == (10**10, task)
        unlike = {"activations", "learning_rates", "seeds", "tuning_seeds", "stated_rate", "milestones"}
        assert own.model_dump(exclude=unlike) == study.model_dump(exclude=unlike)
    assert {progress.purpose for progress in seen} == {"choosing learning rates"}


def test_a_study_that_has_been_run_chooses_anew(trained, task, tmp_path):
    trained.loss = distance_from({"tanh": 0.1, "relu": 0.1})
    study = study_of(learning_rates=[0.01, 0.1, 1.0], chosen_rates={"stated": {"tanh": 1.0, "relu": 0.01}})
    chosen, _ = tuning.tune(complete(study, task), tmp_path / "run", task)
    assert chosen.chosen_rates == {"stated": {"tanh": 0.1, "relu": 0.1}}


def points(*parts):
    return {tuple(x) for part in parts for x in part.tolist()}


def test_a_study_that_validates_on_test_data_chooses_on_data_held_out_of_training(trained, task, tmp_path):
    joined = validated_on_test(task)
    trained.loss = distance_from({"tanh": 0.1, "relu": 0.1})
    study = study_of(learning_rates=[0.01, 0.1, 1.0], validation="test")
    tuning.tune(complete(study, joined), tmp_path / "run", joined)
    used = trained.runs[0]["task"]
    assert points(used.x_train, used.x_validation) == points(joined.x_train)
    assert not points(used.x_train) & points(used.x_validation)
    assert not points(used.x_train, used.x_validation) & points(joined.x_test)
    assert len(used.x_validation) == round(len(joined.x_train) / 6)
    assert trained.runs[0]["study"].validation == "held-out"
    tuning.tune(study_of(learning_rates=[0.01, 0.1, 1.0]), tmp_path / "other", task)
    assert trained.runs[1]["task"] is task


# Directories


def listing(directory):
    return {path: path.read_bytes() if path.is_file() else None for path in directory.rglob("*")}


@pytest.mark.parametrize("name", ["notes.txt", "tuning/notes.txt", "tuning/2-0", "segments/a", "study.toml"])
def test_a_directory_that_holds_something_else_is_left_as_it_is(trained, task, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine", encoding="utf-8")
    before = listing(tmp_path)
    with pytest.raises(InvalidRecording, match="it is left as it is"):
        tuning.tune(study_of(learning_rates=[0.01, 0.1]), tmp_path, task)
    assert listing(tmp_path) == before
    assert trained.runs == []


def test_a_directory_of_another_study_is_left_as_it_is(trained, task, tmp_path):
    record(tmp_path / "run", complete(study_of(learning_rates=[0.01, 0.2]), task))
    before = listing(tmp_path)
    with pytest.raises(InvalidRecording, match="holds another study"):
        tuning.tune(study_of(learning_rates=[0.01, 0.1]), tmp_path / "run", task)
    assert listing(tmp_path) == before


def test_what_another_choice_has_left_is_no_hindrance(trained, task, tmp_path):
    """On another machine the best rate may lie elsewhere, so that other rates are tried in the second round."""
    study = study_of(learning_rates=[0.01, 0.1, 1.0])
    for best in (0.0001, 100.0):
        trained.loss = distance_from({"tanh": best, "relu": best})
        chosen, _ = tuning.tune(study, tmp_path / "run", task)
        assert chosen.chosen_rates == {"stated": {"tanh": best, "relu": best}}
    names = [path.name for path in (tmp_path / "run" / "tuning").iterdir()]
    assert sorted(re.sub("-[0-9a-f]{8}$", "", name) for name in names) == ["1", "2", "2", "3", "3"]


# Real runs


@pytest.fixture(scope="module")
def finished(task, tmp_path_factory):
    """Three conditions of two functions, as `actlab.run` makes them."""
    directory = tmp_path_factory.mktemp("real") / "run"
    study = study_of(learning_rates="auto", stated_rate=0.1, init="gain", epochs=3)
    told = []
    recording = actlab.run(study, directory, task=task, progress=told.append)
    return study, recording, told


def test_no_member_of_the_report_has_a_seed_of_the_choice(finished):
    study, recording, _ = finished
    assert {member.seed for member in recording.members} == {0, 1}
    tuned = [load(directory) for directory in sorted((recording.directory / "tuning").iterdir())]
    assert {member.seed for run in tuned for member in run.members} == {2, 3, 4}
    assert all(run.complete for run in tuned)
    variants = {(m.activation, m.learning_rate, m.init) for run in tuned for m in run.members}
    rows = recording.facts["tuning"]
    assert {(row["activation"], row["learning_rate"], row["init"]) for row in rows} == variants
    assert tuned[0].study.learning_rates == study.learning_rates


def test_the_rates_taken_are_those_of_the_lowest_loss_in_the_recordings_of_the_choice(finished):
    _, recording, _ = finished
    losses: dict[tuple[str, str], dict[float, float]] = {}
    for directory in (recording.directory / "tuning").iterdir():
        run = load(directory)
        final = run.metrics["validation_loss"][-1]
        for place in range(0, len(run.members), 3):
            variant = run.members[place]
            assert {m.learning_rate for m in run.members[place : place + 3]} == {variant.learning_rate}
            mean = final[place : place + 3].mean()
            losses.setdefault((variant.init, variant.activation), {})[variant.learning_rate] = mean
    chosen = recording.study.chosen_rates
    assert {(init, name) for init in chosen for name in chosen[init]} == losses.keys()
    for (init, name), by_rate in losses.items():
        assert chosen[init][name] == min(by_rate, key=by_rate.get)
    for row in recording.facts["tuning"]:
        own = losses[row["init"], row["activation"]][row["learning_rate"]]
        assert row["validation_loss"] == pytest.approx(own)


def test_conditions_are_reported(finished):
    study, recording, told = finished
    summary = json.loads((recording.directory / "summary.json").read_text(encoding="utf-8"))
    names = [summary["contest"]["name"], *(condition["name"] for condition in summary["contests"])]
    assert names == ["best", "stated", "gain"]
    chosen = recording.study.chosen_rates
    expected = {"best": chosen["stated"], "stated": dict.fromkeys(study.activations, 0.1), "gain": chosen["gain"]}
    for condition, name in zip((summary, *summary["contests"]), names, strict=True):
        assert {row["name"]: row["learning_rate"] for row in condition["activations"]} == expected[name]
    page = (recording.directory / "report.html").read_text(encoding="utf-8")
    assert "How each learning rate was chosen" in page
    assert [progress.purpose for progress in told if progress.epoch == 3][-1] == ""
    assert {progress.purpose for progress in told} == {"choosing learning rates", ""}


def test_the_same_study_again_gives_the_same(finished, task):
    study, recording, _ = finished
    rows = recording.facts["tuning"]
    again = actlab.run(study, recording.directory, task=task, progress=lambda _: None)
    assert again.facts["tuning"] == rows
    assert [segment.sha256 for segment in again.segments] == [segment.sha256 for segment in recording.segments]
    # Its own study file, with what was chosen, is the same study.
    actlab.run(recording.study, recording.directory, task=task, progress=lambda _: None)


def test_a_function_whose_every_rate_diverges_harms_no_other(task, tmp_path):
    """With weights of 1e24 and more ReLU's logits overflow; tanh's stay finite behind its saturated units."""
    study = study_of(learning_rates=[1e30, 1e31])
    recording = actlab.run(study, tmp_path / "run", task=task, progress=lambda _: None)
    summary = summarise(recording)
    found = {row["name"]: row for row in summary["activations"]}
    said = [note for note in summary["notes"] if note.startswith("relu: every")]
    assert said == ["relu: every learning rate tried diverged, from 1e+24 to 1e+31."]
    assert found["relu"]["learning_rate"] == 1e24
    assert (found["relu"]["diverged"], found["relu"]["test_accuracy"]["mean"]) == (2, None)
    assert (found["tanh"]["diverged"], found["tanh"]["test_accuracy"]["count"]) == (0, 2)
    assert not [note for note in summary["notes"] if note.startswith("tanh: every")]
    assert all(row["validation_loss"] is not None for row in summary["tuning"] if row["activation"] == "tanh")


def test_a_study_of_test_data_is_tuned_on_held_out_ones_from_its_name(tmp_path):
    """Loaded by name, not handed over."""
    study = Study(task="moons", validation="test", activations=["tanh"], learning_rates=[0.01, 0.1], epochs=1, seeds=1,
                  network=[Dense(2), Act(), Dense(1)], batch=400)  # fmt: skip
    recording = actlab.run(study, tmp_path / "run", progress=lambda _: None)
    whole = load_task("moons", validation="test")
    assert recording.study.digest == whole.digest
    first = load(min((tmp_path / "run" / "tuning").iterdir()))
    assert first.study.digest != whole.digest
    assert f"of the {len(whole.x_train):,} training samples held out" in first.study.provenance
    np.testing.assert_array_equal(recording.metrics["validation_loss"], recording.metrics["test_loss"])
    assert not np.array_equal(first.metrics["validation_loss"], first.metrics["test_loss"])


def test_interrupted_while_choosing_the_sentence_is_true_and_the_next_run_goes_on(task, tmp_path, monkeypatch):
    real, calls = engine.train, []

    def run(*arguments, **settings):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **settings)

    monkeypatch.setattr(engine, "train", run)
    monkeypatch.setattr("actlab.laboratory.comparison.load_task", lambda *_, **__: task)
    study, directory = study_of(learning_rates=[0.01, 0.1]), tmp_path / "run"
    with pytest.raises(compare.Stopped) as stopped:
        compare._compare(study, directory, as_json=False, options={})
    assert str(stopped.value) == (
        f"stopped before an epoch of the comparison was recorded; {directory / 'tuning'} holds what the learning rates "
        "showed."
    )
    (kept,) = (directory / "tuning").iterdir()
    assert load(kept).complete
    assert not (directory / "study.db").exists()
    before = listing(kept)
    recording = actlab.run(study, directory, task=task, progress=lambda _: None)
    assert recording.complete
    assert listing(kept) == before, "what was tried to the end is not tried again"


def test_what_was_tried_in_part_is_tried_again_and_stays_until_then(task, tmp_path, monkeypatch):
    real, directory = engine.train, tmp_path / "run"
    study = study_of(learning_rates=[0.01, 0.1], epochs=6)

    def stopping(progress):
        if progress.epoch > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        actlab.run(study, directory, task=task, progress=stopping)
    (tried,) = (directory / "tuning").iterdir()
    assert 0 <= load(tried).epochs < 6
    kept, seen = load(tried).epochs, []

    def watched(*arguments, **settings):
        seen.append(load(tried).epochs)
        return real(*arguments, **settings)

    monkeypatch.setattr(engine, "train", watched)
    assert actlab.run(study, directory, task=task, progress=lambda _: None).complete
    assert seen[:2] == [kept, 6]
    assert load(tried).complete
    # Complete, it is handed on; told to train anew, all is trained anew.
    monkeypatch.setattr(engine, "train", real)
    before = listing(directory)
    actlab.run(study, directory, task=task, progress=lambda _: pytest.fail("it is trained"))
    assert listing(directory) == before
    purposes = []
    actlab.run(study, directory, task=task, restart=True, progress=lambda now: purposes.append(now.purpose))
    assert set(purposes) == {"", "choosing learning rates"}
    assert load(tried).complete
    assert {path.name for path in tried.iterdir()} == {"study.toml", "study.db", "segments"}
