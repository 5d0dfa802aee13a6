"""Whether the conclusions hold: coverage, errors and power over made-up and resampled studies (a quarter of an hour).

    .venv/bin/python benchmarks/conclusions.py [RUN_DIR]      writes docs/statistics.md

RUN_DIR holds, or comes to hold, a hundred seeds of three functions on the digits, from which studies are drawn.
"""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import actlab
from actlab.recording import Recording
from actlab.replay.forward import hidden
from actlab.statistics import summarise
from actlab.statistics.best import chances_of_best
from actlab.statistics.intervals import mean_interval
from actlab.statistics.new_data import crossed, new_data_intervals
from actlab.statistics.sign_flips import ALPHA
from actlab.statistics.simultaneous import differences_at_once
from actlab.study import load_task
from actlab.study.seeds import looks_until

PAGE = Path(__file__).parent.parent / "docs/statistics.md"
POOL = {"relu": "relu", "tanh": "tanh", "sigmoid": "sigmoid"}
COPIES = tuple(f"copy_{letter}" for letter in "abcde")
Draw = Callable[[np.random.Generator, int], np.ndarray]


def pool(directory: Path) -> tuple[Recording, dict[str, np.ndarray]]:
    """A hundred seeds of three functions on the digits: the recording, and who has which unseen item right.

    Returns:
        by activation, (seeds, items): items are those of validation and test data, which no network was trained on.
    """
    study = actlab.Study(name="pool", task="digits", activations=list(POOL), seeds=100, epochs=20)
    recording = actlab.run(study, directory)
    task = load_task(recording.study)
    x, y = np.concatenate([task.x_validation, task.x_test]), np.concatenate([task.y_validation, task.y_test])
    right: dict[str, list[np.ndarray]] = {name: [] for name in POOL}
    for member in recording.members:
        outputs = hidden(recording.network(member.activation), recording.weights(member, recording.epochs), x)[1]
        right[member.activation].append(outputs.argmax(axis=1) == y)
    return recording, {name: np.array(rows) for name, rows in right.items()}


def share(successes: int, count: int) -> str:
    """Per cent with its Monte-Carlo standard error."""
    p = successes / count
    return f"{100 * p:.1f} ± {100 * math.sqrt(max(p * (1 - p), 1 / count) / count):.1f}"


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)]) + "\n"


# Intervals of a mean.


def populations(accuracies: dict[str, np.ndarray]) -> dict[str, tuple[Draw, float, float]]:
    """Populations of seeds: how a study is drawn, its mean, and the resolution of its test set."""

    def rounded(step: float, spread: float) -> tuple[Draw, float, float]:
        def draw(rng: np.random.Generator, seeds: int) -> np.ndarray:
            return np.round((0.95 + spread * step * rng.normal(size=seeds)) / step) * step

        many = draw(np.random.default_rng(0), 4_000_000)
        return draw, float(many.mean()), step

    def resampled(values: np.ndarray) -> tuple[Draw, float, float]:
        return lambda rng, seeds: rng.choice(values, seeds), float(values.mean()), 1 / 359

    relu, tanh, sigmoid = (accuracies[name] for name in POOL)
    return {
        "normal": (lambda rng, seeds: rng.normal(size=seeds), 0.0, 0.0),
        "two modes (30 % of seeds ten points lower)": (
            lambda rng, seeds: 0.95 - 0.1 * (rng.random(seeds) < 0.3) + 0.005 * rng.normal(size=seeds),
            0.92,
            0.0,
        ),
        "one item of 360 is 1.4 SD": rounded(1 / 360, 0.7),
        "one item of 36 is 2 SD": rounded(1 / 36, 0.5),
        "real accuracies of relu": resampled(relu),
        "real accuracies of sigmoid": resampled(sigmoid),
        "real differences relu − tanh": resampled(relu - tanh),
    }


def coverage(accuracies: dict[str, np.ndarray], studies: int = 4000) -> str:
    """Coverage of the interval of a mean."""
    rng, rows = np.random.default_rng(1), []
    for name, (draw, mean, step) in populations(accuracies).items():
        held = []
        for seeds in (5, 10, 20):
            found = [mean_interval(draw(rng, seeds), step=step) for _ in range(studies)]
            held.append(share(sum(low <= mean <= high for low, high in filter(None, found)), studies))
        rows.append([name, *held])
    return table(["population", "5 seeds", "10 seeds", "20 seeds"], rows)


# Many differences.


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Lognormal with σ = ½, of mean 0 and standard deviation 1."""
    return (np.exp(rng.normal(size=shape) / 2) - math.exp(1 / 8)) / math.sqrt((math.exp(1 / 4) - 1) * math.exp(1 / 4))


def pairs_of(values: np.ndarray) -> np.ndarray:
    """All differences of two rows."""
    return np.array([a - b for a, b in combinations(values, 2)])


def errors() -> str:
    """How often any two of equal functions are told apart, and how often all intervals hold together."""
    rng, rows = np.random.default_rng(2), []
    kinds: dict[str, Callable[[int, int], np.ndarray]] = {
        "normal": lambda k, n: rng.normal(size=(k, n)),
        "SDs from 0.4 to 1.6": lambda k, n: np.linspace(0.4, 1.6, k)[:, None] * rng.normal(size=(k, n)),
        "lognormal": lambda k, n: skewed(rng, (k, n)),
    }
    for functions, kind in [*((k, "normal") for k in (2, 3, 8, 20)), (8, "SDs from 0.4 to 1.6"), (8, "lognormal")]:
        row: list[Any] = [f"{functions}, {kind}"]
        for seeds in (6, 10, 20):
            studies = 2000 if functions < 8 else 1000 if functions == 8 else 400
            wrong = held = 0
            for _ in range(studies):
                found = differences_at_once(pairs_of(kinds[kind](functions, seeds)))
                wrong += any(one.is_told for one in found)
                held += all(one.ci95[0] <= 0 <= one.ci95[1] for one in found if one.ci95)
            row += [share(wrong, studies), share(held, studies)]
        rows.append(row)
    heads = [f"{what}, {seeds} seeds" for seeds in (6, 10, 20) for what in ("told apart", "all intervals hold")]
    return table(["equal functions", *heads], rows)


def power(means: np.ndarray, spreads: np.ndarray, studies: int = 1000) -> str:
    """Which pairs of different functions are told apart, and which inferior ones are left out of the best set."""
    rng, rows = np.random.default_rng(3), []
    truth = pairs_of(means[:, None])[:, 0]
    inferior = means < means.max()
    for seeds in (6, 10, 12, 20):
        told, beside, out, left, lost = [], [], [], [], 0
        for _ in range(studies):
            values = means[:, None] + spreads[:, None] * rng.normal(size=(len(means), seeds))
            found = differences_at_once(pairs_of(values))
            right = [one.is_told and one.difference * true > 0 for one, true in zip(found, truth, strict=True)]
            told.append(np.mean(right))
            first = differences_at_once(values[1:] - values[0])
            beside.append(np.mean([one.is_told for one in first]))
            held = (chances_of_best(values) > ALPHA) | (not any(one.is_told for one in found))
            out.append(np.mean(~held[inferior]))
            left.append(held.sum())
            lost += not held[means.argmax()]
        rows.append([
            seeds, *(f"{100 * np.mean(own):.1f}" for own in (told, beside, out)), f"{np.mean(left):.2f}",
            share(lost, studies),
        ])  # fmt: skip
    heads = ("seeds", "pairs told apart %", "told from a baseline %", "inferior left out %", "left", "best one lost %")
    return table(heads, rows)


# Whole reports of equal functions.


def equal_studies(recording: Recording, functions: int, seeds: int) -> Iterator[Recording]:
    """Recordings of relu under several names, each with seeds of its own from the pool; nothing is trained."""
    names = COPIES[:functions]
    relu = np.array([member.id for member in recording.members if member.activation == "relu"])
    members = tuple(
        replace(recording.members[0], id=place * seeds + seed, activation=name, seed=seed)
        for place, name in enumerate(names)
        for seed in range(seeds)
    )
    rng = np.random.default_rng([functions, seeds])
    while True:
        drawn = rng.choice(relu, functions * seeds, replace=functions * seeds > len(relu))
        made = copy.copy(recording)
        for name in ("probes", "right", "summary"):
            vars(made).pop(name, None)
        made.study = recording.study.model_copy(update={"activations": names, "seeds": tuple(range(seeds))})
        made.members, made.segments = members, ()
        made.functions = dict.fromkeys(names, recording.functions["relu"])
        made.metrics = {name: array[:, drawn] for name, array in recording.metrics.items()}
        vars(made)["probes"] = {name: array[:, drawn] for name, array in recording.probes.items()}
        vars(made)["right"] = None if recording.right is None else recording.right[drawn]
        yield made


def claims(summary: dict[str, Any]) -> bool:
    """Whether any sentence of a report says that two functions differ."""
    pairs = [f["evidence"]["pairs"] for f in summary["findings"] if f["code"] == "within_noise"]
    told = any(not row["within_noise"] for rows in pairs for row in rows)
    return told or bool(summary["not_best"]) or bool(summary["not_best_new_data"])


def reports(recording: Recording, studies: int = 400) -> str:
    """How often a report of equal functions says that some differ."""
    rows = []
    for functions in (2, 3, 5):
        row: list[Any] = [functions]
        for seeds in (6, 10, 20):
            made = equal_studies(recording, functions, seeds)
            row.append(share(sum(claims(summarise(next(made))) for _ in range(studies)), studies))
        rows.append(row)
    return table(["equal functions", "6 seeds", "10 seeds", "20 seeds"], rows)


# New data.


def fresh(right: dict[str, np.ndarray], studies: int = 1500) -> str:
    """Whether intervals hold what all seeds and items of the pool give, drawn from it with replacement."""
    rng, rows = np.random.default_rng(4), []
    wanted: dict[str, tuple[str, ...]] = {name: (name,) for name in POOL}
    wanted |= {"relu − tanh": ("relu", "tanh"), "relu − sigmoid": ("relu", "sigmoid")}
    for title, names in wanted.items():
        tables = np.stack([right[name] for name in names])
        truth = float(tables[0].mean() - (tables[1].mean() if len(names) > 1 else 0))
        for seeds in (5, 10):
            joint = alone = 0
            for _ in range(studies):
                chosen, items = rng.choice(tables.shape[1], seeds), rng.choice(tables.shape[2], 359)
                own = tables[:, chosen][:, :, items]
                if len(names) > 1:
                    low, high = new_data_intervals(own, [(0, 1)])[0][1]
                    values = own[0].mean(axis=1) - own[1].mean(axis=1)
                else:
                    low, high = crossed(own[0]).share_interval()
                    values = own[0].mean(axis=1)
                joint += low <= truth <= high
                over_seeds = mean_interval(values, step=1 / 359)
                alone += over_seeds is not None and over_seeds[0] <= truth <= over_seeds[1]
            rows.append([title, seeds, share(joint, studies), share(alone, studies)])
    return table(["accuracy, digits", "seeds", "seeds and items jointly", "over seeds alone"], rows)


# Seeds added as needed.


def held_of(values: np.ndarray, looks: int = 1) -> tuple[np.ndarray, bool]:
    """Who may be the best of (functions, seeds), and whether any two are told apart."""
    told = any(one.is_told for one in differences_at_once(pairs_of(values), looks=looks))
    return (chances_of_best(values, looks=looks) > ALPHA) | (not told), told


def added(draw: Callable[[int], np.ndarray], most: int = 64) -> tuple[np.ndarray, np.ndarray, bool]:
    """A study with `--seeds auto --most-seeds 64`: its values at the end, who may be the best, any two ever told."""
    planned, ever = looks_until(most), False
    values = draw(most)
    for count in planned:
        held, told = held_of(values[:, :count], len(planned))
        ever |= told
        if held.sum() == 1:
            break
    return values[:, :count], held, ever


def added_errors(relu: np.ndarray, studies: int = 1000) -> str:
    """How often equal functions are ever told apart where seeds are added, and whether intervals of means hold."""
    rng, rows = np.random.default_rng(5), []
    kinds: dict[str, tuple[Callable[[int], np.ndarray], float]] = {
        "2, normal": (lambda n: rng.normal(size=(2, n)), 0.0),
        "3, normal": (lambda n: rng.normal(size=(3, n)), 0.0),
        "8, normal": (lambda n: rng.normal(size=(8, n)), 0.0),
        "8, SDs from 0.4 to 1.6": (lambda n: np.linspace(0.4, 1.6, 8)[:, None] * rng.normal(size=(8, n)), 0.0),
        "8, lognormal": (lambda n: skewed(rng, (8, n)), 0.0),
        "5, real relu": (lambda n: rng.choice(relu, (5, n)), float(relu.mean())),
    }
    for name, (draw, mean) in kinds.items():
        wrong, covered, seeds = 0, [], []
        for _ in range(studies):
            values, _, ever = added(draw)
            wrong += ever
            seeds.append(values.shape[1])
            ends = [mean_interval(own) for own in values]
            covered += [low <= mean <= high for low, high in filter(None, ends)]
        rows.append([name, share(wrong, studies), share(sum(covered), len(covered)), f"{np.mean(seeds):.1f}"])
    return table(["equal functions", "ever told apart", "interval of a mean holds", "seeds, mean"], rows)


def added_seeds(means: np.ndarray, spreads: np.ndarray, studies: int = 600) -> str:
    """How many seeds it takes to leave one alone, beside as many for all studies that leave one alone as often."""
    rng, rows = np.random.default_rng(6), []
    ahead = np.eye(8)[0]
    kinds = {
        "2 functions, one ahead by 1 SD": (ahead[:2], np.ones(2)),
        "3 functions, one ahead by 1 SD": (ahead[:3], np.ones(3)),
        "8 functions, one ahead by 1.5 SD": (1.5 * ahead, np.ones(8)),
        "8 functions, one ahead by 0.8 SD": (0.8 * ahead, np.ones(8)),
        "the eight of the digits": (means, spreads),
    }
    for name, (centres, scales) in kinds.items():

        def draw(n: int, centres: np.ndarray = centres, scales: np.ndarray = scales) -> np.ndarray:
            return centres[:, None] + scales[:, None] * rng.normal(size=(len(centres), n))

        seeds, alone, lost = [], 0, 0
        for _ in range(studies):
            values, held, _ = added(draw)
            seeds.append(values.shape[1])
            alone += held.sum() == 1
            lost += not held[centres.argmax()]
        fixed = next((n for n in range(6, 65, 2) if _alone(draw, n, 200) >= alone / studies), None)
        told = "more than 64" if fixed is None else fixed
        saved = "" if fixed is None else f"{100 * (1 - np.mean(seeds) / fixed):.0f} %"
        rows.append([name, share(alone, studies), share(lost, studies), f"{np.mean(seeds):.1f}", told, saved])
    heads = ("functions", "one left alone %", "best one lost %", "seeds, mean", "a fixed number for that", "saved")
    return table(heads, rows)


def _alone(draw: Callable[[int], np.ndarray], seeds: int, studies: int) -> float:
    """In which share of studies with a fixed number of seeds one function alone may be the best."""
    return float(np.mean([held_of(draw(seeds))[0].sum() == 1 for _ in range(studies)]))


def main() -> None:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?", type=Path, default=Path("runs/statistics"))
    parser.add_argument("--only", metavar="WORDS", default="", help="make only parts with these words in the title")
    arguments = parser.parse_args()
    directory = arguments.directory
    recording, right = pool(directory / "pool")
    last = recording.metrics["test_accuracy"][-1]
    accuracies = {name: last[[m.activation == name for m in recording.members]] for name in POOL}
    demo = actlab.run(actlab.recipe("digits").study, directory / "digits").summary["activations"]
    means = np.array([row["test_accuracy"]["mean"] for row in demo])
    spreads = np.array([stats.tstd(row["test_accuracy"]["values"]) for row in demo])
    kept = sections(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    parts = [HEAD]
    for title, words, made in (
        ("Intervals of a mean", COVERAGE, lambda: coverage(accuracies)),
        ("Equal functions", ERRORS, errors),
        ("Different functions", DIFFERENT, lambda: power(means, spreads)),
        ("Whole reports of equal functions", REPORTS, lambda: reports(recording)),
        ("New data", FRESH, lambda: fresh(right)),
        ("Seeds added as needed", ADDED, lambda: added_errors(accuracies["relu"])),
        ("Seeds that this saves", SAVED, lambda: added_seeds(means, spreads)),
    ):
        wanted = arguments.only.lower() in title.lower() or title not in kept
        parts.append(f"## {title}\n\n{words}\n\n{made().strip()}" if wanted else kept[title])
        print(parts[-1], end="\n\n", flush=True)
    PAGE.write_text("\n\n".join(part.strip() for part in parts) + "\n", encoding="utf-8")


def sections(page: str) -> dict[str, str]:
    """The parts of a page by their titles."""
    found = page.split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.strip()}" for part in found}


HEAD = """# Do the conclusions hold?

Made by `python benchmarks/conclusions.py`: studies are drawn whose truth is known, and what the laboratory says of them
is counted. Per cent, ± one Monte-Carlo standard error. "Real" values are drawn with replacement from a hundred seeds of
relu, tanh and sigmoid on the digits (64-128-128-10, 20 epochs), trained for this."""
COVERAGE = """How often Student's interval over seeds, never narrower than the resolution of the test set, holds the
mean of all seeds: 95 is promised."""
ERRORS = """How often any two of equal functions are told apart by the step-down max-T test (at most 5 is promised), and
how often all simultaneous intervals hold zero together (at least 95). With six seeds of two functions the p next below
0.05 is 0.031."""
DIFFERENT = """Normal, with the means and standard deviations of the eight functions of `actlab compare digits`. The
baseline is the highest mean. "Left" is the mean size of the set that may be the best."""
REPORTS = """How often any sentence of a report (headline, findings) says that two functions differ where every
function is relu, each with other seeds: at most 5 is wanted."""
FRESH = """How often the interval for new data, made from some seeds and 359 items, holds the accuracy over all seeds
and all 718 items that no network was trained on, and how often the interval over seeds does."""
ADDED = """`--seeds auto --most-seeds 64` looks after 8, 16, 32 and 64 seeds and ends when one function alone may be the
best; every test and interval of a difference is corrected for four looks. How often any two equal functions are told
apart at any look that was taken (at most 5 is promised), how often the interval of a mean, which is not corrected,
holds at the end (95), and how many seeds it took: nothing ends it but an error."""
SAVED = """How often one function is left alone, how often the truly best one is left out, and how many seeds a study
takes. Beside it the number of seeds, the same for all studies and not corrected for looks, that leaves one alone as
often, to two seeds and 200 studies, and the share of its seeds that was saved. Where one is clearly ahead, few seeds
are enough in most studies; where hardly any study can tell, all are trained, and looking often has its price."""

if __name__ == "__main__":
    main()
