"""One pass of a Flax NNX module over a probe batch: forward and back, and the numbers of it, without moving anything.

The module is taken apart into arrays and put together within the pass: what it stores there, as statistics and counts
of random numbers, is a copy's.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from itertools import count
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from actlab.functions import catalogue
from actlab.watching.jax_graph import connected
from actlab.watching.jax_program import SHAPES, WEIGHTED, Analysis, Region, carried_out, flat_program
from actlab.watching.looks import FunctionLook
from actlab.watching.values import (
    MOST_COUNTED,
    MOST_MEASURED,
    MOST_VALUES,
    MOST_WEIGHTS,
    Call,
    WeightBefore,
    function_look,
    is_matrix,
    sample_stride,
    value_stride,
)

IN_A_LOOP = "it runs inside a loop or with a slope of its own: functions in it are not seen"
# Element-wise, and no activation functions: powers and exponentials of normalisation, softmax and positions.
_ARITHMETIC = frozenset({"exponential", "quadratic", "absolute_value", "linear", "step", "cube"})
_POWERS = frozenset(
    {"exp", "exp2", "log", "log1p", "expm1", "square", "sqrt", "rsqrt", "cbrt", "integer_pow", "pow", "abs", "sign"}
    | {"floor", "ceil", "round", "stop_gradient", "is_finite", "div"}
)
_GRID = np.concatenate([np.linspace(-12.4, 12.1, 747), np.linspace(-1.3, 1.2, 250)]).astype(np.float32)
Loss = Callable[[Any, Any], Any]


@dataclass(frozen=True, eq=False)
class Place:
    """A function in its place in the program."""

    name: str
    function: str
    region: Region


@dataclass(frozen=True, eq=False)
class Passed:
    """What one pass gave.

    Attributes:
        loss: the mean over the samples, as the user's function has it.
        functions: as of a look.
        weights: matrices before the step.
        outputs: what the model gives, where that is one array; else None.
        last: the function that gives the model's output; "" where a layer does, None where that is not known.
        linear: whether layers follow each other with nothing but linear operations between them.
        without_gradient: names of parameters that nothing leads to from the loss.
        unseen: name → reason.
    """

    loss: float
    functions: tuple[FunctionLook, ...]
    weights: tuple[WeightBefore, ...]
    outputs: np.ndarray | None
    last: str | None
    linear: bool
    without_gradient: tuple[str, ...]
    unseen: Mapping[str, str]


class Pass:
    """A pass over a module of one structure, compiled."""

    def __init__(
        self, model: nnx.Module, x: tuple[Any, ...], y: Any, loss: Loss, chosen: Callable[[str], bool]
    ) -> None:
        """Trace the module and find its functions.

        Args:
            model: the module as it is.
            x: its arguments.
            y: what the loss takes with its output.
            loss: of output and y.
            chosen: whether the place of a name is wanted.
        """
        self._x, self._y, self._loss = x, y, loss
        self.structure, parameters, rest = nnx.split(model, nnx.Param, ...)
        values, self._tree = jax.tree.flatten((parameters, rest))
        self._count = len(jax.tree.leaves(parameters))
        self.names = _parameter_names(parameters)
        data, self._data = jax.tree.flatten(x)
        with _scopes(self._classes(model)) as names:
            graph, shapes = jax.make_jaxpr(lambda own, given: self._forward(own, given, names), return_shape=True)(
                values, data
            )
        self._outputs = jax.tree.structure(shapes)
        self.program = flat_program(graph)
        self._order = self._by_use(
            [is_matrix(name, own.shape) for name, own in zip(self.names, values[: self._count], strict=True)]
        )
        self._analysis = Analysis(self.program, self.program.inputs[len(values) :])
        known = dict(zip(self.program.inputs, [*values, *data], strict=True))
        self.places = _places(self._analysis, known, chosen, names)
        self.unseen = {_within(own.scope[0]): IN_A_LOOP for own in self._analysis.loops()}
        self._run = jax.jit(self._whole)
        self._connected: list[bool] | None = None

    def __call__(self, model: nnx.Module) -> Passed:
        """Look at a module of the same structure as it is now."""
        _, parameters, rest = nnx.split(model, nnx.Param, ...)
        values = jax.tree.leaves((parameters, rest))
        own, other = values[: self._count], values[self._count :]
        reaches = self._connected
        if reaches is None:
            traced = self._run.trace(own, other)
            kind = jax.tree.structure(traced.out_info)
            reaches = self._connected = jax.tree.unflatten(kind, connected(traced.jaxpr))["reached"]
        found = jax.tree.map(np.asarray, self._run(own, other))
        calls: dict[tuple[str, str], list[Call]] = {}
        for place, numbers in zip(self.places, found["calls"], strict=True):
            calls.setdefault((place.name, place.function), []).append(_call(numbers))
        weights = [
            _weight(self.names[place], numbers, reaches=reaches[place])
            for place, numbers in zip(self._order, found["weights"], strict=True)
        ]
        (outputs,) = found["outputs"] if len(found["outputs"]) == 1 else (None,)
        return Passed(
            float(found["loss"]),
            tuple(function_look(*key, one) for key, one in calls.items()),
            tuple(weights),
            outputs,
            _last(self._analysis, self.places) if outputs is not None else None,
            self._analysis.is_linear(),
            tuple(name for name, is_one in zip(self.names, self._unreached(found), strict=True) if is_one),
            self.unseen,
        )

    def samples(self, model: nnx.Module) -> list[np.ndarray]:
        """Some weights of each matrix, as they are now."""
        values = jax.tree.leaves(nnx.split(model, nnx.Param, ...)[1])
        return [np.asarray(_some_values(values[own], MOST_WEIGHTS)) for own in self._order]

    def _by_use(self, matrices: Sequence[bool]) -> list[int]:
        """Places of the matrices among all parameters, in the order in which they are used; NNX sorts by name."""
        used: dict[int, int] = {}
        for place, operation in enumerate(self.program.operations):
            for own in operation.inputs:
                if isinstance(own, int):
                    used.setdefault(own, place)
        never = len(self.program.operations)
        own = [place for place, is_one in enumerate(matrices) if is_one]
        return sorted(own, key=lambda place: used.get(self.program.inputs[place], never))

    def _unreached(self, found: Mapping[str, Any]) -> list[bool]:
        """Whether a gradient is a zero that depends on nothing."""
        known = self._connected or [True] * len(self.names)
        return [not own and not some for own, some in zip(known, found["reached"], strict=True)]

    def _forward(self, values: Sequence[Any], data: Sequence[Any], names: dict[int, str]) -> Any:
        parameters, rest = jax.tree.unflatten(self._tree, values)
        model = nnx.merge(self.structure, parameters, rest)
        names |= dict(_paths(model))
        names[0] = model  # pyright: ignore[reportArgumentType]  # As long as it lives, ids are its own.
        return model(*jax.tree.unflatten(self._data, data))

    def _classes(self, model: nnx.Module) -> set[type]:
        return {type(module) for _, module in nnx.iter_modules(model)}

    def _whole(self, own: Sequence[Any], other: Sequence[Any]) -> dict[str, Any]:
        """Loss, gradients and samples."""
        shapes = self.program.shapes
        added = [{key: jnp.zeros(*shapes[at]) for key, at in _ends(place)} for place in self.places]
        objective = jax.value_and_grad(self._objective, argnums=(0, 1), has_aux=True)
        (loss, (tensors, outputs)), (by_own, by_added) = objective(own, added, other)
        calls = [
            {
                "z": _some_samples(z, MOST_MEASURED),
                "a": _some_samples(a, MOST_MEASURED),
                "slope": _some_samples(slope, MOST_VALUES),
                "z_norm": _norm(by["z"]),
                "a_norm": _norm(by["a"]),
                "gradient": _some_values(by["a"], MOST_COUNTED),
            }
            for (z, a, slope), by in zip(tensors, by_added, strict=True)
        ]
        weights = [
            {
                "sample": _some_values(value, MOST_WEIGHTS),
                "norm": _norm(value),
                "gradient_norm": _norm(by),
                "zero_share": jnp.mean(by == 0),
                "gradient": _some_values(by, MOST_COUNTED),
            }
            for value, by in [(own[place], by_own[place]) for place in self._order]
        ]
        reached = [jnp.any(by != 0) for by in by_own]
        return {
            "loss": loss, "calls": calls, "weights": weights, "reached": reached,
            "outputs": jax.tree.leaves(outputs),
        }  # fmt: skip

    def _objective(self, own: Sequence[Any], added: Sequence[Any], other: Sequence[Any]) -> Any:
        known: dict[int, Any] = {}
        extra: dict[int, list[Any]] = {}
        for place, zeros in zip(self.places, added, strict=True):
            for key, at in _ends(place):
                extra.setdefault(at, []).append(zeros[key])

        def see(number: int, value: Any) -> Any:
            known[number] = sum(extra.get(number, ()), value)
            return known[number]

        outputs = carried_out(self.program, [*own, *other, *jax.tree.leaves(self._x)], see)
        tensors = []
        for place in self.places:
            z, a = known[place.region.start], known[place.region.end]
            _, pull = jax.vjp(place.region.function(known), jax.lax.stop_gradient(z))
            tensors.append((z, a, jax.lax.stop_gradient(pull(jnp.ones_like(a))[0])))
        outputs = jax.tree.unflatten(self._outputs, outputs)
        return jnp.mean(self._loss(outputs, self._y)), (tensors, outputs)


def _call(numbers: Mapping[str, Any]) -> Call:
    norms = float(numbers["a_norm"]), float(numbers["z_norm"])
    return Call(numbers["z"], numbers["a"], numbers["slope"], -1, *norms, numbers["gradient"])


def _weight(name: str, numbers: Mapping[str, Any], *, reaches: bool) -> WeightBefore:
    name = name.removesuffix(".kernel").removesuffix(".embedding")
    if not reaches:
        return WeightBefore(name, numbers["sample"], float(numbers["norm"]), math.nan, math.nan, np.zeros(0))
    gradient = float(numbers["gradient_norm"]), float(numbers["zero_share"]), numbers["gradient"]
    return WeightBefore(name, numbers["sample"], float(numbers["norm"]), *gradient)


def _ends(place: Place) -> tuple[tuple[str, int], tuple[str, int]]:
    return ("z", place.region.start), ("a", place.region.end)


def _paths(model: nnx.Module) -> Iterator[tuple[int, str]]:
    for path, module in nnx.iter_modules(model):
        yield id(module), ".".join(map(str, path))


def _parameter_names(parameters: Any) -> list[str]:
    """Names of the leaves, in their order."""
    leaves = jax.tree_util.tree_flatten_with_path(parameters)[0]
    return [path_name(path) for path, _ in leaves]


def path_name(path: Sequence[Any]) -> str:
    """A path of JAX's through a state, as "block.fc1.kernel"."""
    parts = [getattr(own, "key", getattr(own, "name", getattr(own, "idx", own))) for own in path]
    return ".".join(str(own) for own in parts if str(own) != "value")


@contextmanager
def _scopes(classes: set[type]) -> Iterator[dict[int, str]]:
    """While a module is traced, have each call of a part of it carry the part's name in the program."""
    names: dict[int, str] = {}
    numbers, thread = count(1), threading.get_ident()
    homes = {next((kind for kind in own.__mro__ if "__call__" in vars(kind)), None) for own in classes} - {None}

    def scoped(original: Any) -> Any:
        @wraps(original)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != thread or id(self) not in names:
                return original(self, *args, **kwargs)
            with jax.named_scope(f"{names[id(self)]}@{next(numbers)}"):
                return original(self, *args, **kwargs)

        return call

    originals = {kind: vars(kind)["__call__"] for kind in homes if kind is not None}
    try:
        for kind, original in originals.items():
            kind.__call__ = scoped(original)  # pyright: ignore[reportAttributeAccessIssue]
        yield names
    finally:
        for kind, original in originals.items():
            kind.__call__ = original  # pyright: ignore[reportAttributeAccessIssue]


def _places(
    analysis: Analysis, known: Mapping[int, Any], chosen: Callable[[str], bool], names: Mapping[int, str]
) -> list[Place]:
    """The activation functions of a program, named by the modules that they stand in or behind."""
    found: list[Place] = []
    numbered: dict[tuple[str, str, int], int] = {}
    known = _settings(analysis, known)
    for region in analysis.regions():
        shape, kind = analysis.program.shapes[region.start]
        if len(shape) < 2 or not jnp.issubdtype(kind, jnp.floating) or analysis.comes_from_a_sum(region.start):
            continue
        if not jnp.issubdtype(analysis.program.shapes[region.end][1], jnp.floating):
            continue
        region, function = _recognised(analysis, region, known)
        if function is None:
            continue
        name, instance = _name(analysis, region, function)
        number = numbered[name, function, instance] = numbered.get((name, function, instance), 0) + 1
        name = name if number == 1 else f"{name} {number}"
        if chosen(name):
            found.append(Place(name, function, region))
    return found


def _settings(analysis: Analysis, known: Mapping[int, Any]) -> dict[int, Any]:
    """Values of all that does not depend on the data."""
    own = {**analysis.program.constants, **known}
    for operation in analysis.program.operations:
        inputs = [number for number in operation.inputs if isinstance(number, int)]
        if not any(number in analysis.signal for number in inputs):
            own |= dict(zip(operation.outputs, operation.values(own), strict=True))
    return own


def _recognised(analysis: Analysis, region: Region, known: Mapping[int, Any]) -> tuple[Region, str | None]:
    """A region and what it computes: the catalogue's function that it equals, or its own name; None for arithmetic."""
    variants = analysis.shorter(region)
    for own in variants:
        name = _equal(own, analysis.program.shapes[own.start], known)
        if name is not None:
            return own, None if name in _ARITHMETIC else name
    own = variants[-1]
    if {operation.name for operation in own.operations} <= _POWERS:
        return own, None
    label = own.operations[-1].label
    return own, label or "·".join(dict.fromkeys(operation.name for operation in own.operations))


def _equal(region: Region, shape: Any, known: Mapping[int, Any]) -> str | None:
    """The function of the catalogue that a region equals, with the fewest parameters."""
    size = math.prod(shape[0])
    function = region.function(known)
    points, values = [], []
    for begin in range(0, len(_GRID), size):
        x = np.resize(_GRID[begin : begin + size], shape[0]).astype(shape[1])
        points.append(x.reshape(-1)[: min(size, len(_GRID) - begin)])
        values.append(np.asarray(function(jnp.asarray(x))).reshape(-1)[: len(points[-1])])
    x, y = np.concatenate(points).astype(float), np.concatenate(values).astype(float)
    for own in sorted(catalogue.values(), key=lambda own: len(own.parameters)):
        if own.kind == "elementwise" and np.allclose(own(x), y, 1e-5, 1e-5):
            return own.name
    return None


def _name(analysis: Analysis, region: Region, function: str) -> tuple[str, int]:
    """Where a function stands: the module that computes it, or the layer that it follows; and which call of that."""
    path, instance = region.operations[-1].scope
    before = analysis.made.get(region.start)
    behind, number = before.scope if before is not None else ("", 0)
    if behind.startswith(path) and behind != path:
        return f"{behind}: {function}", number
    return (f"{path}: {function}" if path else function), instance


def _within(path: str) -> str:
    return path or "the model"


def _last(analysis: Analysis, places: Sequence[Place]) -> str | None:
    """The function that gives a model's output; "" where a layer does, None where that is not known."""
    number = analysis.program.outputs[0]
    ends = {place.region.end: place.function for place in places}
    while isinstance(number, int):
        operation = analysis.made.get(number)
        if number in ends:
            return ends[number]
        if operation is None:
            return None
        if operation.label == "log_softmax":
            return "log_softmax"
        if operation.name == "div" and _is_softmax(analysis, operation.inputs):
            return "softmax"
        if operation.name in WEIGHTED:
            return ""
        data = [own for own in operation.inputs if isinstance(own, int) and own in analysis.signal]
        # A bias is added to a layer's products.
        if len(data) != 1 or operation.name not in SHAPES | {"add"}:
            return None
        number = data[0]
    return None


def _is_softmax(analysis: Analysis, inputs: Sequence[Any]) -> bool:
    """Whether something is divided by its own sum, and is an exponential."""
    above, below = inputs
    made = analysis.made
    while isinstance(below, int) and below in made and made[below].name in SHAPES | {"broadcast_in_dim"}:
        below = made[below].inputs[0]
    total = made.get(below) if isinstance(below, int) else None
    power = made.get(above) if isinstance(above, int) else None
    return total is not None and power is not None and total.inputs[0] == above and power.name == "exp"


def _some_samples(values: Any, most: int) -> Any:
    return values[:: sample_stride(values.shape, most)].astype(jnp.float32)


def _some_values(values: Any, most: int) -> Any:
    return values.reshape(-1)[:: value_stride(values.shape, most)].astype(jnp.float32)


def _norm(values: Any) -> Any:
    return jnp.sqrt(jnp.sum(jnp.square(values.astype(jnp.float32))))
