"""How Keras' `fit` steps a model on PyTorch: batch after batch, at once.

Keras gives its functions a list of batches, as many as `steps_per_execution`
says, and makes only functions of one. Here they are given an iterator, as on
the other engines, and draw as many batches from it.

Private parts of Keras: that `Trainer.make_train_function` and its like set
`train_function`, `test_function` and `predict_function`, which take that list;
that `fit`, `evaluate` and `predict` take it from `TorchEpochIterator`, by this
name of `keras.src.backend.torch.trainer`; its `_epoch_iterator` and
`catch_stop_iteration`.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import torch
from keras.src.backend.torch import trainer

from adversarial.backend import scopes_torch, trainer_of_data

Run = Callable[[Any], Any]


class GameModel(trainer_of_data.GameModel):
    """A Keras model whose functions take any number of batches."""

    predict_function: Any

    def make_train_function(self, force: bool = False) -> None:
        """Makes the function that trains on batches, the last of it logged."""
        if self.train_function is None or force:
            self.train_function = self._last_of(self.train_step)

    def make_test_function(self, force: bool = False) -> None:
        """Makes the function that evaluates batches."""
        if self.test_function is None or force:
            self.test_function = self._last_of(self.test_step)

    def make_predict_function(self, force: bool = False) -> None:
        """Makes the function that returns the outputs for all rows."""
        if self.predict_function is None or force:
            self.predict_function = self._all_of(self.predict_step)

    def _next_of(self, batches: Iterable[Any]) -> Iterator[Any]:
        return itertools.islice(batches, self.steps_per_execution)

    def _last_of(self, step: Run) -> Run:
        """Steps over some batches, and returns what the last one gave.

        A step asks for slopes where it needs them. All else it computes must
        not remember how, or what it leaves behind would hold on to all of it.
        """

        def run(batches: Iterable[Any]) -> Any:
            logs: Any = {}
            with scopes_torch.step(debugged=self.run_eagerly):
                for batch in self._next_of(batches):
                    logs = step(batch)
            return logs

        return run

    def _all_of(self, step: Run) -> Run:
        """Steps over some batches, and joins what they gave by rows."""

        def run(batches: Iterable[Any]) -> Any:
            with torch.no_grad():
                first, *rest = map(step, self._next_of(batches))
            if not rest:
                return first
            return keras.tree.map_structure(
                lambda *parts: torch.cat(parts), first, *rest
            )

        return run


class Batches(trainer.TorchEpochIterator):  # type: ignore[misc]
    """Gives the iterator itself, where several batches are drawn at a time.

    Keras refuses that, and warns of data that end before there are as many.
    """

    def __next__(self) -> tuple[int, int, Any]:
        begin, end, batches = next(self._epoch_iterator)
        with self.catch_stop_iteration():
            first = next(batches)
            return begin, end, _Drawn(first, batches)
        raise StopIteration


class _Drawn(Iterator[Any]):
    """The batches from here on; the first of them by number, as in a list."""

    def __init__(self, first: Any, rest: Iterator[Any]) -> None:
        self._first = first
        self._all = itertools.chain([first], rest)

    def __next__(self) -> Any:
        return next(self._all)

    def __getitem__(self, number: int) -> Any:
        return [self._first][number]


trainer.TorchEpochIterator = Batches
