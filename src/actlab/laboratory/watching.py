"""A training of a user's own, watched: what is wrong is said while it trains, and all that was seen is recorded."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actlab.diagnosis import Finding, Verdict
from actlab.errors import InvalidModel
from actlab.laboratory.doors import framework_of, refusal_of, watch_flax, watch_keras
from actlab.laboratory.listening import Listener, recorder_of
from actlab.watching.looks import Look

if TYPE_CHECKING:
    from torch import nn

    from actlab.watching.recorder import Recorder


class Watch:
    """A watch on a PyTorch model; it ends by `remove`, with a `with` block, with the model or with the program."""

    def __init__(
        self,
        model: nn.Module,
        directory: str | Path | None,
        listener: Listener,
        *,
        every: int,
        include: str,
        exclude: str,
    ) -> None:
        from actlab.watching.torch_layers import LayerTracer
        from actlab.watching.torch_watch import TorchWatch

        self._listener = listener
        self._watch = TorchWatch(
            model, every=every, include=include, exclude=exclude, on_look=self._hear, on_end=self._end
        )
        self._tracer: LayerTracer | None = None
        self._recorder: Recorder | None = None
        if directory is not None:
            try:
                self._recorder = _recorder(model, directory, every)
                listener.record(self._recorder)
            except BaseException:
                listener.dismiss()
                self._watch.remove()
                raise
            self._tracer = LayerTracer(model).__enter__()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    @property
    def directory(self) -> Path | None:
        """Where the recording lies; None where there is none."""
        return self._listener.directory

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
        return self._listener.verdict

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
        return self._listener.report(out)

    def _hear(self, look: Look) -> None:
        if self._tracer is not None:
            self._tracer.remove()
            if self._recorder is not None:
                self._recorder.know(graph=self._tracer.graph, without_graph=self._tracer.failed)
            self._tracer = None
        self._listener.hear(look)

    def _end(self) -> None:
        if self._tracer is not None:
            self._tracer.remove()
        self._listener.end(self._watch.stopped, self._watch.steps if self._watch.lost else None)


def _recorder(model: nn.Module, directory: str | Path, every: int) -> Recorder:
    own = getattr(model, "_orig_mod", model)  # That of a compiled one.
    return recorder_of(own, directory, every, "PyTorch", sum(one.numel() for one in own.parameters()))


def watch(
    model: Any,
    directory: str | Path | None = None,
    *,
    probe: Any = None,
    loss: Any = None,
    every: int = 50,
    include: str = "*",
    exclude: str = "",
    mute: Collection[str] = (),
    on_finding: Callable[[Finding], None] | None = None,
) -> Any:
    """Watch a PyTorch, Keras or Flax NNX model while it trains, and say what is wrong.

    At the first steps and every so manieth one, functions, gradients, updates and the loss are looked at; between them
    nothing is touched, and weights end with the same bytes as without. What is found is told once, as an
    `ActlabWarning`, and kept. A PyTorch training is seen as it runs, without a call per step. A callback of Keras gets
    no batch, and a compiled step of Flax runs no Python: these are looked at with a probe batch.

    Args:
        model: a `torch.nn.Module`, compiled or not; a compiled `keras.Model`; or a `flax.nnx.Module`. Copies and saved
            models are not watched.
        directory: a new directory for the recording, which `actlab report`, `diagnose`, `figure`, `export` and
            `actlab.load` read; None to record nothing. What cannot be written ends the recording, never the training.
        probe: (x, y), some samples of the training data; needed for Keras and Flax.
        loss: for Flax, a function of (outputs, y), which gives a number or one for each sample.
        every: so many steps lie between two looks.
        include, exclude: patterns of the names of functions' places, as "encoder.*".
        mute: codes of findings that are not wanted, as "rate_too_low": see `actlab.statistics.findings.codes`.
        on_finding: called with each finding that is told, when it is.

    Returns:
        the watch: `findings`, `verdict`, `looks`, `stopped`, `remove()`, `report()`; it can stand in a `with`
        statement. Of a Keras model it is a callback for `fit`. Of a Flax module it has `step()`, to be called after
        each step, as `step(model)` where copies of the module are trained.

    Raises:
        InvalidModel: no such model, one that is watched already, or no probe or loss that fits. UnknownName: no code.
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
    listener, framework = Listener(mute, on_finding), framework_of(model)
    if framework in ("keras", "flax"):
        door = watch_keras if framework == "keras" else watch_flax
        return door(model, directory, listener, probe, loss, every=every, include=include, exclude=exclude)
    if framework != "torch":
        raise refusal_of(model)
    if probe is not None or loss is not None:
        raise InvalidModel(
            "probe and loss are for Keras and Flax: a PyTorch training is seen as it runs, leave them out."
        )
    return Watch(model, directory, listener, every=every, include=include, exclude=exclude)
