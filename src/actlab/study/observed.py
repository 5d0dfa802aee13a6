"""A training in a loop of a user's own, as a study: what is compared in it is known, how it is trained is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from actlab.layers import names_as_recorded
from actlab.study.settings import Count, Study

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
    """

    loop: str
    framework: Literal["PyTorch", "Keras", "Flax"] = "PyTorch"
    every: Count = 50

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
