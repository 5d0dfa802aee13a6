"""What becomes of the looks at a training of a user's own, whatever framework it is in: judged, told, recorded."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actlab.diagnosis import Finding, Judge, Verdict
from actlab.errors import ActlabError, tell
from actlab.statistics.findings.codes import checked
from actlab.study import AS_BUILT
from actlab.watching.looks import Look

if TYPE_CHECKING:
    from actlab.watching.recorder import Recorder


class Listener:
    """Hears looks, one after the other.

    Attributes:
        directory: where the recording lies; None where there is none.
    """

    def __init__(self, mute: Collection[str] = (), on_finding: Callable[[Finding], None] | None = None) -> None:
        """Begin with nothing heard.

        Args:
            mute: codes of findings that are not wanted.
            on_finding: called with each finding that is told.

        Raises:
            UnknownName: a code to mute that there is not.
        """
        self._mute, self._told, self._on_finding = checked(mute), set[str](), on_finding
        self._judge = Judge()
        self._recorder: Recorder | None = None
        self._heard = self._over = False
        self.directory: Path | None = None

    def record(self, recorder: Recorder) -> None:
        """Record what is heard from now on."""
        self._recorder = recorder
        self.directory = recorder.directory

    @property
    def verdict(self) -> Verdict:
        """What can be said in all: something is wrong, it learns, it is too early, or none can tell."""
        return self._judge.verdict(self._mute)

    def hear(self, look: Look) -> None:
        """Record a look, judge it, and tell what is found for the first time."""
        self._heard = True
        if self._recorder is not None:
            try:
                self._recorder.add(look)
            except (ActlabError, OSError) as error:
                # What cannot be written ends the recording, and nothing else.
                self._recorder.close()
                self._recorder = None
                tell(f"recording ended at step {look.step}: {error} The training goes on, watched.", stacklevel=8)
        self._judge.add(look)
        self._tell()

    def _tell(self) -> None:
        """Say what is found for the first time."""
        for own in self.verdict.findings:
            # What follows from another finding is not said beside it.
            if own["severity"] == "warning" and own["cause"] is None and own["code"] not in self._told:
                self._told.add(own["code"])
                tell(f"{own['sentence']} {own['help']} [{own['code']}]", stacklevel=8)
                if self._on_finding is not None:
                    self._on_finding(own)

    def end(self, stopped: str | None, lost: int | None = None) -> None:
        """Close the recording; where nothing was heard of a training that was not stopped, say so. Once.

        Args:
            stopped: why watching ended by itself; None where it did not.
            lost: the step at the end, where weights are not finite then; None where they are.
        """
        if self._over:
            return
        self._over = True
        if not self._heard and stopped is None:
            tell(
                "no step of an optimiser that holds this model's parameters was seen: nothing was looked at. Was a "
                "copy of the model trained, or none?",
                stacklevel=6,
            )
        if lost is not None:
            self._judge.end(lost)
            self._tell()
        if self._recorder is not None:
            recorder, self._recorder = self._recorder, None
            try:
                recorder.finish(findings=list(self.verdict.findings), ended=stopped)
            except (ActlabError, OSError) as error:
                tell(f"the end of the recording cannot be written: {error}", stacklevel=6)

    def dismiss(self) -> None:
        """Say nothing at the end: the watch could not begin."""
        self._over = True

    def report(self, out: str | Path | None = None) -> Path:
        """Write the page of what was recorded so far: see `Watch.report`."""
        from actlab.recording import load
        from actlab.recording.format import REPORT
        from actlab.views.report.report import report

        if self.directory is None:
            raise ActlabError("this training is not recorded: give a directory, as actlab.watch(model, 'runs/mine').")
        if self._recorder is not None:
            self._recorder.flush()
        return report(load(self.directory), self.directory / REPORT if out is None else out)


def recorder_of(model: Any, directory: str | Path, every: int, framework: str, parameters: int) -> Recorder:
    """What records the looks at a model.

    Raises:
        InvalidRecording: the directory holds something. RecordingFailed: nothing can be written there.
    """
    from actlab.study import observed
    from actlab.watching.recorder import Recorder

    name = f"{type(model).__module__}:{type(model).__qualname__}"
    return Recorder(directory, observed(name, every=every, framework=framework), {"parameters": {AS_BUILT: parameters}})
