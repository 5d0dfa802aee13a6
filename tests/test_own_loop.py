"""Functions compared in a model and a loop of a user's own."""

from __future__ import annotations

import html
import importlib.util
import io
import json
import linecache
import random
import re
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from tests import own_loops

import actlab
import actlab.torch
from actlab.diagnosis.recorded import verdict_in
from actlab.errors import (
    ActlabWarning,
    InvalidFunction,
    InvalidModel,
    InvalidRecording,
    InvalidStudy,
    UnknownName,
)
from actlab.laboratory.own_loop.source import digest_of
from actlab.views.paper import methods, write_table, write_tables
from actlab.views.report.report import page
from actlab.views.tensorboard import export
from actlab.views.terminal.comparison import leaderboard

NAMES = ["relu", "tanh", "prelu"]
SHARED = own_loops.build_plain()


def seed_numpy(seed):
    """As loops do that draw from NumPy's one generator."""
    np.random.seed(seed)  # noqa: NPY002


def by_hand(activation, seed, loop=own_loops.train, build=own_loops.build, **settings):
    """What a loop tells when it is run without the laboratory."""
    rows = []

    class Rows:
        @staticmethod
        def epoch(**metrics):
            rows.append(metrics)

    def act(*_):
        return actlab.torch.Activation(activation)

    def seeded():
        random.seed(seed)
        seed_numpy(seed)
        torch.manual_seed(seed)

    seeded()
    model = build(act)
    seeded()
    loop(model, seed, Rows(), **settings)
    return rows


def column(recording, activation, seed, rate=1.0):
    return next(m.id for m in recording.members if (m.activation, m.seed, m.learning_rate) == (activation, seed, rate))


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    directory = tmp_path_factory.mktemp("compared") / "run"
    own_loops.CALLS.clear()
    found = actlab.torch.compare(own_loops.build, own_loops.train, NAMES, 2, directory, processes=1, every=4)
    assert own_loops.CALLS == [0, 1] * 3
    return found


def test_numbers_are_those_of_the_loop_by_itself(compared):
    for activation in NAMES:
        for seed in (0, 1):
            place = column(compared, activation, seed)
            for number, row in enumerate(by_hand(activation, seed), 1):
                for name, value in row.items():
                    assert compared.metrics[name][number, place] == value, (activation, seed, number, name)
    assert compared.epochs == own_loops.EPOCHS
    assert np.isnan(compared.metrics["test_loss"][0]).all()


def drawn():
    return torch.rand(2).tolist(), np.random.rand(2).tolist(), random.random()  # noqa: NPY002


def test_what_the_process_draws_is_as_before(tmp_path):
    torch.manual_seed(3)
    seed_numpy(3)
    random.seed(3)
    expected = drawn()
    torch.manual_seed(3)
    seed_numpy(3)
    random.seed(3)
    actlab.torch.compare(own_loops.build, own_loops.train, ["relu"], 1, tmp_path / "run", processes=1)
    assert drawn() == expected


def test_functions_start_from_the_same_weights(compared):
    starts = compared.facts["starts"]
    assert starts["relu"] == starts["tanh"] == starts["prelu"]
    assert starts["relu"]["0"] != starts["relu"]["1"]
    assert compared.facts["paired"]
    assert compared.facts["parameters"] == {"relu": 114, "tanh": 114, "prelu": 116}


def test_measures_are_those_of_the_latest_look(compared):
    assert compared.act_layers == ("1", "3")
    assert compared.weight_layers == ("0", "2", "4")
    flat = compared.probes["flat_share"]
    assert flat.shape == (own_loops.EPOCHS + 1, 6, 2)
    assert np.isfinite(flat).all()
    # Of tanh with such inputs nothing is flat, of relu about a half.
    assert flat[0, column(compared, "tanh", 0)].max() < 0.05
    assert 0.2 < flat[0, column(compared, "relu", 0)].mean() < 0.8


def test_where_functions_start_from_other_weights_it_is_said(tmp_path):
    found = actlab.torch.compare(
        own_loops.build_drawing, own_loops.train, ["relu", "tanh", "gelu_tanh"], 1, tmp_path / "run", processes=1
    )
    assert not found.facts["paired"]
    assert any("gelu_tanh start from other weights than those with relu" in note for note in found.summary["notes"])


def test_a_call_that_was_stopped_goes_on_with_what_is_missing_and_more_seeds_train_only_those(tmp_path):
    calls = []

    def train(model, seed, watch):
        calls.append(seed)
        if len(calls) == 3:
            raise KeyboardInterrupt
        own_loops.train(model, seed, watch)

    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        actlab.torch.compare(own_loops.build, train, ["relu", "tanh"], 2, run, processes=1)
    assert sorted(path.suffix for path in (run / "members").iterdir()) == [".json", ".npz", ".npz"]
    assert not (run / "study.db").exists()
    found = actlab.torch.compare(own_loops.build, train, ["relu", "tanh"], 2, run, processes=1)
    assert calls[3:] == [0, 1]
    assert found.complete
    assert len(found.members) == 4
    more = actlab.torch.compare(own_loops.build, train, ["relu", "tanh", "elu"], 3, run, processes=1)
    assert calls[5:] == [2, 2, 0, 1, 2]
    assert len(more.members) == 9
    for name in ("test_loss", "train_loss"):
        for activation in ("relu", "tanh"):
            for seed in (0, 1):
                before, after = column(found, activation, seed), column(more, activation, seed)
                np.testing.assert_array_equal(found.metrics[name][:, before], more.metrics[name][:, after])
    (run / "report.html").unlink()
    again = actlab.torch.compare(own_loops.build, train, ["relu", "tanh", "elu"], 3, run, processes=1)
    assert len(calls) == 10
    assert again.summary == more.summary
    assert (run / "report.html").exists()


def test_a_member_that_raises_or_diverges_is_recorded_and_the_others_go_on(tmp_path):
    found = actlab.torch.compare(
        own_loops.build, own_loops.train_raising, ["relu", "tanh"], 3, tmp_path / "run", processes=1
    )
    ended = {(m.activation, m.seed): (m.diverged_epoch, m.diverged_reason) for m in found.members}
    assert ended["tanh", 1] == (2, "ValueError: the data are gone")
    assert ended["tanh", 2] == (2, "train_loss became NaN")
    assert [ended[key] for key in ended if key not in (("tanh", 1), ("tanh", 2))] == [(None, None)] * 4
    place = column(found, "tanh", 1)
    assert np.isfinite(found.metrics["test_loss"][1, place])
    assert np.isnan(found.metrics["test_loss"][2:, place]).all()
    text = json.dumps(found.summary)
    assert "ValueError: the data are gone" in text
    assert "it is too high" not in text


def test_what_diverged_has_no_numbers_of_the_part_that_stands_for_both(tmp_path):
    train = own_loops.train_raising_with_one_part
    found = actlab.torch.compare(own_loops.build, train, ["tanh"], 3, tmp_path / "run", processes=1)
    np.testing.assert_array_equal(found.metrics["test_loss"], found.metrics["validation_loss"])
    assert np.isfinite(found.metrics["test_loss"][1:]).tolist() == [
        [True] * 3,
        [True, False, False],
        [True, False, False],
    ]


def test_where_all_raise_nothing_is_kept(tmp_path):
    run = tmp_path / "run"
    with pytest.raises(
        InvalidModel, match=r"raised something in all 2 networks: RuntimeError: no such file .own_loops.py, line"
    ):
        actlab.torch.compare(own_loops.build, own_loops.train_always_raising, ["relu", "tanh"], 1, run, processes=1)
    assert not run.exists()
    # After it is mended, the directory is as good as new.
    actlab.torch.compare(own_loops.build, own_loops.train, ["relu"], 1, run, processes=1)


def test_factors_are_of_what_the_loop_asks_for_at_each_step(tmp_path):
    found = actlab.torch.compare(
        own_loops.build,
        own_loops.train_with_schedule,
        ["relu"],
        1,
        tmp_path / "run",
        learning_rates=8,
        processes=1,
    )
    assert found.study.learning_rates == (8.0,)
    for number, row in enumerate(by_hand("relu", 0, own_loops.train_with_schedule, rate=0.08), 1):
        assert found.metrics["train_loss"][number, 0] == row["train_loss"]


def test_rates_are_chosen_by_validation_with_other_seeds(tmp_path):
    found = actlab.torch.compare(
        own_loops.build,
        own_loops.train_with_schedule,
        ["relu", "tanh"],
        2,
        tmp_path / "run",
        learning_rates=[1, 10, 100],
        tuning_seeds=[7, 8],
        processes=1,
    )
    rows = found.facts["tuning"]
    own = [row for row in rows if row["activation"] == "tanh"]
    for row in own:
        ends = [
            by_hand("tanh", seed, own_loops.train_with_schedule, rate=0.01 * row["learning_rate"])[-1]
            for seed in (7, 8)
        ]
        assert row["validation_losses"] == pytest.approx([end["validation_loss"] for end in ends], rel=1e-4)
    best = min(own, key=lambda row: row["validation_loss"])
    assert found.study.chosen_rates["stated"]["tanh"] == best["learning_rate"]
    assert {m.learning_rate for m in found.members if m.activation == "tanh"} == {best["learning_rate"]}
    assert any(note.startswith("Each factor of the learning rate was chosen") for note in found.summary["notes"])
    assert "factor of the learning rate of each activation was chosen among 1, 10 and 100" in methods(found)


def test_an_optimiser_that_is_not_seen_has_no_factor(tmp_path):
    def train(model, seed):
        for parameter in model.parameters():
            parameter.data += 0.01
        return 0.5

    with pytest.raises(InvalidModel, match=r"no optimiser of torch\.optim stepped"):
        actlab.torch.compare(own_loops.build, train, ["relu"], 1, tmp_path / "run", learning_rates=2.0, processes=1)


def test_a_number_that_is_returned_is_the_score(tmp_path):
    found = actlab.torch.compare(
        own_loops.build, own_loops.train_for_a_score, ["relu", "tanh"], 2, tmp_path / "run", score="test_accuracy",
        processes=1,
    )  # fmt: skip
    ends = by_hand("tanh", 1)
    assert found.metrics["test_accuracy"][-1, column(found, "tanh", 1)] == ends[-1]["test_accuracy"]
    assert found.lead.name == "accuracy"
    assert found.study.rows == "end"
    assert "after training over 2 seeds" in found.summary["headline"]
    assert np.isfinite(found.probes["flat_share"]).all()


def test_one_held_out_part_metrics_of_ones_own_and_loops_of_several_lengths(tmp_path):
    found = actlab.torch.compare(
        own_loops.build, own_loops.train_until_good, ["relu", "tanh"], 2, tmp_path / "run", processes=1,
        better={"bleu": "higher"}, metric="bleu",
    )  # fmt: skip
    assert found.lead.name == "bleu"
    assert found.study.validation == "test"
    short = column(found, "relu", 1)
    assert found.metrics["test_bleu"][:, short].tolist() == pytest.approx([np.nan, 11, 11, 11], nan_ok=True)
    losses = found.metrics["validation_loss"][:, short]
    assert np.isfinite(losses).all()
    assert losses[0] != losses[1] == losses[2] == losses[3]
    notes = " ".join(found.summary["notes"])
    assert "2 networks of 4 ended before epoch 3" in notes
    assert "one part of held-out data, its validation data" in notes
    assert "one part of held-out data" in methods(found)


def test_functions_that_are_in_a_model_are_exchanged(tmp_path):
    found = actlab.torch.compare(
        own_loops.build_plain, own_loops.train, ["relu", "mish"], 1, tmp_path / "run", processes=1
    )
    assert found.facts["swapped"] == {"1": "ReLU()"}
    # The same model, with its own ReLU.
    torch.manual_seed(0)
    model = own_loops.build_plain()
    torch.manual_seed(0)
    rows = []
    own_loops.train(model, 0, type("Rows", (), {"epoch": staticmethod(lambda **row: rows.append(row))}))
    assert found.metrics["train_loss"][1:, 0].tolist() == pytest.approx([row["train_loss"] for row in rows], rel=1e-6)
    assert "put in the place of 1 (ReLU())" in methods(found)


def test_gated_units_are_compared_at_places_that_all_have(tmp_path):
    found = actlab.torch.compare(
        own_loops.build_gated, own_loops.train, ["relu", "swiglu"], 1, tmp_path / "run", processes=1
    )
    assert found.facts["parameters"] == {"relu": 42, "swiglu": 66}
    assert found.act_layers == ("1",)


def text_of(recording):
    """The page in words, without its scripts."""
    body = page(recording).partition("<body")[2]
    body = re.sub(r"<script.*?</script>", "", body, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_nothing_is_said_that_nobody_knows(compared, tmp_path):
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(leaderboard(compared, compared.summary))
    actlab_page, paragraph = text_of(compared), methods(compared)
    texts = [actlab_page, paragraph, console.export_text(), json.dumps(compared.summary), repr(compared)]
    for text in texts:
        for wrong in (
            "actlab compare",
            "study.toml",
            "probe sample",
            "probe batch",
            "Adam",
            "adam",
            "--",
            "batches of",
        ):
            assert wrong not in text.replace("---", ""), wrong
    assert "tests.own_loops:build" in paragraph
    assert "trained by tests.own_loops:train, a loop of our own" in paragraph
    assert "paired by seed" in paragraph
    assert "adam" not in (compared.directory / "study.toml").read_text()
    assert "actlab.torch.compare with tests.own_loops:build and tests.own_loops:train trains it again" in actlab_page


def test_whatever_reads_recordings_reads_it(compared, tmp_path):
    loaded = actlab.load(compared.directory)
    assert loaded.summary == compared.summary
    assert json.loads((compared.directory / "summary.json").read_text()) == compared.summary
    assert any(export(loaded, tmp_path / "events").rglob("*"))
    assert "factor of what the loop asks for" in (write_tables(loaded, tmp_path / "tables") / "README.txt").read_text()
    assert "tanh" in write_table(loaded, tmp_path / "table.tex").read_text()
    assert loaded.curves() is not None


def test_processes_give_the_same_numbers(compared, tmp_path):
    found = actlab.torch.compare(own_loops.build, own_loops.train, ["relu", "tanh"], 1, tmp_path / "run", processes=2)
    for activation in ("relu", "tanh"):
        ours, theirs = column(found, activation, 0), column(compared, activation, 0)
        np.testing.assert_allclose(
            found.metrics["test_loss"][:, ours], compared.metrics["test_loss"][:, theirs], rtol=1e-5
        )
    assert found.facts["processes"] == 2


def test_what_cannot_be_sent_is_trained_here_and_that_is_said_once(tmp_path):
    with pytest.warns(ActlabWarning, match="cannot be sent to another process") as told:
        found = actlab.torch.compare(
            lambda act: own_loops.build(act), own_loops.train, ["relu", "tanh"], 1, tmp_path / "run", processes=2
        )
    assert len([own for own in told if own.category is ActlabWarning]) == 1
    assert found.facts["processes"] == 1


def test_another_source_is_refused(tmp_path):
    run, module = tmp_path / "run", tmp_path / "changing_loop.py"
    text = """
        from tests import own_loops

        FACTOR = 1

        def helper(value):
            return FACTOR * value

        def train(model, seed, watch):
            own_loops.train(model, seed, watch)
            return {"test_score": helper(seed)}
    """
    sys.path.insert(0, str(tmp_path))
    try:
        module.write_text(textwrap.dedent(text))
        changing = importlib.import_module("changing_loop")
        actlab.torch.compare(own_loops.build, changing.train, ["relu"], 1, run, processes=1)
        module.write_text(textwrap.dedent(text).replace("FACTOR = 1", "FACTOR = 23"))
        del sys.modules["changing_loop"]
        linecache.clearcache()
        importlib.invalidate_caches()
        changed = importlib.import_module("changing_loop")
        assert changed.FACTOR == 23
        with pytest.raises(InvalidRecording, match="another source of 'changing_loop:train'"):
            actlab.torch.compare(own_loops.build, changed.train, ["relu"], 2, run, processes=1)
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("changing_loop", None)


def test_a_digest_is_of_the_text_and_not_of_what_becomes_of_values():
    before = digest_of(own_loops.train)
    own_loops.CALLS.append(99)
    assert digest_of(own_loops.train) == before
    assert digest_of(own_loops.train_raising) != before


@pytest.mark.parametrize(
    ("settings", "error", "sentence"),
    [
        ({"activations": ["rellu"]}, UnknownName, "did you mean 'relu'"),
        ({"activations": ["relu", "relu"]}, InvalidStudy, "activations: 'relu' is named twice"),
        ({"seeds": [0, 0.5]}, InvalidStudy, "seeds, entry 2: a whole number is expected, got 0.5"),
        ({"seeds": 0}, InvalidStudy, "seeds: a number from 1"),
        ({"seeds": "three"}, InvalidStudy, "seeds: a whole number, or a list"),
        ({"learning_rates": "many"}, InvalidStudy, "learning_rates: factors"),
        ({"learning_rates": [1.0, -2.0]}, InvalidStudy, "learning_rates, entry 2: more than 0"),
        ({"processes": 0}, InvalidStudy, "processes: a whole number of 1 or more"),
        ({"every": 0}, InvalidStudy, "every: 1 or more"),
        ({"better": {"bleu": "up"}}, InvalidStudy, 'better: "higher" or "lower" is expected'),
        ({"score": "bleu"}, InvalidModel, "PART_NAME is expected"),
        ({"score": "test_bleu"}, InvalidModel, "which values of 'bleu' are better"),
        ({"baseline": "gelu"}, InvalidStudy, "gelu"),
        ({"build": lambda act, width: None}, InvalidModel, r"build\(act, width\): build\(act\) or build\(\)"),
        ({"build": 3}, InvalidModel, "build=3: a function is expected"),
        ({"build": lambda act: 3}, InvalidModel, "build returned int: a torch.nn.Module is expected"),
        ({"build": lambda act: own_loops.build(lambda _: torch.nn.ReLU())}, InvalidModel, "never called act"),
        ({"build": lambda: torch.nn.Linear(2, 2)}, InvalidFunction, "nothing to swap"),
        ({"build": lambda act: act() and SHARED}, InvalidModel, "the same model twice"),
        ({"build": lambda act: 1 / 0}, InvalidModel, "build raised ZeroDivisionError"),
        ({"train": lambda model: 0}, InvalidModel, r"train\(model\): train\(model, seed, watch\)"),
        ({"train": lambda model, seed, watch, rate: 0}, InvalidModel, "functools.partial"),
        ({"train": lambda model, seed: "good"}, InvalidModel, "train returned 'good'"),
        ({"train": lambda model, seed: None}, InvalidModel, "tells nothing of validation or test data"),
        ({"train": lambda model, seed, watch: watch.epoch(loss=1)}, InvalidModel, r"watch.epoch\(loss=…\): PART_NAME"),
        ({"train": lambda model, seed, watch: watch.epoch(test_loss="low")}, InvalidModel, "a number is expected"),
        ({"metric": "f1", "train": lambda model, seed: 0.5}, InvalidModel, "metric='f1' is not told"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(settings, error, sentence, tmp_path):
    given = {"build": own_loops.build, "train": own_loops.train, "activations": ["relu"], "seeds": 1} | settings
    with pytest.raises(error, match=sentence):
        actlab.torch.compare(directory=tmp_path / "run", **{"processes": 1} | given)


def test_a_directory_that_holds_something_else_is_left_as_it_is(compared, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("…")
    with pytest.raises(InvalidRecording, match=r"holds no recording but thesis.tex"):
        actlab.torch.compare(own_loops.build, own_loops.train, ["relu"], 1, other, processes=1)
    assert [path.name for path in other.iterdir()] == ["thesis.tex"]
    with pytest.raises(InvalidRecording, match=r"another comparison \(other build\)"):
        actlab.torch.compare(
            own_loops.build_drawing, own_loops.train, NAMES, 2, compared.directory, processes=1, every=4
        )
    assert actlab.load(compared.directory).complete


def test_a_member_that_cannot_be_read_is_trained_again(tmp_path):
    run = tmp_path / "run"
    actlab.torch.compare(own_loops.build, own_loops.train, ["relu"], 1, run, processes=1)
    (file,) = (run / "members").glob("*.npz")
    file.write_bytes(file.read_bytes()[:100])
    own_loops.CALLS.clear()
    with pytest.warns(ActlabWarning, match="this network is trained again"):
        actlab.torch.compare(own_loops.build, own_loops.train, ["relu", "tanh"], 1, run, processes=1)
    assert own_loops.CALLS == [0, 0]


@pytest.mark.parametrize("name", ["residual_cnn", "character_transformer"])
def test_recipes_run(name, tmp_path):
    path = Path(__file__).parent.parent / "docs" / "recipes" / f"{name}.py"
    found = importlib.util.spec_from_file_location(f"recipe_{name}", path)
    assert found is not None
    assert found.loader is not None
    recipe = importlib.util.module_from_spec(found)
    sys.modules[found.name] = recipe
    found.loader.exec_module(recipe)
    build = recipe.build if hasattr(recipe, "build") else recipe.Transformer
    functions = [recipe.FUNCTIONS[0], recipe.FUNCTIONS[-1]]
    run = actlab.torch.compare(build, recipe.train_briefly, functions, 1, tmp_path / "run", processes=1)
    assert run.complete
    assert run.act_layers
    # Gated units have as many parameters.
    assert len(set(run.facts["parameters"].values())) == 1
    del sys.modules[found.name]


def test_what_is_wrong_in_most_networks_of_a_function_is_found_and_what_helps_is_said(tmp_path):
    found = actlab.torch.compare(
        own_loops.build_dead, own_loops.train_longer, ["relu", "tanh"], 2, tmp_path / "run", processes=1, every=10
    )
    warnings = [own for own in found.summary["findings"] if own["severity"] == "warning"]
    assert {own["activation"] for own in warnings} == {"relu"}
    assert "dead_units" in {own["code"] for own in warnings}
    dead = next(own for own in warnings if own["code"] == "dead_units")
    assert dead["sentence"].startswith("relu, with 2 of 2 seeds, of which seed 0: ")
    assert dead["evidence"]["seeds"] == [0, 1]
    assert any(step["sentence"] == f"For relu: {dead['help']}" for step in found.summary["next_steps"])
    assert verdict_in(found).state == "faulty"


def test_the_example_of_the_documentation_runs(tmp_path):
    text = (Path(__file__).parent.parent / "docs" / "own-loops.md").read_text(encoding="utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    code = code.replace('6, "runs/rings")', f"1, {str(tmp_path / 'rings')!r}, processes=1)")
    exec(compile(code, "own-loops.md", "exec"), {"__name__": "__main__"})
    assert actlab.load(tmp_path / "rings").complete
