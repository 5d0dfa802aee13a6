"""What more seeds would show: against studies made up anew, and the command and pictures of it."""

from __future__ import annotations

import numpy as np
import pytest
from tests.synthetic_recording import record, study
from typer.testing import CliRunner

from actlab.cli import app
from actlab.errors import InvalidRecording
from actlab.statistics import reported
from actlab.statistics.power import Power, power
from actlab.statistics.summary import ranking
from actlab.views.figures.recording import Figures
from actlab.views.figures.verdicts import groups

LEADS = {"sigmoid": 0.90, "tanh": 0.92, "relu": 0.923}


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    rng = np.random.default_rng(0)
    noise = {name: rng.normal(0, 0.004, 40) for name in LEADS}
    metrics = {"test_accuracy": lambda m: LEADS[m.activation] + noise[m.activation][m.seed]}
    return record(tmp_path_factory.mktemp("power") / "run", study(seeds=40), metrics=metrics)


def ranked(recording):
    return ranking(recording, reported(recording))


def test_what_is_far_behind_takes_few_seeds_and_what_is_close_many(recording):
    found = power(recording, ranked(recording), (5, 6, 10, 40))
    assert found.activations == ("relu", "tanh", "sigmoid")
    assert (found.recorded, found.seeds) == (40, (5, 6, 10, 40))
    close, far = found.left_out[:, 1], found.left_out[:, 2]
    # Five seeds can tell nothing; ten tell four standard deviations of a difference always.
    assert close[0] == far[0] == found.alone[0] == 0
    assert far[2] == 1
    assert close[1] < close[3]
    assert found.left_out[:, 0].max() <= 0.1
    assert found.needed("sigmoid") in (6, 10)
    assert all(found.alone <= np.minimum(close, far) + 1e-12)


def test_the_share_is_that_of_the_seeds_drawn_again_from_what_was_seen(recording):
    """A second way to the same number: seeds drawn with replacement, and SciPy's t test of the one difference."""
    from scipy import stats

    two = [entry for entry in ranked(recording) if entry.activation != "sigmoid"]
    found = power(recording, two, (12,))
    last = recording.metrics["test_accuracy"][-1]
    relu, tanh = (last[[m.activation == name for m in recording.members]] for name in ("relu", "tanh"))
    rng = np.random.default_rng(1)
    told = np.mean([stats.ttest_1samp((relu - tanh)[rng.choice(40, 12)], 0).pvalue <= 0.05 for _ in range(1000)])
    assert found.left_out[0, 1] == pytest.approx(told, abs=0.17)


def test_it_is_the_same_every_time(recording):
    first, again = (power(recording, ranked(recording), (6,)) for _ in range(2))
    np.testing.assert_array_equal(first.left_out, again.left_out)


@pytest.mark.parametrize("settings", [{"seeds": 1}, {"activations": ("relu",)}])
def test_one_seed_or_one_function_has_no_power(tmp_path, settings):
    alone = record(tmp_path / "run", study(**settings))
    with pytest.raises(InvalidRecording, match="two activations, and two seeds"):
        power(alone, ranked(alone))


def test_needed_is_the_first_that_is_enough():
    found = Power(("a", "b"), (6, 10, 20), np.array([[0, 0.5], [0, 0.8], [0, 1]]), np.array([0.5, 0.8, 1]), 6)
    assert found.needed("b") == 10
    assert found.needed("a") is None


def test_the_command_prints_a_table(recording):
    done = CliRunner().invoke(app, ["power", str(recording.directory), "--seeds", "10,6", "--activations", "relu,tanh"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert any(line.split()[:1] == ["6"] for line in lines)
    assert "sigmoid" not in done.output
    assert "the 40 seeds recorded" in " ".join(done.output.split())


@pytest.mark.parametrize("given", ["six", "0", "", "6,,10", "501"])
def test_the_command_refuses_other_than_numbers(recording, given):
    done = CliRunner().invoke(app, ["power", str(recording.directory), "--seeds", given])
    assert "numbers of seeds from 2 to 500 are expected" in str(done.exception)


def test_groups_are_the_longest_runs_that_are_not_told_apart():
    def rows(*told):
        return [{"a": a, "b": b, "metric": "test_accuracy", "told_apart": True} for a, b in told]

    assert groups("abcd", rows()) == [(0, 3)]
    assert groups("abcd", rows("ab", "ac", "ad", "bc", "bd", "cd")) == []
    assert groups("abcd", rows("ad", "ac")) == [(0, 1), (1, 3)]


@pytest.mark.parametrize("kind", ["differences", "ranks"])
def test_pictures_hold_the_numbers_of_the_summary(recording, kind):
    from actlab.statistics import summarise

    made = Figures(recording, recording.study.activations).history(kind)
    (panel,) = made.axes
    summary = summarise(recording)
    dots = [line.get_xdata()[0] for line in panel.lines if line.get_marker() == "o"]
    labels = [label.get_text() for label in panel.get_yticklabels()]
    means = {row["name"]: 100 * row["test_accuracy"]["mean"] for row in summary["activations"]}
    if kind == "ranks":
        assert labels == list(means)
        np.testing.assert_allclose(dots, list(means.values()))
    else:
        assert labels == list(means)[1:]
        np.testing.assert_allclose(dots, [means[name] - means["relu"] for name in labels])


def test_one_seed_has_no_differences_to_draw(tmp_path):
    alone = record(tmp_path / "run", study(seeds=1))
    with pytest.raises(InvalidRecording, match="two seeds of two activations"):
        Figures(alone, alone.study.activations).history("differences")
