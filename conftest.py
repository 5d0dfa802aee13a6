"""What pytest must know before it collects: which files only run in processes of their own, or need what is missing."""

import contextlib
import ctypes
import gc
import importlib.util
import os
import sys
from collections.abc import Generator, Iterator

import pytest

# Most of the tests' time goes into compiling programs that run for milliseconds: they need not be fast. In processes
# that the tests start it holds as well. Where optimised code is what is tested, the fixture `optimised` has it.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# Threads of PyTorch and BLAS share out arrays of a few numbers, and spin between them: on two cores they took twice the
# processor time of one thread, which the other process of tests needs.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The doctests of actlab.keras; each backend is tested in a process of its own, which says its own.
os.environ.setdefault("KERAS_BACKEND", "jax")

collect_ignore = ["tests/keras_backends.py", "tests/keras_watching.py", "tests/tensorflow_door.py"]
collect_ignore_glob = []
if importlib.util.find_spec("keras") is None:
    collect_ignore.append("src/actlab/keras.py")
    collect_ignore_glob.append("src/actlab/watching/keras_*.py")
if importlib.util.find_spec("flax") is None:
    collect_ignore_glob.append("src/actlab/watching/flax_*.py")


# Files of tests that take longest, in this order: what is begun last is short, and no process waits for another.
LONGEST = [
    "watch_keras", "keras", "functions_values", "engine_torch", "heal", "documentation", "views_browser", "exports",
    "engine", "engine_memory", "laboratory", "views_recording_figures", "functions_activation", "torch_functions",
    "engine_steps", "recording_directory", "cli", "tuning", "engine_measures", "engine_layouts", "tasks_images",
    "engine_run", "engine_initial_scale", "layers", "own_loop", "watch_flax", "findings_pages",
    "views_functions_table", "views_figures", "engine_devices", "engine_training", "engine_trajectories",
    "statistics_faults", "recording_damage",
]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; for two processes `make test` asks xdist to keep this order."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem.removeprefix("test_"), len(order)))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is there before the first test stays to the end: not to be looked through whenever garbage is collected.

    These are half a million objects, tests and libraries; to look through them after each module took two minutes, and
    while they came into being a third of the time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="module")
def optimised() -> Iterator[None]:
    """Programs as users have them compiled, in this process and those it starts, for the tests of a module."""
    import jax

    before = jax.config.read("jax_disable_most_optimizations")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "0")
        jax.config.update("jax_disable_most_optimizations", False)
        jax.clear_caches()  # of what was compiled otherwise
        yield
    jax.config.update("jax_disable_most_optimizations", before)
    jax.clear_caches()


@pytest.fixture(scope="module", autouse=True)
def _let_go() -> Iterator[None]:
    """Programs that a module has compiled are let go at its end: a process would grow to 5 GB of them."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
        gc.collect()
        # What has been freed, the C library keeps for later.
        with contextlib.suppress(OSError, AttributeError, TypeError):
            ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """PyTorch's global generator begins alike in every test, whichever ran before."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
