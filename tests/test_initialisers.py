"""Initial weights: spread and shape against PyTorch's initialisers and the published formulas."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest
import torch

from actlab.errors import InvalidNetwork, UnknownName
from actlab.initialisers import NAMES, check, draw, standard_deviation

PYTORCH = {
    "glorot_uniform": torch.nn.init.xavier_uniform_,
    "glorot_normal": torch.nn.init.xavier_normal_,
    "he_uniform": lambda w, **k: torch.nn.init.kaiming_uniform_(w, nonlinearity="relu", **k),
    "he_normal": lambda w, **k: torch.nn.init.kaiming_normal_(w, nonlinearity="relu", **k),
    "lecun_normal": lambda w, **k: torch.nn.init.kaiming_normal_(w, nonlinearity="linear", **k),
    "normal(0.05)": lambda w, **k: torch.nn.init.normal_(w, std=0.05, **k),
}


@pytest.mark.parametrize("name", PYTORCH)
@pytest.mark.parametrize("shape", [(300, 170), (5, 5, 16, 120)])
def test_weights_are_spread_as_those_of_pytorch(name, shape):
    ours = np.asarray(draw(name, jax.random.key(3), shape))
    order = (1, 0) if len(shape) == 2 else (3, 2, 0, 1)
    theirs = torch.empty([shape[i] for i in order])
    PYTORCH[name](theirs, generator=torch.Generator().manual_seed(0))
    assert ours.shape == shape
    assert ours.dtype == np.float32
    # 48,000 draws and more: the standard deviations differ by some 0.5 %, the largest values of a uniform by less.
    np.testing.assert_allclose(ours.std(), theirs.std().item(), rtol=0.02)
    np.testing.assert_allclose(ours.mean(), 0, atol=5 * ours.std() / math.sqrt(ours.size))
    if name.endswith("_uniform"):
        np.testing.assert_allclose(np.abs(ours).max(), theirs.abs().max().item(), rtol=1e-3)
    else:
        np.testing.assert_allclose(np.mean(np.abs(ours) < ours.std()), 0.6827, atol=0.01)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("glorot_uniform", math.sqrt(2 / (7 + 3))),
        ("glorot_normal", math.sqrt(2 / (7 + 3))),
        ("he_uniform", math.sqrt(2 / 7)),
        ("he_normal", math.sqrt(2 / 7)),
        ("lecun_normal", math.sqrt(1 / 7)),
        ("normal(1e-3)", 1e-3),
    ],
)
def test_standard_deviations_are_those_of_the_sources(name, expected):
    assert standard_deviation(name, 7, 3) == pytest.approx(expected, rel=1e-15)


def test_the_key_alone_decides():
    one, two, other = (np.asarray(draw("he_normal", jax.random.key(seed), (4, 3))) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, two)
    assert not np.any(one == other)


@pytest.mark.parametrize("name", [*NAMES[:-1], "normal(2)", "normal(1e-2)"])
def test_known_names_pass(name):
    assert check(name) == name


@pytest.mark.parametrize(
    ("name", "near"), [("he_norml", "he_normal"), ("glorot", "glorot_normal"), ("Normal(0.1)", "normal(STD)")]
)
def test_misspelt_names_come_with_the_nearest(name, near):
    with pytest.raises(UnknownName, match="did you mean") as caught:
        check(name)
    assert repr(near) in str(caught.value)


@pytest.mark.parametrize("inside", ["0", "-1", "nan", "inf", "x", "1e-999"])
def test_standard_deviations_that_are_not_positive_numbers(inside):
    with pytest.raises(InvalidNetwork, match="positive number"):
        check(f"normal({inside})")
