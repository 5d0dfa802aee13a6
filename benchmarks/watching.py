"""What watching a training costs: steps that are looked at, steps between, whole runs and memory, beside the bare loop.

    python benchmarks/watching.py [--rounds 7] [--write docs/watching-cost.md]

A bare run and a watched one of the same network take turns; a round's ratio is of medians of its own turns. Times are
the processor's, of one thread, which other work disturbs less. Of a look that is made, what is prepared for it at the
end of the step before counts as its own. Memory is the peak of a process that trains watched over that of one that
does not, all packages loaded in both, and what the looks that are kept take.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import pickle
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

import actlab
import actlab.laboratory
import actlab.watching.torch_watch
from actlab.watching.torch_watch import FIRST_STEPS

# A run after the first looks, which are dense, that an observation at each 10th and at each 50th step divides.
SETTLED = 40
RUN = 100
FIRST = 100
# Columns of the table: row of `measured` → heading.
COLUMNS = {
    "bare": "bare step, ms", "idle": "step between looks", "observed": "step looked at", "50": "`every=50`",
    "10": "`every=10`", "first": f"first {FIRST} steps", "removed": "after `remove()`",
}  # fmt: skip


def mlp() -> tuple[nn.Module, torch.Tensor]:
    layers = [nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(256, 10)), torch.randn(64, 256)


def cnn(side: int) -> tuple[nn.Module, torch.Tensor]:
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * (side // 4) ** 2, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    return model, torch.randn(32, 3, side, side)


class Block(nn.Module):
    """A block of a Transformer with its function called as one, as in PyTorch's own."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.TransformerEncoderLayer(64, 4, 256, batch_first=True, activation="gelu", norm_first=True)
        self.last = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.block(x).mean(dim=1))


def transformer() -> tuple[nn.Module, torch.Tensor]:
    return Block(), torch.randn(32, 16, 64)


def _compiled(make: Callable[[], tuple[nn.Module, torch.Tensor]]) -> Callable[[], tuple[nn.Module, torch.Tensor]]:
    def made() -> tuple[nn.Module, torch.Tensor]:
        model, x = make()
        return torch.compile(model, backend="aot_eager"), x

    return made


Adam, Descent = torch.optim.Adam, torch.optim.SGD
NETWORKS: dict[str, tuple[Callable[[], tuple[nn.Module, torch.Tensor]], type[torch.optim.Optimizer]]] = {
    "MLP 256-256-256-256-10, batch 64, Adam": (mlp, Adam),
    "MLP 256-256-256-256-10, batch 64, SGD": (mlp, Descent),
    "CNN, 16×16, batch 32, Adam": (lambda: cnn(16), Adam),
    "CNN, 32×32, batch 32, SGD": (lambda: cnn(32), Descent),
    "Transformer block, 32 × 16 × 64, Adam": (transformer, Adam),
    "MLP, Adam, torch.compile (aot_eager)": (_compiled(mlp), Adam),
}


class Training:
    """A network trained step by step, each timed."""

    def __init__(self, name: str) -> None:
        torch.manual_seed(0)
        make, optimiser = NETWORKS[name]
        self.model, self.x = make()
        self.y = torch.randint(0, 10, (len(self.x),))
        self.optimiser = optimiser(self.model.parameters(), lr=1e-3)

    def step(self) -> None:
        self.optimiser.zero_grad()
        F.cross_entropy(self.model(self.x), self.y).backward()
        self.optimiser.step()

    def run(self, steps: int) -> list[float]:
        """Seconds of each step."""
        times = [time.process_time()]
        for _ in range(steps):
            self.step()
            times.append(time.process_time())
        return [after - before for before, after in itertools.pairwise(times)]


def turn(name: str, every: int, settled: bool) -> dict[str, float]:
    """Ratios of a watched run to a bare one, after the first looks or from the first step on; and of the steps."""
    bare, watched = Training(name), Training(name)
    bare.run(5), watched.run(5)
    watch = actlab.watch(watched.model, every=every)
    if settled:
        bare.run(SETTLED), watched.run(SETTLED)
    steps = RUN if settled else FIRST
    begun = SETTLED if settled else 0
    # In short turns, so that what else the machine does meets both; a look is never split from its preparation.
    part, ours, theirs = every if settled else FIRST, [], []
    if settled:
        # Else the step whose end prepares a look were the last of the turn before.
        watched.run(part // 2), bare.run(part // 2)
        begun += part // 2
    for _ in range(steps // part):
        theirs += bare.run(part)
        ours += watched.run(part)
    if watch.stopped:
        raise RuntimeError(watch.stopped)
    looked = [step for step in range(steps) if (begun + step) % every == 0 or begun + step in FIRST_STEPS]
    around = {*looked, *(step - 1 for step in looked)}
    idle = statistics.median([own for step, own in enumerate(ours) if step not in around] or [0.0])
    plain = statistics.median(theirs)
    extra = [ours[step] + ours[step - 1] - 2 * idle for step in looked if step]
    watch.remove()
    removed, again = watched.run(40), bare.run(40)
    return {
        "bare": plain,
        "idle": idle / plain,
        "observed": (idle + statistics.median(extra)) / plain,
        "run": sum(ours) / sum(theirs),
        "removed": statistics.median(removed) / statistics.median(again),
    }


def measured(name: str, rounds: int) -> dict[str, tuple[float, float, float]]:
    """Median, first and third quartile over rounds of every column."""
    found: dict[str, list[float]] = {column: [] for column in COLUMNS}
    for number in range(rounds + 1):
        rows = {
            key: turn(name, *how) for key, how in {"10": (10, True), "50": (50, True), "first": (50, False)}.items()
        }
        if number == 0:  # Warms up.
            continue
        for key, row in rows.items():
            found[key].append(row["run"])
        for key in ("bare", "idle", "observed", "removed"):
            found[key].append(rows["10"][key])
        gc.collect()
    return {key: _spread(values) for key, values in found.items()}


def _spread(values: list[float]) -> tuple[float, float, float]:
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return middle, low, high


def memory(name: str) -> tuple[float, float]:
    """The peak of a process that trains watched over that of one that does not, and KiB of a look that is kept."""
    peaks: dict[str, list[float]] = {"bare": [], "watched": []}
    kept = 0.0
    for _ in range(2):
        for way, found in peaks.items():
            line = [sys.executable, __file__, "--memory", name, "--way", way]
            peak, kept = map(float, subprocess.run(line, check=True, capture_output=True, text=True).stdout.split())
            found.append(peak)
    return statistics.median(peaks["watched"]) / statistics.median(peaks["bare"]), kept


def _peak(name: str, way: str) -> None:
    training = Training(name)
    watch = actlab.watch(training.model, every=10) if way == "watched" else None
    training.run(60)
    looks = watch.looks if watch else []
    kept = len(pickle.dumps(looks)) / 1024 / len(looks) if looks else 0.0
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, kept)


def table(names: list[str], rounds: int) -> str:
    """All of it in Markdown."""
    lines = [
        f"| network | {' | '.join(COLUMNS.values())} | peak memory | a look kept, KiB |",
        f"|---|{'---:|' * (len(COLUMNS) + 2)}",
    ]
    for name in names:
        row = measured(name, rounds)
        peak, kept = memory(name)
        cells = [
            f"{1e3 * row['bare'][0]:.2f}",
            *(f"{middle:.3f} ({low:.3f}–{high:.3f})" for key, (middle, low, high) in row.items() if key != "bare"),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} | {peak:.3f} | {kept:.1f} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


PAGE = """# What watching costs

Written by `python benchmarks/watching.py --write docs/watching-cost.md` on {machine}, Python {python}, PyTorch {torch},
one thread.

Each number is the time of a watched training over that of the same one bare, in {rounds} rounds that take turns: the
median, and first and third quartile. "Step looked at" holds all that a look costs; `every=50` and `every=10` are runs
of {run} steps after the first looks; "first {first} steps" is the beginning at `every=50`, where the {looks} steps
{steps} are looked at besides. Peak memory is that of the whole process, watched at each 10th step, over one that is
not.

{table}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--memory")
    parser.add_argument("--way", default="bare")
    own = parser.parse_args()
    torch.set_num_threads(1)
    if own.memory:
        return _peak(own.memory, own.way)
    found = table([name for name in NETWORKS if own.only in name], own.rounds)
    if own.write:
        steps = ", ".join(map(str, FIRST_STEPS))
        page = PAGE.format(
            machine=f"{platform.machine()} ({platform.system()})", python=platform.python_version(),
            torch=torch.__version__, rounds=own.rounds, run=RUN, first=FIRST, looks=len(FIRST_STEPS), steps=steps,
            table=found,
        )  # fmt: skip
        own.write.write_text(page, encoding="utf-8")
    return None


if __name__ == "__main__":
    main()
