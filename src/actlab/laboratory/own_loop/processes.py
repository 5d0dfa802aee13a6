"""Members trained in processes of this machine, or in this one where a user's code cannot be sent to another."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import re
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from actlab.errors import InvalidModel, tell
from actlab.laboratory.own_loop.job import Job
from actlab.laboratory.own_loop.kept import Outcome, keep

Train = Callable[[Job], Outcome]
_GUARD = re.compile(r"__name__\s*==\s*[\"']__main__|[\"']__main__[\"']\s*==\s*__name__")


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # Not every system tells.
        return os.cpu_count() or 1


def refuse_within_worker() -> None:
    """Raise InvalidModel where a process that is to train has begun the user's script from its top."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise InvalidModel(
            'put the call of compare beneath if __name__ == "__main__":, for processes import the script.'
        )


def run(
    jobs: Sequence[Job],
    directory: Path,
    train: Train,
    processes: int,
    set_threads: Callable[[int], None],
    advance: Callable[[], None],
) -> int:
    """Train members and keep each as soon as it has ended.

    Args:
        jobs: the members.
        directory: of the comparison.
        train: trains one.
        processes: so many at a time; in this process where 1.
        set_threads: how many threads a process computes with.
        advance: called after each.

    Returns:
        in how many processes they were trained.

    Raises:
        Misused: no member can be trained so. OSError: a member cannot be kept.
    """
    processes = min(processes, len(jobs))
    if processes > 1 and (reason := _stays_here(jobs[0])):
        tell(f"{reason}: the networks are trained in this process, one after another.", stacklevel=4)
        processes = 1
    left = list(jobs)
    if processes > 1:
        left = _apart(jobs, directory, train, processes, set_threads, advance)
        if left:
            tell(
                "a process that trained ended by itself (out of memory?): the networks that are left are trained in "
                "this process, one after another.",
                stacklevel=4,
            )
    for job in left:
        keep(directory, train(job))
        advance()
    return 1 if left else processes


def _stays_here(job: Job) -> str | None:
    """Why members cannot be trained in other processes; None where they can."""
    main = sys.modules.get("__main__")
    script = getattr(main, "__file__", None)
    try:
        pickle.dumps((job.build, job.train))
    except Exception as error:  # Whatever a user's objects raise.
        text = " ".join(str(error).split())[:120]
        return f"build or train cannot be sent to another process ({text}); define both in a module or script"
    if script is None:
        if any(getattr(code, "__module__", None) == "__main__" for code in (job.build, job.train)):
            return "build or train is defined in a notebook or at a prompt, which other processes cannot import"
        return None
    if getattr(main, "__spec__", None) is None and not _is_guarded(script):
        return (
            f"{Path(script).name} would be run from its top in every process: put the call of compare beneath "
            'if __name__ == "__main__":'
        )
    return None


def _is_guarded(script: str) -> bool:
    try:
        return bool(_GUARD.search(Path(script).read_text(encoding="utf-8", errors="replace")))
    except OSError:  # As of a script that came through a pipe.
        return False


def _apart(
    jobs: Sequence[Job],
    directory: Path,
    train: Train,
    processes: int,
    set_threads: Callable[[int], None],
    advance: Callable[[], None],
) -> list[Job]:
    """Train in processes; gives those that are left where one of these ended by itself."""
    context = multiprocessing.get_context("spawn")
    threads = max(1, cores() // processes)
    pool = ProcessPoolExecutor(processes, context, initializer=set_threads, initargs=(threads,))
    left = dict(enumerate(jobs))
    try:
        waiting = {pool.submit(_train_and_keep, train, job, directory): number for number, job in left.items()}
        for done in as_completed(waiting):
            try:
                done.result()
            except BrokenProcessPool:
                break
            del left[waiting[done]]
            advance()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return list(left.values())


def _train_and_keep(train: Train, job: Job, directory: Path) -> None:
    keep(directory, train(job))
