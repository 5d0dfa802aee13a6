"""What it costs and saves to give data to the devices batch by batch: memory and seconds, beside data on the devices.

    python benchmarks/streaming.py [--rows 1000000] [--columns 100] [--rounds 3]

Each run is a process of its own, the two ways in turn: two functions, two seeds, one epoch of a 64-unit network on
made-up numbers. Memory is the most that the process took while it trained, less what it held before, as a multiple of
the samples of all parts; the median of the rounds is printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

RUN = """
import json, sys, tempfile
from pathlib import Path
import numpy as np
import actlab
from actlab import Act, Dense, Study
from actlab.engine import streaming
from actlab.engine.memory import process_bytes
from actlab.tasks.task import SPLITS, build

rows, columns, share = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
streaming.SHARE = share
rng = np.random.default_rng(0)
parts = []
for count in (rows * 6 // 10, rows * 2 // 10, rows * 2 // 10):
    x = rng.standard_normal((count, columns), dtype=np.float32)
    parts.append((x, (x[:, 0] * x[:, 1] > 0).astype(int)))
task = build("made up", *parts, provenance="made up")
del parts, x
size = task.x_train.nbytes + task.x_validation.nbytes + task.x_test.nbytes
study = Study(task="made up", network=[Dense(64), Act(), Dense(1)], activations=["relu", "tanh"], seeds=2, epochs=1,
              batch=256)
# What is compiled, and what Python imports, is there before.
few = [(getattr(task, f"x_{part}")[:2000], getattr(task, f"y_{part}")[:2000]) for part in SPLITS]
small = build("made up", *few, provenance="made up")
with tempfile.TemporaryDirectory() as folder:
    actlab.run(study, folder + "/small", task=small, progress=lambda _: None)
    before = process_bytes()
    # The most that was taken is counted from here.
    Path("/proc/self/clear_refs").write_text("5")
    recording = actlab.run(study, folder + "/whole", task=task, progress=lambda _: None)
status = Path("/proc/self/status").read_text()
peak = 1024 * int(status.split("VmHWM:")[1].split()[0])
loss = recording.metrics["test_loss"][-1].tolist()
print(json.dumps({"memory": (peak - before) / size, "seconds": recording.facts["throughput"]["train_seconds"],
                  "size": size, "loss": loss, "streamed": recording.facts["streamed"]}))
"""


def run(rows: int, columns: int, share: float) -> dict[str, object]:
    """One process."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(rows), str(columns), str(share)], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    ways = {"on the devices": 1e9, "batch by batch": 0.0}
    found: dict[str, list[dict[str, object]]] = {name: [] for name in ways}
    for number in range(arguments.rounds):
        for name in sorted(ways, reverse=bool(number % 2)):
            found[name].append(run(arguments.rows, arguments.columns, ways[name]))
    size = found["on the devices"][0]["size"]
    print(f"{arguments.rows:,} × {arguments.columns} numbers, {size / 2**20:.0f} MiB")
    for name, runs in found.items():
        memory, seconds = (statistics.median(one[key] for one in runs) for key in ("memory", "seconds"))
        print(f"{name:16} {memory:5.2f} × the samples   {seconds:7.2f} s   test loss {runs[0]['loss']}")


if __name__ == "__main__":
    main()
