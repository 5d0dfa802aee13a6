"""The look-up that the catalogue fills: from names and aliases to activation functions.

It stands apart from the functions so that measuring one can look at all the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Generic, Protocol, Self, TypeVar

from actlab.errors import InvalidFunction, UnknownName
from actlab.functions.variants import bare, parsed


class Named(Protocol):
    """What a function must have to be found."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def aliases(self) -> tuple[str, ...]:
        """Its other names."""
        ...

    def with_parameters(self, **values: float) -> Self:
        """It with other defaults, under a name that says which."""
        ...


Function = TypeVar("Function", bound=Named)


_NAME = re.compile(r"[A-Za-z]([\w\- ]*\w)?")
#: Where a function can be imported from: "module:attribute".
_PLACE = re.compile(r"\w+(?:\.\w+)*:\w+(?:\.\w+)*")


def _key(name: str) -> str:
    name = bare(name)
    # Python tells modules and attributes apart by every letter.
    return name if ":" in name else re.sub(r"[-_\s]", "", name).casefold()


class Catalogue(Mapping[str, Function], Generic[Function]):
    """A mapping from names to activation functions.

    It iterates over the names alone; look-up takes aliases too, and sees through case, dashes and
    underscores. A name with parameters in parentheses gives the function with these as its defaults.

    >>> from actlab.functions import catalogue
    >>> catalogue["Leaky-ReLU(negative_slope=0.20)"].name
    'leaky_relu(negative_slope=0.2)'
    """

    def __init__(self) -> None:
        self._by_name: dict[str, Function] = {}
        self._names: dict[str, str] = {}
        self._own: set[str] = set()
        # What is compiled for a function is found again by the object: the same text gives the same one.
        self._variants: dict[str, Function] = {}

    def __getitem__(self, name: str) -> Function:
        """Return the function called `name`.

        Raises:
            UnknownName: there is none; with the nearest name.
            InvalidFunction: its parameters are not written as numbers, are unknown or out of their range.
        """
        whole, given = parsed(name) if isinstance(name, str) else (str(name), {})
        found = self._names.get(_key(whole)) if isinstance(name, str) else None
        if found is None:
            known = [*self._by_name, *(alias for entry in self.values() for alias in entry.aliases)]
            raise UnknownName("activation", whole, known)
        function = self._by_name[found]
        variant = function.with_parameters(**given) if given else function
        return function if variant is function else self._variants.setdefault(variant.name, variant)

    def __contains__(self, name: object) -> bool:
        try:
            return self[name] is not None  # pyright: ignore[reportArgumentType]
        except (UnknownName, InvalidFunction):
            return False

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        return f"<catalogue of {len(self)} activation functions: {', '.join(self)}>"

    def holds_own(self, name: str) -> bool:
        """Say whether the function called `name` was registered by a user, and not among those that came along."""
        return self._names.get(_key(name)) in self._own

    def add(self, activation: Function, *, own: bool = False, imported: bool = False) -> None:
        """Add a function; raises `InvalidFunction` if one of its names is not a name or is taken.

        Args:
            activation: the function.
            own: whether it is a user's, which can be removed again.
            imported: whether its name is "module:attribute", where it was imported from.
        """
        for name in (activation.name, *activation.aliases):
            if not isinstance(name, str) or not (_PLACE if imported else _NAME).fullmatch(name):
                raise InvalidFunction(
                    f"{name!r} is no name: it takes letters, digits and _, a letter first, with - and blanks between."
                )
            if _key(name) in self._names:
                taken = self._names[_key(name)]
                way_out = f", or take that out first: actlab.unregister({taken!r})" if taken in self._own else ""
                raise InvalidFunction(f"the name {name!r} is taken by {taken!r}: choose another{way_out}.")
        self._by_name[activation.name] = activation
        self._own |= {activation.name} if own else set()
        self._names.update({_key(name): activation.name for name in (activation.name, *activation.aliases)})

    def remove(self, activation: Function) -> None:
        """Take a function out, with its aliases."""
        del self._by_name[activation.name]
        self._own.discard(activation.name)
        self._variants = {name: one for name, one in self._variants.items() if bare(name) != activation.name}
        for name in (activation.name, *activation.aliases):
            self._names.pop(_key(name), None)


#: All functions; `actlab.functions.catalogue` is the same, of a narrower type.
catalogue: Catalogue[Any] = Catalogue()
