"""Does healing repair? Faults of known kinds, healed and counted, beside advisers that know nothing of what is wrong.

    .venv/bin/python -m benchmarks.healing [--half "held out"] [--only NAME] [--keep FILE] [--processes N] [--alone]

Remedies and their order were chosen on the tuning half, and are counted on both. A fault is repaired where validation
reaches the score of its twin in two of three new seeds. With both halves docs/healing.md is written. --keep holds what
is done in a file, and goes on from there. --alone leaves the other advisers out.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.trainings import HEALTHY, TRAININGS, Training

PAGE = Path(__file__).parent.parent / "docs" / "healing.md"
HALVES = ("tuning", "held out")
SEEDS = (1, 2, 3)
# A list that was learnt on the other half is gone through so far.
LONGEST = 8


def healed(number: int) -> dict[str, Any]:
    """What `actlab.heal` does with a training."""
    from actlab.laboratory.healing import heal

    own, begun = TRAININGS[number], time.perf_counter()
    made = heal(own.build, own.train, twin=own.twin, processes=1)
    whole = [one for one in made.tries if not one.inapplicable]
    place = next((place for place, one in enumerate(whole, start=1) if one.repaired), None)
    return {
        "findings": [one["code"] for one in made.findings if one["severity"] == "warning"],
        "state": made.state,
        "tries": [[*one.codes] for one in whole],
        "said": [one.said for one in whole],
        "untreated": list(map(float, made.untreated)),
        "twin": list(map(float, made.twin)),
        "repaired_at": place,
        "words": bool(made.words),
        "seconds": time.perf_counter() - begun,
    }


def advised(number: int) -> dict[str, Any]:
    """By remedy, whether it repairs: all that there are, tried without a look at what is wrong."""
    from actlab.laboratory.healing.choice import every_remedy
    from actlab.laboratory.healing.outcome import reach_of
    from actlab.laboratory.healing.trial import Job, trained

    own = TRAININGS[number]
    assert own.twin is not None
    looks = trained(own.build, own.train, Job(0, watched=True)).looks
    before = [trained(own.build, own.train, Job(seed)) for seed in SEEDS]
    twin = [trained(*own.twin, Job(seed)).score for seed in SEEDS]
    reach, _ = reach_of(None, twin, [one.score for one in before], 1.0)
    found: dict[str, bool] = {}
    for remedy in every_remedy(looks):
        reached = 0
        for place, seed in enumerate(SEEDS):
            # Two of three: the third seed is asked where the others disagree alone.
            if reach is None or reached + len(SEEDS) - place < 2 or reached == 2:
                break
            losses = before[place].losses if remedy.comparable else ()
            score = trained(own.build, own.train, Job(seed, (remedy,), losses)).score
            better = not score <= before[place].score and math.isfinite(score)
            reached += better and score >= reach.lowest[place]
        found[remedy.code] = reached >= 2
    return {"repairs": found}


def _begin() -> None:
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")


def numbers(half: str | None, only: str) -> list[int]:
    """Places of the trainings that are asked for."""
    return [
        place
        for place, own in enumerate(TRAININGS)
        if (half is None or own.half == half) and only in f"{own.kind} {own.name}"
    ]


def done(asked: Sequence[int], keep: Path | None, processes: int, alone: bool) -> dict[int, dict[str, Any]]:
    """What came of each training, by its place; what is kept is not done again."""
    kept = json.loads(keep.read_text()) if keep and keep.exists() else {}
    found = {int(place): own for place, own in kept.items()}
    jobs: list[tuple[Any, int]] = [(healed, place) for place in asked if "state" not in found.get(place, {})]
    if not alone:
        faulty = [place for place in asked if TRAININGS[place].kind != HEALTHY]
        jobs += [(advised, place) for place in faulty if "repairs" not in found.get(place, {})]
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin) as pool:
        waiting = {pool.submit(job, place): place for job, place in jobs}
        for one in as_completed(waiting):
            place = waiting[one]
            found.setdefault(place, {}).update(one.result())
            print(line(TRAININGS[place], found[place]), flush=True)
            if keep:
                keep.write_text(json.dumps(found))
    return {place: found[place] for place in asked}


def line(own: Training, got: Mapping[str, Any]) -> str:
    """A training in a line."""
    place = got.get("repaired_at")
    what = "–" if "state" not in got else f"repaired by try {place}" if place else f"{len(got['tries'])} tries"
    others = f"; {sum(got['repairs'].values())} of {len(got['repairs'])} remedies repair" if "repairs" in got else ""
    codes = ", ".join(got.get("findings", []))
    return f"{own.half:9}{own.kind:22}{own.name:60}{what}{others}  [{codes}]"


def learnt(faults: Sequence[Mapping[str, Any]]) -> list[str]:
    """A list of remedies, each that which repairs most of what those before it leave."""
    left, found = list(faults), list[str]()
    while left and len(found) < LONGEST:
        codes = dict.fromkeys(code for own in left for code in own["repairs"])
        best = max(codes, key=lambda code: sum(own["repairs"].get(code, False) for own in left))
        if not any(own["repairs"].get(best, False) for own in left):
            break
        found.append(best)
        left = [own for own in left if not own["repairs"].get(best, False)]
    return found


def sign_test(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Exact two-sided sign test over faults that one of two repairs and the other does not."""
    won = sum(a and not b for a, b in zip(first, second, strict=True))
    lost = sum(b and not a for a, b in zip(first, second, strict=True))
    count = won + lost
    tail = sum(math.comb(count, k) for k in range(max(won, lost), count + 1)) / 2**count
    return min(1.0, 2 * tail)


def as_many_by_chance(right: int, chances: Sequence[float]) -> float:
    """Probability that a remedy drawn at random for each fault is right for so many or more of them."""
    spread = [1.0]
    for chance in chances:
        spread = [
            (spread[k] if k < len(spread) else 0.0) * (1 - chance) + (spread[k - 1] * chance if k else 0.0)
            for k in range(len(spread) + 1)
        ]
    return sum(spread[right:])


def first_in(remedies: Sequence[str], own: Mapping[str, Any]) -> int | None:
    """At which try a list repairs."""
    return next((place for place, code in enumerate(remedies, 1) if own["repairs"].get(code, False)), None)


def totals(half: str, found: Mapping[int, Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is counted on a half, as lines of Markdown."""
    own = {place: got for place, got in found.items() if TRAININGS[place].half == half}
    faults = [got for place, got in own.items() if TRAININGS[place].kind != HEALTHY]
    sound = [got for place, got in own.items() if TRAININGS[place].kind == HEALTHY]
    first = [got["repaired_at"] == 1 for got in faults]
    places = [got["repaired_at"] for got in faults if got["repaired_at"]]
    mean = f"{sum(places) / len(places):.2f}" if places else "–"
    rows = [["actlab.heal", f"{sum(first)} of {len(first)}", f"{len(places)} of {len(first)}", mean, "–"]]
    if faults and all("repairs" in got for got in faults):
        chances = [sum(got["repairs"].values()) / len(got["repairs"]) for got in faults]
        p = as_many_by_chance(sum(first), chances)
        some = sum(chance > 0 for chance in chances)
        counts = [(len(got["repairs"]), sum(got["repairs"].values())) for got in faults]
        # Of n remedies of which k repair, drawn without putting back.
        expected = [(count + 1) / (right + 1) for count, right in counts if right]
        mean = f"{sum(expected) / len(expected):.2f}" if expected else "–"
        rows.append(["a remedy at random", f"{sum(chances):.1f}", f"{some} of {len(first)}", mean, f"{p:.2g}"])
        best = learnt(faults)[:1]
        named = [("the best single remedy, chosen on these faults", best)]
        named += [("the best list of the other half", learnt(other))] if other else []
        for name, remedies in named:
            at = [first_in(remedies, got) for got in faults]
            right = [place == 1 for place in at]
            known = [place for place in at if place]
            mean = f"{sum(known) / len(known):.2f}" if known else "–"
            rows.append(
                [
                    f"{name}: {', '.join(remedies)}", f"{sum(right)} of {len(right)}", f"{len(known)} of {len(right)}",
                    mean, f"{sign_test(first, right):.2g}",
                ]
            )  # fmt: skip
    head = ["adviser", "right at the first try", "repaired at all", "tries until then", "p, first try"]
    changed = sum(bool(got["tries"]) for got in sound)
    return [
        f"## {half.capitalize()} half\n", table(head, rows),
        f"Healthy trainings that something was tried with: {changed} of {len(sound)}.\n",
    ]  # fmt: skip


HOW = """# Healing, counted on trainings whose fault is known

`python -m benchmarks.healing` gives each training to `actlab.heal` with its healthy twin, and writes this page. A fault
counts as repaired where balanced accuracy, or R², on validation data reaches that of the twin in two of three new
seeds: that of its worst seed, or less than a tenth of the way from the untreated run is missing. Remedies and their
order were chosen on the tuning half.

The other advisers know nothing of what is wrong: a remedy at random of all that there are (its expectation, and the
probability that it is right at the first try for as many faults), the single remedy that repairs most, and the list
that repairs most of the other half, gone through in its order. p of these is of an exact two-sided sign test over
faults. Where no remedy repairs, as of labels that are wrong, all fail.
"""


def page(found: Mapping[int, Mapping[str, Any]], seconds: float) -> str:
    """The page docs/healing.md."""
    parts = [HOW, f"Time for all: {seconds:.0f} s on {os.cpu_count()} cores.\n"]
    for half in HALVES:
        other = [
            got for place, got in found.items() if TRAININGS[place].half != half and TRAININGS[place].kind != HEALTHY
        ]
        parts += totals(half, found, other if all("repairs" in got for got in other) else [])
    for half in HALVES:
        rows = [
            [
                TRAININGS[place].kind, TRAININGS[place].name, ", ".join(got["findings"]) or "–",
                "; ".join(" + ".join(one) for one in got["tries"]) or ("in words" if got["words"] else "–"),
                "yes" if got["repaired_at"] else "no",
            ]
            for place, got in found.items()
            if TRAININGS[place].half == half and TRAININGS[place].kind != HEALTHY
        ]  # fmt: skip
        parts += [f"## {half.capitalize()} half: every fault\n"]
        parts += [table(["kind", "training", "found", "tried, in this order", "repaired"], rows)]
    return "\n".join(parts)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def main() -> None:
    """Heal, count, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--half", choices=HALVES, help="one half alone; writes no page")
    parser.add_argument("--only", default="", help="trainings with this in their kind or name; writes no page")
    parser.add_argument("--keep", type=Path, help="a file for what is done, to go on from")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--alone", action="store_true", help="without the other advisers; writes no page")
    given = parser.parse_args()
    begun = time.perf_counter()
    found = done(numbers(given.half, given.only), given.keep, given.processes, given.alone)
    for half in [given.half] if given.half else HALVES:
        print(*totals(half, found, []), sep="\n")
    seconds = time.perf_counter() - begun
    print(f"{seconds:.0f} s")
    if not (given.half or given.only or given.alone):
        PAGE.write_text(page(found, seconds), encoding="utf-8")


if __name__ == "__main__":
    main()
