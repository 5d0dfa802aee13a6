"""What one member computes, vectorised over members by `torch.func` and traced once into a flat list of operations.

A graph is traced for a function, a number of members and a number of samples. It runs without Python's part of
`torch.func`, which takes longer than a small network's arithmetic, and from any thread.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch.func import functional_call, grad, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from actlab.custom_torch import Run, Tensors, TracedModule, carried, untakeable
from actlab.engine.torch import draws, kernels
from actlab.errors import ActlabError
from actlab.functions.backends.torch.namespace import TorchNamespace
from actlab.objectives import Objective

Tensor = torch.Tensor
Tree = Any


class LossNamespace(TorchNamespace):
    """What losses need besides."""

    expand_dims = staticmethod(torch.unsqueeze)


@dataclass(frozen=True)
class State:
    """The tensors of some members, (members, …) each.

    Attributes:
        trained: parameters of the module, by name.
        own: trainable parameters of the function, by place and name, (members, units).
        running: buffers that training changes.
        fixed: what nothing changes; those of the names in `shared` are one for all members, without their axis.
        shared: names.
    """

    trained: Tensors
    own: dict[str, Tensors]
    running: Tensors
    fixed: Tensors
    shared: frozenset[str]

    @property
    def arrays(self) -> list[Tensor]:
        """What is trained, in one order."""
        return [*self.trained.values(), *(array for own in self.own.values() for array in own.values())]

    @property
    def tensors(self) -> tuple[Tree, ...]:
        """As the graphs take them."""
        return self.trained, self.own, self.running, self.fixed

    @cached_property
    def axes(self) -> tuple[Tree, ...]:
        """Of the members, likewise."""
        fixed = {name: None if name in self.shared else 0 for name in self.fixed}
        own = {place: dict.fromkeys(values, 0) for place, values in self.own.items()}
        return dict.fromkeys(self.trained, 0), own, dict.fromkeys(self.running, 0), fixed


Graph = Callable[..., Any]


@dataclass(frozen=True)
class Tracer:
    """Makes the graphs of one network with its function.

    Attributes:
        network: of the function.
        objective: what its outputs mean.
    """

    network: TracedModule
    objective: Objective

    def training(self, state: State, data: Tensors) -> Graph:
        """(state, data) → gradients of `trained` and `own`, the running buffers after the batch.

        data: "x" (members, batch, …), "y" and, where samples weigh differently, "w" (members, batch).
        """

        def loss(trained: Tensors, own: Tree, running: Tensors, fixed: Tensors, data: Tensors) -> tuple[Tensor, Tree]:
            kept = {name: tensor.clone() for name, tensor in running.items()}
            logits, _ = self._run(trained, own, kept, fixed, data["x"], noise=kernels.noise_at)
            return self._loss(logits, data), kept

        members = vmap(
            grad(loss, argnums=(0, 1), has_aux=True),
            in_dims=(*state.axes, dict.fromkeys(data, 0)),
            randomness="different",
        )
        return self._traced(members, state, data, training=True, doing="trained")

    def outputs(self, state: State, data: Tensors) -> Graph:
        """(state, data) → outputs (members, samples, outputs) of a network as it is used; data: "x" (samples, …)."""

        def forward(trained: Tensors, own: Tree, running: Tensors, fixed: Tensors, data: Tensors) -> Tensor:
            return self._run(trained, own, running, fixed, data["x"])[0]

        members = vmap(forward, in_dims=(*state.axes, dict.fromkeys(data)), randomness="different")
        return self._traced(members, state, data, training=False, doing="observed")

    def probe(self, state: State, data: Tensors, taps: Tree) -> Graph:
        """(state, data, taps) → gradients of `trained`, `own` and the taps, and by place what went in and came out.

        data: "x", "y", "w" as of `training`, without members; taps: by place zeros like what goes in and comes out.
        """

        def loss(
            trained: Tensors, own: Tree, taps: Tree, running: Tensors, fixed: Tensors, data: Tensors
        ) -> tuple[Tensor, Tree]:
            logits, seen = self._run(trained, own, running, fixed, data["x"], taps=taps)
            return self._loss(logits, data), seen

        def member(
            trained: Tensors, own: Tree, running: Tensors, fixed: Tensors, data: Tensors, taps: Tree
        ) -> tuple[Tree, Tree]:
            return grad(loss, argnums=(0, 1, 2), has_aux=True)(trained, own, taps, running, fixed, data)

        axes = (*state.axes, dict.fromkeys(data), dict.fromkeys(taps, (None, None)))
        members = vmap(member, in_dims=axes, randomness="different")
        return self._traced(members, state, data, taps, training=False, doing="observed")

    def _run(
        self,
        trained: Tensors,
        own: Tree,
        running: Tensors,
        fixed: Tensors,
        x: Tensor,
        *,
        taps: Tree | None = None,
        noise: Any = None,
    ) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor]]]:
        run = Run(self.network.activation, own, taps or {}, noise, value=kernels.value)
        with carried(run):
            logits = functional_call(self.network.module, {**trained, **running, **fixed}, (x,))
        return logits, run.seen

    def _loss(self, logits: Tensor, data: Tensors) -> Tensor:
        losses = self.objective.loss(logits, data["y"], LossNamespace(logits.device), 1)
        return (losses * data["w"] if "w" in data else losses).mean()

    def _traced(self, members: Graph, state: State, *inputs: Tree, training: bool, doing: str) -> Graph:
        own, function = self.network.own, self.network.activation.name
        self.network.module.train(training)
        try:
            with _without_fast_paths(), torch.no_grad():
                traced = make_fx(members, tracing_mode="fake", _allow_non_fake_inputs=True)(*state.tensors, *inputs)
        except ActlabError:
            raise
        except Exception as error:
            raise untakeable(own, function, doing, error) from error
        return draws.by_seed(traced, own.name, kernels.NOISE)


@contextmanager
def _without_fast_paths() -> Iterator[None]:
    """Layers of attention compute as they are written; PyTorch's warnings of slow rules are no user's affair."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
