"""What each backend of Keras does its own way for a look: gradients by tensors in the middle, slopes, compiled code."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import keras

# Of a forward pass: total loss, whatever else it gives, and the tensors that gradients are wanted by besides.
Passed = tuple[Any, Any, list[Any]]
Forward = Callable[["Backend", list[Any], list[Any], Any, Any], Passed]
Reduce = Callable[[Any, list[Any], list[Any], list[Any]], Any]


class Backend(Protocol):
    """How a backend goes forward and back through a pass.

    Attributes:
        undoes: functions that the backend takes away again between a model's output and a loss that is given logits.
    """

    undoes: frozenset[str]

    def level(self) -> object:
        """What differs inside a loop or map that is traced by itself; equal in the same one."""
        ...

    def operations(self) -> list[Any]:
        """The modules that Keras' own operations call."""
        ...

    def mark(self, tensor: Any, number: int, which: str) -> Any:
        """The same tensor as one that gradients can be taken by: "z" before the function of this number, "a" behind."""
        ...

    def slope(self, function: Callable[[Any], Any], inputs: Any) -> Any:
        """The slope of an element-wise function, as the backend goes back through it."""
        ...


def backend_of(name: str) -> Any:
    """The backend that Keras runs on."""
    return {"jax": JaxBackend, "torch": TorchBackend, "tensorflow": TensorflowBackend}[name]()


class _Common:
    undoes: frozenset[str] = frozenset()

    def operations(self) -> list[Any]:
        """The modules that Keras' own operations call; none where Keras has moved them."""
        home = f"keras.src.backend.{keras.backend.backend()}"
        try:
            return [importlib.import_module(f"{home}.{name}") for name in ("nn", "numpy")]
        except ImportError:
            return []


class JaxBackend(_Common):
    """Gradients by tensors in the middle are those by zeros that are added to them."""

    def __init__(self) -> None:
        self._added: list[dict[str, Any]] | None = None
        self._shapes: list[dict[str, Any]] = []
        self.connected: list[bool] | None = None

    def level(self) -> object:
        """The trace that is under way."""
        return importlib.import_module("jax.core").get_opaque_trace_state(convention="nnx")

    def mark(self, tensor: Any, number: int, which: str) -> Any:
        """Add a zero that a gradient can be taken by."""
        if self._added is None:
            while len(self._shapes) <= number:
                self._shapes.append({})
            self._shapes[number][which] = (tuple(tensor.shape), tensor.dtype)
            return tensor
        return tensor + self._added[number][which]

    def slope(self, function: Callable[[Any], Any], inputs: Any) -> Any:
        """By one product from the left with ones: each output is of its own input."""
        import jax

        output, pull = jax.vjp(function, jax.lax.stop_gradient(inputs))
        return jax.lax.stop_gradient(pull(jax.numpy.ones_like(output))[0])

    def compiled(self, forward: Forward, reduce: Reduce, *, eager: bool) -> Callable[..., Any]:
        """The whole pass as a function of (trained, other, x, y)."""
        import jax

        from actlab.watching.jax_graph import connected

        def shapes(trained: Any, other: Any, x: Any, y: Any) -> Any:
            self._added, self._shapes = None, []
            return forward(self, trained, other, x, y)[0]

        def objective(trained: Any, added: Any, other: Any, x: Any, y: Any) -> Any:
            self._added = added
            total, rest, tensors = forward(self, trained, other, x, y)
            return total, (rest, tensors)

        def whole(trained: Any, other: Any, x: Any, y: Any) -> Any:
            jax.eval_shape(shapes, trained, other, x, y)
            added = [{key: jax.numpy.zeros(*own) for key, own in one.items()} for one in self._shapes]
            found = jax.value_and_grad(objective, argnums=(0, 1), has_aux=True)(trained, added, other, x, y)
            (total, (rest, _)), (by_trained, by_added) = found
            return reduce((total, rest), trained, by_trained, [own[key] for own in by_added for key in ("z", "a")])

        program = jax.jit(whole)

        def run(*arguments: Any) -> Any:
            if self.connected is None:
                traced = program.trace(*arguments)
                kind = jax.tree.structure(traced.out_info)
                self.connected = jax.tree.unflatten(kind, connected(traced.jaxpr))["reached"]
            return whole(*arguments) if eager else program(*arguments)

        return run


class TorchBackend(_Common):
    """Gradients come from `torch.autograd.grad`: those that the training left in its parameters stay as they are."""

    connected: list[bool] | None = None

    def level(self) -> object:
        """Nothing is traced."""
        return None

    def mark(self, tensor: Any, number: int, which: str) -> Any:
        """A view of it, that is in the graph."""
        return tensor.view_as(tensor) if tensor.requires_grad else tensor.detach().requires_grad_()

    def slope(self, function: Callable[[Any], Any], inputs: Any) -> Any:
        """In a graph of its own."""
        import torch

        with torch.enable_grad():
            own = inputs.detach().clone().requires_grad_()
            return torch.autograd.grad(function(own).sum(), own)[0]

    def compiled(self, forward: Forward, reduce: Reduce, *, eager: bool) -> Callable[..., Any]:
        """The whole pass as a function of (trained, other, x, y)."""
        import torch

        def run(trained: list[Any], other: list[Any], x: Any, y: Any) -> Any:
            devices = sorted({own.device.index or 0 for own in trained if own.device.type == "cuda"})
            with torch.random.fork_rng(devices), torch.enable_grad():
                total, rest, tensors = forward(self, trained, other, x, y)
                wanted = [*trained, *tensors]
                found: Sequence[Any] = [None] * len(wanted)
                if total.requires_grad:
                    found = torch.autograd.grad(total, wanted, allow_unused=True)
            with torch.no_grad():
                found = [own.to_dense() if own is not None and own.is_sparse else own for own in found]
                rest = keras.tree.map_structure(_detached, rest)
                trained = [own.detach() for own in trained]
                return reduce((total.detach(), rest), trained, found[: len(trained)], found[len(trained) :])

        return run


def _detached(value: Any) -> Any:
    return value.detach() if hasattr(value, "detach") else value


class TensorflowBackend(_Common):
    """Gradients come from a tape that sees nothing but this pass."""

    # Keras notes on the tensor that a softmax or sigmoid gives what went in, and its losses take that.
    undoes = frozenset({"softmax", "sigmoid"})
    connected: list[bool] | None = None

    def __init__(self) -> None:
        self._tape: Any = None

    def level(self) -> object:
        """The graph that is being made; a loop has one of its own."""
        import tensorflow as tf

        return id(tf.compat.v1.get_default_graph()) if not tf.executing_eagerly() else 0

    def mark(self, tensor: Any, number: int, which: str) -> Any:
        """What goes in is another tensor; what comes out stays the same, for what Keras has noted on it."""
        import tensorflow as tf

        own = tf.identity(tensor) if which == "z" else tensor
        self._tape.watch(own)
        return own

    def slope(self, function: Callable[[Any], Any], inputs: Any) -> Any:
        """By a tape of its own."""
        import tensorflow as tf

        own = tf.stop_gradient(inputs)
        with tf.GradientTape() as tape:
            tape.watch(own)
            output = function(own)
        return tf.stop_gradient(tape.gradient(output, own, unconnected_gradients=tf.UnconnectedGradients.ZERO))

    def compiled(self, forward: Forward, reduce: Reduce, *, eager: bool) -> Callable[..., Any]:
        """The whole pass as a function of (trained, other, x, y)."""
        import tensorflow as tf

        def run(trained: list[Any], other: list[Any], x: Any, y: Any) -> Any:
            trained = [tf.identity(own) for own in trained]
            with tf.GradientTape() as tape:
                tape.watch(trained)
                self._tape = tape
                total, rest, tensors = forward(self, trained, other, x, y)
            self._tape = None
            found = tape.gradient(total, [*trained, *tensors])
            found = [own if own is None else tf.convert_to_tensor(own) for own in found]
            return reduce((total, rest), trained, found[: len(trained)], found[len(trained) :])

        return run if eager else tf.function(run, reduce_retracing=True)
