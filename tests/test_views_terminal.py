"""The tables as text: rendered to a plain console of a fixed width and read back."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from rich.console import Console
from scipy import stats
from tests.synthetic_recording import record, record_conditions, study

from actlab.layers import Act, Dense
from actlab.network import build
from actlab.recipes import recipe
from actlab.statistics import summarise
from actlab.study import Milestone
from actlab.views.terminal.comparison import (
    leaderboard,
    milestone_table,
    network_table,
    result_table,
)

DEFAULT_ACTIVATIONS = ("hard_sigmoid", "leaky_relu", "sigmoid", "tanh", "elu", "gelu", "silu", "mish")
MILESTONES = (Milestone(name="negatives all right", label=0), Milestone(name="all right"))


def accuracy(member):
    return 0.8 + 0.01 * member.seed - 0.005 * DEFAULT_ACTIVATIONS.index(member.activation)


def rendered(view, width):
    """The text as a pipe gets it, no line longer than the width."""
    file = io.StringIO()
    Console(file=file, width=width).print(view)
    text = file.getvalue()
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= width
    return text


def words(text):
    return " ".join(text.split())


def lines_with(text, start):
    return [line for line in text.splitlines() if line.startswith(start)]


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """Eight activations, each with the middle one of three learning rates, one member diverged."""
    chosen = {"stated": dict.fromkeys(DEFAULT_ACTIVATIONS, 0.01)}
    made_up = study(activations=DEFAULT_ACTIVATIONS, learning_rates=(0.001, 0.01, 0.1), chosen_rates=chosen, seeds=12)
    metrics = {"test_accuracy": accuracy, "test_loss": 0.0812}
    diverged = {("mish", 0.01, 3): (2, "loss is not finite")}
    recording = record(tmp_path_factory.mktemp("eight") / "run", made_up, metrics=metrics, diverged=diverged)
    return recording, summarise(recording)


@pytest.fixture(scope="module")
def waited(tmp_path_factory):
    """Three activations with milestones."""
    made_up = study(milestones=MILESTONES, seeds=4, name="parabolas")
    classes = np.full((9, 12, 2), 0.5, np.float32)
    classes[5:, :8, 0] = 1
    metrics = {"train_accuracy": lambda m: 1.0 if m.activation == "tanh" and m.seed else 0.9}
    recording = record(
        tmp_path_factory.mktemp("waited") / "run",
        made_up,
        metrics=metrics,
        arrays={"class_accuracy": classes},
    )
    return recording, summarise(recording)


class TestResults:
    def test_a_cell_too_wide_breaks_before_its_interval(self, tmp_path):
        made_up = study(activations=DEFAULT_ACTIVATIONS[:2], learning_rates=(0.01, 0.02))
        recording = record(tmp_path / "run", made_up, metrics={"test_accuracy": lambda m: 0.9 + 0.0001 * m.seed})
        lines = rendered(result_table(recording, summarise(recording), gap=1), 80).splitlines()
        row = next(number for number, line in enumerate(lines) if line.startswith("leaky_relu"))
        assert lines[row].split()[:3] == ["leaky_relu", "90.05", "0.300"]
        assert lines[row + 1].split() == ["[90.02–90.07]"]

    @pytest.mark.parametrize("width", [80, 100, 120, 200])
    def test_nothing_is_cut_off(self, eight, width):
        text = rendered(leaderboard(*eight), width)
        for name in DEFAULT_ACTIVATIONS:
            assert len(lines_with(text, name + " ")) >= 1
        assert "…" not in text
        for row in eight[1]["activations"]:
            low, high = (100 * end for end in row["test_accuracy"]["ci95"])
            shown = f"{100 * row['test_accuracy']['mean']:.1f} [{low:.1f}–{high:.1f}]"
            assert shown in lines_with(text, row["name"] + " ")[-1]

    @pytest.mark.parametrize("width", [40, 60])
    def test_narrow_terminals_lose_no_number(self, eight, width):
        file = io.StringIO()
        Console(file=file, width=width).print(leaderboard(*eight))
        assert "hard_sigmoid is best" in words(file.getvalue())

    def test_columns(self, eight):
        recording, summary = eight
        text = rendered(result_table(recording, summary), 120)
        for header in (
            "activation",
            "accuracy %",
            "loss",
            "target",
            "gradient",
            "flat",
            "dead",
            "diverged",
            "learning",
        ):
            assert header in text
        line = lines_with(text, "mish")[0].split()
        assert line[0] == "mish"
        assert line[-7:] == ["0.0812", "8", "0.250", "12.5", "0", "1/12", "0.01"]

    def test_rows_are_best_first(self, eight):
        text = rendered(result_table(*eight), 120)
        places = [text.index(f"\n{name} ") for name in DEFAULT_ACTIVATIONS]
        assert places == sorted(places)

    def test_headline_notes_and_legend(self, eight):
        text = words(rendered(leaderboard(*eight), 80))
        assert text.startswith(eight[1]["headline"])
        for note in eight[1]["notes"]:
            assert f"• {note}" in text
        assert "95 % interval of the mean over seeds (Student's t)" in text
        assert "dead: units flat for all of the 128 probe samples (such a unit may still fire for 2.3 % of" in text

    def test_the_size_of_the_test_set_and_the_share_of_its_largest_class(self, tmp_path):
        facts = {
            "samples": {"train": 64, "validation": 10, "test": 359},
            "class_counts": [20, 44],
            "test_class_counts": [100, 259],
        }
        recording = record(tmp_path / "run", study(seeds=3), facts=facts)
        summary = summarise(recording)
        text = words(rendered(leaderboard(recording, summary), 120))
        assert "The test set has 359 samples, one weighs 0.28 points." in text
        assert "always 'positive' 72.1" in text
        assert "flat for all of the 64 probe samples (such a unit may still fire for 4.6 % of the data)" in text
        assert summary["majority"] == {"class": "positive", "test_accuracy": pytest.approx(259 / 359)}
        # All three seeds are equal: what is left is the rounding to one of 359 samples.
        low, high = summary["activations"][0]["test_accuracy"]["ci95"]
        assert high - low == pytest.approx(2 * stats.t.ppf(0.975, 2) / 359 / 12**0.5 / 3**0.5)

    def test_findings_are_told_and_warnings_marked(self, tmp_path):
        metrics = {
            "train_loss": lambda m: 0.7 if m.activation == "sigmoid" else 0.1,
            "train_accuracy": lambda m: 0.5 if m.activation == "sigmoid" else 0.9,
            "validation_accuracy": lambda m: 0.5 if m.activation == "sigmoid" else 0.9,
        }
        recording = record(tmp_path / "run", study(seeds=8), metrics=metrics)
        summary = summarise(recording)
        text = words(rendered(leaderboard(recording, summary), 80))
        warning, *others = summary["findings"]
        assert warning["severity"] == "warning"
        assert f"! {words(warning['sentence'])}" in text
        assert others
        for finding in others:
            assert f"• {words(finding['sentence'])}" in text

    def test_published_numbers_are_counted_and_those_told_that_do_not_agree(self, tmp_path):
        made_up = recipe("parabolas").study.model_copy(update={"seeds": (0, 1, 2)})
        recording = record(tmp_path / "run", made_up)
        summary = summarise(recording)
        text = words(rendered(leaderboard(recording, summary), 80))
        assert "Of 6 published numbers 0 agree with ours, 6 do not." in text
        told = [words(row["sentence"]) in text for row in summary["published"]]
        assert told == [True] * 4 + [False] * 2
        assert "• 2 more: see the report." in text

    def test_no_column_for_a_single_learning_rate(self, waited):
        assert "learning" not in rendered(result_table(*waited), 120)

    def test_milestones_have_columns_where_there_is_room(self, waited):
        text = rendered(leaderboard(*waited), 120)
        assert "(share of seeds)" not in text
        assert lines_with(text, "tanh ")[-1].split()[-4:] == ["5", "(100%)", "8", "(75%)"]
        assert lines_with(text, "sigmoid ")[-1].split()[-3:] == ["5", "(100%)", "never"]

    def test_milestones_have_a_table_of_their_own_where_there_is_none(self, waited):
        text = rendered(leaderboard(*waited), 80)
        assert "(share of seeds)" in text
        assert "negatives all right" in text
        assert lines_with(text, "tanh")[1].split() == ["tanh", "5", "(100%)", "8", "(75%)"]
        assert lines_with(text, "relu")[1].split() == ["relu", "never", "never"]

    def test_milestone_table(self, waited):
        text = rendered(milestone_table(*waited), 80)
        assert lines_with(text, "sigmoid")[0].split() == ["sigmoid", "5", "(100%)", "never"]

    def test_narrow_intervals_get_a_second_decimal(self, tmp_path):
        metrics = {"test_accuracy": lambda m: 0.9 + 0.0001 * m.seed}
        recording = record(tmp_path / "run", metrics=metrics)
        assert "90.05 [90.02–" in rendered(result_table(recording, summarise(recording)), 120)

    @pytest.mark.parametrize("last_epoch", [-1, 0, 3])
    def test_stopped(self, tmp_path, last_epoch):
        made_up = study(milestones=MILESTONES)
        recording = record(tmp_path / "run", made_up, last_epoch=last_epoch, complete=False)
        text = words(rendered(leaderboard(recording, summarise(recording)), 80))
        assert "stopped" in text
        assert ("sigmoid – – – – – – 0" in text) == (last_epoch == -1)

    def test_all_diverged_and_one_seed(self, tmp_path):
        diverged = {(name, 0.05, 0): (1, "loss is not finite") for name in ("sigmoid", "tanh", "relu")}
        recording = record(tmp_path / "run", study(seeds=1), diverged=diverged)
        text = rendered(leaderboard(recording, summarise(recording)), 80)
        assert lines_with(text, "tanh")[-1].split()[-1] == "1/1"

    def test_names_are_no_markup(self, tmp_path):
        made_up = study(name="[bold]mine[/bold]", milestones=(Milestone(name="[red]there"),), seeds=2)
        recording = record(tmp_path / "run", made_up)
        text = rendered(leaderboard(recording, summarise(recording)), 120)
        assert "[bold]mine[/bold]: 3 activations, 2 seeds, 8 epochs" in text
        assert "[red]there" in text


class TestContests:
    @pytest.mark.parametrize("width", [80, 160])
    def test_each_has_its_title_its_headline_and_its_table(self, tmp_path, width):
        finals = {("stated", 0.1): 0.8, ("gain", 0.2): 0.95}
        metrics = {"test_accuracy": lambda m: finals.get((m.init, m.learning_rate), 0.7) + 0.001 * m.seed}
        recording = record_conditions(tmp_path / "run", metrics, milestones=MILESTONES)
        summary = summarise(recording)
        text = rendered(leaderboard(recording, summary), width)
        titles = [
            "Each at its best learning rate",
            "The settings as stated, alike for all",
            "Weights scaled by each function's gain, each at its best learning rate",
        ]
        parts = re.split("|".join(f"(?:^|\n){title} *\n" for title in titles), text)
        assert len(parts) == 4
        for part, condition in zip(parts[1:], [summary, *summary["contests"]], strict=True):
            assert words(condition["headline"]) in words(part)
            for row in condition["activations"]:
                line = next(line for line in lines_with(part, row["name"] + " ") if "[" in line and "%" not in line)
                assert f"{100 * row['test_accuracy']['mean']:.1f}" in line
                assert f"{row['learning_rate']:g}" in line.split()
        assert text.count("made-up: 3 activations, 7 seeds, 8 epochs") == 1
        # The milestones are in the tables of all conditions, or beside all of them.
        assert text.count("Milestones: median epoch") == {80: 3, 160: 0}[width]

    def test_a_single_one_has_no_title(self, eight):
        assert "best learning rate" not in rendered(leaderboard(*eight), 120).splitlines()[0]


class TestNetwork:
    def test_layers_shapes_and_parameters(self):
        network = build((Dense(512), Act(), Dense(512, activation="tanh"), Dense(10)), (784,), "prelu")
        text = rendered(network_table(network), 80)
        assert lines_with(text, "dense1")[0].split() == ["dense1", "512", "401,920"]
        assert lines_with(text, "act1")[0].split() == ["act1", "(under", "study)", "512", "512"]
        assert lines_with(text, "act2")[0].split() == ["act2", "(tanh)", "512", "0"]
        assert lines_with(text, "total")[0].split() == ["total", f"{407_050 + 262_656 + 512:,}"]

    def test_images(self):
        layers = [{"layer": "conv", "filters": 6, "kernel": 5}]
        made_up = study(network=[*layers, {"layer": "flatten"}, {"layer": "act"}, {"layer": "dense", "units": 1}])
        network = build(made_up.network, (32, 32, 3), "relu")
        line = lines_with(rendered(network_table(network), 80), "conv1")[0]
        assert line.split() == ["conv1", "32", "×", "32", "×", "6", "456"]
