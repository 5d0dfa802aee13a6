"""A training in a loop of a user's own, as a study: what is compared in it is known, how it is trained is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from actlab.layers import names_as_recorded
from actlab.study.settings import Count, Study

# What a loop of a user's own has its own of: settings that say nothing there.
_UNKNOWN = frozenset({"optimiser", "batch", "task_seed", "init", "match", "milestones"})
#: What the one activation of a model is called that is watched as it is.
AS_BUILT = "as built"


class Observed(Study):
    """A study whose members are trained by code of a user's own, in a framework of theirs.

    Its settings of data, optimiser and batch say nothing: the loop has its own. A learning rate is a factor of that
    which the loop asks for. Its epochs are the rows of its recording: the loop's epochs where it tells them, else the
    steps at which it was looked at.

    Args:
        loop: the training, as "module:function"; "watched" of a single training that was watched.
        framework: what the model is made with.
        every: so many steps lie between two looks.
        rows: what its epochs are: "looks" of a training that was watched, "epochs" that the loop told, or its "end"
            alone, where it told none.
    """

    loop: str
    framework: Literal["PyTorch", "Keras", "Flax"] = "PyTorch"
    every: Count = 50
    rows: Literal["looks", "epochs", "end"] = "looks"

    @property
    def own_loop(self) -> bool:
        """Whether its members were trained in a loop of a user's own."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """All settings that say something, JSON-safe."""
        return self.model_dump(mode="json", exclude=set(_UNKNOWN))

    @property
    def watched(self) -> bool:
        """Whether it is a single training that was watched, and not a comparison."""
        return self.loop == "watched"


def observed(
    model: str,
    *,
    loop: str = "watched",
    activations: Sequence[str] = (AS_BUILT,),
    seeds: Sequence[int] = (0,),
    factors: Sequence[float] = (1.0,),
    **settings: Any,
) -> Observed:
    """The study of a training in a loop of a user's own.

    Args:
        model: where its class or what builds it is defined, as "module:name".
        loop: the training, likewise; "watched" of a single one.
        activations: what is compared; functions of a user's own are taken by their names.
        seeds: of its members.
        factors: of the learning rate that the loop asks for.
        settings: others of `Observed`.

    >>> study = observed("my_models:Net", every=10)
    >>> str(study.network), study.activations, study.watched
    ('my_models:Net', ('as built',), True)
    """
    token = names_as_recorded.set(True)
    try:
        given: dict[str, Any] = {
            "network": model,
            "activations": tuple(activations),
            "seeds": tuple(seeds),
            "learning_rates": tuple(factors),
            "name": model.partition(":")[2] or model,
            "task": "data of one's own",
            "loop": loop,
        }
        given |= settings
        return Observed(**given)
    finally:
        names_as_recorded.reset(token)


def is_watched(study: Study) -> bool:
    """Whether a study is of a single training that was watched, and compares nothing.

    >>> is_watched(observed("my_models:Net")), is_watched(observed("my_models:Net", loop="my_models:train"))
    (True, False)
    """
    return isinstance(study, Observed) and study.watched
