"""Pairs over seeds and for new data, of recordings whose test samples are made up one by one."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console
from tests.synthetic_recording import record, study

from actlab.statistics import summarise
from actlab.views.terminal.comparison import leaderboard

ITEMS = 200


def made_up(path, shares, seeds, wobble, rng):
    """By activation, a share of items that are right, and by how much it varies from seed to seed."""
    activations = tuple(shares)
    difficulty = rng.random(ITEMS)
    own = {name: np.clip(share + wobble * rng.normal(size=seeds), 0, 1) for name, share in shares.items()}
    right = {name: difficulty[None] < own[name][:, None] for name in activations}
    metrics = {"test_accuracy": lambda m: right[m.activation][m.seed].mean()}
    facts = {"samples": {"train": 10, "validation": 10, "test": ITEMS}}
    recording = record(path, study(seeds=seeds, activations=activations), metrics=metrics, facts=facts)
    vars(recording)["right"] = np.array([right[m.activation][m.seed] for m in recording.members])
    return recording


@pytest.mark.parametrize("seeds", [3, 8])
@pytest.mark.parametrize("wobble", [0.0, 0.01, 0.2])
def test_new_data_leave_open_what_seeds_leave_open(tmp_path, seeds, wobble):
    rng = np.random.default_rng(seeds)
    shares = {"relu": 0.95, "tanh": 0.9, "gelu": 0.5, "elu": 1.0}
    summary = summarise(made_up(tmp_path / "run", shares, seeds, wobble, rng))
    for row in summary["activations"]:
        inner, outer = row["test_accuracy"]["ci95"], row["test_accuracy_ci95_new_data"]
        assert outer[0] <= inner[0] <= inner[1] <= outer[1]
        assert outer[0] < outer[1]
    told = [row for row in summary["comparisons"] if row["metric"] == "test_accuracy"]
    for row in told:
        (low, high), inner = row["ci95_new_data"], row["ci95_simultaneous"]
        assert low <= inner[0] <= inner[1] <= high
        assert row["told_apart"] or not row["told_apart_new_data"]
        assert row["told_apart_new_data"] == (row["told_apart"] and (low > 0 or high < 0))
    if seeds == 8 and wobble < 0.1:
        assert any(row["told_apart_new_data"] for row in told)
    if seeds == 3:
        assert not any(row["told_apart"] for row in told)


def test_recordings_without_single_samples_say_nothing_of_new_data(tmp_path):
    recording = made_up(tmp_path / "run", {"relu": 0.9, "tanh": 0.5}, 8, 0.01, np.random.default_rng(0))
    vars(recording)["right"] = None
    summary = summarise(recording)
    assert summary["not_best_new_data"] is None
    assert all(row["test_accuracy_ci95_new_data"] is None for row in summary["activations"])
    assert "new data" not in summary["headline"]


def test_pairs_of_fewer_seeds_are_said_to_be(tmp_path):
    diverged = {("tanh", 0.05, seed): (3, "lost") for seed in range(3)}
    metrics = {"test_accuracy": lambda m: 0.9 - 0.3 * (m.activation == "tanh") + 0.001 * m.seed}
    summary = summarise(record(tmp_path / "run", study(seeds=8), metrics=metrics, diverged=diverged))
    (finding,) = [one for one in summary["findings"] if one["code"] == "within_noise"]
    assert "not told apart by 5 to 8 seeds (fewer than 6 tell nothing)" in finding["sentence"]


@pytest.mark.parametrize(
    ("width", "shown", "intervals"), [(120, True, [True, True]), (76, True, [False, True]), (50, False, None)]
)
def test_the_terminal_explains_the_column_that_it_shows(tmp_path, width, shown, intervals):
    recording = made_up(tmp_path / "run", {"leaky_relu": 0.9, "tanh": 0.5}, 8, 0.01, np.random.default_rng(0))
    console = Console(width=width, file=io.StringIO())
    console.print(leaderboard(recording, summarise(recording)))
    text = console.file.getvalue()
    words = " ".join(text.split())
    assert ("on new" in text.partition("[low–high]")[0]) == shown
    assert ("on new data: 95 % interval over new seeds and new samples together." in words) == shown
    # The headline names the best one, too.
    table = text[text.index("───") :].partition("[low–high]")[0].splitlines()
    # So narrow, names break.
    if intervals is not None:
        place = next(i for i, line in enumerate(table) if line.startswith("leaky_relu"))
        assert ["[" in line for line in table[place : place + 2]] == intervals
