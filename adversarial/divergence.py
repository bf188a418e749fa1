"""Noticing a loss that is not finite, without waiting inside a step."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from adversarial import backend
from adversarial.errors import GameDivergedError, conversation, divergence
from adversarial.layers.positive import positive_whole
from adversarial.rollback import Rollback

Tensor = Any
CHOICES = ("raise", "warn", "rollback")
EVERY = 100
"""Steps between the states that are kept to go back to."""


class DivergenceMonitor:
    """Remembers the first bad step until the host looks.

    Args:
        players: The names of the players.
        on_nonfinite: `"raise"` stops at the first bad step and lets nobody
            move from there on; `"warn"` skips bad steps and warns;
            `"rollback"` goes back to an earlier state and warns.
        every: The number of steps between the states that are kept for that;
            `None` is 100.

    Attributes:
        yields: Whether a callback ends the training when it sees a loss that
            is not finite: then that is no error, but a warning.
    """

    def __init__(
        self, players: list[str], on_nonfinite: str, every: int | None = None
    ) -> None:
        if not isinstance(on_nonfinite, str) or on_nonfinite not in CHOICES:
            raise ValueError(
                conversation(
                    "`on_nonfinite` must be 'raise', 'warn' or 'rollback'.",
                    received=f"{on_nonfinite!r}.",
                )
            )
        self.rollback: Rollback | None = None
        if on_nonfinite == "rollback":
            every = EVERY if every is None else every
            self.rollback = Rollback(positive_whole("rollback_every", every))
        elif every is not None:
            raise ValueError(
                conversation(
                    '`rollback_every` is for `on_nonfinite="rollback"`.',
                    received=f"{every!r}, and on_nonfinite={on_nonfinite!r}.",
                    fix='pass `on_nonfinite="rollback"`, or leave it out.',
                )
            )
        self.players = players
        self.on_nonfinite = on_nonfinite
        self.yields = False
        self.raises = on_nonfinite == "raise"
        self.halts = on_nonfinite != "warn"
        self.record = keras.Variable(
            np.zeros(1 + len(players), "int32"),
            dtype="int32",
            trainable=False,
            name="first_bad_step",
        )

    def permitted(self) -> Tensor:
        """Whether players may move: a boolean scalar tensor."""
        return ops.logical_or(not self.halts, backend.read(self.record)[0] == 0)

    def note(self, finite: list[Tensor], step: Tensor) -> None:
        """Records the step if it is the first bad one.

        Args:
            finite: Per player, whether its losses were finite.
            step: The number of the step, from 0.
        """
        bad = ops.cast(ops.logical_not(ops.stack(finite)), "int32")
        number = ops.reshape(ops.cast(step, "int32") + 1, (1,))
        before = backend.read(self.record)
        first = ops.logical_and(ops.any(bad > 0), before[0] == 0)
        entry = ops.concatenate([number, bad])
        self.record.assign(ops.where(first, entry, before))

    def wrap(
        self,
        train_function: Callable[[Any], Any],
        strategy: Any = None,
        state: Callable[[], Sequence[keras.Variable]] = lambda: (),
    ) -> Any:
        """Returns the train function with a look after each execution.

        Args:
            train_function: What is to be watched.
            strategy: Counts the steps, and is asked to look itself, too.
            state: Returns what is kept, and put back by a rollback.
        """

        def watched(iterator: Any) -> Any:
            if self.rollback is not None:
                steps = ops.convert_to_numpy(backend.read(strategy.iterations))
                self.rollback.keep(state(), int(steps))
            logs = train_function(iterator)
            self.look(state, seen=self.yields and _is_bad(logs))
            if strategy is not None:
                strategy.look()
            return logs

        return watched

    def look(
        self,
        state: Callable[[], Sequence[keras.Variable]] = lambda: (),
        *,
        seen: bool = False,
    ) -> None:
        """Raises, goes back or warns if there was a bad step.

        Args:
            state: Returns the variables to be put back.
            seen: Whether a callback will see it and end the training.

        Raises:
            GameDivergedError: if there was, and that is what was asked for,
                or if going back does not help.
        """
        record = ops.convert_to_numpy(backend.read(self.record))
        step, *bad = record.tolist()
        if step == 0:
            return
        self.record.assign(ops.zeros_like(backend.read(self.record)))
        players = [n for n, b in zip(self.players, bad, strict=True) if b]
        if self.raises and not seen:
            raise GameDivergedError(players, step - 1)
        fix = "look for NaN in the batch, or lower the learning rates."
        if self.rollback is None:
            message = divergence(players, step - 1, fix)
        else:
            back = self.rollback.go_back(state())
            if back is None:
                raise GameDivergedError(players, step - 1)
            then = f"Training went back to where it was after {back} steps."
            message = divergence(players, step - 1, fix, then)
        warnings.warn(message, stacklevel=2)

    def forget(self) -> None:
        """Forgets the states that were kept, as another one is begun from."""
        if self.rollback is not None:
            self.rollback.forget()


def _is_bad(logs: Any) -> bool:
    return not np.isfinite(ops.convert_to_numpy(logs["loss"]))
