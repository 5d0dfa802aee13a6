"""The progress bar: what it says, and that it says nothing where nobody watches."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from actlab.engine import Progress
from actlab.views.terminal.progress import bar, samples_per_second


def progress(samples: int, seconds: float, epoch: int = 5) -> Progress:
    return Progress(epoch=epoch, epochs=20, members=48, samples=samples, seconds=seconds)


@pytest.mark.parametrize(
    ("samples", "seconds", "said"),
    [
        (0, 0.0, "0"),
        (0, 1.0, "0"),
        (999, 1.0, "999"),
        (999_900, 1000.0, "1 k"),
        (1_234, 1.0, "1.23 k"),
        (999_600, 1.0, "1 M"),
        (2_500_000, 2.0, "1.25 M"),
        (7_700_000_000, 1.0, "7.7 G"),
    ],
)
def test_rates_have_three_digits_and_a_prefix(samples, seconds, said):
    assert samples_per_second(progress(samples, seconds)) == said


def test_the_bar_says_members_epochs_rate_and_time_left():
    text = io.StringIO()
    with bar(Console(file=text, force_terminal=True, width=120, color_system=None)) as show:
        show(progress(0, 0.0, epoch=0))
        show(progress(2_500_000, 2.0))
    shown = text.getvalue()
    for part in ("48 members", "5/20", "1.25 M samples/s", ":"):
        assert part in shown


def test_the_bar_says_what_a_run_is_for_that_is_not_the_comparison():
    text = io.StringIO()
    with bar(Console(file=text, force_terminal=True, width=120, color_system=None)) as show:
        show(replace(progress(2_500_000, 2.0), purpose="choosing learning rates"))
    assert "choosing learning rates: 48 members" in text.getvalue()


def test_nothing_is_written_where_no_terminal_is():
    text = io.StringIO()
    with bar(Console(file=text, force_terminal=False)) as show:
        show(progress(2_500_000, 2.0))
    assert not text.getvalue()


def test_by_default_the_bar_keeps_off_stdout(capsys):
    with bar() as show:
        show(progress(1, 1.0))
    assert capsys.readouterr() == ("", "")
