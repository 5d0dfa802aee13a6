"""Reading a large table, beside pandas: seconds and memory for a million rows of fifty numbers and a class.

    .venv/bin/python benchmarks/tables.py [--rows N] [--columns N] [--repeats N] [--peer PYTHON]

Each run is a process of its own, the two in turn; the fewest seconds count. Memory is the most that the process took,
less what it took before it read, as a multiple of the float32 array of all numbers. PEER is a Python that has pandas,
where this one has not.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

TARGET = "kind"


def write(path: Path, rows: int, columns: int) -> None:
    """A table of random numbers with seven digits, and a class."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    table = {f"c{index}": rng.normal(size=rows).astype(np.float32) for index in range(columns)}
    kinds = pl.Series(["one", "two", "three"]).gather(rng.integers(0, 3, rows))
    pl.DataFrame({**table, TARGET: kinds}).write_csv(path, float_precision=6)


def read_by_pandas(path: Path) -> float:
    """Seconds of pandas' reader and of making its numbers an array."""
    import pandas as pd  # pyright: ignore[reportMissingImports]

    before = time.perf_counter()
    table = pd.read_csv(path)
    table.drop(columns=TARGET).to_numpy("float32")
    return time.perf_counter() - before


def read_by_actlab(path: Path) -> float:
    """Seconds of reading alone: columns as numbers, rows counted, encoding checked."""
    from actlab.tasks import Reading
    from actlab.tasks.tables.rows import read_text
    from actlab.tasks.tables.source import open_source

    before = time.perf_counter()
    read_text(open_source(path), Reading(), [TARGET])
    return time.perf_counter() - before


def load_by_actlab(path: Path) -> float:
    """Seconds of the whole task: read, looked at, split, standardised, checked, hashed."""
    from actlab import tasks

    before = time.perf_counter()
    tasks.load(str(path), target=TARGET)
    return time.perf_counter() - before


RUNS = {"pandas": read_by_pandas, "actlab, reading": read_by_actlab, "actlab, the whole task": load_by_actlab}


def processor() -> float:
    """The seconds of processor that this process took so far, all its threads together."""
    return time.process_time()


def used() -> int:
    """The most memory that this process took so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def one_run(name: str, path: Path) -> dict[str, float]:
    """Seconds and bytes of one run in this process."""
    if name == "pandas":
        import pandas  # noqa: F401  # pyright: ignore[reportMissingImports]
    else:
        import polars  # noqa: F401
        import sklearn  # noqa: F401

        import actlab.tasks.table  # noqa: F401
    warnings.simplefilter("ignore")
    before, start = used(), processor()
    seconds = RUNS[name](path)
    return {"seconds": seconds, "processor": processor() - start, "bytes": used() - before}


def main() -> None:
    """Write the table, run each in turn, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer", default=sys.executable)
    parser.add_argument("--run", nargs=2, metavar=("NAME", "FILE"))
    options = parser.parse_args()
    if options.run:
        print(json.dumps(one_run(options.run[0], Path(options.run[1]))))
        return
    array = 4 * options.rows * options.columns
    found: dict[str, list[dict[str, float]]] = {name: [] for name in RUNS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.csv"
        write(path, options.rows, options.columns)
        print(f"{options.rows:,} rows × {options.columns} columns, {path.stat().st_size / 2**20:.0f} MiB of text")
        for _ in range(options.repeats):
            for name, runs in found.items():
                python = options.peer if name == "pandas" else sys.executable
                line = [python, __file__, "--run", name, str(path)]
                done = subprocess.run(line, capture_output=True, text=True, check=False)
                if done.returncode:
                    sys.exit(done.stderr)
                runs.append(json.loads(done.stdout))
    fewest = {name: {key: min(run[key] for run in runs) for key in runs[0]} for name, runs in found.items()}
    for name, runs in found.items():
        most = max(run["bytes"] for run in runs) / array
        seconds, busy = (fewest[name][key] for key in ("seconds", "processor"))
        ratio = seconds / fewest["pandas"]["seconds"]
        print(
            f"{name:24} {seconds:6.2f} s  {ratio:5.2f} of pandas  {busy:6.2f} s of processor  {most:5.2f} × the array"
        )


if __name__ == "__main__":
    main()
