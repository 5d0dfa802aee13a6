#!/usr/bin/env bash
# A compiled JAX program that came from JAX's own compilation cache can be serialised, and fails when the copy is called.
#
# jax.experimental.serialize_executable keeps what XLA has just compiled, and the copy runs. Where the very same program
# was found in the persistent cache instead, as in every process but the first, serialising and loading succeed alike,
# and the first call raises. Nothing tells the two apart but the event that JAX records when its cache is hit.
#
# Seen with jax and jaxlib 0.10.2 on a CPU: "Function multiply_add_fusion not found".
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2
cat > twice.py <<'PY'
import sys

import jax
import jax.numpy as jnp
from jax.experimental import serialize_executable

jax.config.update("jax_compilation_cache_dir", sys.argv[1])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
hits = []
jax.monitoring.register_event_listener(lambda event, **_: event.endswith("cache_hits") and hits.append(event))


def mish_layer(weight, x):
    y = x @ weight
    return jnp.sum(y * jnp.tanh(jnp.logaddexp(y, 0.0)))


weight, x = jnp.ones((8, 8)), jnp.ones((4, 8))
hits.clear()
compiled = jax.jit(jax.grad(mish_layer)).lower(weight, x).compile()
source = "its own cache" if hits else "the compiler"
direct = float(compiled(weight, x).sum())
copy = serialize_executable.deserialize_and_load(*serialize_executable.serialize(compiled))
try:
    said = "the same" if float(copy(weight, x).sum()) == direct else "another number"
except Exception as error:
    said = f"{type(error).__name__}: {str(error).splitlines()[0]}"
print(f"program from {source}: the serialised copy gives {said}")
PY
first="$(env/bin/python twice.py "$folder/cache" 2>/dev/null)"
second="$(env/bin/python twice.py "$folder/cache" 2>/dev/null)"
printf '%s\n%s\n' "$first" "$second"
[[ "$first" == "program from the compiler: the serialised copy gives the same" ]]
[[ "$second" == "program from its own cache: the serialised copy gives "*"not found"* ]]
