"""Lets a callback see one player of a model."""

from __future__ import annotations

from typing import Any

import keras

from adversarial.errors import conversation, unknown
from adversarial.optimizers.names import looked_through

RATE = "learning_rate"
"""The log of a callback that sees one optimizer."""


class ForPlayer(keras.callbacks.Callback):  # type: ignore[misc]
    """Lets a Keras callback work on a single player.

    When you want it: to reduce, schedule or log the learning rate of one
    player, or to swap its averaged weights in. Callbacks that read or set
    `model.optimizer.learning_rate` would do it to every player.

    The callback inside sees the model with that player's optimizer as its
    `optimizer`, and all else as it is: logs, weights, `stop_training`,
    `save`. Early stopping for a player ends the training of all.

    Facts:
        The optimizer inside a `LossScaleOptimizer` is shown. `iterations` are
        the moves of the player. If the callback inside adds `learning_rate`
        to the logs of an epoch, it becomes `learning_rate_{player}`, or has
        the name that you gave to the optimizer.

    Args:
        player: The name of the player.
        callback: A Keras callback; one for each `ForPlayer`.

    Attributes:
        callback: The callback inside.

    Raises:
        TypeError: for what is no callback.
        ValueError: when training begins, if there is no such player, or the
            model is none of players.

    Example:

    >>> import adversarial, keras
    >>> from adversarial.callbacks import ForPlayer
    >>> game = adversarial.games.Bilinear()
    >>> model = game.compiled("alternating", 0.1)
    >>> halve = keras.callbacks.LearningRateScheduler(lambda epoch, h: h / 2)
    >>> _ = model.fit(
    ...     keras.ops.ones((4, 1)), callbacks=[ForPlayer("x", halve)], verbose=0
    ... )
    >>> rates = model.optimizer.learning_rates
    >>> [round(float(rates[name]), 3) for name in "xy"]
    [0.05, 0.1]
    """

    def __init__(self, player: str, callback: keras.callbacks.Callback) -> None:
        super().__init__()
        single = isinstance(callback, keras.callbacks.Callback)
        if not single or isinstance(callback, keras.callbacks.CallbackList):
            raise TypeError(
                conversation(
                    "`ForPlayer` needs a Keras callback.",
                    received=f"{callback!r} of type "
                    f"`{type(callback).__name__}`.",
                    fix="write a `ForPlayer` around each callback.",
                )
            )
        self.player = player
        self.callback = callback

    def set_params(self, params: Any) -> None:
        """Passes the parameters of the training on."""
        super().set_params(params)
        self.callback.set_params(params)

    def set_model(self, model: Any) -> None:
        """Shows the callback its view of the model."""
        super().set_model(model)
        optimizers = getattr(model.optimizer, "player_optimizers", None)
        if optimizers is None:
            raise ValueError(
                conversation(
                    "`ForPlayer` needs a model of players.",
                    expected="a compiled `AdversarialModel`.",
                    received=f"a `{type(model).__name__}`.",
                )
            )
        if self.player not in optimizers:
            raise unknown("player", self.player, optimizers)
        self._optimizer = looked_through(optimizers[self.player])
        self.callback.set_model(_View(model, self._optimizer))

    def on_train_begin(self, logs: Any = None) -> None:
        """Passes it on, as all that follows."""
        self.callback.on_train_begin(logs)

    def on_train_end(self, logs: Any = None) -> None:
        """Passes it on."""
        self.callback.on_train_end(logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Passes it on."""
        self.callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Passes it on, and says whose learning rate was logged."""
        logs = {} if logs is None else logs
        others = RATE in logs
        self.callback.on_epoch_end(epoch, logs)
        if RATE in logs and not others:
            logs[f"{RATE}_{self._optimizer.name}"] = logs.pop(RATE)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Passes it on."""
        self.callback.on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Passes it on."""
        self.callback.on_train_batch_end(batch, logs)

    def on_test_begin(self, logs: Any = None) -> None:
        """Passes it on."""
        self.callback.on_test_begin(logs)

    def on_test_end(self, logs: Any = None) -> None:
        """Passes it on."""
        self.callback.on_test_end(logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Passes it on."""
        self.callback.on_test_batch_begin(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Passes it on."""
        self.callback.on_test_batch_end(batch, logs)

    def on_predict_begin(self, logs: Any = None) -> None:
        """Passes it on."""
        self.callback.on_predict_begin(logs)

    def on_predict_end(self, logs: Any = None) -> None:
        """Passes it on."""
        self.callback.on_predict_end(logs)

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Passes it on."""
        self.callback.on_predict_batch_begin(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """Passes it on."""
        self.callback.on_predict_batch_end(batch, logs)


class _View:
    """A model with another optimizer; attributes are got and set through.

    Args:
        model: The model.
        optimizer: What to show as its optimizer.
    """

    def __init__(self, model: Any, optimizer: Any) -> None:
        vars(self).update(_model=model, optimizer=optimizer)

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["_model"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(vars(self)["_model"], name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return vars(self)["_model"](*args, **kwargs)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        # Callbacks ask whether it is a Keras model.
        return type(vars(self)["_model"])
