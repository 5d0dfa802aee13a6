"""Functions of a user's own that a name can say: "module:attribute", imported, with the text that they were written in.

Importing runs that module. The catalogue never does it by itself: what only reads, as a report, runs nothing.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from actlab.errors import InvalidFunction, shortened
from actlab.functions.activation import Activation
from actlab.functions.catalogue import admit, catalogue
from actlab.functions.definition import Formula, Parameter
from actlab.functions.variants import bare
from actlab.imports import imported

# What each name led to when it was imported last: a module that was loaded again leads to something else.
_attributes: dict[str, Any] = {}


def activation_named(name: str) -> Activation:
    """The function of a name: that of the catalogue, or one that is imported, where the name is "module:attribute".

    Raises:
        UnknownName: there is none.
        InvalidFunction: its parameters are wrong, or it cannot be imported; see `import_activation`.

    >>> activation_named("swish").name
    'silu'
    """
    return import_activation(name) if ":" in name else catalogue[name]


def import_activation(name: str) -> Activation:
    """Import a function of one's own from "module:attribute" and add it to the catalogue under that name.

    The module lies in the folder one is in, or is installed. The attribute is a rule `value(x, xp)`, as of
    `actlab.register`, or an `actlab.Activation`; keyword arguments of a rule with numbers as defaults are its
    parameters. `source_code` of the function is the text of the module, and of the one that a rule is defined in where
    that is another. What is imported already is not imported again: after a change, load the module again or begin
    anew.

    Args:
        name: "module:attribute", with parameters in parentheses or without.

    Raises:
        InvalidFunction: it cannot be imported, is neither of these, has no text, or is refused as by `register`.

    >>> import_activation("math:tau")
    Traceback (most recent call last):
    actlab.errors.InvalidFunction: 'math:tau' is no activation: a rule value(x, xp) or an actlab.Activation is \
expected, got 6.283185307179586.
    """
    place = bare(name)
    try:
        attribute = imported(place)
    except ImportError as error:
        raise InvalidFunction(
            f"activation {shortened(place)} cannot be imported ({error}): give 'module:attribute' of a module that "
            "lies here or is installed."
        ) from error
    if place not in catalogue or _attributes.get(place) is not attribute:
        activation = _activation(place, attribute)
        if place in catalogue:
            catalogue.remove(catalogue[place])
        admit(activation, imported=True)
        _attributes[place] = attribute
    return catalogue[name]


def _activation(place: str, attribute: Any) -> Activation:
    module, _, name = place.partition(":")
    if isinstance(attribute, Activation):
        text = _source_code(place, module, attribute.value_rule)
        return replace(attribute, name=place, aliases=(), variant_of=None, source_code=text)
    if not callable(attribute):
        raise InvalidFunction(
            f"{place!r} is no activation: a rule value(x, xp) or an actlab.Activation is expected, got "
            f"{shortened(attribute)}."
        )
    return Activation(
        name=place,
        title=name,
        formula=Formula(""),
        family="own",
        year=None,
        source="",
        value_rule=attribute,
        derivative_rule=None,
        parameters=_parameters(attribute),
        source_code=_source_code(place, module, attribute),
    )


def _parameters(rule: Callable[..., Any]) -> tuple[Parameter, ...]:
    """The keyword arguments of a rule that have a number as their default."""
    try:
        arguments = list(inspect.signature(rule).parameters.values())[2:]
    except (TypeError, ValueError):  # Some objects that can be called tell nothing of how.
        return ()
    return tuple(Parameter(one.name, float(one.default)) for one in arguments if type(one.default) in (int, float))


def _source_code(place: str, module: str, rule: Callable[..., Any]) -> str:
    """The text of the module that is named, and of the one that the rule is defined in."""
    home = rule.__module__ if inspect.isfunction(rule) else module
    names = dict.fromkeys((module, home if home in sys.modules and not home.startswith("actlab.") else module))
    try:
        return "\n".join(inspect.getsource(sys.modules[name]) for name in names)
    except (OSError, TypeError):
        raise InvalidFunction(
            f"activation {place!r}: the text of its module cannot be read, and a recording keeps it: give a module "
            "that is a .py file."
        ) from None
