"""How Keras' `fit` steps a model on JAX: `train_step(state, data)`.

Private parts of Keras: `Variable._value`, which Keras empties while a step
runs, and `Trainer._jax_state_synced`, by which it knows that it is filled.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax.numpy as jnp
import keras

from adversarial.backend import trainer_of_data

Run = Callable[[Any], Any]


class GameModel(trainer_of_data.GameModel):
    """A Keras model whose steps Keras calls as pure functions."""

    @property
    def metrics_variables(self) -> list[keras.Variable]:
        """The variables of the metrics, and the loose ones."""
        return [*super().metrics_variables, *self.loose_variables]

    def train_step(  # type: ignore[override]
        self, state: Any, data: Any
    ) -> Any:
        """Trains on a batch, as Keras calls it."""
        return self._pure(self.play, self._parts(len(state)), state, data)

    def test_step(  # type: ignore[override]
        self, state: Any, data: Any
    ) -> Any:
        """Evaluates a batch, as Keras calls it."""
        return self._pure(self.judge, self._parts(len(state)), state, data)

    def around(self, function: Any, wrap: Callable[[Run], Run]) -> Any:
        """Wraps a train or test function of Keras.

        Between two steps the variables have their values, so that a wrapper
        and callbacks can read and write them; Keras is told that they do, and
        takes the next state from them.
        """
        counts: list[int] = []

        def call(iterator: Any) -> Any:
            parts = self._parts(counts[-1])
            logs, state = function(_distinct(_values(parts)), iterator)
            _put(parts, _distinct(state))
            return logs

        wrapped = wrap(call)

        def stepped(state: Any, iterator: Any) -> Any:
            _put(self._parts(len(state)), state)
            counts.append(len(state))
            try:
                logs = wrapped(iterator)
                return logs, _values(self._parts(len(state)))
            finally:
                self._jax_state_synced = True
                counts.pop()

        return stepped

    def _parts(self, count: int) -> list[list[keras.Variable]]:
        """The variables in the order of Keras' state of a step."""
        parts = [
            list(self.trainable_variables),
            list(self.non_trainable_variables),
        ]
        if count > 3:
            parts.append(list(self.optimizer.variables))
        return [*parts, list(self.metrics_variables)]

    @staticmethod
    def _pure(
        run: Callable[[Any], Any],
        parts: Sequence[Sequence[keras.Variable]],
        state: Sequence[Sequence[Any]],
        data: Any,
    ) -> Any:
        pairs = [
            (v, x)
            for part, values in zip(parts, state, strict=True)
            for v, x in zip(part, values, strict=True)
        ]
        with keras.StatelessScope(pairs) as scope:
            logs = run(data)
        after = [[scope.get_current_value(v) for v in part] for part in parts]
        return logs, tuple(after)


def _values(parts: Iterable[Iterable[keras.Variable]]) -> tuple[list[Any], ...]:
    return tuple([v._value for v in part] for part in parts)


def _distinct(state: Iterable[Iterable[Any]]) -> tuple[list[Any], ...]:
    """Copies what is there twice: a step may use up an array only once.

    What is run eagerly leaves one array in two variables, of which Keras'
    `predict` of a network may use up one.
    """
    seen: set[int] = set()

    def own(x: Any) -> Any:
        if id(x) in seen:
            return jnp.copy(x)
        seen.add(id(x))
        return x

    return tuple([own(x) for x in part] for part in state)


def _put(
    parts: Iterable[Iterable[keras.Variable]], state: Iterable[Iterable[Any]]
) -> None:
    for part, values in zip(parts, state, strict=True):
        for v, x in zip(part, values, strict=True):
            v._value = x
