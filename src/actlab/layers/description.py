"""What all layers share: frozen, validated descriptions, whose wrong arguments are an InvalidNetwork."""

from __future__ import annotations

import functools
from contextvars import ContextVar
from typing import Annotated, Any, TypeVar, cast, dataclass_transform

from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as validated

from actlab import initialisers
from actlab.errors import InvalidNetwork, complaint

Array = Any
Shape = tuple[int, ...]
T = TypeVar("T")
# Set while the study of a recording is read: its functions may be a user's own, unknown to this process.
names_as_recorded: ContextVar[bool] = ContextVar("names_as_recorded", default=False)
Initialiser = Annotated[str, AfterValidator(initialisers.check)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass_transform(frozen_default=True)
def description(layer: type[T]) -> type[T]:
    """A frozen, validated dataclass whose wrong arguments are an InvalidNetwork."""
    return refusing(cast("type[T]", validated(frozen=True, config=ConfigDict(extra="forbid"))(layer)))


def refusing(layer: type[T]) -> type[T]:
    """A validated dataclass, once its types are known, made to refuse with an InvalidNetwork."""
    init = layer.__init__

    @functools.wraps(init)
    def checked(self: Any, *arguments: Any, **settings: Any) -> None:
        try:
            init(self, *arguments, **settings)
        except ValidationError as error:
            raise InvalidNetwork(f"{layer.__name__}: {complaint(error.errors()[0])}") from None

    layer.__init__ = checked  # type: ignore[method-assign]
    return layer


def written(shape: Shape) -> str:
    """The shape of one sample, as errors show it.

    >>> written((32, 32, 3)), written((784,))
    ('32×32×3', '784')
    """
    return "×".join(map(str, shape))
