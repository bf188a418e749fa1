"""What the models of all engines share."""

import abc
from collections.abc import Callable
from typing import Any

import keras

Run = Callable[[Any], Any]


class GameModel(keras.Model):  # type: ignore[misc]
    """A Keras model whose steps are functions of the data, on any engine."""

    train_function: Any
    test_function: Any

    @abc.abstractmethod
    def play(self, data: Any) -> dict[str, Any]:
        """Trains on a batch and returns the logs."""

    @abc.abstractmethod
    def judge(self, data: Any) -> dict[str, Any]:
        """Evaluates a batch and returns the logs."""

    @property
    def distribution(self) -> Any:
        """The strategy of `tf.distribute`; elsewhere `None`."""
        return getattr(self, "distribute_strategy", None)

    @property
    @abc.abstractmethod
    def loose_variables(self) -> list[keras.Variable]:
        """Those that steps write, and that are in no layer or metric."""

    def train_step(self, data: Any) -> dict[str, Any]:
        """Trains on a batch, as Keras calls it."""
        return self.play(data)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Evaluates a batch, as Keras calls it."""
        return self.judge(data)

    def around(self, function: Any, wrap: Callable[[Run], Run]) -> Any:
        """Wraps a train or test function of Keras.

        Args:
            function: What Keras made.
            wrap: Takes a function of an iterator and returns another.
        """
        return wrap(function)
