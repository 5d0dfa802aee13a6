"""Table and card of the functions in a terminal, and the curves in braille."""

import io

import numpy as np
import pytest
from rich.console import Console

from actlab.functions import Activation, Formula, catalogue
from actlab.views.terminal.braille import Curve, draw
from actlab.views.terminal.functions import function_card, functions_table


def rendered(what, width=80):
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    console.print(what)
    return console.file.getvalue()


def dots(line):
    return [ord(character) - 0x2800 for character in line if 0x2800 <= ord(character) < 0x2900]


def test_a_diagonal_is_a_diagonal():
    x = np.linspace(-1, 1, 100)
    lines = draw(x, [Curve(x, "bold")], (-1.0, 1.0), 8, 4).plain.split("\n")
    for row in range(4):
        for column, bits in enumerate(dots(lines[row])):
            # The line runs from the lower left to the upper right; besides it there are only the two axes.
            if bits and row not in (1, 2) and column not in (3, 4):
                assert column // 2 == 3 - row


def test_gaps_are_left_out_and_axes_have_round_numbers():
    x = np.linspace(-5, 5, 200)
    text = draw(x, [Curve(np.full_like(x, np.nan), "bold")], (-1.1, 1.1), 40, 9).plain
    assert "−4" in text
    assert "0.5" in text
    rows = [dots(line) for line in text.split("\n")[:9]]
    assert sum(map(any, rows)) == 9  # the vertical axis alone crosses all rows
    assert sum(all(row) for row in rows) == 1  # and one row is the horizontal one


def test_a_curve_that_leaves_the_plot_is_cut_at_its_edge():
    x = np.linspace(-5, 5, 200)

    def drawn(*curves):
        *rows, numbers = draw(x, curves, (-1.0, 4.0), 30, 8).plain.split("\n")
        assert "−4" in numbers
        return np.array([dots(row) for row in rows])

    axes, steep = drawn(), drawn(Curve(np.exp(20 * x), "bold"))
    assert axes.shape == steep.shape == (8, 30)
    rows, columns = np.nonzero(steep != axes)
    # From the horizontal axis it rises beside the vertical one, and is not seen again where it is larger.
    assert set(columns) <= {14, 15}
    assert {4, 5, 6} <= set(rows)
    np.testing.assert_array_equal(drawn(Curve(np.full_like(x, np.inf), "")), axes)


@pytest.mark.parametrize("name", ["gelu", "step", "softmax", "glu", "meta_acon", "exponential"])
def test_a_card_shows_formula_figure_and_facts(name):
    text = rendered(function_card(catalogue[name]), 100)
    assert catalogue[name].title in text
    assert "formula" in text
    assert any(0x2800 < ord(character) < 0x2900 for character in text) == (name != "meta_acon")
    assert "source" in text
    assert "f′(x)" in text or catalogue[name].kind == "grouping"


def test_the_table_names_every_function_once():
    text = rendered(functions_table(catalogue.values()), 120)
    first = [line.split()[0] for line in text.splitlines() if line.startswith(" ")]
    assert sorted(set(first) & set(catalogue)) == sorted(catalogue)
    assert all(first.count(name) == 1 for name in catalogue)


def words(text):
    """Text without what breaks its lines."""
    return "".join(text.split())


def lines_with(text, part):
    return [line for line in text.splitlines() if part in line]


@pytest.mark.parametrize("width", [80, 120])
def test_every_function_has_its_row(width):
    text = rendered(functions_table(catalogue.values()), width)
    column = next(line.index("also called") for line in text.splitlines() if "also called" in line)
    # Long names are folded within the last column.
    aliases = "".join(line[column:].strip() for line in text.splitlines())
    for activation in catalogue.values():
        assert lines_with(text, f" {activation.name} ")
        assert all(alias in aliases for alias in activation.aliases)
    assert "…" not in text


def test_facts():
    text = rendered(functions_table([catalogue["tanh"], catalogue["relu"], catalogue["maxout"]]), 100)
    assert lines_with(text, " tanh")[0].split()[1:8] == [
        "1992",
        "−1",
        "to",
        "1",
        "yes",
        "1",
        "both",
    ]
    assert lines_with(text, " relu")[0].split()[2:8] == ["0", "to", "∞", "no", "1", "left"]
    assert lines_with(text, " maxout")[0].split()[2:] == ["–"] * 4


def test_families_keep_together():
    mixed = [catalogue[name] for name in ("relu", "tanh", "elu")]
    text = rendered(functions_table(mixed), 80)
    order = [text.index(word) for word in ("rectifying", " relu", " elu", "squashing", " tanh")]
    assert order == sorted(order)


@pytest.mark.parametrize("name", list(catalogue))
@pytest.mark.parametrize("width", [80, 120])
def test_card(name, width):
    activation = catalogue[name]
    text = rendered(function_card(activation), width)
    assert text.startswith(f"{activation.title} ({name})\n".rstrip("\n"))
    for part in (activation.formula.plain, activation.source, activation.family, *activation.aliases):
        assert words(part) in words(text)
    for parameter in activation.parameters:
        assert parameter.name in text


def test_card_of_a_kinked_function():
    text = rendered(function_card(catalogue["hard_tanh"]), 80)
    assert "kinks at" in text
    assert "flat on" in text
    assert "range" in text
    assert "−1 to 1" in text


def test_card_of_a_function_of_ones_own():
    square = Activation(
        name="square",
        title="[i]Square",
        formula=Formula("x[0]²"),
        family="mine",
        year=None,
        source="nobody",
        value_rule=lambda x, xp: x * x,
        derivative_rule=lambda x, xp: 2 * x,
    )
    text = rendered(function_card(square), 80)
    assert "[i]Square" in text
    assert "x[0]²" in text
    assert "|f'| unbounded" in text
    assert "jumps" not in text
