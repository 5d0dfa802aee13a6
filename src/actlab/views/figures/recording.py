"""Figures of a recording from Python: figures and animations, for notebooks, papers and slides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actlab import recording as recordings
from actlab.errors import ActlabError, InvalidFunction, InvalidRecording, UnknownName
from actlab.replay.feature_space import FeatureSpace, feature_space, on_shared_axes
from actlab.statistics import reported, summarise
from actlab.study import is_watched
from actlab.views.palette import Style, styles_of

if TYPE_CHECKING:
    from actlab.views.figures.snapshots import Animation, Picture

FRAMES_PER_SECOND = 20.0
AXES = ("shared", "own")


@dataclass(frozen=True)
class Figures:
    """Figures of some activations' networks, at one seed and in one layer.

    Attributes:
        recording: of what.
        activations: a row of panels for each.
        layer, seed: as for `actlab.replay.feature_space.feature_space`.
        axes: "shared" by the feature spaces of all rows, or each its "own".
    """

    recording: recordings.Recording
    activations: tuple[str, ...]
    layer: str | None = None
    seed: int | None = None
    axes: str = "shared"

    @cached_property
    def spaces(self) -> tuple[FeatureSpace, ...]:
        """The feature space of each activation."""
        if is_watched(self.recording.study):
            raise InvalidRecording(
                f"{self.recording.directory} is a training that was watched, of which no samples and no weights are "
                "kept: draw curves or gradients, or see its report."
            )
        found = tuple(feature_space(self.recording, name, self.layer, self.seed) for name in self.activations)
        return on_shared_axes(found) if self.axes == "shared" else found

    @property
    def epochs(self) -> tuple[int, ...]:
        """Epochs that can be drawn: those whose weights were kept."""
        return max((space.epochs for space in self.spaces), key=len)

    def plot(self, epoch: int | Sequence[int] | None = None, **size: Any) -> Picture:
        """Feature spaces, a row for each activation and a column for each epoch; the last one where None.

        Args:
            epoch: one, or several side by side.
            **size: `figsize` in inches, where it is not to follow from the number of panels.
        """
        return self.draw(["feature-space"], epoch, **size)

    def input_space(self, epoch: int | Sequence[int] | None = None, **size: Any) -> Picture:
        """The samples in the input space with what the networks decide there; for inputs of two numbers."""
        return self.draw(["input-space"], epoch, **size)

    def probability_histogram(self, epoch: int | Sequence[int] | None = None, **size: Any) -> Picture:
        """How the predicted probabilities are distributed, the wrong ones in red."""
        return self.draw(["probabilities"], epoch, **size)

    def loss_histogram(self, epoch: int | Sequence[int] | None = None, **size: Any) -> Picture:
        """How the losses of single samples are distributed, the wrong ones in red."""
        return self.draw(["losses"], epoch, **size)

    def draw(self, kinds: Sequence[str], epoch: int | Sequence[int] | None = None, **size: Any) -> Picture:
        """Panels of several kinds, side by side: "input-space", "feature-space", "probabilities", "losses".

        Raises:
            InvalidFunction: no such kind, or "input-space" where the inputs are no plane.
            InvalidRecording: the weights of an epoch were not kept.
        """
        from actlab.views.figures.snapshots import draw_snapshots, size_of

        self._check(kinds)
        epochs = self._chosen(epoch)
        usual = size_of(len(self.activations), len(kinds) * len(epochs))
        figure, height = _empty(usual, **size)
        draw_snapshots(figure, self.spaces, kinds, epochs, self._styles, height)
        return figure

    def animate(
        self,
        epochs: Sequence[int] | None = None,
        kinds: Sequence[str] = ("feature-space",),
        frames_per_second: float = FRAMES_PER_SECOND,
        **size: Any,
    ) -> Animation:
        """The same panels at one epoch after the other: `animation.save("training.gif")`, or show it in a notebook."""
        from actlab.views.figures.snapshots import animation, draw_snapshots, size_of

        self._check(kinds)
        chosen = self._chosen(epochs if epochs is not None else self.epochs)
        figure, height = _empty(size_of(len(self.activations), len(kinds)), **size)

        def draw(epoch: int) -> None:
            draw_snapshots(figure, self.spaces, kinds, [epoch], self._styles, height)

        # A writer asks for the size before the first frame.
        draw(chosen[0])
        return animation(figure, draw, chosen, frames_per_second)

    def curves(self, **size: Any) -> Picture:
        """Validation accuracy and training loss over the epochs, medians and middle halves of all seeds."""
        return self.history("curves", **size)

    def history(self, kind: str, **size: Any) -> Picture:
        """The whole training in one figure, "curves", "gradients" or "milestones", or what the comparison concludes.

        That is "differences" (to the best one), "ranks" (by mean, with groups that are not told apart), "power"
        (what more seeds would tell) and "confusion" (which classes are mixed up).

        Raises:
            InvalidRecording: nothing of the kind was recorded.
        """
        from actlab.views.figures import watched
        from actlab.views.figures.histories import HISTORIES, SIZE, draw, height_of

        if kind not in HISTORIES:
            raise UnknownName("picture", kind, list(HISTORIES))
        figure, height = _empty((SIZE[0], height_of(kind, len(self.activations))), **size)
        if is_watched(self.recording.study):
            watched.draw(kind, figure, self.recording)
            return figure
        shown = [entry for entry in reported(self.recording) if entry.activation in self.activations]
        draw(kind, figure, self.recording, shown, self._styles, height)
        return figure

    @property
    def _styles(self) -> dict[str, Style]:
        return styles_of(self.recording.study.activations)

    def _check(self, kinds: Sequence[str]) -> None:
        from actlab.views.figures.snapshots import PANELS

        for kind in kinds:
            if kind not in PANELS:
                raise UnknownName("picture", kind, list(PANELS))
        if "input-space" in kinds and not self.spaces[0].planar:
            shape = self.recording.facts["input_shape"]
            raise InvalidFunction(f"the input space has shape {tuple(shape)} and is no plane: draw the feature space.")

    def _chosen(self, epoch: int | Sequence[int] | None) -> list[int]:
        kept = self.epochs
        chosen = [kept[-1]] if epoch is None else [epoch] if isinstance(epoch, int) else list(epoch)
        last = self.recording.epochs
        for one in chosen:
            if not 0 <= one <= last:
                raise InvalidRecording(f"there is no epoch {one}: the recording has 0 to {last}.")
            if one not in kept and one <= kept[-1]:
                raise InvalidRecording(f"the weights of epoch {one} were not kept; there are {list(kept)}.")
        return chosen


def _empty(usual: tuple[float, float], figsize: tuple[float, float] | None = None) -> tuple[Picture, float | None]:
    """A figure, and its height before it gets a legend; None where a size was given, which it then keeps."""
    from actlab.views.figures.snapshots import Picture

    return Picture(figsize=figsize or usual, layout="constrained"), None if figsize else usual[1]


def names_of(recording: recordings.Recording, activations: Sequence[str] | None) -> tuple[str, ...]:
    """Those activations, or all of the study.

    Raises:
        UnknownName: one is not of this recording.
    """
    held = recording.study.activations
    for name in activations or ():
        if name not in held:
            raise UnknownName("activation", name, list(held))
    return tuple(activations or held)


class Recording(recordings.Recording):
    """A recording that draws itself: `recording.feature_space("act1").plot(epoch=[0, 40, 150])`.

    In a notebook it shows its result as a table.
    """

    @classmethod
    def of(cls, recording: recordings.Recording) -> Recording:
        """An open recording as one that draws itself; what has been read of it is not read again."""
        if isinstance(recording, cls):
            return recording
        drawing = cls.__new__(cls)
        vars(drawing).update(vars(recording))
        return drawing

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What `actlab.summarise` says of it, computed once."""
        return summarise(self)

    def __repr__(self) -> str:
        from actlab.views.figures.notebook import line

        return line(self)

    def _repr_html_(self) -> str:
        from actlab.views.figures import notebook

        try:
            return notebook.card(self, self.summary)
        except ActlabError as error:
            return notebook.complaint(self, error)

    def feature_space(
        self,
        layer: str | None = None,
        *,
        activations: Sequence[str] | None = None,
        seed: int | None = None,
        axes: str = "shared",
    ) -> Figures:
        """Figures of a layer: `.plot(epoch=…)`, `.animate(…)`, and those below for the same activations and seed.

        Args:
            layer: a place of the function, as "act1"; the last of two units, or else the last one, where None.
            activations: all of the study where None.
            seed: a typical one where None.
            axes: "shared" by the feature spaces of all activations, or each its "own".

        Raises:
            UnknownName: no such layer, activation, seed or kind of axes.
            InvalidRecording: no weights or samples were kept.
        """
        if axes not in AXES:
            raise UnknownName("axes", axes, AXES)
        found = Figures(self, names_of(self, activations), layer, seed, axes)
        found.spaces  # noqa: B018 - a missing part is reported here, before anything is drawn
        return found

    def probability_histogram(self, epoch: int | Sequence[int] | None = None, **chosen: Any) -> Picture:
        """How the predicted probabilities are distributed; `chosen` as for `feature_space`."""
        return self.feature_space(**chosen).probability_histogram(epoch)

    def loss_histogram(self, epoch: int | Sequence[int] | None = None, **chosen: Any) -> Picture:
        """How the losses of single samples are distributed; `chosen` as for `feature_space`."""
        return self.feature_space(**chosen).loss_histogram(epoch)

    def curves(self, *, activations: Sequence[str] | None = None) -> Picture:
        """Validation accuracy and training loss over the epochs."""
        return Figures(self, names_of(self, activations)).curves()


def load(directory: str | Path) -> Recording:
    """Open the recording in a run directory, complete or stopped half-way; needs NumPy only.

    Raises:
        InvalidRecording: no recording there, or a damaged one.
    """
    return Recording(directory)
