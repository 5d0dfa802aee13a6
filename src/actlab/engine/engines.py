"""Which engine trains a study: JAX, or PyTorch where the network is a user's in PyTorch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

import jax
import numpy as np

from actlab.custom import TorchNetwork
from actlab.engine import devices
from actlab.engine.memory import build_within, device_memory
from actlab.engine.streaming import streams
from actlab.errors import InvalidStudy
from actlab.plan.collector import Observed, Trained
from actlab.plan.evaluation import Data
from actlab.plan.population import Population
from actlab.study import Study


class Program(Trained, Protocol):
    """A population that is ready to be trained, by any engine."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """Those of the last axis of `order`."""
        ...

    @property
    def layout(self) -> str:
        """How members lie in memory while they are trained."""
        ...

    @property
    def precision(self) -> str:
        """The type of the parameters."""
        ...

    def advance(self, kinds: np.ndarray, order: np.ndarray) -> Observed:
        """Run a chunk of epochs; see `actlab.engine.program.Program.advance`."""
        ...


class Seconds(Protocol):
    """A stopwatch for what is compiled."""

    seconds: float


class Engine(Protocol):
    """What trains populations.

    Attributes:
        name: as a recording says it.
        packages: whose versions decide what comes out.
    """

    name: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]

    def streams(self, data: Data, memory: int | None) -> bool:
        """Whether the data stay on the host."""
        ...

    def compiling(self) -> AbstractContextManager[Seconds]:
        """Measures what `build` takes to compile."""
        ...

    def build(
        self, study: Study, data: Data, groups: Sequence[Population], chunk: int, memory: int | None, *, streamed: bool
    ) -> Sequence[Program]:
        """The populations, ready to be trained."""
        ...

    def wait(self, results: Sequence[Observed]) -> None:
        """Until results are computed."""
        ...

    def machine(self) -> str:
        """In a line."""
        ...

    def facts(self, study: Study, programs: Sequence[Program]) -> dict[str, Any]:
        """What else a recording says of it."""
        ...


class _Jax:
    name: ClassVar[str] = "jax"
    packages: ClassVar[tuple[str, ...]] = ("actlab", "jax", "jaxlib", "numpy", "optax")

    def streams(self, data: Data, memory: int | None) -> bool:
        return streams(data, memory or device_memory())

    def compiling(self) -> AbstractContextManager[Seconds]:
        return devices.Stopwatch()

    def build(
        self, study: Study, data: Data, groups: Sequence[Population], chunk: int, memory: int | None, *, streamed: bool
    ) -> Sequence[Program]:
        return build_within(study, data, groups, chunk, memory, streamed=streamed)

    def wait(self, results: Sequence[Observed]) -> None:
        jax.block_until_ready(results)

    def machine(self) -> str:
        return devices.description()

    def facts(self, study: Study, programs: Sequence[Program]) -> dict[str, Any]:
        return {}


class _Torch:
    name: ClassVar[str] = "torch"
    packages: ClassVar[tuple[str, ...]] = ("actlab", "torch", "numpy")

    def streams(self, data: Data, memory: int | None) -> bool:
        if memory is not None:
            raise InvalidStudy(
                "memory is a limit that the engine for PyTorch does not keep: leave it out, or compare fewer "
                "activations or seeds at a time."
            )
        return False

    def compiling(self) -> AbstractContextManager[Seconds]:
        return _Clock()

    def build(
        self, study: Study, data: Data, groups: Sequence[Population], chunk: int, memory: int | None, *, streamed: bool
    ) -> Sequence[Program]:
        from actlab.engine.torch.program import build

        return [build(study, data, population) for population in groups]

    def wait(self, results: Sequence[Observed]) -> None:
        pass

    def machine(self) -> str:
        from actlab.engine.torch.program import machine

        return machine()

    def facts(self, study: Study, programs: Sequence[Program]) -> dict[str, Any]:
        from actlab.engine.torch.program import facts

        return facts([program.population for program in programs])


class _Clock:
    """Seconds that a `with` block takes."""

    seconds = 0.0

    def __enter__(self) -> _Clock:
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start


def engine_of(study: Study) -> Engine:
    """The engine that trains a study."""
    return _Torch() if isinstance(study.network, TorchNetwork) else _Jax()
