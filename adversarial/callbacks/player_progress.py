"""A progress bar that shows the players and fits the terminal."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

import keras
import numpy as np

LONGEST_BAR = 10
SHORTEST_BAR = 3
REST_WIDTH = len("  1:05:59 150ms/step")
"""Columns of what stands beside the counter, the bar and the logs."""
NUMBER_WIDTH = len(" - : -0.6931")


def with_player_progress(
    callbacks: Any, verbose: str | int, players: Sequence[str]
) -> Any:
    """Adds a `PlayerProgress` where Keras would add a progress bar.

    Args:
        callbacks: What `fit` or `evaluate` was given.
        verbose: As in Keras; 0 is no bar.
        players: The names of the players.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks
    found = list(keras.tree.flatten(callbacks or []))
    bars = keras.callbacks.ProgbarLogger
    if verbose and not any(isinstance(c, bars) for c in found):
        found.append(PlayerProgress(players))
    return found


class PlayerProgress(keras.callbacks.ProgbarLogger):  # type: ignore[misc]
    """Keras' progress bar with one number per player, on one line.

    Keras' own bar shows every log, which for n players with m outputs is a
    line of n * m names. This one shows the loss of each player, then as many
    metrics as fit in the terminal; `History` and other callbacks still get
    every log. Where the terminal is too narrow, the bar is cut, then the names
    of the players. `fit` uses it unless another `ProgbarLogger` is passed.

    Args:
        players: The names of the players, in order.
        width: Columns of the terminal; `None` asks it (80 if it is none).
    """

    def __init__(
        self, players: Sequence[str], width: int | None = None
    ) -> None:
        super().__init__()
        self.players = list(players)
        self.width = width

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the bar of an epoch, narrower than Keras' own."""
        super().on_epoch_begin(epoch, logs)
        self.progbar = self._bar()

    def on_test_begin(self, logs: Any = None) -> None:
        """Starts a bar, when called by `evaluate`."""
        before = self.progbar
        super().on_test_begin(logs)
        if self.progbar is not before:
            self.progbar = self._bar()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Shows the means of the epoch so far."""
        super().on_train_batch_end(batch, self.shown(logs or {}))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Shows the means of the epoch, validation included if it fits."""
        super().on_epoch_end(epoch, self.shown(logs or {}))

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Shows the means so far, when called by `evaluate`."""
        super().on_test_batch_end(batch, self.shown(logs or {}))

    def on_test_end(self, logs: Any = None) -> None:
        """Shows the means, when called by `evaluate`."""
        super().on_test_end(self.shown(logs or {}))

    def shown(self, logs: Mapping[str, Any]) -> dict[str, Any]:
        """Picks the logs that fit, under short names."""
        names = self._names()
        order = {f"{player}_loss": name for player, name in names.items()}
        order |= {f"val_{full}": f"val_{name}" for full, name in order.items()}
        for full in logs:
            if full != "loss" and not full.endswith("_loss"):
                order[full] = _renamed(full, names)
        room = self._room() - self._bar_width()
        shown: dict[str, Any] = {}
        for full in order:
            if full in logs:
                if shown and _width([*shown, order[full]]) > room:
                    break
                shown[order[full]] = _Number(np.mean(logs[full]))
        return shown

    def _bar(self) -> Any:
        return keras.utils.Progbar(
            target=self.target,
            width=self._bar_width(),
            verbose=self.verbose,
            stateless_metrics=(),
        )

    def _bar_width(self) -> int:
        left = self._room() - _width(self._names().values())
        return max(SHORTEST_BAR, min(LONGEST_BAR, left))

    def _room(self) -> int:
        """Columns for the bar and the logs; the last column stays empty."""
        steps = str(self.target or "Unknown")
        columns = self.width or shutil.get_terminal_size().columns
        return columns - 1 - REST_WIDTH - len(f"{steps}/{steps}")

    def _names(self) -> dict[str, str]:
        """The players' names, cut if there is no room."""
        if _width(self.players) + SHORTEST_BAR <= self._room():
            return {player: player for player in self.players}
        return dict(zip(self.players, _cut(self.players), strict=True))


class _Number(float):
    """A number that a Keras progress bar writes in at most 7 columns."""

    def __truediv__(self, other: float) -> _Number:
        return self

    def __format__(self, spec: str) -> str:
        size = abs(self)
        if size >= 1e6 or 0 < size < 1e-4:
            return format(float(self), ".0e")
        digits = next((d for d in (4, 3, 2) if size < 10 ** (5 - d)), 0)
        return format(float(self), f".{digits}f")


def _cut(names: Sequence[str]) -> list[str]:
    """Cuts names to distinct beginnings, or what they share to one letter."""
    for length in range(3, max(map(len, names))):
        beginnings = [name[:length] for name in names]
        if len(set(beginnings)) == len(names):
            return beginnings
    columns = zip(*names, strict=False)
    alike = [*takewhile(lambda letters: len(set(letters)) == 1, columns)]
    return [name[:1] + name[max(1, len(alike)) :] for name in names]


def _renamed(full: str, names: Mapping[str, str]) -> str:
    for player, name in names.items():
        for before in ("", "val_"):
            if full.startswith(f"{before}{player}_"):
                return f"{before}{name}{full[len(before) + len(player) :]}"
    return full


def _width(names: Iterable[str]) -> int:
    return sum(len(name) + NUMBER_WIDTH for name in names)
