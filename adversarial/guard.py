"""Holding back the writes of a step in which something is not finite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
from keras import ops

from adversarial import backend

Tensor = Any


class Guard:
    """Lets a step write as long as all that it has found is finite.

    What was written before something turned out not to be finite is taken
    back at the end.

    Args:
        permitted: A boolean scalar: if false, nothing is written.
    """

    def __init__(self, permitted: Tensor | None = None) -> None:
        self._permitted = permitted
        self._flags: list[tuple[str, Tensor]] = []
        self._before: dict[int, tuple[keras.Variable, Tensor]] = {}
        self._early: dict[int, tuple[keras.Variable, Tensor]] = {}

    def expect(self, player: str, finite: Tensor) -> None:
        """Adds a condition, a boolean scalar, for which a player answers."""
        self._flags.append((player, finite))
        self._early = dict(self._before)

    def finite(self, player: str | None = None) -> Tensor:
        """Says whether all conditions, or all of one player, hold."""
        flags = [f for n, f in self._flags if player in (None, n)]
        return ops.all(ops.stack(flags)) if flags else ops.array(True)

    def write(
        self,
        variables: Iterable[keras.Variable],
        do: Callable[[], None],
        when: Tensor | None = None,
        also: Iterable[keras.Variable] = (),
    ) -> None:
        """Runs a function that writes variables, if all conditions hold.

        Args:
            variables: Those to be restored if a later condition fails.
            do: The function.
            when: One more condition, for this function only.
            also: What else it writes, and is not to be restored later.
        """
        variables = list(variables)
        for v in variables:
            self._before.setdefault(id(v), (v, backend.read(v)))
        condition = self._allowed()
        if when is not None:
            condition = ops.logical_and(condition, when)
        backend.when(condition, do, [*variables, *also])

    def take_back(self) -> None:
        """Undoes what was written before a condition that failed."""
        early = list(self._early.values())

        def restore() -> None:
            for variable, value in early:
                backend.write(variable, value)

        if early:
            bad = ops.logical_not(self._allowed())
            backend.when(bad, restore, [v for v, _ in early])

    def _allowed(self) -> Tensor:
        if self._permitted is None:
            return self.finite()
        return ops.logical_and(self.finite(), self._permitted)


def both(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """Says whether two conditions hold; one that always does is `None`."""
    if a is None or b is None:
        return b if a is None else a
    return ops.logical_and(a, b)


def by_player(x: Any) -> Mapping[str, Any]:
    """Returns what is sorted by player as it is, and one thing as a block."""
    return x if isinstance(x, Mapping) else {"": [x]}


def put(
    variables: Iterable[keras.Variable], values: Iterable[Tensor | None]
) -> None:
    """Writes values within the constraints; `None` is left alone."""
    for variable, value in zip(variables, values, strict=True):
        if value is not None:
            constraint = variable.constraint
            backend.write(variable, constraint(value) if constraint else value)
