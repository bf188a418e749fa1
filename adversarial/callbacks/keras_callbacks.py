"""Tells Keras' own callbacks what they cannot know of a game."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from adversarial.callbacks.for_player import ForPlayer
from adversarial.divergence import DivergenceMonitor
from adversarial.errors import conversation

MONITORS = (
    keras.callbacks.EarlyStopping,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.ReduceLROnPlateau,
)


def each_of(callbacks: Any) -> Iterator[Any]:
    """Yields callbacks out of lists, and those inside of `ForPlayer`."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    for callback in keras.tree.flatten(callbacks or []):
        yield callback
        if isinstance(callback, ForPlayer):
            yield from each_of(callback.callback)


@contextlib.contextmanager
def told(
    callbacks: Any, players: Sequence[str], monitor: DivergenceMonitor
) -> Iterator[None]:
    """Tells callbacks what they must know, while `fit` runs.

    Args:
        callbacks: What `fit` was given.
        players: The names of the players.
        monitor: What looks out for losses that are not finite. It leaves them
            to a `TerminateOnNaN` among the callbacks.

    Raises:
        ValueError: for a `TerminateOnNaN` that would wait in vain.
    """
    minimise_losses(callbacks, players)
    monitor.yields = ends_at_nan(callbacks, monitor.on_nonfinite)
    try:
        yield
    finally:
        monitor.yields = False


def minimise_losses(callbacks: Any, players: Sequence[str]) -> None:
    """Says that the losses of players are better when they are lower.

    With `mode="auto"` Keras knows this of `loss` alone, and raises an error
    for others.

    Args:
        callbacks: What `fit` was given.
        players: The names of the players.
    """
    for callback in each_of(callbacks):
        if isinstance(callback, MONITORS) and callback.mode == "auto":
            name = callback.monitor.removeprefix("val_")
            beginnings = tuple(f"{player}_" for player in players)
            if name.startswith(beginnings) and name.endswith("_loss"):
                callback.mode = "min"


def ends_at_nan(callbacks: Any, on_nonfinite: str) -> bool:
    """Says whether a `TerminateOnNaN` waits for a loss that is not finite.

    Args:
        callbacks: What `fit` was given.
        on_nonfinite: What the model was compiled with.

    Raises:
        ValueError: if it would wait in vain.
    """
    waits = any(
        isinstance(callback, keras.callbacks.TerminateOnNaN)
        for callback in each_of(callbacks)
    )
    if waits and on_nonfinite != "raise":
        raise ValueError(
            conversation(
                "`TerminateOnNaN` must be able to see a NaN.",
                received=f"a model compiled with on_nonfinite={on_nonfinite!r}"
                ", which keeps batches of such losses out of the logs.",
                fix="leave `TerminateOnNaN` out, or compile with "
                '`on_nonfinite="raise"`.',
            )
        )
    return waits
