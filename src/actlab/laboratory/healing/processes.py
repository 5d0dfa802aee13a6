"""Several trainings, in processes where that is worth their start, and else one after the other in this one."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from types import TracebackType

from actlab.laboratory.healing.trial import Build, Job, Train, Trained, trained

# A process takes seconds to start, PyTorch with it: shorter trainings are done before that.
WORTH_SECONDS = 10.0


class Trainings:
    """Trains what it is given; `told` says where."""

    def __init__(self, build: Build, train: Train, processes: int, *, asked: bool = False) -> None:
        self._build, self._train = build, train
        self._pool: ProcessPoolExecutor | None = None
        self.told = "All was trained in this process, one after the other."
        if processes > 1:
            try:
                sent = pickle.dumps((build, train))
            except Exception as error:  # Whatever an object of a user's own raises when it is pickled.
                reason = " ".join(str(error).split())[:200]
                self.told = f"All was trained in this process, for build or train cannot go to another one ({reason})."
                return
            # Each process would run the script itself anew, which may begin all over again.
            if b"__main__" in sent and not asked:
                self.told = (
                    "All was trained in this process, for build or train stand in the script that is run: in a module "
                    "of their own, or with processes= and an if __name__ == '__main__', others can help."
                )
                return
            begin = (processes, os.getcwd())
            self._pool = ProcessPoolExecutor(processes, get_context("spawn"), _begin, begin)
            self.told = f"Trained in {processes} processes."

    def __enter__(self) -> Trainings:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=kind is not None)

    def all(self, jobs: Sequence[Job]) -> list[Trained]:
        """What comes of jobs, in their order."""
        if self._pool is not None:
            try:
                waiting = [self._pool.submit(trained, self._build, self._train, job) for job in jobs]
                return [one.result() for one in waiting]
            except (BrokenProcessPool, pickle.PicklingError, ImportError, AttributeError) as error:
                reason = " ".join(str(error).split())[:200]
                self.told = f"Trained in this process, for others ended or could not begin ({reason})."
                self._pool.shutdown(cancel_futures=True)
                self._pool = None
        return [trained(self._build, self._train, job) for job in jobs]


def processes_for(asked: int | None, seconds: float, jobs: int) -> int:
    """How many processes train so many jobs at a time, of so many seconds each.

    >>> processes_for(None, 0.5, 3), processes_for(2, 0.5, 3)
    (1, 2)
    """
    if asked is not None:
        return max(1, min(asked, jobs))
    return min(os.cpu_count() or 1, jobs) if seconds > WORTH_SECONDS else 1


def _begin(processes: int, folder: str) -> None:
    """Find a user's modules where the first process did, and share the cores."""
    import torch

    if folder not in sys.path:
        sys.path.insert(0, folder)

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // processes))
