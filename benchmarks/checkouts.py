"""Whether two checkouts record the same: the bytes of metrics and measures, and summaries but for keys that were added.

    python benchmarks/checkouts.py PATH_OF_THE_OTHER_CHECKOUT

Each study is trained in a process of its own, by either checkout with this environment's packages: two-layer networks
on digits and on the parabolas, one with convolutions, one with tuned learning rates, and one of a user's own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]

OWN = """
import jax.numpy as jnp
import jax

def init(key):
    first, second = jax.random.split(key)
    return {"in": jax.random.normal(first, (64, 16)) / 8, "out": jax.random.normal(second, (16, 10)) / 4}

def apply(params, x, act, *, training, key):
    hidden = act(x.reshape(x.shape[0], -1) @ params["in"], name="hidden")
    return hidden @ params["out"]

network = (init, apply)
"""

# Trains every study and prints, by study, a digest of each array that can be read.
TRAIN = """
import hashlib, json, sys
from pathlib import Path
import actlab
from actlab import Act, Conv, Dense, Flatten, MaxPool, Study, recipe

sys.path.insert(0, sys.argv[1])
quiet = {"seeds": 3, "epochs": 6}
mixed = ("tanh", "relu", "maxout", "prelu", "rrelu")
studies = {
    "digits": recipe("digits").study.model_copy(update={"seeds": (0, 1, 2), "epochs": 6}),
    "parabolas": recipe("parabolas").study.model_copy(update={"seeds": (0, 1), "epochs": 20}),
    "convolutions": Study(task="digits", network=[Conv(4, 3), Act(), MaxPool(2), Flatten(), Dense(10)],
                          activations=mixed, learning_rates=0.05, **quiet),
    "rates": Study(task="digits", network=[Flatten(), Dense(12), Act(), Dense(10)], activations=("tanh", "gelu"),
                   learning_rates=(0.01, 0.1), init="gain", **quiet),
    "own": Study(task="digits", network="own_network_of_a_user:network", activations=("tanh", "prelu"),
                 learning_rates=0.1, **quiet),
}
found = {}
for name, study in studies.items():
    recording = actlab.run(study, Path(sys.argv[1]) / name, progress=lambda _: None)
    arrays = {**recording.metrics, **recording.probes}
    found[name] = {key: hashlib.sha256(value.tobytes()).hexdigest() for key, value in sorted(arrays.items())}
print(json.dumps(found))
"""


def trained(checkout: Path, folder: Path) -> dict[str, dict[str, str]]:
    """Digests of the arrays of every study, by a checkout's own code."""
    folder.mkdir()
    (folder / "own_network_of_a_user.py").write_text(OWN, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    command = [sys.executable, "-c", TRAIN, str(folder)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{checkout}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def lost(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """Where `after` lacks, or changes, something of `before`; keys that were added are none of it."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            yield from lost(value, after[key], f"{place}/{key}") if key in after else [f"{place}/{key} is gone"]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, pair in enumerate(zip(before, after, strict=True)):
            yield from lost(*pair, f"{place}/{number}")
    elif before != after:
        yield f"{place}: {str(before)[:60]} became {str(after)[:60]}"


def summaries(folder: Path, name: str) -> dict[str, Any]:
    """A study's summary without what the clock decides."""
    found = json.loads((folder / name / "summary.json").read_text(encoding="utf-8"))
    return {key: value for key, value in found.items() if key not in ("throughput", "directory")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path)
    other = parser.parse_args().other.resolve()
    with tempfile.TemporaryDirectory() as folder:
        places = {"other": Path(folder) / "other", "this": Path(folder) / "this"}
        digests = {"other": trained(other, places["other"]), "this": trained(HERE, places["this"])}
        differ = False
        for name, before in digests["other"].items():
            after = digests["this"][name]
            changed = [key for key, value in before.items() if after.get(key) != value]
            complaints = list(lost(summaries(places["other"], name), summaries(places["this"], name)))
            differ |= bool(changed or complaints)
            whole = hashlib.sha256(json.dumps(after, sort_keys=True).encode()).hexdigest()[:12]
            print(f"{name:14} {len(before)} arrays, {len(changed)} differ {changed[:5]}; {whole}")
            for complaint in complaints[:10]:
                print(f"{'':14} summary{complaint}")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
