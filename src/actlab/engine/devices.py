"""The machine: how many devices there are, and where compiled programs are kept between runs."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path

import jax
import numpy as np
from jax.sharding import AxisType, Mesh

SEED = "seed"


def prepare() -> None:
    """Make every CPU core a JAX device and keep compiled programs in the user's cache directory.

    Where JAX has been in use before, its devices stay as they are.
    """
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))
    if jax.config.jax_compilation_cache_dir is None:  # pyright: ignore[reportAttributeAccessIssue]
        jax.config.update("jax_compilation_cache_dir", str(cache_directory()))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def cache_directory() -> Path:
    """Where compiled programs are kept."""
    import pooch

    return Path(pooch.os_cache("actlab")) / "compiled"


def mesh(seeds: int) -> Mesh:
    """The devices that share `seeds` seeds: no more than it takes to leave the busiest with the fewest."""
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
