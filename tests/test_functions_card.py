"""What a function says about itself: curves, words, pictures."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from actlab.functions import catalogue, register, unregister
from actlab.functions.measured.card import curves, description, facts_in_words, height_of, html, svg, with_gaps


@pytest.mark.parametrize("name", catalogue)
def test_every_function_has_a_picture_and_a_card(name):
    activation = catalogue[name]
    picture = ElementTree.fromstring(svg(activation))
    paths = [element for element in picture if element.tag.endswith("path")]
    _, lines = curves(activation)
    assert len(paths) == (len(lines) + 1 if lines else 0)
    assert all("nan" not in path.attrib["d"] for path in paths)
    assert len(svg(activation)) < 20_000
    card = activation._repr_html_()
    assert card == html(activation, activation.facts())
    ElementTree.fromstring(card.replace("<br>", "<br/>"))
    assert activation.title.replace("&", "&amp;") in card or "β" in card


def test_curves_are_value_and_derivative():
    x, lines = curves(catalogue["gelu"])
    np.testing.assert_array_equal(lines[0][1], catalogue["gelu"](x))
    np.testing.assert_array_equal(lines[-1][1], catalogue["gelu"].derivative(x))
    assert [label for label, _ in curves(catalogue["softmax"])[1]] == ["f₁(x, 0)", "f₂(x, 0)", "∂f₁/∂x"]
    assert [label for label, _ in curves(catalogue["glu"])[1]] == ["f(1, x)", "∂f/∂x"]
    assert [label for label, _ in curves(catalogue["swiglu"])[1]] == ["f(x, 1)", "∂f/∂x"]
    np.testing.assert_allclose(curves(catalogue["glu"])[1][0][1], catalogue["sigmoid"](x), rtol=1e-12)
    assert curves(catalogue["meta_acon"])[1] == []


def test_the_height_shows_the_bend():
    low, high = height_of([("f", np.array([-100.0, 0.0, np.inf, 50.0]))])
    assert low < -3
    assert 4 < high < 5


def test_a_jump_makes_a_gap_and_a_steep_line_none():
    x = np.linspace(-5, 5, 1000)
    assert np.isnan(with_gaps(x, np.sign(x))).sum() == 1
    assert not np.isnan(with_gaps(x, np.exp(x))).any()


def test_words():
    words = dict(description(catalogue["leaky_relu"]))
    assert words["parameters"] == "negative_slope = 0.01, in (−∞, ∞)"
    assert "PyTorch: torch.nn.LeakyReLU()" in words["elsewhere"]
    facts = dict(facts_in_words(catalogue["tanh"].facts()))
    assert facts["range"] == "−1 to 1"
    assert "2*sigmoid(2*x) - 1" in facts["equals"]
    assert "weights of shape" in dict(description(catalogue["meta_acon"]))["parameters"]
    assert facts_in_words(catalogue["softmax"].facts())[0][0] == "facts"


def test_names_from_outside_cannot_inject_markup():
    mine = register("mine", lambda x, xp: xp.tanh(x), title="<script>alert(1)</script>", source='"><img src=x>')
    try:
        for text in (svg(mine), html(mine, mine.facts())):
            assert "<script" not in text
            assert not re.search(r"<img", text)
    finally:
        unregister("mine")
