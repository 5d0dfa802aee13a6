"""A comparison in a loop of a user's own, from end to end: what is asked, trained, kept, recorded."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from actlab.errors import InvalidModel, InvalidRecording, InvalidStudy, RecordingFailed, shortened
from actlab.files import make_directory, write_synced
from actlab.functions import activation_named
from actlab.functions.variants import split_names
from actlab.laboratory import tuning
from actlab.laboratory.comparison import write_missing_results
from actlab.laboratory.own_loop import assembled, kept, processes
from actlab.laboratory.own_loop.job import Job, takes_act, takes_watch
from actlab.laboratory.own_loop.kept import FOLDER, Outcome
from actlab.laboratory.own_loop.source import digest_of, place_of
from actlab.laboratory.own_loop.telling import checked
from actlab.recording import Claim, discard
from actlab.recording import Recording as Stored
from actlab.recording.format import STUDY
from actlab.recording.lock import Lock
from actlab.statistics.pairs import check_baseline
from actlab.study import Observed, Variant, observed, variants
from actlab.study.seeds import MOST_SEEDS, seeds_after
from actlab.views.figures.recording import Recording, load
from actlab.views.terminal.progress import counting
from actlab.wording import counted, listed

# Factors of the loop's learning rate, half a power of ten apart.
FACTORS = (0.1, 0.32, 1.0, 3.2, 10.0)
#: Beside the members, what they are members of.
ASKED = "comparison.json"


@dataclass(frozen=True)
class Framework:
    """What a framework does for a comparison.

    Attributes:
        name: as a recording says it.
        train: trains a member.
        check: builds a model with each activation, to find what is wrong before anything is trained.
        has_accelerator: whether members share a device beside the cores.
        set_threads: how many threads a process computes with.
    """

    name: Any
    train: Callable[[Job], Outcome]
    check: Callable[[Sequence[Job]], None]
    has_accelerator: Callable[[], bool]
    set_threads: Callable[[int], None]


@dataclass(frozen=True)
class Asked:
    """What must be equal for members to be compared, and which of them are asked for; JSON-safe.

    Attributes:
        held: build, train, digests of their sources, and all else that decides what a member is.
        extent: activations, seeds, factors, tuning seeds.
    """

    held: dict[str, Any]
    extent: dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What is asked besides what is compared, as the arguments of `actlab.torch.compare`."""

    learning_rates: Any
    tuning_seeds: tuple[int, ...]
    score: str
    better: dict[str, str]
    metric: str | None
    every: int
    processes: int | None


def compare(
    framework: Framework,
    build: Callable[..., Any],
    train: Callable[..., Any],
    activations: Sequence[str],
    seeds: int | Sequence[int],
    directory: Path,
    options: Options,
    baseline: str | None,
) -> Recording:
    """See `actlab.torch.compare`."""
    most = _processes(framework, options.processes)
    study = _study(framework, build, train, activations, seeds, options)
    better, score, metric = options.better, options.score, options.metric
    _check_words(better, score)
    check_baseline(study, baseline)
    asked = _asked(study, build, train, options)
    made = None
    with _lock(directory):
        found = _finished(directory, asked, metric)
        if found is None:
            jobs = _Jobs(build, train, study.every, score, better)
            framework.check([jobs.of(name, study.seeds[0], 1.0) for name in study.activations])
            _begin(directory, asked)
            made = _train_all(framework, study, jobs, directory, most)
    if made is not None:
        study, outcomes, facts = made
        if (directory / STUDY).exists():
            # What lies there is of fewer seeds or activations, and made of the same members.
            discard(directory)
        with Claim(directory, study) as claim:
            facts |= {"asked": asdict(asked)}
            found = Recording.of(assembled.record(study, claim, outcomes, better, **facts))
    assert found is not None
    write_missing_results(found, baseline)
    return found


def _asked(study: Observed, build: Any, train: Any, options: Options) -> Asked:
    held = {"build": place_of(build), "train": place_of(train), "sources": study.source_digests, "every": study.every}
    held |= {"framework": study.framework, "score": options.score, "better": options.better}
    extent = {name: list(getattr(study, name)) for name in ("activations", "seeds", "learning_rates", "tuning_seeds")}
    return Asked(held, extent)


@dataclass(frozen=True)
class _Jobs:
    build: Callable[..., Any]
    train: Callable[..., Any]
    every: int
    score: str
    better: Mapping[str, str]

    def of(self, activation: str, seed: int, factor: float) -> Job:
        return Job(self.build, self.train, activation, seed, factor, self.every, self.score, self.better)


Key = tuple[str, float, int]


def _train_all(
    framework: Framework, study: Observed, jobs: _Jobs, directory: Path, most: int
) -> tuple[Observed, dict[Key, Outcome], dict[str, Any]]:
    """Choose factors where there are several, and train what is missing: the study with the choice, members, facts."""

    def trained(keys: Iterable[Key], what: str) -> dict[Key, Outcome]:
        keys = list(keys)
        missing = [key for key in keys if kept.kept(directory, key[0], key[2], key[1]) is None]
        if missing:
            wanted = [jobs.of(name, seed, factor) for name, factor, seed in missing]
            with counting(f"{what}: {counted(len(wanted), 'network')}", len(wanted)) as advance, _told_where(directory):
                used.append(processes.run(wanted, directory, framework.train, most, framework.set_threads, advance))
        return _outcomes(directory, keys)

    used: list[int] = []
    facts: dict[str, Any] = {"tuning": None}
    if len(study.learning_rates or ()) > 1:
        scores = _tuned(directory, study, lambda keys: trained(keys, "choosing learning rates"))
        study = study.model_copy(update={"chosen_rates": tuning.chosen(scores)})
        facts = {"tuning": tuning.rows_of(scores, study)}
    outcomes = trained(_members(study), "training")
    _refuse_all_raised(directory, outcomes)
    return study, outcomes, facts | {"processes": max(used, default=1)}


def _members(study: Observed) -> list[Key]:
    return [(own.activation, own.learning_rate, seed) for own in variants(study) for seed in study.seeds]


def _outcomes(directory: Path, keys: Iterable[Key]) -> dict[Key, Outcome]:
    found = {key: kept.kept(directory, key[0], key[2], key[1]) for key in keys}
    if missing := [key for key, own in found.items() if own is None]:
        raise RecordingFailed(f"{directory / FOLDER}: {counted(len(missing), 'network')} cannot be read back.")
    return {key: own for key, own in found.items() if own is not None}


def _refuse_all_raised(directory: Path, outcomes: Mapping[Key, Outcome]) -> None:
    """Raise InvalidModel where not one training came to its end by itself; nothing of them is kept then."""
    held = list(outcomes.values())
    if not held or not all(own.raised for own in held):
        return
    for own in held:
        kept.file_of(directory, own.activation, own.seed, own.factor).unlink(missing_ok=True)
    folder = directory / FOLDER
    if not any(path.suffix == ".npz" for path in folder.iterdir()):
        (folder / ASKED).unlink(missing_ok=True)
        folder.rmdir()
    reasons = list(dict.fromkeys(own.ended[1] for own in held if own.ended))
    raise InvalidModel(f"train raised something in all {counted(len(held), 'network')}: {'; '.join(reasons[:3])}.")


def _tuned(directory: Path, study: Observed, trained: Callable[[Iterable[Key]], dict[Key, Outcome]]) -> tuning.Scores:
    """How all factors did with the tuning seeds, those beyond an end where the best lies there among them."""
    scores: tuning.Scores = {}
    waiting = [(study.activations, study.learning_rates or ())]
    for _ in range(tuning.EXTENSIONS + 1):
        wanted = [Variant(name, rate) for activations, rates in waiting for name in activations for rate in rates]
        outcomes = trained((own.activation, own.learning_rate, seed) for own in wanted for seed in study.tuning_seeds)
        _refuse_all_raised(directory, outcomes)
        scores |= {
            own: _tried([outcomes[own.activation, own.learning_rate, seed] for seed in study.tuning_seeds])
            for own in wanted
        }
        waiting = list(tuning.beyond(scores))
        if not waiting:
            break
    return scores


def _tried(outcomes: Sequence[Outcome]) -> tuning.Tried:
    losses = tuple(_last(own, "validation_loss") for own in outcomes)
    if all(own.ended is None for own in outcomes) and not any(map(math.isfinite, losses)):
        raise InvalidModel(
            "learning_rates: of several, each activation gets the best by the validation loss at the end, which train "
            "does not tell: give watch.epoch(validation_loss=…), or one factor."
        )
    finite = [loss if math.isfinite(loss) else math.inf for loss in losses]
    known = {"accuracy": "accuracies", "rmse": "rmses"}
    name = next((own for own in known if any(f"validation_{own}" in o.metrics[-1] for o in outcomes)), None)
    scores = tuple(_last(own, f"validation_{name}") for own in outcomes)
    mean = sum(finite) / len(finite)
    return tuning.Tried((mean, finite.count(math.inf)), losses, scores, f"validation_{known[name]}" if name else "")


def _last(own: Outcome, metric: str) -> float:
    return own.metrics[-1].get(metric, math.nan) if own.ended is None else math.nan


def _study(framework: Framework, build: Any, train: Any, activations: Any, seeds: Any, options: Options) -> Observed:
    """What is asked as a study, checked."""
    takes_act(build)
    takes_watch(train)
    if isinstance(activations, str):
        activations = split_names(activations)
    names = [activation_named(name).name for name in activations]
    numbers, factors = _seeds(seeds), _factors(options.learning_rates)
    for what, values in (("activations", names), ("seeds", numbers), ("learning_rates", factors)):
        if twice := [value for place, value in enumerate(values) if value in values[:place]]:
            raise InvalidStudy(f"{what}: {shortened(twice[0])} is named twice.")
    places = place_of(build), place_of(train)
    return observed(
        places[0],
        loop=places[1],
        name=getattr(build, "__name__", places[0].partition(":")[2]),
        activations=names,
        seeds=numbers,
        factors=factors,
        tuning_seeds=options.tuning_seeds or (seeds_after(_whole(numbers)) if len(factors) > 1 else ()),
        source_digests={places[0]: digest_of(build), places[1]: digest_of(train)},
        framework=framework.name,
        every=options.every,
        metric=options.metric,
    )


def _seeds(seeds: Any) -> list[Any]:
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        if not 1 <= seeds <= MOST_SEEDS:
            raise InvalidStudy(f"seeds: a number from 1 to {MOST_SEEDS:,} or a list is expected, got {seeds}.")
        return list(range(seeds))
    if isinstance(seeds, (str, bytes)) or not isinstance(seeds, Iterable):
        raise InvalidStudy(f"seeds: a whole number, or a list of them, is expected, got {shortened(seeds)}.")
    return list(seeds)


def _factors(rates: Any) -> list[float]:
    if isinstance(rates, str) and rates == "auto":
        return list(FACTORS)
    given = [rates] if isinstance(rates, (int, float)) else rates
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise InvalidStudy(f"learning_rates: factors of the loop's own or 'auto' are expected, got {shortened(rates)}.")
    # What is no number is refused by the study.
    return [float(own) if type(own) is int else own for own in given]


def _whole(seeds: Iterable[Any]) -> list[int]:
    # What is none is refused as a seed.
    return [seed for seed in seeds if isinstance(seed, int)]


def _processes(framework: Framework, asked: int | None) -> int:
    processes.refuse_within_worker()
    if asked is None:
        return 1 if framework.has_accelerator() else processes.cores()
    if isinstance(asked, bool) or not isinstance(asked, int) or asked < 1:
        raise InvalidStudy(f"processes: a whole number of 1 or more is expected, got {shortened(asked)}.")
    return asked


def _check_words(better: Mapping[str, str], score: str) -> None:
    for name, direction in better.items():
        if direction not in ("higher", "lower"):
            raise InvalidStudy(f'better: "higher" or "lower" is expected for {name!r}, got {shortened(direction)}.')
    checked({score: 0.0}, better, "score: compare")


@contextmanager
def _lock(directory: Path) -> Iterator[None]:
    try:
        lock = Lock(directory)
    except OSError as error:
        raise RecordingFailed(f"{directory}: nothing can be written there ({error.strerror}).") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _told_where(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.strerror is None:
            raise
        raise RecordingFailed(
            f"{directory}: a network cannot be kept ({error.strerror}); those that are there stay, and the same call "
            "goes on with them."
        ) from None


def _finished(directory: Path, asked: Asked, metric: str | None) -> Recording | None:
    """The complete recording of what is asked, where it lies there; None where something is to be trained.

    Raises:
        InvalidRecording: something else lies there.
    """
    if (directory / STUDY).is_file():
        found = Stored(directory)
        told = found.facts.get("asked")
        if not isinstance(told, dict):
            raise InvalidRecording(f"{directory} holds another recording: it is left as it is; name another directory.")
        _refuse_other(directory, told["held"], asked)
        if found.complete and told["extent"] == asked.extent:
            whole = load(directory)
            if metric is not None:
                whole.lead_by(metric)
            return whole
    elif (directory / FOLDER / ASKED).is_file():
        _refuse_other(directory, _read(directory / FOLDER / ASKED), asked)
    elif others := [path.name for path in directory.iterdir() if path.name != "lock"]:
        raise InvalidRecording(
            f"{directory} exists and holds no recording but {listed(sorted(others)[:3])}: it is left as it is; name "
            "another directory."
        )
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InvalidRecording(f"{path} cannot be read ({error}): name another directory.") from None


def _refuse_other(directory: Path, told: Mapping[str, Any], asked: Asked) -> None:
    """Raise InvalidRecording where a directory is that of another comparison."""
    if told == asked.held:
        return
    then, now = told.get("sources") or {}, asked.held["sources"]
    changed = [
        f"{name!r} ({then[name][:8]}… then, {now[name][:8]}… now)"
        for name in now
        if then.get(name, now[name]) != now[name]
    ]
    if changed and {**told, "sources": now} == asked.held:
        raise InvalidRecording(
            f"{directory} holds this comparison with another source of {listed(changed)}: networks of the two cannot "
            "be compared. Name another directory, or remove this one."
        )
    other = [name for name, value in asked.held.items() if told.get(name) != value and name != "sources"]
    raise InvalidRecording(
        f"{directory} holds another comparison (other {listed(other)}): it is left as it is; name another directory."
    )


def _begin(directory: Path, asked: Asked) -> None:
    try:
        make_directory(directory / FOLDER)
        write_synced(directory / FOLDER / ASKED, json.dumps(asked.held, indent=1).encode())
    except OSError as error:
        raise RecordingFailed(f"{directory}: nothing can be written there ({error.strerror}).") from None
