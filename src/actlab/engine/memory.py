"""How much memory a run takes, and how many seeds at once fit into a budget."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import jax

from actlab.engine import streaming
from actlab.engine.program import Program, build
from actlab.errors import InvalidStudy
from actlab.plan.evaluation import Data
from actlab.plan.population import Population
from actlab.study import Study
from actlab.tasks.tables.source import memory

# How many times a chunk's arrays exist at once, while one chunk is computed and the one before it written.
# The shuffled order: shuffled, turned, on the devices for the next chunk, and for the one that runs.
ORDERS = 4
# Results: of the chunk that runs; of the one before on the devices, gathered, by member, joined, as bytes, as a file.
RESULTS = 8
# Weights that are kept at the first and last epoch alone: gathered, joined, by member, as bytes, as a file.
WEIGHTS = 5
# What small calls that are compiled on the way, threads and gaps between arrays took besides: 15 to 85 MB measured.
RESERVE = 100 * 2**20


def program_bytes(program: Program) -> int:
    """Bytes that a program takes while it runs, on all its devices and for what is recorded of it.

    The states of all slices, and the larger of two: XLA's temporaries for one slice with the order and the results
    of a chunk of all slices, or the weights on their way to the disk. Without the data, which it has when built.
    """
    own, slices = program.runner.sizes(), len(program.slices)
    training = own.temporaries + slices * (ORDERS * own.order + RESULTS * own.results)
    weights = 0 if program.keeps_weights else slices * WEIGHTS * own.parameters
    return slices * own.state + max(training, weights)


def _temporaries(program: Program) -> int:
    """Bytes of what a call computes on the way, on all devices: what grows with the seeds of a slice."""
    return program.runner.sizes().temporaries


def device_memory() -> int:
    """The memory in bytes that data may take on a device: its own, or this machine's."""
    stats = jax.local_devices()[0].memory_stats() or {}
    return stats.get("bytes_limit") or memory()


def process_bytes() -> int:
    """Bytes that this process takes; where the system does not tell, the most it has taken so far, or 0."""
    with contextlib.suppress(OSError):
        resident = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(resident) * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(ImportError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak  # macOS counts in bytes, others in KiB.
    return 0


def _let_go() -> None:
    """Give back what nobody needs: some 15 MB of every compiled program, 190 MB of a run of 40 wide networks."""
    jax.clear_caches()
    gc.collect()
    # What has been freed, the C library keeps for later.
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def build_within(
    study: Study, data: Data, groups: Sequence[Population], chunk: int, budget: int | None, *, streamed: bool = False
) -> list[Program]:
    """Compile populations, in as few slices of their seeds as keep the process below `budget` bytes.

    Args:
        study, data, chunk: as for `program.build`.
        groups: the populations that run side by side.
        budget: bytes, of which the process takes some already; on an accelerator, its memory and the process's
            together. None for no limit.
        streamed: whether the data stay on the host; chunks are of one epoch then.

    Raises:
        InvalidStudy: one seed at a time takes more than the budget.
    """

    def built(population: Population, share: int | None = None) -> Program:
        if streamed:
            return streaming.build(study, data, population, share=share)
        return build(study, data, population, chunk, share=share)

    if budget is not None and (taken := process_bytes()) > budget:
        raise InvalidStudy(
            f"a memory of {_readable(budget)} is too small: {_readable(taken)} are taken before anything is trained; "
            "give more."
        )
    programs = [built(population) for population in groups]
    if budget is None:
        return programs
    shares = [len(population.seeds) for population in groups]
    while True:
        _let_go()
        # Measured anew each time: compiling leaves something behind.
        before = process_bytes() + RESERVE
        excess = before + sum(map(program_bytes, programs)) - budget
        if excess <= 0:
            return programs
        if max(shares) == 1:
            raise InvalidStudy(
                f"a memory of {_readable(budget)} is too small: one seed at a time, the run takes about "
                f"{_readable(budget + excess)}, of which {_readable(before)} whatever it trains; give more, "
                "or fewer seeds or activations."
            )
        sliced = [place for place, share in enumerate(shares) if share > 1]
        place = max(sliced, key=lambda place: _temporaries(programs[place]))
        relief = excess / max(1, _temporaries(programs[place]))
        shares[place] = _smaller(shares[place], len(groups[place].seeds), relief)
        # The data of the one are gone before those of the other come.
        programs.pop(place)
        programs.insert(place, built(groups[place], shares[place]))


def _smaller(share: int, seeds: int, part: float) -> int:
    """A smaller share of the seeds, in slices of one size: by `part` of it, by half at most, by one at least.

    >>> _smaller(10, 10, 0.1), _smaller(5, 10, 2.0), _smaller(2, 10, 0.01)
    (5, 2, 1)
    """
    # By half at most: what a process takes, and so what is wanting, is known roughly.
    wanted = max(math.floor(share * (1 - part)), share // 2)
    slices = math.ceil(seeds / wanted)
    return min(share - 1, math.ceil(seeds / slices))


def _readable(number: float) -> str:
    """Bytes with a binary unit.

    >>> _readable(4 * 2**30), _readable(1_500_000)
    ('4 GiB', '1.43 MiB')
    """
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.3g} {unit}"
        number /= 1024
    return f"{number:.3g} GiB"
