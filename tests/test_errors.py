"""The tree of errors: what can be caught, what is said, and that a message survives the way between processes."""

from __future__ import annotations

import pickle

import pytest

from actlab import errors
from actlab.errors import ActlabError, InvalidStudy, UnknownName, complaint

TREE = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, Exception) and not issubclass(value, Warning)
]


@pytest.mark.parametrize("kind", TREE)
def test_one_root_catches_every_error(kind):
    assert issubclass(kind, ActlabError)
    assert kind.__doc__


@pytest.mark.parametrize(
    ("name", "known", "sentence"),
    [
        ("gleu", ["relu", "gelu"], "unknown thing 'gleu': did you mean 'gelu'?"),
        ("RELU", ["relu", "tanh"], "unknown thing 'RELU': did you mean 'relu'?"),
        ("relu", ["ReLU", "tanh"], "unknown thing 'relu': did you mean 'ReLU'?"),
        ("xyz", ["tanh", "relu"], "unknown thing 'xyz': known: relu, tanh."),
        ("", ["tanh"], "unknown thing '': known: tanh."),
        ("xyz", [], "unknown thing 'xyz': known: none."),
    ],
)
def test_unknown_names_come_with_the_nearest_known_one(name, known, sentence):
    error = UnknownName("thing", name, known)
    assert str(error) == sentence
    assert (error.kind, error.name) == ("thing", name)


def test_unknown_names_are_key_errors_and_wrong_studies_value_errors():
    assert isinstance(UnknownName("thing", "a", iter(["b"])), KeyError)
    assert isinstance(InvalidStudy("no"), ValueError)
    assert InvalidStudy("no").location == ()


@pytest.mark.parametrize(
    "error", [UnknownName("activation", "gleu", ["gelu", "relu"]), InvalidStudy("epochs: no.", ("epochs",))]
)
def test_errors_come_out_of_another_process_as_they_went_in(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        ({"loc": ("a",), "type": "int_type", "input": "x"}, "a: a whole number is expected, got 'x'."),
        ({"loc": ("a",), "type": "int_from_float", "input": 1.5}, "a: a whole number is expected, got 1.5."),
        ({"loc": ("a", 0), "type": "float_type", "input": None}, "a, entry 1: a number is expected, got None."),
        ({"loc": ("a",), "type": "finite_number", "input": 1e999}, "a: a finite number is expected, got inf."),
        ({"loc": (), "type": "bool_type", "input": 3}, "true or false is expected, got 3."),
        ({"loc": ("a",), "type": "tuple_type", "input": 3}, "a: a list is expected, got 3."),
        ({"loc": ("a",), "type": "model_type", "input": 3}, "a: a table is expected, got 3."),
        ({"loc": (0,), "type": "int_type", "input": "x"}, "argument 1: a whole number is expected, got 'x'."),
        ({"loc": ("a",), "type": "missing", "input": {}}, "a is missing."),
        ({"loc": ("b", 1, "a"), "type": "missing", "input": {}}, "b, entry 2, a is missing."),
        (
            {"loc": ("a",), "type": "less_than", "ctx": {"lt": 4294967296}, "input": 5e9},
            "a: less than 4294967296 is expected, got 5000000000.0.",
        ),
        (
            {"loc": ("a",), "type": "union_tag_not_found", "ctx": {"discriminator": "'name'"}, "input": {}},
            "a, name is missing.",
        ),
        ({"loc": ("a",), "type": "value_error", "msg": "Value error, Too odd", "input": 3}, "a: too odd."),
        ({"loc": ("a",), "type": "new_kind", "msg": "Something else.", "input": 3}, "a: something else, got 3."),
    ],
)
def test_complaints_of_pydantic_become_sentences(problem, sentence):
    assert complaint(problem) == sentence


def test_long_inputs_are_cut_short():
    sentence = complaint({"loc": ("a",), "type": "int_type", "input": "x" * 1000})
    assert len(sentence) < 120
    assert sentence.endswith("….")
