"""The place of an activation function."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from actlab.errors import InvalidNetwork
from actlab.functions import Activation, catalogue
from actlab.layers.description import Shape, description, names_as_recorded


@description
class Act:
    """The place of an activation function.

    Args:
        function: name of a fixed function; None for the one under study.
        per_unit: whether trainable parameters of the function (prelu's slope) are one per unit or one per layer.
    """

    function: str | None = None
    per_unit: bool = True
    layer: Literal["act"] = field(default="act", kw_only=True, repr=False)

    def __post_init__(self) -> None:
        if self.function is not None and not names_as_recorded.get():
            catalogue[self.function]

    def activation(self, studied: Activation) -> Activation:
        """The function at this place, where `studied` is the one under study."""
        return studied if self.function is None else catalogue[self.function]

    def output_shape(self, shape: Shape, studied: Activation) -> Shape:
        """Shape of one sample after the function: maxout leaves one unit for every `pieces`, crelu makes two of one."""
        function = self.activation(studied)
        group = function.inputs_per_unit()
        if shape[-1] % group:
            raise InvalidNetwork(
                f"{function.name} makes one unit out of {group} inputs and got {shape[-1]}: "
                f"give the layer before it a multiple of {group} units."
            )
        if weights := [p.name for p in function.parameters if p.shape]:
            raise InvalidNetwork(
                f"{function.name} has weights of its own ({', '.join(weights)}), which a population does not train: "
                f"use actlab.torch.Activation({function.name!r}, units={shape[-1]}) in a network of PyTorch."
            )
        return (*shape[:-1], int(shape[-1] / group))
