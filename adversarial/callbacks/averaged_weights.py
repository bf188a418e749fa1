"""Puts the averages of a model's weights in their place for a while."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np

from adversarial.errors import conversation
from adversarial.files import archive_path

Values = list[Any]


@runtime_checkable
class Averages(Protocol):
    """A strategy that keeps averages, such as `optimizers.Averaging`."""

    def averaged(self) -> AbstractContextManager[None]:
        """Puts the averages in the place of the parameters, for a while."""


def averages_of(model: keras.Model, asked: str = "`averaged=True`") -> Averages:
    """Returns the strategy of a model that keeps averages of its weights.

    It may be inside others: `Lookahead(Averaging("alternating"))` has them
    too. Of several the outermost counts.

    Args:
        model: The model.
        asked: What wants them.

    Raises:
        ValueError: if none of the model's strategies keeps averages.
    """
    strategy, names = model.optimizer, []
    while strategy is not None:
        if isinstance(strategy, Averages):
            return strategy
        names.append(type(strategy).__name__)
        strategy = getattr(strategy, "inner", None)
    raise ValueError(
        conversation(
            f"{asked} needs a strategy that keeps averages.",
            expected="`Averaging`, alone or inside another strategy.",
            received=f"{' around '.join(names) or 'no optimizer'}.",
            fix="compile with `adversarial.optimizers.Averaging(...)` around "
            f"the strategy, or leave {asked} out.",
        )
    )


class AveragedWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Evaluates with the averages of an `Averaging` strategy.

    When you want it: to see the losses of the averaged players, which look
    better and move less, in the `val_` logs of a training that goes on as it
    would. In `fit` it acts on `validation_data`; `evaluate` and `predict` take
    it, too, in their `callbacks`. For metrics of generated samples there is
    `MetricsOnSamples(averaged=True)`.

    Facts:
        Training is not changed, bit for bit: weights are kept and put back.
        (Keras' `SwapEMAWeights` adds and subtracts, which rounds.) The
        `Averaging` may be inside other strategies. Moving statistics, as those
        of batch normalisation, are not averaged. The losses of the training
        batches are those of the weights.

        If a validation is interrupted, the averages are in place until the
        callback is used again, which puts the weights back first, unless they
        were changed.

    Args:
        at_epoch_end: Whether the callbacks behind this one see the averages
            when an epoch ends, such as a `ModelCheckpoint` by a `val_` log.
            `Backup` must stand before it: it needs the weights.
        save: A `.keras` file to which to save the model with the averages as
            its weights, when training ends. `None` saves nothing.
        leave: Whether to leave the averages in the place of the weights when
            training ends.

    Raises:
        ValueError: for another kind of file. When training or an evaluation
            begins: if no strategy keeps averages; if no step was made yet.

    Example:

    >>> import adversarial
    >>> from adversarial.callbacks import AveragedWeights
    >>> game = adversarial.games.Bilinear()
    >>> strategy = adversarial.optimizers.Averaging("alternating", "uniform")
    >>> model = game.compiled(strategy, 0.1)
    >>> x = keras.ops.ones((4, 1))
    >>> history = model.fit(
    ...     x,
    ...     validation_data=(x,),
    ...     verbose=0,
    ...     callbacks=[AveragedWeights(leave=True)],
    ... )
    """

    def __init__(
        self,
        *,
        at_epoch_end: bool = False,
        save: str | os.PathLike[str] | None = None,
        leave: bool = False,
    ) -> None:
        super().__init__()
        self.at_epoch_end = at_epoch_end
        what = "The averaged model"
        self.save = None if save is None else archive_path(save, what)
        self.leave = leave
        self._weights: Values | None = None
        self._placed: Values = []

    def set_model(self, model: Any) -> None:
        """Puts back the weights that an interrupt has left out."""
        if self._weights is not None:
            now = zip(self._read(), self._placed, strict=True)
            if all(np.array_equal(a, b) for a, b in now):
                self._put_back()
            self._weights = None
        super().set_model(model)

    def on_train_begin(self, logs: Any = None) -> None:
        """Looks whether there are averages."""
        self._averages()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Puts the weights back."""
        self._put_back()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Places the averages, if that is asked for."""
        if self.at_epoch_end:
            self._place()

    def on_train_end(self, logs: Any = None) -> None:
        """Saves the averages, and leaves them or puts the weights back."""
        self._put_back()
        if self.save is None and not self.leave:
            return
        self._place()
        if self.save is not None:
            self.save.parent.mkdir(parents=True, exist_ok=True)
            self.model.save(self.save)
        if self.leave:
            self._weights = None
        self._put_back()

    def on_test_begin(self, logs: Any = None) -> None:
        """Places the averages."""
        self._place()

    def on_test_end(self, logs: Any = None) -> None:
        """Puts the weights back."""
        self._put_back()

    def on_predict_begin(self, logs: Any = None) -> None:
        """Places the averages."""
        self._place()

    def on_predict_end(self, logs: Any = None) -> None:
        """Puts the weights back."""
        self._put_back()

    def _averages(self) -> Averages:
        return averages_of(self.model, "`AveragedWeights`")

    def _place(self) -> None:
        self._put_back()
        weights = self._read()
        with self._averages().averaged():
            # Not left inside: an interrupt would end it at any later time.
            self._placed = self._read()
        self._weights = weights
        self._write(self._placed)

    def _put_back(self) -> None:
        if self._weights is not None:
            self._write(self._weights)
        self._weights, self._placed = None, []

    def _variables(self) -> list[keras.Variable]:
        players = self.model.players.values()
        return [v for player in players for v in player.variables]

    def _read(self) -> Values:
        return [np.array(v.numpy()) for v in self._variables()]

    def _write(self, values: Values) -> None:
        for variable, value in zip(self._variables(), values, strict=True):
            variable.assign(value)
