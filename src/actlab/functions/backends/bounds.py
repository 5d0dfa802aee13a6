"""`maximum`, `minimum` and `clip` for a namespace whose library takes another derivative at the kink."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Bounds(ABC):
    """Bounds of tensors and numbers; NaN propagates, and the slope at a kink is that of the piece on the left.

    Of two equal ones a number passes no gradient of `maximum`, and a tensor passes that of `minimum`.
    """

    @abstractmethod
    def is_tensor(self, x: Any) -> bool:
        """Say whether `x` is a tensor of the library."""

    @abstractmethod
    def where(self, condition: Any, chosen: Any, other: Any) -> Any:
        """`chosen` where the condition holds, else `other`."""

    def maximum(self, x: Any, other: Any) -> Any:
        """The larger one; of two equal tensors the second passes the gradient."""
        x, other = (x, other) if self.is_tensor(x) else (other, x)
        bounded = self.where(x <= other, other, x)
        return self.where(other == other, bounded, other) if self.is_tensor(other) else bounded

    def minimum(self, x: Any, other: Any) -> Any:
        """The smaller one; of two equal tensors the first passes the gradient."""
        x, other = (x, other) if self.is_tensor(x) else (other, x)
        bounded = self.where(x > other, other, x)
        return self.where(other == other, bounded, other) if self.is_tensor(other) else bounded

    def clip(self, x: Any, low: Any = None, high: Any = None) -> Any:
        """`x` between `low` and `high`, each a number, a tensor or None."""
        x = x if low is None else self.maximum(x, low)
        return x if high is None else self.minimum(x, high)
