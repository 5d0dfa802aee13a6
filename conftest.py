"""What pytest must know before it collects: which files only run in processes of their own, or need what is missing."""

import contextlib
import ctypes
import gc
import importlib.util
import os
import sys
from collections.abc import Iterator

import pytest

# Most of the tests' time goes into compiling programs that run for milliseconds: they need not be fast. In processes
# that the tests start it holds as well. Where optimised code is what is tested, the fixture `optimised` has it.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# The doctests of actlab.keras; each backend is tested in a process of its own, which says its own.
os.environ.setdefault("KERAS_BACKEND", "jax")

collect_ignore = ["tests/keras_backends.py", "tests/tensorflow_door.py"]
if importlib.util.find_spec("keras") is None:
    collect_ignore.append("src/actlab/keras.py")


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
