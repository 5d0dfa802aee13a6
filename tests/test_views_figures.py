"""Figures in files: the right format, and lines that are the functions."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from actlab.errors import ActlabError, InvalidFunction, UnknownName
from actlab.functions import catalogue
from actlab.functions.measured.card import curves
from actlab.views.figures.functions import plot

HEADS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def size(path):
    with Image.open(path) as image:
        return image.size


@pytest.mark.parametrize("suffix", HEADS)
def test_formats(tmp_path, suffix):
    path = plot("gelu", tmp_path / f"gelu{suffix}")
    assert path.read_bytes().startswith(HEADS[suffix])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_size(tmp_path):
    assert size(plot("tanh", tmp_path / "tanh.PNG")) == (1440, 920)
    assert size(plot(["tanh", "relu", "gelu", "mish", "elu"], tmp_path / "five.png")) == (3360, 1320)


def test_the_same_bytes(tmp_path):
    for suffix in HEADS:
        first = plot("elu", tmp_path / f"a{suffix}").read_bytes()
        assert first == plot("elu", tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("name", [name for name in catalogue if catalogue[name].kind == "elementwise"])
def test_lines_are_the_function_and_its_derivative(tmp_path, monkeypatch, name):
    drawn = {}
    original = Axes.plot

    def spy(self, x, y, *args, **kwargs):
        drawn[kwargs["label"]] = (x, y)
        return original(self, x, y, *args, **kwargs)

    monkeypatch.setattr(Axes, "plot", spy)
    plot(catalogue[name], tmp_path / "f.svg")
    for label, function in (("f(x)", catalogue[name]), ("f′(x)", catalogue[name].derivative)):
        x, y = drawn[label]
        shown = np.isfinite(y)
        assert shown.mean() > 0.99
        np.testing.assert_array_equal(y[shown], function(x)[shown])


def test_softmax_of_two_units_is_the_sigmoid():
    x, lines = curves(catalogue["softmax"])
    labels, values = zip(*lines, strict=True)
    assert labels == ("f₁(x, 0)", "f₂(x, 0)", "∂f₁/∂x")
    sigmoid = 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(values, [sigmoid, 1 - sigmoid, sigmoid * (1 - sigmoid)], rtol=1e-9)


def test_maxout_of_two_units_is_relu():
    x, lines = curves(catalogue["maxout"])
    assert [label for label, _ in lines] == ["f(x, 0)", "∂f/∂x"]
    np.testing.assert_array_equal(lines[0][1], np.maximum(x, 0))
    np.testing.assert_array_equal(lines[1][1], x > 0)


@pytest.mark.parametrize("name", ["softmax", "maxout"])
def test_grouping_functions_are_drawn(tmp_path, name):
    assert plot(name, tmp_path / "f.png").stat().st_size > 5000


@pytest.mark.parametrize("file", ["gelu", "gelu.jpg", "gelu.txt"])
def test_other_formats_are_refused_with_those_there_are(tmp_path, file):
    with pytest.raises(InvalidFunction, match=r"\.png, \.svg or \.pdf"):
        plot("gelu", tmp_path / file)
    assert not list(tmp_path.iterdir())


def test_bad_requests(tmp_path):
    with pytest.raises(UnknownName, match="gelu"):
        plot("gelo", tmp_path / "f.png")
    with pytest.raises(InvalidFunction, match="at least one"):
        plot([], tmp_path / "f.png")
    with pytest.raises(ActlabError, match="cannot be written"):
        plot("gelu", tmp_path / "missing" / "f.png")
