"""Residual blocks, and the flat form in which a network holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, cast

from pydantic import Discriminator, Field
from pydantic.dataclasses import rebuild_dataclass

from actlab.errors import InvalidNetwork
from actlab.layers.activation import Act
from actlab.layers.description import Array, Shape, description, refusing, written
from actlab.layers.normalising import BatchNorm, LocalResponseNorm
from actlab.layers.plain import Dropout, Flatten, Scale
from actlab.layers.pooling import AvgPool, GlobalPool, MaxPool
from actlab.layers.weighted import WEIGHTED, Conv, Dense
from actlab.layers.windows import positions


@description
class Residual:
    """Residual block: y = x + f(x), f the `layers`, residual blocks among them if you like.

    Where f changes the shape, y = p(x) + f(x) with a learnt projection p without bias: a convolution with a window of
    1×1 and the stride that f has in all, or a matrix for vectors. It is drawn and penalised (`init`, `l2`) as the
    block's last Dense or Conv.

    Source: He, Zhang, Ren & Sun 2016 (arXiv 1512.03385).

    Args:
        layers: at least one.

    >>> Residual([Conv(16), BatchNorm(), Act(), Conv(16), BatchNorm()]).layers[2]
    Act(function=None, per_unit=True)
    """

    layers: Annotated[tuple[Layer, ...], Field(min_length=1)]
    layer: Literal["residual"] = field(default="residual", kw_only=True, repr=False)


Layer = Annotated[
    Dense
    | Act
    | Conv
    | MaxPool
    | AvgPool
    | GlobalPool
    | Flatten
    | Scale
    | Dropout
    | BatchNorm
    | LocalResponseNorm
    | Residual,
    Discriminator("layer"),
]
# A block may hold blocks: its type is complete only now that `Layer` exists.
rebuild_dataclass(cast(Any, Residual), force=True)
refusing(Residual)


@dataclass(frozen=True)
class Fork:
    """Where a residual block begins: what comes in is kept for its `Join`."""

    layer: str = field(default="fork", repr=False)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer."""
        return shape


@dataclass(frozen=True)
class Join:
    """Where a residual block ends: adds what its `Fork` kept.

    Attributes:
        kept: shape of one sample of that.
        projection: what it passes through before; None where it is added as it is.
    """

    kept: Shape = ()
    projection: Dense | Conv | None = None
    layer: str = field(default="join", repr=False)

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Shape of the projection's weight, where there is one."""
        return self.projection.parameter_shapes(self.kept) if self.projection else {}

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer."""
        return shape

    def apply(self, params: Mapping[str, Array], x: Array, kept: Array) -> Array:
        """x and what its Fork kept -> their sum."""
        return x + (self.projection.apply(params, kept) if self.projection else kept)


def projection(layers: Sequence[Any], start: Shape, end: Shape) -> Dense | Conv | None:
    """What makes samples of the shape `end` out of those of `start`: the projection of a block of `layers`.

    >>> projection([Conv(8, 5, stride=2, init="he_normal")], (9, 9, 3), (5, 5, 8))
    Conv(filters=8, kernel=1, padding='same', stride=2, activation=None, init='he_normal', bias=False, l2=0.0)

    Raises:
        InvalidNetwork: there is none.
    """
    if start == end:
        return None
    last = next((layer for layer in reversed(layers) if isinstance(layer, WEIGHTED)), Dense(1))
    if len(start) == len(end) == 1:
        return Dense(end[0], init=last.init, bias=False, l2=last.l2)
    if len(start) == len(end) == 3:
        for stride in range(1, max(start[:2]) + 1):
            if positions("Conv", start, 1, stride, "same") == end[:2]:
                return Conv(end[-1], 1, stride=stride, init=last.init, bias=False, l2=last.l2)
    raise InvalidNetwork(
        f"the residual block makes {written(end)} out of {written(start)}, which no 1×1 convolution does: "
        f"give the layers in it padding='same', and put what makes vectors of images behind the block."
    )
