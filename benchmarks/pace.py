"""Whether a checkout is slower than another: training, functions, reports and starts, taking turns in one run.

    python benchmarks/pace.py PATH_OF_THE_OTHER_CHECKOUT [--rounds 5] [--starts]

Each turn is a process of its own, by either checkout with this environment's packages, in changing order; training and
starts are timed by the clock, reports and functions by the processor, which other work disturbs less. Printed is for
each row the median over the rounds of this checkout's time by that of the other: below 1 this one is faster.
`--starts` measures `actlab compare digits` typed again with every program in the cache instead, from the shell to the
table: 8, 32 and 109 element-wise functions, two seeds, two epochs. Each checkout has a cache of its own for that.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
STARTS = (8, 32, 109)

# Prints seconds by row. What is compiled is compiled before the clock runs; training tells its own seconds.
ROWS = """
import json, sys, time
from pathlib import Path
import numpy as np
import actlab
from actlab import Act, Conv, Dense, Flatten, MaxPool, Study

folder, seconds = Path(sys.argv[1]), {}
mixed = ("tanh", "relu", "gelu", "mish", "prelu", "swiglu")
studies = {
    "parabolas, 3 × 64 members": Study(task="parabolas", network=[Dense(2), Act(), Dense(1)], seeds=64, epochs=150,
        activations=("sigmoid", "tanh", "relu"), optimiser="sgd", learning_rates=0.05, batch=16),
    "digits, 6 × 10 members": Study(task="digits", activations=mixed, seeds=10, epochs=10),
    "digits, wide, 4 × 2 members": Study(task="digits", network=[Flatten(), Dense(512), Act(), Dense(10)], seeds=2,
        epochs=20, activations=mixed[:4]),
    "digits, convolutions, 3 × 2 members": Study(task="digits", seeds=2, epochs=6, activations=mixed[:3],
        network=[Conv(8, 3), Act(), MaxPool(2), Conv(16, 3), Act(), Flatten(), Dense(10)]),
}
for name, study in studies.items():
    recording = actlab.run(study, folder / name, progress=lambda _: None)
    seconds[f"train: {name}"] = recording.facts["throughput"]["train_seconds"]

many = Study(task="digits", network=[Flatten(), Dense(8), Act(), Dense(10)], seeds=10, epochs=10,
             activations=[name for name, f in actlab.catalogue.items() if f.kind == "elementwise"][:24])
actlab.run(many, folder / "many", progress=lambda _: None)
start = time.process_time()
actlab.report(actlab.load(folder / "many"), folder / "report.html")
seconds["report: 24 functions × 10 seeds"] = time.process_time() - start

def best(call):
    call()
    times = []
    for _ in range(7):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)

x = np.random.default_rng(0).normal(scale=3, size=1_000_000)
for dtype in (np.float32, np.float64):
    own = x.astype(dtype)
    for which in ("value", "derivative"):
        total = sum(best(lambda f=f: (f if which == "value" else f.derivative)(own))
                    for f in (actlab.catalogue[n] for n in ("tanh", "gelu", "mish", "softplus", "elu", "erf_act")))
        seconds[f"NumPy, six functions: {which}, {np.dtype(dtype)}"] = total
print(json.dumps(seconds))
"""


def turn(checkout: Path, folder: Path) -> dict[str, float]:
    """Seconds of every row, by a checkout's own code."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-c", ROWS, str(folder)], env=environment(checkout), cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{checkout}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def environment(checkout: Path) -> dict[str, str]:
    """That of a process that runs a checkout's code."""
    return os.environ | {"PYTHONPATH": str(checkout / "src")}


def starts(checkout: Path, folder: Path) -> dict[str, float]:
    """Seconds from the shell to the table."""
    names = "import actlab; print(','.join(n for n, f in actlab.catalogue.items() if f.kind == 'elementwise'))"
    found = subprocess.run(
        [sys.executable, "-c", names], env=environment(checkout), capture_output=True, text=True, check=True
    )
    own, seconds = found.stdout.strip().split(","), {}
    cache = environment(checkout) | {"XDG_CACHE_HOME": str(folder.with_name(f"{folder.name}-cache"))}
    for count in STARTS:
        shutil.rmtree(folder, ignore_errors=True)
        options = ["--seeds", "2", "--epochs", "2", "--activations", ",".join(own[:count]), "--out", str(folder)]
        command = [sys.executable, "-m", "actlab", "compare", "digits", *options]
        start = time.perf_counter()
        subprocess.run(command, env=cache, capture_output=True, check=True)
        seconds[f"{count} functions, typed again"] = time.perf_counter() - start
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--starts", action="store_true")
    arguments = parser.parse_args()
    measured = starts if arguments.starts else turn
    checkouts = {"this": HERE, "other": arguments.other.resolve()}
    rounds: list[dict[str, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(-1, arguments.rounds):  # The round before the first fills the caches.
            order = sorted(checkouts, reverse=bool(number % 2))
            found = {name: measured(checkouts[name], Path(folder) / name) for name in order}
            rounds += [found] if number >= 0 else []
    for row in rounds[0]["this"]:
        ratios = sorted(found["this"][row] / found["other"][row] for found in rounds)
        this, other = (statistics.median(found[name][row] for found in rounds) for name in ("this", "other"))
        spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})"
        print(f"{row:46} {this:8.3f} s {other:8.3f} s   {spread}")


if __name__ == "__main__":
    main()
