"""Good states of a training, to go back to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

KEPT = 2
"""How many states are kept; the newest may be on the edge of an abyss."""
TRIES = 2
"""How often training goes back to the older one of these."""


class Rollback:
    """Keeps copies of variables every so many steps, in memory.

    The first time something goes wrong after a copy was made, the newest copy
    is put back; the next times, without a new copy in between, the one before
    it. Random state is not among the variables, so that what follows is
    another try.

    Args:
        every: The number of steps between copies.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self._kept: list[tuple[int, list[Any]]] = []
        self._failures = 0

    def keep(self, variables: Sequence[keras.Variable], step: int) -> None:
        """Makes a copy, if it is time; the state must be a good one.

        Args:
            variables: The variables, the same ones every time.
            step: The number of steps made.
        """
        if self._kept and step - self._kept[-1][0] < self.every:
            return
        copy = step, [v.numpy() for v in variables]
        self._kept = [*self._kept[1 - KEPT :], copy]
        self._failures = 0

    def go_back(self, variables: Sequence[keras.Variable]) -> int | None:
        """Puts a copy back.

        Returns:
            The number of steps it was made after; `None` if training has come
            back to it too often, and nothing is changed.
        """
        self._failures += 1
        if self._failures > 1 + TRIES:
            return None
        if self._failures > 1:
            self._kept = self._kept[:1]
        step, values = self._kept[-1]
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return step

    def forget(self) -> None:
        """Forgets all copies: the variables were written from outside."""
        self._kept = []
        self._failures = 0
