"""Rules that repeat themselves within a step of a game."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adversarial import backend
from adversarial.derivatives import Derivatives
from adversarial.evaluation import Values
from adversarial.joint import pack_like, tensors_of
from adversarial.player import Player

Tensor = Any


class Loops(Derivatives):
    """A game in which something can be done again and again.

    Args:
        players: The players by name.
        compiled: Whether XLA compiles the whole step.
    """

    def __init__(
        self, players: Mapping[str, Player], *, compiled: bool
    ) -> None:
        super().__init__(players)
        self._compiled = compiled
        self._next_noise: Values = {}
        self._looping = False

    @abc.abstractmethod
    def _report(self) -> None:
        """Evaluates at the start who was not evaluated there yet."""

    def repeat(
        self,
        body: Callable[..., Sequence[Any]],
        start: Sequence[Any],
        times: int,
        until: Callable[..., Tensor] | None = None,
    ) -> list[Any]:
        """Applies a function to its own results, in a compiled loop.

        Inside, everything must be evaluated at a point that is given. The
        result must not be differentiated; see `unroll`.

        Args:
            body: Takes and returns as many things as `start` has, of the same
                structure: joint vectors, tensors, states of optimizers.
            start: What the first call is given.
            times: How often at most.
            until: Takes what `body` takes; once it says so, by a boolean
                scalar tensor, the loop ends.
        """

        def loop() -> list[Tensor]:
            return backend.repeat(
                _on_tensors(body, start),
                tensors_of(start),
                times,
                until and (lambda *flat: until(*pack_like(start, flat))),
            )

        return pack_like(start, self._apart(loop))

    def unroll(
        self,
        body: Callable[..., Sequence[Any]],
        start: Sequence[Any],
        times: int,
        *,
        rematerialize: bool = False,
    ) -> list[Any]:
        """Applies a function to its own results, to be differentiated.

        Where XLA compiles the whole step, this is a loop.

        Args:
            body: As for `repeat`.
            start: As for `repeat`.
            times: How often.
            rematerialize: Whether a derivative computes each round once more
                rather than to remember what is in it. What is differentiated
                by must then be in `start`. Not when run eagerly.
        """
        step = _on_tensors(body, start)
        if rematerialize:
            step = backend.recomputed(step)

        def rounds() -> list[Tensor]:
            tensors = tensors_of(start)
            if self._compiled and not backend.in_replica():
                return backend.repeat(step, tensors, times)
            for _ in range(times):
                tensors = list(step(*tensors))
            return tensors

        return pack_like(start, self._apart(rounds))

    def _apart(self, evaluate: Callable[[], list[Tensor]]) -> list[Tensor]:
        """Evaluates something of which the game keeps no record."""
        self._report()
        kept, outer = dict(self._next_noise), self._looping
        self._looping = True
        try:
            with self._at_one_scale():
                return evaluate()
        finally:
            self._next_noise, self._looping = kept, outer


def _on_tensors(
    body: Callable[..., Sequence[Any]], start: Sequence[Any]
) -> Callable[..., Sequence[Tensor]]:
    return lambda *flat: tensors_of(body(*pack_like(start, flat)))
