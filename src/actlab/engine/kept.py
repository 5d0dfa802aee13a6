"""Compiled programs kept between runs: a study that is typed again is neither traced nor compiled again.

JAX's own cache keeps what XLA has compiled, and finds it by the program's text: that must be traced first, which takes
longer than all else. Here a program is found by what it is made from.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import pickle
import platform
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import jax
from jax.experimental import serialize_executable

from actlab.custom import TracedNetwork
from actlab.files import temporary_beside
from actlab.functions import catalogue
from actlab.functions.variants import bare
from actlab.plan.population import Population
from actlab.study import Study

# What files of kept programs are called.
SUFFIX = ".actlab-program"
# Rooms of which nothing is in a program: what changes there leaves programs as they are.
APART = {"recipes", "replay", "statistics", "tasks", "torch", "views"}
# A population has a file for what begins it and one for what trains it; those not used for longest go first.
FILES = 200
DIGEST_BYTES = 32

Compiled = jax.stages.Compiled


def key_of(study: Study, population: Population, *shapes: Any) -> str | None:
    """What a population's programs are known by; None where there is code of a user's own, which nothing here can see.

    In it are the settings that are traced and this package's own files.

    Args:
        study: complete.
        population: one of the study's.
        shapes: all else that the programs depend on, of things whose `repr` says everything.
    """
    if isinstance(population.network, TracedNetwork):
        return None
    groups = [*population.groups, *(group for _, group, _ in population.acts())]
    if any(catalogue.holds_own(bare(group.function.name)) for group in groups):
        return None
    # Not what leaves the program as it is: what JAX took from its own cache is not kept.
    settings = study.model_dump_json(include={"network", "activations", "match", "optimiser", "loss"})
    members = [(variant.activation, variant.init) for variant in population.variants]
    # The same layers have other weights where the input is another.
    network = [(built.input_shape, built.output_shape) for built in population.network.layers]
    return key(settings, members, network, shapes, _package())


def key(*made_from: Any) -> str:
    """A digest of things whose `repr` says everything, and of all that compiling depends on besides.

    That is the versions of all that compiles, how JAX is set, and the processor: machine code of one may stop on
    another.
    """
    devices = jax.local_devices()
    # As they hold here and now, within contexts that set them for a while.
    settings = {name: repr(getattr(jax.config, name, None)) for name in sorted(jax.config.values)}
    besides = [
        [version(name) for name in ("jax", "jaxlib", "numpy", "optax")],
        sys.version,
        settings,
        os.environ.get("XLA_FLAGS"),
        [(repr(device), device.device_kind) for device in devices],
        devices[0].client.platform_version,
        _processor(),
    ]
    return hashlib.sha256(json.dumps([repr(made_from), *besides]).encode()).hexdigest()


def program(key: str | None, devices: Sequence[Any], build: Callable[[], Compiled]) -> Compiled:
    """The program of a key for some devices: as it was kept, or built and kept. What hinders keeping is done without.

    They lie in JAX's cache directory, if that is one on a disk. A file is read with `pickle`: who may write there may
    run code as this user, as with JAX's own files, which are machine code.
    """
    config: Any = jax.config
    directory = config.jax_compilation_cache_dir
    if key is None or not directory or not config.jax_enable_compilation_cache:
        return build()
    file = Path(directory) / f"{key}{SUFFIX}"
    if (found := _read(file, devices)) is not None:
        return found
    with _Compiling() as compiling:
        found = build()
    # What JAX took from its own cache, or had in memory from there, runs, but lacks functions once it was serialised
    # again.
    if compiling.seen == {True}:
        _write(file, found)
    return found


class _Compiling:
    """Whether JAX compiles programs, or takes them from its own cache, while a `with` block runs.

    Attributes:
        seen: True for a program that was compiled, False for one from the cache; empty where all were in memory.
    """

    EVENTS: ClassVar[dict[str, bool]] = {
        "/jax/compilation_cache/cache_misses": True,
        "/jax/compilation_cache/cache_hits": False,
    }

    def __init__(self) -> None:
        self.seen: set[bool] = set()

    def _listen(self, event: str, **_: str | int) -> None:
        if event in self.EVENTS:
            self.seen.add(self.EVENTS[event])

    def __enter__(self) -> _Compiling:
        jax.monitoring.register_event_listener(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        jax.monitoring.unregister_event_listener(self._listen)


def _read(file: Path, devices: Sequence[Any]) -> Compiled | None:
    """What a file keeps; None if there is none, or none that is whole."""
    # Whatever may be wrong with it, it can be built anew.
    with suppress(Exception):
        data = file.read_bytes()
        digest, body = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != digest:
            return None
        os.utime(file)
        # For all devices of the machine, if one does not say.
        return serialize_executable.deserialize_and_load(*pickle.loads(body), execution_devices=devices)
    return None


def _write(file: Path, made: Compiled) -> None:
    # What cannot be serialised on a kind of device, or written to a full disk, is built by every run.
    with suppress(Exception):
        body = pickle.dumps(serialize_executable.serialize(made))
        temporary = temporary_beside(file)
        try:
            temporary.write_bytes(hashlib.sha256(body).digest() + body)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
        kept = sorted(file.parent.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime)
        for old in kept[:-FILES]:
            old.unlink(missing_ok=True)


@functools.cache
def _package() -> str:
    """A digest of the package's files: whatever changes there may change the program, but for some rooms."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for file in sorted((*root.rglob("*.py"), *root.rglob("*.json"))):
        if file.relative_to(root).parts[0] in APART:
            continue
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@functools.cache
def _processor() -> str:
    """The processor and what it can do, as far as the system tells."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
    return f"{platform.machine()} {platform.processor()}"
