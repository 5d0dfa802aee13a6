"""A training of a user's own, watched: what is wrong is said while it trains, and all that was seen is recorded."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actlab.diagnosis import Finding, Judge, Verdict
from actlab.errors import ActlabError, InvalidModel, tell
from actlab.statistics.findings.codes import checked
from actlab.watching.looks import Look

if TYPE_CHECKING:
    from torch import nn

    from actlab.watching.recorder import Recorder


class Watch:
    """A watch on a model; it ends by `remove`, with a `with` block, with the model or with the program.

    Attributes:
        directory: where the recording lies; None where there is none.
    """

    def __init__(
        self,
        model: nn.Module,
        directory: str | Path | None,
        *,
        every: int,
        include: str,
        exclude: str,
        mute: Collection[str],
        on_finding: Callable[[Finding], None] | None,
    ) -> None:
        from actlab.watching.torch_watch import TorchWatch

        self._mute, self._told, self._on_finding = checked(mute), set[str](), on_finding
        self._judge = Judge()
        self._recorder: Recorder | None = None
        self.directory = None if directory is None else Path(directory)
        self._watch = TorchWatch(
            model, every=every, include=include, exclude=exclude, on_look=self._seen, on_end=self._ended
        )
        if directory is not None:
            try:
                self._recorder = _recorder(model, directory, every)
            except BaseException:
                self._watch.remove()
                raise

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    @property
    def looks(self) -> list[Look]:
        """What was seen, step by step: of a long training the first looks, and evenly some of those that follow."""
        return self._watch.looks

    @property
    def findings(self) -> list[Finding]:
        """What is wrong, by all that was seen so far: see `actlab.diagnosis`."""
        return list(self.verdict.findings)

    @property
    def verdict(self) -> Verdict:
        """What can be said in all: something is wrong, it learns, it is too early, or none can tell."""
        return self._judge.verdict(self._mute)

    @property
    def stopped(self) -> str | None:
        """Why watching ended by itself; None while it goes on, or was ended."""
        return self._watch.stopped

    def remove(self) -> None:
        """Watch no longer: nothing is left in the model, and the recording is complete. Again, it does nothing."""
        self._watch.remove()

    def report(self, out: str | Path | None = None) -> Path:
        """Write the page of what was recorded so far.

        Args:
            out: the file; `report.html` in the directory of the recording where None.

        Raises:
            ActlabError: nothing is recorded, for no directory was given or no step was made.
        """
        from actlab.recording import load
        from actlab.recording.format import REPORT
        from actlab.views.report.report import report

        if self.directory is None:
            raise ActlabError("this training is not recorded: give a directory, as actlab.watch(model, 'runs/mine').")
        if self._recorder is not None:
            self._recorder.flush()
        return report(load(self.directory), self.directory / REPORT if out is None else out)

    def _seen(self, look: Look) -> None:
        if self._recorder is not None:
            self._record(look)
        self._judge.add(look)
        self._tell()

    def _record(self, look: Look) -> None:
        """What cannot be written ends the recording, and nothing else."""
        assert self._recorder is not None
        try:
            self._recorder.add(look)
        except (ActlabError, OSError) as error:
            self._recorder.close()
            self._recorder = None
            tell(f"recording ended at step {look.step}: {error} The training goes on, watched.", stacklevel=8)

    def _tell(self) -> None:
        for own in self.findings:
            # What follows from another finding is not said beside it.
            if own["severity"] == "warning" and own["cause"] is None and own["code"] not in self._told:
                self._told.add(own["code"])
                tell(f"{own['sentence']} {own['help']} [{own['code']}]", stacklevel=9)
                if self._on_finding is not None:
                    self._on_finding(own)

    def _ended(self) -> None:
        if not self.looks and self.stopped is None:
            tell(
                "no step of an optimiser that holds this model's parameters was seen: nothing was looked at. Was a "
                "copy of the model trained, or none?",
                stacklevel=6,
            )
        if self._recorder is not None:
            recorder, self._recorder = self._recorder, None
            try:
                recorder.finish(findings=self.findings, ended=self.stopped)
            except (ActlabError, OSError) as error:
                tell(f"the end of the recording cannot be written: {error}", stacklevel=6)


def _recorder(model: nn.Module, directory: str | Path, every: int) -> Recorder:
    from actlab.study import observed
    from actlab.watching.recorder import Recorder

    own = getattr(model, "_orig_mod", model)  # That of a compiled one.
    name = f"{type(own).__module__}:{type(own).__qualname__}"
    parameters = {"as built": sum(one.numel() for one in own.parameters())}
    return Recorder(directory, observed(name, every=every), {"parameters": parameters})


def watch(
    model: Any,
    directory: str | Path | None = None,
    *,
    every: int = 50,
    include: str = "*",
    exclude: str = "",
    mute: Collection[str] = (),
    on_finding: Callable[[Finding], None] | None = None,
) -> Watch:
    """Watch a PyTorch model while it trains, and say what is wrong.

    At the first steps and every so manieth one, activation functions, gradients, updates and the loss are looked at;
    between them nothing of the training is touched. No call per step is needed: the optimiser's steps are counted.
    Weights end with the same bytes as without. What is found is told once, as an `ActlabWarning`, and kept.

    Args:
        model: a `torch.nn.Module`, compiled or not. Copies and saved models are not watched.
        directory: a new directory for the recording, which `actlab report`, `diagnose`, `figure`, `export` and
            `actlab.load` read; None to record nothing. What cannot be written ends the recording, never the training.
        every: so many steps lie between two looks.
        include, exclude: patterns of the names of functions' places, as "encoder.*".
        mute: codes of findings that are not wanted, as "rate_too_low": see `actlab.statistics.findings.codes`.
        on_finding: called with each finding that is told, when it is.

    Returns:
        the watch: `findings`, `verdict`, `looks`, `remove()`, `report()`; it can stand in a `with` statement.

    Raises:
        InvalidModel: no PyTorch module, one without parameters that train, or one that is watched already.
        UnknownName: a code to mute that there is not.
        InvalidRecording: the directory holds something. RecordingFailed: nothing can be written there.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    >>> optimiser = torch.optim.SGD(model.parameters(), 0.1)
    >>> with watch(model) as seen:
    ...     torch.nn.functional.mse_loss(model(torch.ones(4, 2)), torch.zeros(4, 1)).backward()
    ...     optimiser.step()
    >>> [look.step for look in seen.looks], seen.findings
    ([0], [])
    """
    if not any(kind.__module__.startswith("torch.") for kind in type(model).__mro__):
        raise InvalidModel(f"a PyTorch module is expected, not {type(model).__name__}: give the model itself.")
    return Watch(model, directory, every=every, include=include, exclude=exclude, mute=mute, on_finding=on_finding)
