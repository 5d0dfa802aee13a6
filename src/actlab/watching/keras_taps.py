"""One forward pass of a Keras model looked at, on any backend: its functions are tapped where Keras calls them.

For the time of the pass alone, layers carry wrapped `call` and `activation` attributes of their own, and Keras' backend
wrapped functions; all of it is taken away at its end. The pass is one that we make, of a batch of our own: what Keras
has compiled for the training never sees any of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from actlab.functions import catalogue
from actlab.watching.keras_backend import Backend

# What Keras' own operations call, on every backend: whoever writes `keras.ops.relu(x)` in a layer ends there.
_OPERATIONS = (
    *("relu", "relu6", "sigmoid", "sparse_sigmoid", "tanh", "tanh_shrink", "softplus", "softsign", "soft_shrink"),
    *("sparse_plus", "silu", "squareplus", "log_sigmoid", "leaky_relu", "hard_sigmoid", "hard_silu", "elu", "selu"),
    *("gelu", "celu", "hard_tanh", "hard_shrink", "threshold", "softmax", "log_softmax", "sparsemax"),
)
_NORMALISING = frozenset({"softmax", "log_softmax", "sparsemax", "softmin"})
_LAYERS = ("ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "Activation")
#: What hides functions inside, which no tap reaches.
INSIDE_A_LOOP = "its function between steps is inside a loop of the backend's"
ANOTHER_TRACE = "it is called inside a loop, a map or a checkpoint of the backend's"


@dataclass
class Tapped:
    """One call of a function within the pass.

    Attributes:
        name, function: as of a `FunctionLook`.
        z, a: tensors of the backend, which gradients are taken by.
        slope: of the function at z.
        axis: of the units.
    """

    name: str
    function: str
    z: Any
    a: Any
    slope: Any
    axis: int


@dataclass
class Taps:
    """What one pass showed.

    Attributes:
        names: of the layers, by their ids.
        chosen: whether the place of a name is wanted.
        elementwise: of each layer with a function that the catalogue does not have, whether that treats each number by
            itself.
        calls: in order.
        ran: names of the layers that ran.
        unseen: name → reason.
        made: id of a tensor that a function gave → the function's name, softmax and its kin too.
    """

    names: Mapping[int, str]
    chosen: Callable[[str], bool]
    backend: Backend
    elementwise: Mapping[int, bool]
    calls: list[Tapped] = field(default_factory=list)
    ran: set[str] = field(default_factory=set)
    unseen: dict[str, str] = field(default_factory=dict)
    made: dict[int, str] = field(default_factory=dict)
    kept: list[Any] = field(default_factory=list)
    _stack: list[Any] = field(default_factory=list)
    _inside: bool = False
    _hidden: int = 0

    @contextmanager
    def attached(self, model: keras.Model) -> Iterator[None]:
        """Tap what runs of a model in this thread, until the end of a `with` block."""
        thread, level = threading.get_ident(), self.backend.level()

        def is_ours() -> bool:
            return threading.get_ident() == thread

        self._level = level
        undo: list[Callable[[], None]] = []
        try:
            for layer in layers_of(model):
                undo.append(_set_aside(layer, "call", self._called(layer, layer.call, is_ours)))
                activation = vars(layer).get("activation")
                if callable(activation) and not _is_function_layer(layer) and not isinstance(activation, keras.Layer):
                    undo.append(_set_aside(layer, "activation", self._activated(layer, activation, is_ours)))
            undo += list(self._operations(is_ours))
            yield
        finally:
            while undo:
                undo.pop()()

    def _called(self, layer: keras.Layer, original: Callable[..., Any], is_ours: Callable[[], bool]) -> Any:
        """A layer's `call` that says where the pass is; of a layer that is a function, tapped."""

        def call(*args: Any, **kwargs: Any) -> Any:
            if not is_ours():
                return original(*args, **kwargs)
            self._stack.append(layer)
            self.ran.add(self.names.get(id(layer), layer.name))
            hidden = isinstance(layer, keras.layers.RNN)
            self._hidden += hidden
            if hidden:
                self.unseen[self._place()] = INSIDE_A_LOOP
            try:
                if _is_function_layer(layer) and len(args) == 1:
                    named = name_of(layer)
                    apart = {**kwargs, "training": False} if "training" in kwargs else kwargs
                    return self._tap(
                        self._place(),
                        named,
                        args[0],
                        lambda x: original(x, **kwargs),
                        again=lambda x: original(x, **apart),
                        axis=_axis_of(layer),
                    )
                return original(*args, **kwargs)
            finally:
                self._stack.pop()
                self._hidden -= hidden

        return call

    def _activated(self, layer: keras.Layer, function: Callable[..., Any], is_ours: Callable[[], bool]) -> Any:
        """What is `activation=` of a layer, tapped."""
        named = name_of(function)

        def activation(x: Any, *args: Any, **kwargs: Any) -> Any:
            if not is_ours() or named == "linear":
                return function(x, *args, **kwargs)
            name = f"{self.names.get(id(layer), layer.name)}: {named}"
            return self._tap(name, named, x, lambda own: function(own, *args, **kwargs), axis=_axis_of(layer))

        return activation

    def _operations(self, is_ours: Callable[[], bool]) -> Iterator[Callable[[], None]]:
        """Functions that layers call by name: `keras.ops.relu(x)`."""
        modules = self.backend.operations()
        for home, name in [(home, name) for home in modules for name in _OPERATIONS if hasattr(home, name)]:
            original = getattr(home, name)

            def operation(x: Any, *args: Any, _own: Any = original, _name: str = name, **kwargs: Any) -> Any:
                if not is_ours():
                    return _own(x, *args, **kwargs)
                named = _gelu(args, kwargs) if _name == "gelu" else _catalogued(_name)
                place = self._place()
                axis = _axis_of(self._stack[-1]) if self._stack else -1
                name = f"{place}: {named}" if place else named
                return self._tap(name, named, x, lambda own: _own(own, *args, **kwargs), axis=axis)

            setattr(home, name, operation)
            yield lambda home=home, name=name, original=original: setattr(home, name, original)

    def _place(self) -> str:
        return self.names.get(id(self._stack[-1]), self._stack[-1].name) if self._stack else ""

    def _tap(
        self, name: str, function: str, x: Any, call: Callable[[Any], Any], *, axis: int,
        again: Callable[[Any], Any] | None = None,
    ) -> Any:  # fmt: skip
        """Carry a function out, looking at it."""
        if self._inside or self._hidden:
            return call(x)
        self._inside = True
        try:
            if function in _NORMALISING or not self._is_wanted(name, function, x):
                return self._noted(call(x), function)
            name = self._numbered(name, function)
            z = self.backend.mark(x, len(self.calls), "z")
            a = self.backend.mark(call(z), len(self.calls), "a")
            if tuple(a.shape) != tuple(z.shape):
                self.unseen[name] = "it changes the number of units"
                return self._noted(a, function)
            slope = self.backend.slope(again or call, z)
            self.calls.append(Tapped(name, function, z, a, slope, axis))
            return self._noted(a, function)
        finally:
            self._inside = False

    def _is_wanted(self, name: str, function: str, x: Any) -> bool:
        if self.backend.level() != self._level:
            self.unseen.setdefault(name, ANOTHER_TRACE)
            return False
        if not self.chosen(name) or not keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype)):
            return False
        if function in catalogue:
            return catalogue[function].kind != "grouping"
        if not self._stack or not self.elementwise.get(id(self._stack[-1]), False):
            self.unseen[name] = f"{function} is no function of each number by itself, or one that is not known"
            return False
        return True

    def _numbered(self, name: str, function: str) -> str:
        """Another function at a place of the same name is numbered."""
        number, own = 2, name
        while any(one.name == own and one.function != function for one in self.calls):
            own, number = f"{name} {number}", number + 1
        return own

    def _noted(self, output: Any, function: str) -> Any:
        self.made[id(output)] = function
        self.kept.append(output)  # Its id is its own as long as it lives.
        return output


def layers_of(model: keras.Layer) -> list[keras.Layer]:
    """All layers within a model, those within layers too, without itself."""
    return model._flatten_layers(include_self=False)


def named_layers(model: keras.Layer) -> dict[int, str]:
    """Id of each layer within a model → its place in it, "block.dense"; the first one, of a layer that stands twice."""
    names: dict[int, str] = {}

    def walk(layer: keras.Layer, prefix: str) -> None:
        for own in layer._flatten_layers(include_self=False, recursive=False):
            if id(own) not in names:
                names[id(own)] = f"{prefix}{own.name}"
                walk(own, f"{prefix}{own.name}.")

    walk(model, "")
    return names


def name_of(function: Any) -> str:
    """What the catalogue calls a function of Keras', a layer that is one, or one of ours; else what it is called."""
    if hasattr(function, "_activation") and hasattr(function._activation, "formula"):
        return function._activation.name
    kind = type(function).__name__
    if isinstance(function, keras.layers.Activation):
        return name_of(function.activation)
    if isinstance(function, keras.layers.ReLU):
        if function.negative_slope:
            return "leaky_relu"
        return "relu6" if function.max_value == 6 else "relu"
    if isinstance(function, keras.Layer):
        return _catalogued(kind)
    return _catalogued(getattr(function, "__name__", kind))


def _catalogued(name: str) -> str:
    return catalogue[name].name if name in catalogue else name


def _gelu(args: tuple[Any, ...], settings: Mapping[str, Any]) -> str:
    """Keras' operation takes the approximation unless it is told otherwise."""
    return "gelu_tanh" if settings.get("approximate", args[0] if args else True) else "gelu"


def _is_function_layer(layer: keras.Layer) -> bool:
    """Whether a layer is nothing but a function."""
    ours = hasattr(layer, "_activation") and hasattr(layer._activation, "formula")
    return ours or isinstance(layer, tuple(getattr(keras.layers, name) for name in _LAYERS))


def _axis_of(layer: keras.Layer) -> int:
    """The axis of the units behind a layer: the last, but for convolutions of channels that come first."""
    if isinstance(getattr(layer, "axis", None), int) and _is_function_layer(layer):
        return layer.axis
    return 1 if getattr(layer, "data_format", None) == "channels_first" else -1


def elementwise_functions(model: keras.Layer) -> dict[int, bool]:
    """Id of each layer with a function of a user's own → whether it treats each number by itself, as tried."""
    found = {}
    for layer in layers_of(model):
        function = layer if _is_function_layer(layer) else vars(layer).get("activation")
        if callable(function) and name_of(function) not in catalogue:
            own: Any = getattr(layer, "activation", function)
            found[id(layer)] = _is_elementwise(own)
    return found


def _is_elementwise(function: Callable[[Any], Any]) -> bool:
    """Whether numbers of one unit stay as they are when those of another change."""
    one = np.linspace(-1.7, 1.9, 12, dtype=np.float32).reshape(4, 3)
    other = one.copy()
    other[:, -1] += 0.5
    try:
        with keras.StatelessScope():
            found: list[Any] = [_through(function, x) for x in (one, other)]
    except Exception:  # A user's own code; whatever it raises, it is not known.
        return False
    return found[0].shape == one.shape and bool(np.array_equal(found[0][:, :-1], found[1][:, :-1]))


def _through(function: Callable[[Any], Any], x: np.ndarray) -> Any:
    return keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(x)))


def _set_aside(layer: Any, attribute: str, value: Any) -> Callable[[], None]:
    """Put something before an attribute of a layer, past Keras' tracking; returns what takes it away again."""
    own: dict[str, Any] = layer.__dict__
    before = own.get(attribute, _set_aside)
    own[attribute] = value

    def restore() -> None:
        if before is _set_aside:
            own.pop(attribute, None)
        else:
            own[attribute] = before

    return restore
