"""The choice of learning rates: on other seeds, on validation data, beyond the ends of the list."""

from __future__ import annotations

import json

import numpy as np
import pytest

import actlab
from actlab import engine, tuning
from actlab.errors import InvalidRecording
from actlab.layers import Act, Dense
from actlab.recording import load
from actlab.study import Arm, Study
from actlab.tasks import load as load_task

SMALL = {"task": "parabolas", "network": [Dense(3), Act(), Dense(1)], "optimiser": "sgd", "epochs": 3, "seeds": 2}


def made_up(losses):
    """In the place of `engine.run`: each rate's validation loss by a rule; what was asked for is kept."""
    asked = []

    def run(study, directory, **_):
        asked.append(study)
        return study

    def scores(study):
        return {
            Arm(name, rate): losses(name, rate) for name in study.activations for rate in study.learning_rates or ()
        }

    return asked, run, scores


@pytest.fixture
def tuned(tmp_path, monkeypatch):
    def tune(losses, rates=(0.1, 0.2), activations=("relu", "tanh")):
        asked, run, scores = made_up(losses)
        monkeypatch.setattr(engine, "run", run)
        monkeypatch.setattr(tuning, "_scores", scores)
        study = Study(**SMALL | {"activations": activations, "learning_rates": rates})
        chosen, rows = tuning.tune(study, tmp_path / "run", load_task("parabolas"))
        return chosen.chosen_rates["stated"], rows, asked

    return tune


def away_from(best):
    return lambda name, rate: (abs(np.log(rate / best[name])), 0)


def test_the_lowest_loss_is_chosen_and_an_end_is_extended_by_the_step_there(tuned):
    chosen, rows, asked = tuned(away_from({"relu": 0.2, "tanh": 0.05}), rates=(0.1, 0.2, 0.8))
    assert chosen == {"relu": 0.2, "tanh": 0.05}
    # Only tanh was at an end: half of 0.1, and half of that.
    assert [(study.activations, study.learning_rates) for study in asked[1:]] == [(("tanh",), (0.05, 0.025))]
    assert [row["learning_rate"] for row in rows if row["activation"] == "tanh"] == [0.025, 0.05, 0.1, 0.2, 0.8]


def test_it_ends_after_three_extensions(tuned):
    chosen, rows, asked = tuned(lambda name, rate: (rate, 0), activations=("relu",))
    assert len(asked) == 1 + tuning.EXTENSIONS == 4
    assert chosen["relu"] == min(row["learning_rate"] for row in rows) == pytest.approx(0.1 / 2**6, rel=0.01)


def test_of_equals_the_smallest_rate_is_taken(tuned):
    chosen, _, _ = tuned(lambda name, rate: (1.0 if rate in (0.2, 0.4) else 2.0, 0), rates=(0.1, 0.2, 0.4, 0.8))
    assert chosen == {"relu": 0.2, "tanh": 0.2}


def test_a_rate_at_which_members_diverge_is_taken_only_if_all_do(tuned):
    def losses(name, rate):
        return (np.inf, 3) if name == "relu" or rate > 0.2 else (1 / rate, 0)

    chosen, rows, _ = tuned(losses, rates=(0.1, 0.2, 0.4))
    assert chosen["tanh"] == 0.2
    assert chosen["relu"] == min(row["learning_rate"] for row in rows if row["activation"] == "relu")
    assert {row["validation_loss"] for row in rows if row["activation"] == "relu"} == {None}


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Rates of which two make linear layers overflow; tanh stands them. With a stated rate and the gain, too."""
    settings = {
        "activations": ["tanh", "relu"],
        "learning_rates": [0.05, 0.5, 5.0],
        "stated_rate": 0.05,
        "init": "gain",
    }
    study = Study(**SMALL | settings)
    return study, actlab.run(study, tmp_path_factory.mktemp("tuning") / "run")


def test_tuning_seeds_are_in_no_report(real):
    study, recording = real
    assert study.tuning_seeds == (2, 3, 4)
    assert {member.seed for member in recording.members} == {0, 1}
    tried = [load(path) for path in sorted((recording.directory / "tuning").iterdir())]
    assert {member.seed for own in tried for member in own.members} == {2, 3, 4}


def test_the_choice_is_the_lowest_validation_loss_of_the_recordings(real):
    _, recording = real
    losses: dict = {}
    for path in (recording.directory / "tuning").iterdir():
        own = load(path)
        for member in own.members:
            loss = own.metrics["validation_loss"][-1, member.id]
            key = member.init, member.activation, member.learning_rate
            losses.setdefault(key, []).append(loss if np.isfinite(loss) else np.inf)
    for init, chosen in recording.study.chosen_rates.items():
        for activation, rate in chosen.items():
            own = {key[2]: np.mean(values) for key, values in losses.items() if key[:2] == (init, activation)}
            assert own[rate] == min(own.values())


def test_the_summary_holds_all_contests(real):
    _, recording = real
    summary = json.loads((recording.directory / "summary.json").read_text(encoding="utf-8"))
    assert summary["contest"]["name"] == "best"
    assert [contest["name"] for contest in summary["contests"]] == ["stated", "gain"]
    stated, gain = summary["contests"]
    assert {row["learning_rate"] for row in stated["activations"]} == {0.05}
    for contest, init in ((summary, "stated"), (gain, "gain")):
        for row in contest["activations"]:
            assert row["learning_rate"] == summary["study"]["chosen_rates"][init][row["name"]]
    assert any("with the seeds 2, 3 and 4, which serve nothing else" in note for note in summary["notes"])


def test_the_same_study_again_into_its_directory(real):
    study, recording = real
    before = (recording.directory / "summary.json").read_bytes()
    again = actlab.run(study, recording.directory)
    assert again.study.identity == recording.study.identity
    same = json.loads(before), json.loads((recording.directory / "summary.json").read_bytes())
    for summary in same:
        summary.pop("throughput")
    assert same[0] == same[1]


def test_every_rate_diverges_for_one_activation_and_the_others_are_unharmed(tmp_path):
    settings = {"activations": ["quadratic", "tanh"], "learning_rates": [1e6, 1.1e6], "seeds": 3, "epochs": 2}
    recording = actlab.run(Study(**SMALL | settings), tmp_path / "run")
    summary = json.loads((recording.directory / "summary.json").read_text(encoding="utf-8"))
    by_name = {row["name"]: row for row in summary["activations"]}
    assert by_name["quadratic"]["diverged"] == 3
    assert by_name["tanh"]["diverged"] == 0
    assert by_name["tanh"]["test_accuracy"]["count"] == 3
    assert any(note.startswith("quadratic: every learning rate tried diverged, from ") for note in summary["notes"])


def test_a_directory_of_something_else_is_refused_before_anything_is_trained(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    study = Study(**SMALL | {"activations": ["relu"], "learning_rates": [0.1, 0.2]})
    with pytest.raises(InvalidRecording, match="exists and holds no recording"):
        actlab.run(study, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_study_that_validates_on_test_data_chooses_on_held_out_data(tmp_path):
    settings = {"activations": ["tanh"], "learning_rates": [0.1, 0.5, 1.0], "validation": "test"}
    recording = actlab.run(Study(**SMALL | settings), tmp_path / "run")
    task = load_task("parabolas", validation="test")
    assert recording.study.digest == task.digest
    for path in (tmp_path / "run" / "tuning").iterdir():
        own = load(path)
        assert own.study.validation == "held-out"
        assert own.study.digest != task.digest
        validation, test = own.metrics["validation_loss"], own.metrics["test_loss"]
        assert not np.allclose(validation, test)
