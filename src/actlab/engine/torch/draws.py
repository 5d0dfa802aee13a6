"""What is random in training, drawn seed by seed: alike for every function, whoever is trained beside it.

In a graph that was traced over all members, an operation that draws does so for the whole array. `by_seed` has it draw
each member's part from a generator of its own, whose state follows from the seed, the step and the place in the graph.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from actlab.errors import InvalidNetwork

Tensor = torch.Tensor
Filler = Callable[[Tensor, torch.Generator], Tensor]

_ATEN = torch.ops.aten
# Places of functions that draw count from here on, those of the user's own operations from 0.
_FUNCTIONS = 2**20


@dataclass
class Draws:
    """Who draws, and at which step.

    Attributes:
        seeds: of the members, alike for each variant.
        variants: how many there are; members are variant by variant.
        step: how many steps were made before.
    """

    seeds: tuple[int, ...]
    variants: int
    step: int = 0

    def __call__(self, place: int, like: Tensor, fill: Filler) -> Tensor:
        """An array like (members, …) of which every seed's part is filled by its own generator."""
        by_seed = like.new_empty((len(self.seeds), *like.shape[1:]))
        generator = torch.Generator(device=like.device)
        for row, seed in zip(by_seed, self.seeds, strict=True):
            state = np.random.SeedSequence((seed, self.step, place)).generate_state(1, np.uint32)
            generator.manual_seed(int(state[0]))
            fill(row, generator)
        return by_seed.repeat(self.variants, *(1,) * (like.ndim - 1))


_DRAWS: ContextVar[Draws | None] = ContextVar("draws", default=None)


@contextlib.contextmanager
def drawing(draws: Draws) -> Iterator[None]:
    """Who draws in graphs while a `with` block runs, in this thread."""
    token = _DRAWS.set(draws)
    try:
        yield
    finally:
        _DRAWS.reset(token)


def _drawn(place: int, like: Tensor, fill: Filler) -> Tensor:
    draws = _DRAWS.get()
    assert draws is not None
    return draws(place, like, fill)


def _bernoulli(place: int, x: Tensor, p: float = 0.5, **_: Any) -> Tensor:
    return _drawn(place, x, lambda row, generator: row.bernoulli_(p, generator=generator))


def _filled_bernoulli(place: int, x: Tensor, p: float = 0.5, **_: Any) -> Tensor:
    return x.copy_(_bernoulli(place, x, p))


def _by_probability(place: int, x: Tensor, **_: Any) -> Tensor:
    return (_uniform_like(place, x) < x).to(x.dtype)


def _uniform_like(place: int, x: Tensor, **_: Any) -> Tensor:
    return _drawn(place, x, lambda row, generator: row.uniform_(generator=generator))


def _normal_like(place: int, x: Tensor, **_: Any) -> Tensor:
    return _drawn(place, x, lambda row, generator: row.normal_(generator=generator))


def _uniform(place: int, size: list[int], dtype: Any = None, device: Any = None, **_: Any) -> Tensor:
    return _uniform_like(place, torch.empty(size, dtype=dtype, device=device))


def _normal(place: int, size: list[int], dtype: Any = None, device: Any = None, **_: Any) -> Tensor:
    return _normal_like(place, torch.empty(size, dtype=dtype, device=device))


def _dropout(place: int, x: Tensor, p: float, train: bool | None = True) -> tuple[Tensor, Tensor]:
    if not train or p == 0:
        return x, torch.ones_like(x, dtype=torch.bool)
    kept = _bernoulli(place, x, 1 - p)
    return x * kept / (1 - p) if p < 1 else torch.zeros_like(x), kept.bool()


def noise(place: int, x: Tensor, kind: str, number: int) -> Tensor:
    """Noise like x for the function at a place, "normal", "uniform" or "gumbel"."""
    fillers: dict[str, Filler] = {
        "normal": lambda row, generator: row.normal_(generator=generator),
        "uniform": lambda row, generator: row.uniform_(generator=generator),
        "gumbel": lambda row, generator: row.exponential_(generator=generator).log_().neg_(),
    }
    return _drawn(_FUNCTIONS + number, x, fillers[kind])


_BY_SEED: dict[Any, Callable[..., Any]] = {
    _ATEN.bernoulli.p: _bernoulli,
    _ATEN.bernoulli_.float: _filled_bernoulli,
    _ATEN.bernoulli.default: _by_probability,
    _ATEN.rand.default: _uniform,
    _ATEN.randn.default: _normal,
    _ATEN.rand_like.default: _uniform_like,
    _ATEN.randn_like.default: _normal_like,
    _ATEN.native_dropout.default: _dropout,
}


def by_seed(graph: torch.fx.GraphModule, network: str, noise_operation: Any) -> torch.fx.GraphModule:
    """A graph over members in which every seed draws by itself.

    Args:
        graph: the operations; changed in place.
        network: its name, for the error.
        noise_operation: which of its operations draws for functions.

    Raises:
        InvalidNetwork: an operation that draws is none of those that can be drawn by seed.
    """
    place = 0
    for node in graph.graph.nodes:
        if node.op != "call_function":
            continue
        if node.target is noise_operation:
            node.target, node.args = noise, (0, *node.args)
        elif torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            if node.target not in _BY_SEED:
                known = ", ".join(sorted({str(known).split(".")[1] for known in _BY_SEED}))
                raise InvalidNetwork(
                    f"network {network}: it draws by {node.target}, which cannot be drawn seed by seed where all "
                    f"members are trained at once: use dropout or one of {known}, or a training loop of your own."
                )
            node.target, node.args = _BY_SEED[node.target], (place, *node.args)
            place += 1
    graph.recompile()
    return graph
