"""Deals batches to the players and keeps their logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from adversarial import backend
from adversarial.assembly import check_names
from adversarial.batch import Batch, split_batch
from adversarial.deal import DEALT, deal
from adversarial.evaluation import Outcome
from adversarial.losses.adversarial_loss import loss_of_game
from adversarial.objective import Objective
from adversarial.player import Players

Tensor = Any


class Scoreboard:
    """The targets, losses and metrics of all players.

    Args:
        players: The players. Each gets its `objective` here: at once, or, if
            a network's outputs are not known yet, at the first batch.
        given: The arguments of `compile` that are named in `DEALT`.
        skips_bad: Whether batches with a bad loss are kept out of the means.
    """

    def __init__(
        self, players: Players, given: Mapping[str, Any], *, skips_bad: bool
    ) -> None:
        self.players = players
        self.given = {name: given[name] for name in DEALT}
        self.skips_bad = skips_bad
        self.total = keras.metrics.Mean(name="loss")
        self.whole_loss = loss_of_game(given["loss"])
        if self.whole_loss is not None:
            self.whole_loss.players_of(list(players))
            self.given["loss"] = None
        self._objectives: dict[str, Objective] = {}
        self._waiting: list[Any] = []
        self._scope = backend.scope()
        if all(p.output_names is not None for p in players.values()):
            self._make_objectives()

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The mean of the total loss, then the metrics of each player."""
        found = [self.total]
        for objective in self._objectives.values():
            found.extend(objective.metrics)
        return found

    def results(self) -> dict[str, Tensor]:
        """Returns the current value of every log."""
        logs = {"loss": self.total.result()}
        for objective in self._objectives.values():
            logs.update(objective.results())
        return logs

    def state(self) -> list[Any]:
        """Returns the values of the metrics' variables, as they will be."""
        return self._waiting or [v.numpy() for v in self._variables()]

    def restore(self, values: list[Any]) -> None:
        """Puts back what `state` returned, now and when all are built.

        Values of other metrics than these are dropped.
        """
        self._waiting = list(values)
        self._settle()

    @property
    def ready(self) -> bool:
        """Whether all variables of the metrics exist."""
        return bool(self._objectives) and all(
            objective.ready for objective in self._objectives.values()
        )

    def wrap(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Makes the metrics' variables before a function is first traced.

        A function that makes variables while it is traced is traced twice.

        Args:
            function: The compiled function of an iterator.
        """

        def prepared(iterator: Any) -> Any:
            if not self.ready:
                data, iterator = backend.peek(iterator)
                if data is not None:
                    self.prepare(data)
            with backend.faults_in_words():
                return function(iterator)

        return prepared

    def prepare(self, data: Any) -> None:
        """Makes the metrics' variables for data like this.

        Args:
            data: A batch, or the shapes and dtypes of one.

        Raises:
            ValueError: if the targets do not fit.
        """
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with self._scope():
            outputs = backend.specs_of(self._probe, x)
            if not self._objectives:
                self._make_objectives()
            batch = self._split(x, y, sample_weight)
            for name, found in outputs.items():
                self._objectives[name].prepare(
                    batch.targets.get(name), found, batch.weights.get(name)
                )
            self._settle()

    def deal(self, data: Any) -> Batch:
        """Makes a batch of what came from the data, with all checks.

        Raises:
            ValueError: if the targets do not fit.
        """
        if not self.ready:
            with backend.concrete():
                self.prepare(backend.specs(data))
        return self._split(*keras.utils.unpack_x_y_sample_weight(data))

    def log(self, batch: Batch, outcome: Outcome) -> dict[str, Tensor]:
        """Takes a batch into the means and returns the logs."""
        if self.skips_bad and outcome.finite:
            good = ops.all(ops.stack(list(outcome.finite.values())))
            backend.when(
                good, lambda: self._update(batch, outcome), self._variables()
            )
        else:
            self._update(batch, outcome)
        return self.results()

    def _variables(self) -> list[keras.Variable]:
        return [v for metric in self.metrics for v in metric.variables]

    def _settle(self) -> None:
        variables, values = self._variables(), self._waiting
        shapes = [v.shape for v in variables]
        if shapes == [np.shape(value) for value in values]:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        if self.ready:  # Else metrics are yet to be built, from zero.
            self._waiting = []

    def _update(self, batch: Batch, outcome: Outcome) -> None:
        size = ops.shape(next(iter(outcome.outputs.values()))[0])[0]
        total = sum(outcome.losses.values())
        self.total.update_state(total, sample_weight=size)
        for name, objective in self._objectives.items():
            objective.update(
                batch.targets.get(name),
                outcome.outputs[name],
                batch.weights.get(name),
                loss=outcome.losses[name],
            )

    def _make_objectives(self) -> None:
        check_names(self.players)
        for player in self.players.values():
            dealt = {
                argument: deal(self.players, player, given, argument)
                for argument, given in self.given.items()
            }
            names = player.output_names or []
            player.objective = Objective(player.name, names, **dealt)
            self._objectives[player.name] = player.objective

    def _split(self, x: Any, y: Any, sample_weight: Any) -> Batch:
        needed = any(
            objective.reads_loss or objective.reads_metrics
            for objective in self._objectives.values()
        )
        return split_batch(self.players, x, y, sample_weight, targets=needed)

    def _probe(self, x: Any) -> dict[str, list[Tensor]]:
        """Calls every network once, for the shapes of its outputs."""
        outputs = {}
        for name, player in self.players.items():
            with keras.StatelessScope():
                outputs[name] = player.call(x, training=False)
        return outputs
