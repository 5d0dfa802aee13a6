"""What an activation function is, as data: parameters, formula, source and rules; carrying these out is others' work.

The rules are written over an array namespace; `backends` carries them out, `Activation` is what is called.
"""

from __future__ import annotations

import difflib
import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np

from actlab.errors import InvalidFunction
from actlab.functions.arrays import FLOAT_TYPES, is_framework, type_name
from actlab.functions.variants import written

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Parameter:
    """A parameter of an activation function.

    Attributes:
        name: as it is written in a call.
        default: the value it has when it is not given, and starts from where it is learnt; None where there is none,
            because it is an array of `shape`.
        trainable: whether a network learns it; it may then be any array that broadcasts against the input.
        low, high: the valid range, both ends included.
        integer: whether it is a count or a choice. A count changes shapes, so it can be neither trained nor traced.
        shape: for weights that do not belong to one unit each (a window, a small matrix): their shape, from the
            number of units.
    """

    name: str
    default: float | None
    trainable: bool = False
    low: float = -math.inf
    high: float = math.inf
    integer: bool = False
    shape: Callable[[int], tuple[int, ...]] | None = None

    def checked(self, value: Any, function: str) -> Any:
        """Return `value` as a number, or as it is if it is an array; `function` is named in the error.

        The range is checked where the value is known without waiting for a device: numbers and NumPy arrays.
        """
        if value is None and self.shape is not None:
            raise InvalidFunction(
                f"{function}: {self.name!r} is an array of weights and must be given; of shape {self.shape(64)} for "
                f"64 units. actlab.torch.Activation({function!r}, units=64) makes one."
            )
        if value is self.default:
            return value
        # Ahead of the general check: quicker, and traced by torch.compile.
        if type(value) is float and not self.integer and self.low <= value <= self.high:
            return value
        if is_framework(value) and not self.integer and type_name(value) in FLOAT_TYPES:
            return value
        try:
            number = np.asarray(value)
        except (TypeError, ValueError):
            raise self._error(value, function) from None
        allowed = "iu" if self.integer else "iuf"
        if number.dtype.kind not in allowed and (self.integer or number.dtype.name not in FLOAT_TYPES):
            raise self._error(value, function)
        if (self.integer and number.ndim) or not np.all((number >= self.low) & (number <= self.high)):
            raise self._error(value, function)
        if number.ndim:
            return number
        return int(number) if self.integer else float(number)

    def start(self, units: int, uniform: Callable[[tuple[int, ...], float], Any]) -> Any:
        """Draw weights that have no default, from ±1/√fan-in as linear layers start.

        Args:
            units: how many units there are.
            uniform: `uniform(shape, root)` draws from ±1/root.

        >>> Parameter("window", None, shape=lambda units: (3, 3, units)).start(8, lambda shape, root: (shape, root))
        ((3, 3, 8), 3.0)
        """
        assert self.shape is not None
        shape = self.shape(units)
        # Their last axis is that of the units, if they have several.
        return uniform(shape, math.sqrt(max(1, math.prod(shape[:-1] or shape))))

    def to_dict(self) -> dict[str, Any]:
        """As a record, for JSON: an end of the range that is infinite is None."""
        ends = [bound if math.isfinite(bound) else None for bound in (self.low, self.high)]
        return {"default": self.default, "trainable": self.trainable, "range": ends}

    def _error(self, value: Any, function: str) -> InvalidFunction:
        kind = "an integer" if self.integer else "a number"
        return InvalidFunction(
            f"{function}: parameter {self.name!r} must be {kind} in [{self.low:g}, {self.high:g}]; "
            f"it was given {value!r}."
        )


@dataclass(frozen=True)
class Formula:
    """A formula as plain text, for a terminal, and in LaTeX."""

    plain: str
    latex: str = ""


def _one(**_: Any) -> int:
    return 1


@dataclass(frozen=True, eq=False, repr=False)
class Definition:
    """An activation function as data: its rules, parameters, formula and source; nothing here is called.

    Attributes:
        name: name in the catalogue; `aliases` are other names of the same function, `title` is for headings.
        formula: plain and LaTeX.
        family: name of the module of the catalogue it stands in, or a user's own word.
        year, source: when and where it was published (authors, arXiv or DOI).
        value_rule: `value(x, xp, **parameters)`, over an array namespace `xp` (NumPy's names).
        derivative_rule: `derivative(x, xp, **parameters)`; None leaves it to JAX's automatic differentiation.
        parameters: in the order of the formula.
        kind: "elementwise"; "grouping", which mixes the units along an axis; or "stochastic", elementwise with
            noise. The rules of a grouping function take that axis too: `value(x, xp, axis, **parameters)`; its
            `derivative(x, tangent, xp, axis, **parameters)` is the directional derivative J·tangent.
        noise: what the function draws for every element: "uniform" on [0, 1), "normal", or "gumbel". Its rules take
            it as `noise=`, an array like x, or None, for which they give what they give outside training.
        parameter_derivatives: name → `derivative(x, xp, **parameters)` with respect to that parameter.
        constraint: returns a sentence if the parameters do not go together, else None.
        inputs_per_unit_rule: how many inputs make one output, from the parameters; ½ where one makes two.
        notes: where it falls short of the accuracy of the others, or what its convention is.
        variant_of: the function that this one is with other parameters; None where it is one of its own.
        source_code: text of the module that it was imported from; empty for all others.
    """

    name: str
    title: str
    formula: Formula
    family: str
    year: int | None
    source: str
    value_rule: Callable[..., Any]
    derivative_rule: Callable[..., Any] | None
    aliases: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    kind: Literal["elementwise", "grouping", "stochastic"] = "elementwise"
    noise: Literal["uniform", "normal", "gumbel"] | None = None
    parameter_derivatives: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    constraint: Callable[..., str | None] | None = None
    inputs_per_unit_rule: Callable[..., float] = _one
    notes: str = ""
    variant_of: Definition | None = None
    source_code: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameter_derivatives", MappingProxyType(dict(self.parameter_derivatives)))

    def inputs_per_unit(self, **parameters: Any) -> float:
        """Say how many inputs make one output: 1, but for functions that change the width; ½ where one makes two.

        >>> from actlab.functions import catalogue
        >>> catalogue["maxout"].inputs_per_unit(pieces=4), catalogue["relu"].inputs_per_unit()
        (4, 1)
        """
        return self.inputs_per_unit_rule(**self.settings({**self.stand_ins(), **parameters}))

    def stand_ins(self) -> dict[str, Any]:
        """Weights in place of those that have no default, for what does not depend on them.

        >>> from actlab.functions import catalogue
        >>> list(catalogue["funnel_relu"].stand_ins()), catalogue["relu"].stand_ins()
        (['window'], {})
        """
        return {parameter.name: np.zeros(parameter.shape(1)) for parameter in self.parameters if parameter.shape}

    @property
    def source_digest(self) -> str | None:
        """SHA-256 of the text of the module that it was imported from; None for all others."""
        return hashlib.sha256(self.source_code.encode()).hexdigest() if self.source_code else None

    def with_parameters(self, **values: float) -> Self:
        """Return the function with other defaults, under the name that says which: a variant.

        It is a function of its own in everything: value, derivative, facts, its place in a study. Of a parameter that
        networks learn, the value is the one to start from. `catalogue["leaky_relu(negative_slope=0.2)"]` is the same.

        Args:
            **values: numbers by the names of parameters; those left out keep their values.

        Raises:
            InvalidFunction: an unknown parameter, one outside its range, or one that is no number.

        >>> from actlab.functions import catalogue
        >>> steep = catalogue["leaky_relu"].with_parameters(negative_slope=0.2)
        >>> steep.name, float(steep(-1.0)), steep.with_parameters(negative_slope=0.01).name
        ('leaky_relu(negative_slope=0.2)', -0.2, 'leaky_relu')
        """
        whole: Any = self if self.variant_of is None else self.variant_of
        kept = {p.name: p.default for p in self.parameters if p.shape is None and p.default is not None}
        for parameter in whole.parameters:
            _refuse_arrays(parameter, values.get(parameter.name), whole.name)
        found = whole.settings({**whole.stand_ins(), **kept, **values})
        own = {p.name: found[p.name] for p in whole.parameters if p.shape is None and found[p.name] != p.default}
        if not own:
            return whole
        parameters = tuple(replace(p, default=own.get(p.name, p.default)) for p in whole.parameters)
        name = written(whole.name, own)
        return replace(whole, name=name, aliases=(), parameters=parameters, variant_of=whole)

    def settings(self, given: Settings) -> dict[str, Any]:
        """Return the value of every parameter, the defaults filled in and all of them checked.

        Raises:
            InvalidFunction: an unknown parameter, or one outside its range.
        """
        known = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(known) or 'none'}."
                raise InvalidFunction(f"{self.name} has no parameter {name!r}; {hint}")
        settings = {p.name: p.checked(given.get(p.name, p.default), self.name) for p in self.parameters}
        if given and self.constraint and not any(is_framework(value) for value in settings.values()):
            problem = self.constraint(**settings)
            if problem:
                raise InvalidFunction(f"{self.name}: {problem}.")
        return settings


def _refuse_arrays(parameter: Parameter, value: Any, function: str) -> None:
    """Raise InvalidFunction where a value cannot stand in a name: it is an array, or the parameter is one."""
    if value is not None and parameter.shape is not None:
        raise InvalidFunction(f"{function}: {parameter.name!r} is an array of weights, for which no number stands.")
    if value is not None and (isinstance(value, bool) or np.ndim(value) or value in (-math.inf, math.inf)):
        raise InvalidFunction(
            f"{function}: parameter {parameter.name!r} must be a finite number; it was given {value!r}."
        )


@dataclass(frozen=True, eq=False, repr=False)
class Curve(Definition, ABC):
    """A definition that can be called: what facts, relations and cards need of a function."""

    @abstractmethod
    def __call__(self, x: Any, /, *, axis: int = -1, key: Any = None, **parameters: Any) -> Any:
        """Return the value at x; see `Activation`."""

    @abstractmethod
    def derivative(self, x: Any, /, *, axis: int = -1, key: Any = None, **parameters: Any) -> Any:
        """Return the derivative at x; see `Activation`."""
