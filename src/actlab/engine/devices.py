"""The machine: how many devices there are, and where compiled programs are kept between runs."""

from __future__ import annotations

import contextlib
import os
import platform
import warnings
from pathlib import Path
from typing import ClassVar

import jax
import numpy as np
from jax.sharding import AxisType, Mesh

SEED = "seed"


def prepare() -> None:
    """Make every CPU core a JAX device and keep compiled programs in the user's cache directory.

    Where JAX has been in use before, its devices stay as they are; so does a cache directory that has been set
    (JAX_COMPILATION_CACHE_DIR). Raises nothing: what cannot be had is done without.
    """
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", cores())
    # A cache on a full disk costs time, nothing else: no reason to warn in the middle of a run.
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache")
    if jax.config.jax_compilation_cache_dir is None:  # pyright: ignore[reportAttributeAccessIssue]
        directory = cache_directory()
        # Where it cannot be had, as in a read-only home, every run compiles anew.
        with contextlib.suppress(OSError):
            directory.mkdir(parents=True, exist_ok=True)
        if os.access(directory, os.W_OK):
            jax.config.update("jax_compilation_cache_dir", str(directory))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
            jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def cores() -> int:
    """How many cores this process may use, at least 1: those of its affinity where the system knows of one."""
    # macOS and Windows do not know of affinity.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cache_directory() -> Path:
    """Where compiled programs are kept: `compiled` in actlab's cache directory (on Linux below XDG_CACHE_HOME)."""
    import pooch

    return Path(pooch.os_cache("actlab")) / "compiled"


class Stopwatch:
    """Seconds that XLA compiles while a `with` block runs; programs found in the cache cost none.

    Attributes:
        seconds: the sum so far, over all threads of the process.

    >>> with Stopwatch() as compiling:
    ...     pass
    >>> compiling.seconds
    0.0
    """

    EVENTS: ClassVar[dict[str, int]] = {
        "/jax/core/compile/backend_compile_duration": 1,
        # Counted in the above, though nothing was compiled.
        "/jax/compilation_cache/cache_retrieval_time_sec": -1,
    }

    def __init__(self) -> None:
        self.seconds = 0.0

    def _listen(self, event: str, duration_secs: float, **_: str | int) -> None:
        self.seconds += self.EVENTS.get(event, 0) * duration_secs

    def __enter__(self) -> Stopwatch:
        jax.monitoring.register_event_duration_secs_listener(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        jax.monitoring.unregister_event_duration_listener(self._listen)


def mesh(seeds: int) -> Mesh:
    """The devices that share `seeds` ≥ 1 seeds: no more than it takes to leave the busiest with the fewest.

    Of 9 seeds on 8 devices one has 2, whatever the others do: 5 devices share them, and 5 are returned.

    Returns:
        a mesh with the one axis "seed".
    """
    devices = jax.local_devices()
    share = -(-seeds // min(len(devices), seeds))
    return Mesh(np.array(devices[: -(-seeds // share)]), (SEED,), axis_types=(AxisType.Auto,))


def description() -> str:
    """The machine in a line: system, processor type, cores, devices.

    >>> "device" in description()
    True
    """
    devices = jax.local_devices()
    kind = devices[0].device_kind
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {len(devices)} × {kind} device"
