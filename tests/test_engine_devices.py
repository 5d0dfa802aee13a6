"""Devices and the cache of compiled programs, most of it in processes of its own: both are settings of a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from actlab.engine import devices

devices.prepare()

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="asks for XDG_CACHE_HOME or affinity")


def output(script, **environment):
    """The words a script prints in a new process, where warnings are errors and nothing may be complained of."""
    cleared = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=cleared | environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split()


def fewest_devices(seeds, available):
    """The smallest number of devices with which the busiest has as few seeds as with all of them."""
    loads = {count: max(len(range(i, seeds, count)) for i in range(count)) for count in range(1, available + 1)}
    return min(count for count in loads if loads[count] == min(loads.values()))


@pytest.mark.parametrize("seeds", [1, 2, 3, 8, 100])
def test_seeds_are_shared_by_as_many_devices_as_help(seeds):
    mesh = devices.mesh(seeds)
    assert mesh.size == fewest_devices(seeds, len(jax.local_devices()))
    assert mesh.axis_names == (devices.SEED,)
    assert len({device.id for device in mesh.devices.flat}) == mesh.size


def test_on_eight_devices_none_is_idle_and_none_busier_than_it_must_be():
    script = """
import jax
jax.config.update("jax_num_cpu_devices", 8)
from actlab.engine import devices
print(*(devices.mesh(seeds).size for seeds in range(1, 41)))
"""
    sizes = [int(word) for word in output(script, JAX_PLATFORMS="cpu")]
    assert sizes == [fewest_devices(seeds, 8) for seeds in range(1, 41)]
    assert sizes[:10] == [1, 2, 3, 4, 5, 6, 7, 8, 5, 5]


PREPARED = """
from actlab.engine import devices
{before}
devices.prepare()
import jax, jax.numpy as jnp
assert float(jax.jit(lambda x: x + 1)(jnp.ones(()))) == 2
print(len(jax.devices()), jax.config.jax_compilation_cache_dir)
"""


@LINUX
def test_a_cache_directory_that_cannot_be_made_is_done_without(tmp_path):
    (tmp_path / "file").write_text("no directory")
    _, directory = output(PREPARED.format(before=""), XDG_CACHE_HOME=str(tmp_path / "file"))
    assert directory == "None"
    assert (tmp_path / "file").read_text() == "no directory"


@LINUX
def test_a_cache_directory_of_the_users_own_is_kept(tmp_path):
    own = tmp_path / "own"
    _, directory = output(
        PREPARED.format(before=""), XDG_CACHE_HOME=str(tmp_path / "xdg"), JAX_COMPILATION_CACHE_DIR=str(own)
    )
    assert Path(directory) == own
    assert not (tmp_path / "xdg").exists()


@LINUX
def test_a_process_tied_to_one_core_has_one_device(tmp_path):
    tied = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); assert devices.cores() == 1"
    count, directory = output(PREPARED.format(before=tied), XDG_CACHE_HOME=str(tmp_path), JAX_PLATFORMS="cpu")
    assert count == "1"
    assert Path(directory) == tmp_path / "actlab" / "compiled"
    assert any(Path(directory).iterdir())


@LINUX
def test_preparing_late_changes_nothing(tmp_path):
    """JAX in use before: its one device stays, and that is no error."""
    late = "import jax; jax.config.update('jax_num_cpu_devices', 1); jax.devices()"
    count, _ = output(PREPARED.format(before=late), XDG_CACHE_HOME=str(tmp_path), JAX_PLATFORMS="cpu")
    assert count == "1"


def test_cores_are_those_this_process_may_use():
    assert 1 <= devices.cores() <= (os.cpu_count() or 1)
    if hasattr(os, "sched_getaffinity"):
        assert devices.cores() == len(os.sched_getaffinity(0))


COMPILED = """
from actlab.engine import devices
devices.prepare()
import jax, jax.numpy as jnp
def long(x):
    for i in range(60):
        x = jnp.tanh(x @ x.T + i) @ x
    return x
def other(x):
    return long(x) + 1
x = jnp.ones((7, 7))
with devices.Stopwatch() as first:
    jax.jit(long).lower(x).compile()
before = first.seconds
with devices.Stopwatch() as second:
    pass
jax.jit(other).lower(x).compile()
print(before, first.seconds, second.seconds)
"""


@LINUX
def test_the_stopwatch_counts_what_is_compiled_and_not_what_the_cache_has(tmp_path):
    cold, warm = ([float(word) for word in output(COMPILED, XDG_CACHE_HOME=str(tmp_path))] for _ in range(2))
    assert cold[0] > 0.02
    assert 0 <= warm[0] < 0.2 * cold[0]
    for before, after, nothing in (cold, warm):
        # After its block a stopwatch stands still.
        assert after == before
        assert nothing == 0


def test_what_the_cache_gave_is_taken_off_the_time_it_is_counted_in():
    """JAX reports a program found in the cache as compiled, and the time of fetching it beside that."""
    with devices.Stopwatch() as compiling:
        jax.monitoring.record_event_duration_secs("/jax/core/compile/backend_compile_duration", 3.0)
        jax.monitoring.record_event_duration_secs("/jax/compilation_cache/cache_retrieval_time_sec", 2.0)
        jax.monitoring.record_event_duration_secs("/jax/core/compile/jaxpr_trace_duration", 5.0)
    assert compiling.seconds == 1.0
