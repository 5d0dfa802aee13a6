"""Compiled programs kept between runs: found again, built where anything differs, done without where it must be."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys

import jax
import numpy as np
import pytest
from tests.engine_support import small_task

from actlab import engine
from actlab.custom import custom_network
from actlab.engine import kept
from actlab.functions import Parameter, register, unregister
from actlab.layers import Act, Dense
from actlab.plan.population import populations
from actlab.study import Study

LAYERS = [Dense(2), Act(), Dense(1)]


def study_of(**changes):
    settings = {"network": LAYERS, "activations": ["tanh", "relu", "maxout"], "seeds": 2, "batch": 16, "epochs": 2,
                "optimiser": "sgd", "learning_rates": [0.05], "probe_samples": 8}  # fmt: skip
    return Study(**(settings | changes))


RUN = """
import json, sys
from actlab import engine
from actlab.engine import training
from tests.engine_support import small_task
from tests.test_engine_kept import study_of

traced, step = [], training.step
training.step = lambda *arguments: traced.append(1) or step(*arguments)
study = study_of(seeds=int(sys.argv[2]), epochs=int(sys.argv[3]), probe_samples=int(sys.argv[4]))
recording = engine.train(study, sys.argv[1], task=small_task((40, 10, 10), 2))
print(json.dumps([len(traced), recording.metrics["train_loss"].tolist()]))
"""


def run(folder, cache, seeds=2, epochs=2, samples=8):
    """How often a step was traced in a process of its own, and the losses."""
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    environment["PYTHONPATH"] = os.getcwd()
    command = [sys.executable, "-c", RUN, str(folder), *map(str, (seeds, epochs, samples))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_a_study_typed_again_traces_nothing_and_has_the_same_numbers(tmp_path):
    cache = tmp_path / "cache"
    traced, losses = run(tmp_path / "first", cache)
    assert traced == 2  # one for each population: maxout has weights of its own shape
    assert run(tmp_path / "second", cache) == [0, losses]
    assert run(tmp_path / "more", cache, seeds=3)[0] == 2
    (*_, file) = files = sorted(cache.rglob(f"*{kept.SUFFIX}"))
    assert len(files) == 2 * 2 * 2 + 2  # what begins and what trains, of two populations; what draws, of each width
    # What was damaged is built anew.
    for file in files:
        file.write_bytes(file.read_bytes()[:-1])
    assert run(tmp_path / "third", cache) == [2, losses]


def key(study, *shapes):
    return kept.key_of(study, populations(study, (2,))[0], *shapes)


def test_whatever_a_program_is_made_from_is_in_its_key(monkeypatch):
    first = key(study_of(), (3, 4))
    assert first == key(study_of(), (3, 4))
    others = [
        key(study_of(), (3, 5)),
        key(study_of(optimiser="adam"), (3, 4)),
        key(study_of(activations=["tanh", "gelu"]), (3, 4)),
        key(study_of(init="gain"), (3, 4)),
        key(study_of(network=[Dense(2), Act(), Dense(2), Act("relu"), Dense(1)]), (3, 4)),
    ]
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_max_hlo_modules=1")
    others.append(key(study_of(), (3, 4)))
    monkeypatch.delenv("XLA_FLAGS")
    monkeypatch.setattr(kept, "_package", lambda: "another version")
    others.append(key(study_of(), (3, 4)))
    monkeypatch.undo()
    with jax.debug_nans(True):
        others.append(key(study_of(), (3, 4)))
    assert key(study_of(), (3, 4)) == first
    assert len({first, *others}) == 1 + len(others)


def test_what_holds_code_of_ones_own_is_not_kept():
    register("kept_own", lambda x, xp, by: by * xp.tanh(x), parameters=[Parameter("by", 1.0)])
    try:
        assert key(study_of(activations=["tanh", "kept_own"])) is None
        assert key(study_of(activations=["kept_own(by=0.5)"])) is None
        assert key(study_of(network=[Dense(2), Act("kept_own"), Act(), Dense(1)])) is None
    finally:
        unregister("kept_own")

    def init(key):
        return {"w": jax.random.normal(key, (2, 1))}

    own = study_of(
        network=custom_network((init, lambda params, x, act, **_: act(x @ params["w"]))), activations=["tanh"]
    )
    assert key(own) is None


@pytest.fixture
def cache(tmp_path):
    """A cache directory of our own, which JAX does not use: this process has set up its own long since."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    yield tmp_path
    jax.config.update("jax_compilation_cache_dir", before)


class Builder:
    """Compiles a program that none has compiled before, and counts."""

    def __init__(self):
        self.count = 0
        self.number = float(secrets.randbelow(2**20))

    def __call__(self):
        self.count += 1
        jax.monitoring.record_event("/jax/compilation_cache/cache_misses")  # this process may do without JAX's cache
        return jax.jit(lambda x: x + self.number).lower(np.float32(0)).compile()


def test_the_ones_not_used_for_longest_go(cache, monkeypatch):
    monkeypatch.setattr(kept, "FILES", 2)
    builders = [Builder() for _ in range(3)]
    for age, builder in zip((30, 20, 10), builders, strict=True):
        program = kept.program(f"key{age}", jax.devices()[:1], builder)
        assert program(np.float32(1)) == 1 + builder.number
        for file in cache.glob("key*"):
            os.utime(file, (10**9 - age, 10**9 - age)) if file.stem == f"key{age}" else None
        kept.program("key30", jax.devices()[:1], builders[0])  # in use all the time
    assert {file.stem for file in cache.glob(f"*{kept.SUFFIX}")} == {"key30", "key10"}
    assert [builder.count for builder in builders] == [1, 1, 1]
    assert not list(cache.glob("*.tmp*"))


def test_a_directory_that_cannot_be_written_is_done_without(cache):
    jax.config.update("jax_compilation_cache_dir", str(cache / "file" / "none"))
    (cache / "file").write_text("no directory")
    builder = Builder()
    for _ in range(2):
        kept.program("key", jax.devices()[:1], builder)
    assert builder.count == 2


def test_no_cache_keeps_nothing(cache):
    builder = Builder()
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        kept.program("key", jax.devices()[:1], builder)
    finally:
        jax.config.update("jax_enable_compilation_cache", True)
    kept.program(None, jax.devices()[:1], builder)
    assert (builder.count, list(cache.iterdir())) == (2, [])


def test_what_jax_took_from_its_own_cache_is_not_kept(cache):
    builder = Builder()

    def build():
        jax.monitoring.record_event("/jax/compilation_cache/cache_hits")
        return builder()

    kept.program("key", jax.devices()[:1], build)
    program = builder()
    # In memory all the time: nobody knows whether it was compiled.
    kept.program("key", jax.devices()[:1], lambda: program)
    assert not list(cache.iterdir())


def test_a_program_that_is_part_of_two_is_no_hindrance(tmp_path):
    """What a study shares with another JAX has in its own cache; what trains is kept all the same."""
    cache = tmp_path / "cache"
    assert run(tmp_path / "first", cache)[0] == 2
    assert run(tmp_path / "probed", cache, samples=9)[0] == 2
    assert run(tmp_path / "again", cache, samples=9)[0] == 0
    # The same programs do for other epochs, as long as a chunk is as long.
    assert run(tmp_path / "longer", cache, epochs=3, samples=9)[0] == 0


def test_training_goes_on_without_a_key(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "key_of", lambda *_: None)
    recording = engine.train(study_of(), tmp_path / "run", task=small_task((40, 10, 10), 2))
    assert np.isfinite(recording.metrics["train_loss"]).all()
