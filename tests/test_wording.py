"""How numbers are written: the same in a terminal, a report, a card and an error."""

from __future__ import annotations

import math

import pytest

from actlab.wording import interval, number, percent, size


@pytest.mark.parametrize(
    ("value", "pattern", "written"),
    [
        (123.4, "#.3g", "123"),
        (-1e-9, ".3g", "−1e−09"),
        (9_000, ",", "9,000"),
        (math.nan, ".3g", "–"),
        (math.inf, "+.2f", "+∞"),
        (-math.inf, ".4g", "−∞"),
    ],
)
def test_a_number(value, pattern, written):
    assert number(value, pattern) == written


def test_the_sign_of_a_plain_terminal():
    assert number(-1e-9, minus="-") == "-1e-09"
    assert percent(-0.5, minus="-") == "-50.00 %"


def test_an_interval_has_two_ends_or_is_not_written():
    assert interval(None) == interval([]) == ""
    assert interval([-0.02, 0.01], "+.1f", 100) == "−2.0 to +1.0"


def test_no_share_is_a_dash_and_none_at_all_is_a_zero():
    assert percent(None) == percent(math.nan) == "–"
    assert percent(0.0) == "0.00 %"


@pytest.mark.parametrize(
    ("count", "written"),
    [(0, "0 B"), (1023, "1.02e+03 B"), (1024, "1 KiB"), (5 * 2**20, "5 MiB"), (3 * 2**40, "3.07e+03 GiB")],
)
def test_a_size(count, written):
    assert size(count) == written
