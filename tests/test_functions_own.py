"""Functions of one's own by "module:attribute": imported, tried, known by their text."""

from __future__ import annotations

import hashlib
import importlib
import sys

import numpy as np
import pytest
import torch

from actlab.errors import ActlabWarning, InvalidFunction, UnknownName
from actlab.functions import activation_named, catalogue, import_activation, unregister

TEXT = """
import actlab


def wavy(x, xp, frequency=1.0):
    return x + xp.sin(frequency * x)


leaky = actlab.catalogue["leaky_relu(negative_slope=0.3)"]
number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The path of a module of one's own in the folder one is in; nothing is left of it afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "wavy_functions.py"
    path.write_text(TEXT, encoding="utf-8")
    yield path
    sys.modules.pop("wavy_functions", None)
    for name in [name for name in catalogue if name.startswith("wavy_functions:")]:
        unregister(name)


def test_a_rule_becomes_a_function_with_the_text_of_its_module(module):
    assert "wavy_functions:wavy" not in catalogue
    wavy = import_activation("wavy_functions:wavy")
    x = torch.linspace(-3, 3, 13, dtype=torch.float64, requires_grad=True)
    value = x + torch.sin(x)
    value.sum().backward()
    np.testing.assert_allclose(wavy(x.detach().numpy()), value.detach(), rtol=1e-14)
    np.testing.assert_allclose(wavy.derivative(x.detach().numpy()), x.grad, rtol=1e-6)
    assert (wavy.name, wavy.title, wavy.family) == ("wavy_functions:wavy", "wavy", "own")
    assert wavy.source_code == TEXT
    assert wavy.source_digest == hashlib.sha256(TEXT.encode()).hexdigest()
    assert catalogue["wavy_functions:wavy"] is wavy is import_activation("wavy_functions:wavy")


def test_its_keyword_arguments_are_parameters(module):
    fast = activation_named("wavy_functions:wavy(frequency=3)")
    assert fast.name == "wavy_functions:wavy(frequency=3)"
    assert float(fast(0.5)) == pytest.approx(0.5 + np.sin(1.5))
    assert fast.source_code == TEXT
    with pytest.raises(InvalidFunction, match="has no parameter 'frequence'; did you mean 'frequency'"):
        activation_named("wavy_functions:wavy(frequence=3)")


def test_an_activation_is_taken_as_it_is(module):
    leaky = import_activation("wavy_functions:leaky")
    x = torch.linspace(-3, 3, 13)
    torch.testing.assert_close(leaky(x), torch.nn.functional.leaky_relu(x, 0.3))
    assert (leaky.name, leaky.variant_of, leaky.source_code) == ("wavy_functions:leaky", None, TEXT)


def test_a_module_that_is_loaded_again_is_another(module):
    first = import_activation("wavy_functions:wavy")
    module.write_text(TEXT.replace("xp.sin(", "0.1 * xp.sin(2 + "), encoding="utf-8")
    assert import_activation("wavy_functions:wavy") is first
    importlib.invalidate_caches()
    importlib.reload(sys.modules["wavy_functions"])
    second = import_activation("wavy_functions:wavy")
    assert float(second(1.0)) == pytest.approx(1 + 0.1 * np.sin(3.0))
    assert second.source_digest == hashlib.sha256(module.read_bytes()).hexdigest() != first.source_digest


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wavy_nowhere:f", r"activation 'wavy_nowhere:f' cannot be imported \(No module named 'wavy_nowhere'\): give"),
        ("wavy_functions:f", r"cannot be imported \(module 'wavy_functions' has no attribute 'f'\)"),
        ("wavy_functions:number", "is no activation: a rule .* is expected, got 3."),
        ("math:sin", "the text of its module cannot be read"),
        (":wavy", "cannot be imported"),
        ("wavy_functions:", "cannot be imported"),
    ],
)
def test_what_is_no_function_is_told_in_a_sentence(module, name, words):
    with pytest.raises(InvalidFunction, match=words):
        import_activation(name)


def test_a_function_is_tried_before_it_is_taken(module):
    module.write_text(
        "def branching(x, xp):\n    return x if x > 0 else 0 * x\n\n\ndef logarithm(x, xp):\n    return xp.log(x)\n",
        encoding="utf-8",
    )
    with pytest.raises(InvalidFunction, match="wavy_functions:branching"):
        import_activation("wavy_functions:branching")
    with pytest.warns(ActlabWarning, match="'wavy_functions:logarithm' is registered, but is not a number at x = -1"):
        import_activation("wavy_functions:logarithm")


def test_the_catalogue_imports_nothing_by_itself(module):
    with pytest.raises(UnknownName, match="unknown activation 'wavy_functions:wavy'"):
        catalogue["wavy_functions:wavy"]
    assert "wavy_functions" not in sys.modules
