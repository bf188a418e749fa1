"""A progress bar that shows the players and fits the terminal."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import keras

BAR_WIDTH = 10
COUNTER_WIDTH = 32
"""Columns of `1000/1000 ---------- 10:05 150ms/step` without the numbers."""
NUMBER_WIDTH = len(" - : 0.6931")


class PlayerProgress(keras.callbacks.ProgbarLogger):  # type: ignore[misc]
    """Keras' progress bar with one number per player, on one line.

    Keras' own bar shows every log, which for n players with m outputs is a
    line of n * m names. This one shows the loss of each player, then as many
    metrics as fit in the terminal; `History` and other callbacks still get
    every log. `fit` uses it unless another `ProgbarLogger` is passed.

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
        self.progbar = keras.utils.Progbar(
            target=self.target,
            width=BAR_WIDTH,
            verbose=self.verbose,
            stateless_metrics=(),
        )

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
        losses = {f"{name}_loss": name for name in self.players}
        losses |= {f"val_{full}": f"val_{n}" for full, n in losses.items()}
        per_output = {
            full for full in logs if full.endswith("_loss") or full == "loss"
        }
        rest = {f: f for f in logs if f not in per_output}
        order = {f: n for f, n in {**losses, **rest}.items() if f in logs}
        room = (self.width or shutil.get_terminal_size().columns) - 1
        room -= COUNTER_WIDTH
        if self._width(losses[f"{n}_loss"] for n in self.players) > room:
            order = self._shortened(order)
        shown: dict[str, Any] = {}
        for full, name in order.items():
            if shown and self._width([*shown, name]) > room:
                break
            shown[name] = logs[full]
        return shown

    def _shortened(self, order: Mapping[str, str]) -> dict[str, str]:
        """Cuts the players' names to their shortest distinct beginnings."""
        longest = max(map(len, self.players))
        length = next(
            (
                n
                for n in range(3, longest)
                if len({p[:n] for p in self.players}) == len(self.players)
            ),
            longest,
        )
        short = {p: p[:length] for p in self.players}
        short |= {f"val_{p}": f"val_{s}" for p, s in short.items()}
        return {full: short.get(name, name) for full, name in order.items()}

    @staticmethod
    def _width(names: Any) -> int:
        return sum(len(name) + NUMBER_WIDTH for name in names)
