"""Ends a training that has gone wrong, and says why."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import keras

from adversarial import backend
from adversarial.diagnostics import gradient_norms
from adversarial.errors import conversation, quoted, unknown
from adversarial.layers.positive import positive, positive_whole

CALMER = "lower learning rates, a penalty on the slope of the discriminator"
TRY = {
    "loss": f"{CALMER} (`adversarial.penalties.R1`), or a strategy that looks "
    "ahead, such as 'extra_gradient' or 'optimistic'",
    "gradient": f"{CALMER} (`adversarial.penalties.R1`), `clipnorm` in the "
    "player's optimizer, or spectral normalisation",
    "saturation": "a lower learning rate for '{player}', more moves of the "
    "others (`Alternating(steps=...)`), a penalty such as "
    "`adversarial.penalties.R1`, augmentation if samples are few, or a loss "
    "that does not saturate",
}


class DivergenceWatch(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a training when it has gone wrong, with a diagnosis in words.

    When you want it: in long runs that nobody looks at. A GAN that has failed
    mostly goes on with finite losses, and learns nothing more.

    With l the loss of a player in a batch, and L the median of |l| over the
    first `window` batches that the callback sees:

        explosion     |l| > factor max(1, L)         for `patience` batches
        saturation    0 <= l < saturated             for `patience` batches

    The same rule as for losses holds for gradient norms, if there is a
    `batch` to take them on. Saturation is looked for in one player only, the
    one that tells real from generated samples, and only if its loss has never
    been negative.

    Facts:
        Losses are worked out from the means in the logs: exact to rounding
        where all batches are of one size. With several steps per execution
        they are means over these, and `patience` and `window` count
        executions. Losses that are not finite are the matter of
        `compile(on_nonfinite=...)`.

    Args:
        factor: How many times its size at first is too much, above 1.
        patience: For how many batches in a row, above 0.
        window: The number of first batches that say what is usual, above 0.
        player: The player that may saturate; `None` is 'discriminator', if
            there is a player of that name.
        saturated: The loss below which a player has nothing more to learn;
            `None` does not look for it.
        batch: What to take gradient norms on: x, or a tuple (x, y) or (x, y,
            sample_weight); or a function of nothing that returns that;
            `None` for none.
        every: The number of batches between looks at the gradients, above 0.
            They are judged as losses are, looks in the place of batches.

    Attributes:
        diagnosis: Why training was ended, in words; `None` if it was not.
        culprit: The name of the player, or `None`.
        step: The training step, or `None`.

    Raises:
        ValueError: for numbers out of range; when training begins, for an
            unknown player.

    Warns:
        UserWarning: with the diagnosis, when it ends the training.

    Example:

    >>> from adversarial.callbacks import DivergenceWatch
    >>> watch = DivergenceWatch(factor=50, patience=20)
    >>> watch.diagnosis is None
    True
    """

    def __init__(
        self,
        factor: float = 100.0,
        patience: int = 20,
        window: int = 100,
        *,
        player: str | None = None,
        saturated: float | None = 1e-3,
        batch: Any | Callable[[], Any] = None,
        every: int = 100,
    ) -> None:
        super().__init__()
        self.factor = positive("factor", factor)
        if self.factor <= 1:
            raise ValueError(
                conversation(
                    "`factor` must be above 1.", received=f"{factor!r}."
                )
            )
        self.patience = positive_whole("patience", patience)
        self.window = positive_whole("window", window)
        self.player = player
        self.saturated = (
            None if saturated is None else positive("saturated", saturated)
        )
        self.batch = batch
        self.every = positive_whole("every", every)
        self.diagnosis: str | None = None
        self.culprit: str | None = None
        self.step: int | None = None
        self._epoch = 0
        self._batch = 0
        self._seen = 0
        self._sums: dict[str, float] = {}
        self._usual: dict[str, list[float]] = {}
        self._streaks: dict[str, int] = {}
        self._negative: set[str] = set()

    def on_train_begin(self, logs: Any = None) -> None:
        """Begins anew."""
        players = list(self.model.players)
        if self.player is not None and self.player not in players:
            raise unknown("player", self.player, players)
        self._begin()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes the epoch, in which the means begin anew."""
        self._epoch = epoch
        self._batch = 0
        self._sums.clear()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Looks at the losses of the batch, and at times at the gradients."""
        count, before = batch + 1, self._batch
        self._batch = count
        if count <= before:
            return
        for name in self.model.players:
            mean = (logs or {}).get(f"{name}_loss")
            if mean is None:
                continue
            total = float(mean) * count
            loss = (total - self._sums.get(name, 0.0)) / (count - before)
            self._sums[name] = total
            self._judge_loss(name, loss)
        self._seen += count - before
        if self.batch is not None and self._seen >= self.every:
            self._seen = 0
            self._judge_gradients()

    def _begin(self) -> None:
        self.diagnosis = self.culprit = self.step = None
        self._epoch = self._batch = self._seen = 0
        for memory in (self._sums, self._usual, self._streaks, self._negative):
            memory.clear()

    def _judge_loss(self, name: str, loss: float) -> None:
        if not math.isfinite(loss):
            return
        if self._too_large(f"{name}_loss", abs(loss)):
            self._end(
                "loss",
                name,
                f"The loss of '{name}' has exploded: {self._how(name, loss)}.",
            )
        # What rounding makes of a zero is no negative loss.
        if loss < -1e-6:
            self._negative.add(name)
        if self.saturated is not None and name == (
            self.player or "discriminator"
        ):
            low = loss < self.saturated and name not in self._negative
            if self._streak(f"{name}_low", low):
                self._end("saturation", name, self._of_saturation(name, loss))

    def _judge_gradients(self) -> None:
        given = self.batch() if callable(self.batch) else self.batch
        data = keras.utils.unpack_x_y_sample_weight(given)
        for name, norm in gradient_norms(self.model, *data).norms.items():
            if self._too_large(f"{name}_gradient", norm):
                usual = median(self._usual[f"{name}_gradient"])
                self._end(
                    "gradient",
                    name,
                    f"The gradient of '{name}' has exploded: its norm is "
                    f"{norm:.3g}, and was {usual:.3g} at first.",
                )

    def _too_large(self, what: str, size: float) -> bool:
        """Says whether something has been too large for long enough."""
        first = self._usual.setdefault(what, [])
        if len(first) < self.window:
            first.append(size)
            return False
        return self._streak(what, size > self.factor * max(1.0, median(first)))

    def _streak(self, what: str, bad: bool) -> bool:
        self._streaks[what] = self._streaks.get(what, 0) + 1 if bad else 0
        return self._streaks[what] >= self.patience

    def _how(self, name: str, loss: float) -> str:
        usual = median(self._usual[f"{name}_loss"])
        return (
            f"it is {loss:.3g}, and its size was {usual:.3g} at first; it has "
            f"been {self.factor:g} times too large for {self.patience} batches"
        )

    def _of_saturation(self, name: str, loss: float) -> str:
        others = [n for n in self.model.players if n != name]
        return (
            f"'{name}' has saturated: its loss, {max(loss, 0.0):.3g} now, has "
            f"been below {self.saturated:g} for {self.patience} batches. It "
            "tells real from generated samples without fail, and what "
            f"{quoted(others)} can learn from it is next to nothing."
        )

    def _end(self, kind: str, name: str, why: str) -> None:
        if self.diagnosis is not None:
            return
        self.culprit = name
        self.step = int(backend.read(self.model.optimizer.iterations))
        self.diagnosis = (
            f"{why}\n  When: after training step {self.step}, in epoch "
            f"{self._epoch + 1}. Training ends here.\n"
            f"  Try: {TRY[kind].format(player=name)}."
        )
        self.model.stop_training = True
        warnings.warn(self.diagnosis, stacklevel=2)
