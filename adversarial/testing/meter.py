"""Measuring what a step does to its game."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from adversarial.game import Game


class Meter:
    """Counts the evaluations of a step that is run eagerly.

    To be shown each game before it is played.

    Attributes:
        evaluations: Evaluations of one player's gradient, divided by the
            number of players.
        order: How deeply derivatives were nested at most.
    """

    def __init__(self) -> None:
        self.evaluations = 0.0
        self.order = 0
        self._depth = 0

    def watch(self, game: Game) -> None:
        """Makes a game tell what is done to it."""
        slopes, gradient = game._slopes, game.gradient
        jvp, vjp, switch = game.jvp, game.vjp, game.switch

        def counted_slopes(
            at: Any, names: Any, copy: Any, scale: Any = None
        ) -> Any:
            self.evaluations += len(names) / len(game.players)
            with self._inside():
                return slopes(at, names, copy, scale)

        def nested_gradient(*args: Any, **kwargs: Any) -> Any:
            with self._inside():
                return gradient(*args, **kwargs)

        def nested_jvp(
            v: Any, at: Any = None, players: Any = None, *, own: bool = True
        ) -> Any:
            if not own:  # It calls itself, with `own`.
                return jvp(v, at, players, own=False)
            with self._inside():
                return jvp(v, at, players)

        def nested_vjp(u: Any, at: Any = None, *, own: bool = True) -> Any:
            if not own:
                return vjp(u, at, own=False)
            with self._inside():
                return vjp(u, at)

        def watched_switch(index: Any, branches: Any) -> None:
            switch(index, [self._watched(branch) for branch in branches])

        # Their callers inside the game find these, too.
        vars(game).update(
            _slopes=counted_slopes,
            gradient=nested_gradient,
            jvp=nested_jvp,
            vjp=nested_vjp,
            switch=watched_switch,
        )

    def _watched(
        self, branch: Callable[[Game], None]
    ) -> Callable[[Game], None]:
        def play(game: Game) -> None:
            self.watch(game)
            branch(game)

        return play

    @contextmanager
    def _inside(self) -> Iterator[None]:
        self._depth += 1
        self.order = max(self.order, self._depth)
        try:
            yield
        finally:
            self._depth -= 1
