"""What to try next, as the terminal shows it."""

from __future__ import annotations

import io
import subprocess

import pytest
from rich.console import Console
from tests.synthetic_recording import record

from actlab.statistics import summarise
from actlab.views.terminal.advice import advice

LONG = "actlab compare study.toml --activations relu,leaky_relu,silu --learning-rates 0.0005,0.005"


def rendered(summary, width):
    output = io.StringIO()
    Console(file=output, width=width).print(advice(summary))
    return output.getvalue()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_what_is_copied_from_the_terminal_is_the_command(width):
    step = {"sentence": "All functions trained at one rate, which may suit some of them better.", "command": LONG}
    text = rendered({"next_steps": [step]}, width)
    assert [line.rstrip() for line in text.splitlines()][:2] == ["", "What to try next"]
    assert max(map(len, text.splitlines())) <= width
    # As a shell reads it, which takes no blank after a backslash.
    copied = text[text.index("actlab") :].replace("actlab", "printf '%s\\n' actlab", 1)
    read = subprocess.run(["sh", "-c", copied], capture_output=True, text=True, check=True).stdout
    assert read.split() == LONG.split()


def test_a_step_without_a_setting_has_no_command():
    text = rendered({"next_steps": [{"sentence": "Look through the labels.", "command": ""}]}, 80)
    assert text.splitlines() == ["", "What to try next", "• Look through the labels."]


@pytest.mark.parametrize("summary", [{}, {"next_steps": []}])
def test_nothing_to_try_is_nothing_shown(summary):
    assert rendered(summary, 80).strip() == ""


def test_all_steps_of_a_summary_are_shown(tmp_path):
    summary = summarise(record(tmp_path / "run", metrics={"validation_loss": 0.3}))
    text = rendered(summary, 120)
    assert summary["next_steps"]
    for step in summary["next_steps"]:
        assert step["command"] in text
