"""The graph of a model's layers, as one forward pass of a training shows it: nothing is run for it, nothing changed.

What each tensor comes from is followed through the functions of PyTorch that Python calls, so that frozen layers,
layers called twice and functions between layers are seen; where one tells nothing, PyTorch's own graph is walked.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode

from actlab.watching.torch_functions import FUNCTIONS

# What a drawing could not show any more; a network that is unrolled over time reaches it.
MOST_NODES = 2000
# Functions of PyTorch between a tensor of unknown origin and a known one.
MOST_WALKED = 2000
# What joins tensors of several layers, by its name in PyTorch, as a drawing shows it.
JOINTS = {
    "add": "+", "sub": "−", "rsub": "−", "mul": "×", "div": "÷", "cat": "cat", "concat": "cat", "stack": "stack",
    "matmul": "matmul", "bmm": "matmul", "baddbmm": "matmul", "einsum": "einsum", "where": "where",
}  # fmt: skip
ATTENTION = "scaled_dot_product_attention"
Origins = frozenset[int]
NOTHING: Origins = frozenset()


class LayerTracer:
    """Follows the tensors of a model through its next forward pass, within a `with` block or until `remove`.

    The training is not changed by it: no number is drawn, no tensor made or kept. Whatever fails in it ends the
    tracing, and no more.

    Attributes:
        failed: why there is no graph; None where there is one, or nothing has run yet.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
    >>> with LayerTracer(model) as tracer:
    ...     _ = model(torch.ones(1, 3))
    >>> [node["name"] for node in tracer.graph["nodes"]], tracer.graph["edges"]
    (['input', '0', '1'], [[0, 1], [1, 2]])
    """

    def __init__(self, model: nn.Module) -> None:
        model = getattr(model, "_orig_mod", model)  # That of a compiled one.
        self._names = {id(module): name for name, module in reversed(list(model.named_modules()))}
        self._kind = type(model).__name__
        self.failed: str | None = None
        self._nodes: list[dict[str, Any]] = []
        self._edges: set[tuple[int, int]] = set()
        self._stack: list[_Call] = []
        self._seen: set[int] = set()
        self._origins: dict[int, tuple[weakref.ref[torch.Tensor], Origins]] = {}
        self._functions: dict[Any, Origins] = {}
        self._mode: _Mode | None = None
        self._passed_by: nn.Module | None = None
        self._handles: list[Any] = []
        self._ended = False

    def __enter__(self) -> LayerTracer:
        self._handles = [
            hooks.register_module_forward_pre_hook(self._enter),
            hooks.register_module_forward_hook(self._leave, always_call=True),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Trace no longer; within a forward pass this waits for its end. Again, it does nothing."""
        self._ended = True
        if self._mode is None:
            self._let_go()

    @property
    def graph(self) -> dict[str, Any] | None:
        """The graph, JSON-safe; None where nothing ran, or tracing failed.

        "nodes" are in the order in which they ran, each with its name (of the module, or "MODULE: FUNCTION"), its kind
        and its number of parameters, which are counted once; the second and further calls of a module have a "call".
        "edges" are pairs of their places: what comes out of the first goes into the second.
        """
        if self.failed is not None or not self._nodes:
            return None
        return {"nodes": [dict(node) for node in self._nodes], "edges": [list(edge) for edge in sorted(self._edges)]}

    def _let_go(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._origins, self._functions = {}, {}

    def guarded(self, action: Callable[[], Any]) -> Any:
        """What an action gives; None where it fails, and then nothing is traced any more."""
        if self.failed is not None:
            return None
        try:
            return action()
        except Exception as error:  # Whatever it is, the training goes on.
            self.failed = f"{type(error).__name__}: {error}"
            self._origins, self._functions = {}, {}
            return None

    def _enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if self._ended or id(module) not in self._names or self._passed_by is not None:
            return
        if not self._stack:
            # A validation, what is computed again on the way back, and a second part of the batch tell nothing new.
            again = id(module) in self._seen or torch._C._current_graph_task_id() != -1
            if again or not torch.is_grad_enabled():
                self._passed_by = module
                return
            self._seen.add(id(module))
            self._mode = _Mode(self)
            self._mode.__enter__()
        call = _Call(module, len(self._nodes))
        self._stack.append(call)
        self.guarded(lambda: self._begun(call, inputs))

    def _begun(self, call: _Call, inputs: tuple[Any, ...]) -> None:
        if len(self._stack) == 1:
            unknown = [own for own in _tensors(inputs) if not self.origins(own)]
            if unknown:
                place = self._node("input", "input", 0, NOTHING)
                for own in unknown:
                    self._from(own, frozenset([place]))
            call.first = len(self._nodes)
        # Before the call: a function that works in place overwrites where it comes from.
        call.origins = self._all(inputs)

    def _leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if self._passed_by is module:
            self._passed_by = None
        if not self._stack or self._stack[-1].module is not module:
            return
        call = self._stack.pop()
        self.guarded(lambda: self._done(call, output))
        if not self._stack and self._mode is not None:
            self._mode.__exit__(None, None, None)
            self._mode = None
            # Of the next call nothing is asked that began before.
            self._functions = {}
            if self._ended:
                self._let_go()

    def _done(self, call: _Call, output: Any) -> None:
        module = call.module
        if call.has_layers or isinstance(module, (nn.Sequential, nn.ModuleList, nn.Identity)):
            if self._stack:
                self._stack[-1].has_layers = self._stack[-1].has_layers or call.has_layers
            return
        # No layer of its own ran: it is a layer itself, and what happened inside belongs to it.
        del self._nodes[call.first :]
        self._edges = {(start, end) for start, end in self._edges if end < call.first}
        name = self._names[id(module)] or self._kind
        own = sum(parameter.numel() for parameter in module.parameters())
        place = self._node(name, type(module).__name__, own, call.origins)
        for tensor in _tensors(output):
            self._from(tensor, frozenset([place]))
        if self._stack:
            self._stack[-1].has_layers = True

    def called(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], inputs: Any) -> Any:
        """Carry out a function of PyTorch's, and note what comes out of it."""
        output = function(*args, **kwargs)
        if self._stack and not self._ended:
            self.guarded(lambda: self._noted(function, inputs, output))
        return output

    def before(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Origins]:
        """Where the tensors that go into a function come from."""
        found = {self.origins(own) for own in _tensors((args, kwargs))}
        return sorted((own for own in found if own), key=sorted)

    def _noted(self, function: Callable[..., Any], inputs: list[Origins], output: Any) -> None:
        results = list(_tensors(output))
        if not inputs or not results:
            return
        together: Origins = frozenset().union(*inputs)
        name = getattr(function, "__name__", "")
        bare = name.strip("_").removeprefix("i" if name.startswith("__i") else "")
        kind = FUNCTIONS.get(function) or ("attention" if name == ATTENTION else None)
        if kind is None and len(inputs) > 1 and len(together) > 1:
            kind = JOINTS.get(bare) or JOINTS.get(bare.removeprefix("r"))
        if kind is not None:
            within = self._names[id(self._stack[-1].module)]
            place = self._node(f"{within}: {kind}" if within else kind, kind, 0, together)
            together = frozenset([place])
        for tensor in results:
            self._from(tensor, together)

    def _node(self, name: str, kind: str, parameters: int, origins: Origins) -> int:
        if len(self._nodes) >= MOST_NODES:
            raise OverflowError(f"more than {MOST_NODES:,} layers run one after the other")
        place = len(self._nodes)
        call = sum(node["name"] == name for node in self._nodes) + 1
        node = {"name": name, "kind": kind, "parameters": parameters if call == 1 else 0}
        self._nodes.append(node | ({"call": call} if call > 1 else {}))
        self._edges |= {(start, place) for start in origins if start < place}
        return place

    def _from(self, tensor: torch.Tensor, origins: Origins) -> None:
        self._origins[id(tensor)] = weakref.ref(tensor), origins
        if tensor.grad_fn is not None:
            self._functions[tensor.grad_fn] = origins

    def _all(self, values: Any) -> Origins:
        return frozenset().union(*(self.origins(own) for own in _tensors(values)))

    def origins(self, tensor: torch.Tensor) -> Origins:
        """The places of the nodes that a tensor comes from."""
        known = self._origins.get(id(tensor))
        if known is not None and known[0]() is tensor:
            return known[1]
        return self._walked(tensor.grad_fn) if tensor.grad_fn is not None else NOTHING

    def _walked(self, function: Any) -> Origins:
        """Back through PyTorch's own graph, to what is known of it."""
        waiting, seen, found = [function], {function}, set[int]()
        while waiting and len(seen) < MOST_WALKED:
            own = waiting.pop()
            if own in self._functions:
                found |= self._functions[own]
                continue
            further = {before for before, _ in own.next_functions if before is not None} - seen
            seen |= further
            waiting += further
        return frozenset(found)


class _Call:
    """A call of a module that is under way."""

    def __init__(self, module: nn.Module, first: int) -> None:
        self.module, self.first = module, first
        self.has_layers = False
        self.origins: Origins = NOTHING


class _Mode(TorchFunctionMode):
    """Hands what the model calls to the tracer."""

    def __init__(self, tracer: LayerTracer) -> None:
        super().__init__()
        self._tracer = tracer

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tracer, kwargs = self._tracer, kwargs or {}
        inputs = tracer.guarded(lambda: tracer.before(args, kwargs))
        return tracer.called(func, args, kwargs, inputs or [])


def _tensors(values: Any, depth: int = 4) -> Iterator[torch.Tensor]:
    """The tensors in what a module is given or gives: in tuples, lists and dictionaries, too."""
    if isinstance(values, torch.Tensor):
        yield values
    elif depth and isinstance(values, dict):
        for own in values.values():
            yield from _tensors(own, depth - 1)
    elif depth and isinstance(values, (tuple, list)):
        for own in values:
            yield from _tensors(own, depth - 1)


def graph_of(model: nn.Module, run: Callable[[], Any]) -> dict[str, Any] | None:
    """The graph of a model's layers as `run`, which calls the model, shows it: see `LayerTracer.graph`."""
    with LayerTracer(model) as tracer:
        run()
    return tracer.graph
