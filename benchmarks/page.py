"""How fast the page is: its size, its first picture, its frames while it plays, its memory; in headless Chromium.

    make bench        or        .venv/bin/python benchmarks/page.py [--minutes 5]

The page of the recipe parabolas with three activations, 16 seeds and 150 epochs, opened from a file at 1440 × 900, and
that of mnist-mlp's network with eight activations and ten seeds. Needs Debian's chromium.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
GOALS = {"parabolas": (1.0, 1.0), "mnist-mlp": (5.0, 2.0)}
DEFAULT_ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "silu", "mish", "tanh", "sigmoid")
FRAMES = """seconds => new Promise((done) => {
  const times = [];
  const start = performance.now();
  const frame = (now) => {
    times.push(now);
    const play = document.querySelector("[data-go='play']");
    if (play.textContent === "Play") play.click();
    if (now - start < 1000 * seconds) requestAnimationFrame(frame);
    else { play.click(); done(times); }
  };
  requestAnimationFrame(frame);
})"""


def pages(folder: Path) -> dict[str, Path]:
    """The pages, from recordings made for them: mnist-mlp's on random images, which weigh as much as real ones."""
    import numpy as np

    import actlab
    from actlab.recipes import recipe
    from actlab.study import Study
    from actlab.tasks.task import build

    found = {}
    study = Study(**(recipe("parabolas").study.model_dump() | {"seeds": 16}))
    found["parabolas"] = actlab.run(study, folder / "parabolas").directory / "report.html"
    rng = np.random.default_rng(0)
    parts = [(rng.random((n, 28, 28, 1), np.float32), np.arange(n) % 10) for n in (2560, 512, 512)]
    task = build("random", *parts, provenance="random")
    study = Study(
        **(recipe("mnist-mlp").study.model_dump() | {"activations": DEFAULT_ACTIVATIONS, "seeds": 10, "task": "random"})
    )
    found["mnist-mlp"] = actlab.run(study, folder / "mnist-mlp", task=task).directory / "report.html"
    return found


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium as it is installed, one for all pages."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        raise SystemExit("no Chromium is installed: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


def first_picture(opened: Any, file: Path, rounds: int = 5) -> float:
    """Median seconds from the start of opening to the first picture of the player."""
    found = []
    for _ in range(rounds):
        page = opened.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"file://{file}#at=player")
        page.wait_for_selector("html[data-drawn]", timeout=60_000)
        found.append(page.evaluate("performance.getEntriesByName('first-picture')[0].startTime") / 1000)
        page.close()
    return statistics.median(found)


def playing(opened: Any, file: Path, minutes: float) -> dict[str, float]:
    """Frame times in milliseconds while it plays, and the memory of the script before and after."""
    page = opened.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"file://{file}#at=player")
    page.wait_for_selector("html[data-drawn]", timeout=60_000)
    page.locator("[data-controls]").evaluate("element => element.scrollIntoView()")
    client = page.context.new_cdp_session(page)
    client.send("Performance.enable")

    def megabytes() -> float:
        client.send("HeapProfiler.collectGarbage")
        metrics = {m["name"]: m["value"] for m in client.send("Performance.getMetrics")["metrics"]}
        return metrics["JSHeapUsedSize"] / 1e6

    page.evaluate(FRAMES, 3)
    before = megabytes()
    times = page.evaluate(FRAMES, 20)
    gaps = [b - a for a, b in pairwise(times)]
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        page.evaluate(FRAMES, min(30, end - time.monotonic()))
    after = megabytes()
    page.close()
    tail = statistics.quantiles(gaps, n=20)[-1]
    return {"median": statistics.median(gaps), "95 %": tail, "before": before, "after": after}


def main() -> None:
    """Make the pages, open them, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5, help="of playing, between the two looks at the memory")
    minutes = parser.parse_args().minutes
    from plotly.offline import get_plotlyjs

    from actlab.views.report.report import plotly

    table = Table(title=f"the page at 1440 × 900 in headless Chromium, {minutes:g} minutes of playing")
    for head in (
        "page",
        "MB",
        "MB without Plotly",
        "first picture, s",
        "frame ms, median",
        "95 %",
        "frames/s",
        "heap MB",
    ):
        table.add_column(head, justify="left" if head == "page" else "right")
    with tempfile.TemporaryDirectory() as folder, browser() as opened:
        for name, file in pages(Path(folder)).items():
            size = file.stat().st_size / 1e6
            seen = playing(opened, file, minutes if name == "parabolas" else 0)
            most, wait = GOALS[name]
            without = size - len(plotly()) / 1e6
            table.add_row(
                *(name, f"{size:.2f}", f"{without:.2f} (goal {most:g})"),
                f"{first_picture(opened, file):.2f} (goal {wait:g})",
                *(f"{seen['median']:.1f}", f"{seen['95 %']:.1f}", f"{1000 / seen['median']:.0f} (goal 60)"),
                f"{seen['before']:.1f} → {seen['after']:.1f}",
            )
    Console(width=130).print(
        table, f"Plotly's script by itself: {len(get_plotlyjs()) / 1e6:.2f} MB, embedded compressed."
    )


if __name__ == "__main__":
    main()
