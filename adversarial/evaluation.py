"""Evaluating players at values that their variables need not have."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from adversarial import backend
from adversarial.backend.random_state import (
    global_random_state,
    is_random_state,
)
from adversarial.batch import Batch
from adversarial.errors import conversation, quoted
from adversarial.losses.adversarial_loss import AdversarialLoss
from adversarial.player import Player, Players

Tensor = Any
Values = dict[int, tuple[keras.Variable, Tensor]]
"""Tensors that stand for variables, by the variable's identity."""


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation of some players found.

    Attributes:
        losses: A scalar by player: of several replicas, the share of this one.
        outputs: The flat outputs by player.
        state: New values of the state of each player, by player.
        noise: New values of the random state.
    """

    losses: dict[str, Tensor]
    outputs: dict[str, list[Tensor]]
    state: dict[str, Values]
    noise: Values

    def flatten(self) -> list[Tensor]:
        """Returns all tensors as a flat list."""
        return [
            *self.losses.values(),
            *(x for block in self.outputs.values() for x in block),
            *(x for values in self._values for _, x in values.values()),
        ]

    def pack(self, tensors: Iterable[Tensor]) -> Evaluation:
        """Puts other tensors in the place of these."""
        flat = iter(tensors)
        losses = {name: next(flat) for name in self.losses}
        outputs = {n: [next(flat) for _ in b] for n, b in self.outputs.items()}
        *state, noise = [
            {key: (v, next(flat)) for key, (v, _) in values.items()}
            for values in self._values
        ]
        return Evaluation(
            losses, outputs, dict(zip(self.state, state, strict=True)), noise
        )

    @property
    def _values(self) -> list[Values]:
        return [*self.state.values(), self.noise]


@dataclass(frozen=True)
class Outcome:
    """What a step reports: everything from before the step.

    Attributes:
        losses: A scalar by player.
        outputs: The flat outputs by player.
        finite: By player, whether all its losses in the step were finite.
    """

    losses: dict[str, Tensor]
    outputs: dict[str, list[Tensor]]
    finite: dict[str, Tensor]

    def flatten(self) -> list[Tensor]:
        """Returns all tensors as a flat list."""
        return [
            *self.losses.values(),
            *self.finite.values(),
            *(x for block in self.outputs.values() for x in block),
        ]

    @staticmethod
    def pack(
        players: Mapping[str, Player], tensors: Iterable[Tensor]
    ) -> Outcome:
        """Remakes an outcome from its flat tensors."""
        flat = iter(tensors)
        losses = {name: next(flat) for name in players}
        finite = {name: next(flat) for name in players}
        outputs = {
            name: [next(flat) for _ in player.targets]
            for name, player in players.items()
        }
        return Outcome(losses, outputs, finite)


class Evaluator:
    """Calls the networks and forms every player's loss.

    Args:
        players: The players.
        loss: The loss of the whole game; `None` if each player's own
            objective has it.
        training: Whether layers run in training mode.
    """

    def __init__(
        self,
        players: Players,
        loss: AdversarialLoss | None = None,
        *,
        training: bool = True,
    ) -> None:
        self.players = players
        self.loss = loss
        self.training = training
        owned = {id(v) for p in players.values() for v in p.variables}
        others = {
            id(v): v
            for network in players.networks
            for v in network.variables
            if id(v) not in owned
        }
        self.noise = [v for v in others.values() if is_random_state(v)]
        self.noise.append(global_random_state())
        self.state = [v for v in others.values() if not is_random_state(v)]
        mine = {id(v) for p in players.values() for v in p.state}
        self.unowned = [v for v in self.state if id(v) not in mine]
        self._warned = False
        self._portion: tuple[Batch, Tensor] | None = None

    def __call__(
        self, batch: Batch, names: Sequence[str], values: Values
    ) -> Evaluation:
        """Evaluates players with tensors in place of the variables.

        Every network starts from the same values, random state included. The
        players on one network share its forward pass.
        """
        everybody = self.loss is not None
        reached = [
            p
            for p in self.players.values()
            if everybody
            or any(p.network is self.players[n].network for n in names)
        ]
        mapping = list(values.values())
        outputs: dict[str, list[Tensor]] = {}
        added: dict[str, list[Tensor]] = {}
        state: dict[str, Values] = {}
        noise: Values = {}
        for network in self.players.networks:
            group = [p for p in reached if p.network is network]
            if not group:
                continue
            with keras.StatelessScope(mapping, collect_losses=True) as scope:
                result = group[0].call(batch.x, training=self.training)
            for player in group:
                player.output_names = group[0].output_names
                player.output_structure = group[0].output_structure
                outputs[player.name] = result
                added[player.name] = list(scope.losses)
                state[player.name] = _changed(scope, player.state, values)
            noise = {**_changed(scope, self.noise, values), **noise}
            self._warn_of(_changed(scope, self.unowned, values))
        with keras.StatelessScope(mapping):
            losses = self._losses(batch, reached, outputs, added)
        rows = self.portion(batch)
        losses = {n: backend.weighed(x, rows) for n, x in losses.items()}
        return Evaluation(losses, outputs, state, noise)

    def outcome(self, batch: Batch) -> Outcome:
        """Evaluates all players where they are, and says what to report."""
        values = read_all(self.state) | read_noise(self.noise)
        for player in self.players.values():
            values |= read_all(player.variables)
        found = self(batch, list(self.players), values)
        write_noise(found.noise)
        losses = backend.total(list(found.losses.values()))
        pairs = zip(found.losses, losses, strict=True)
        return Outcome(dict(pairs), found.outputs, {})

    def portion(self, batch: Batch) -> Tensor | None:
        """The rows of this replica in parts of an equal share."""
        if not backend.in_replica():
            return None
        if self._portion is None or self._portion[0] is not batch:
            rows = ops.shape(keras.tree.flatten(batch.x)[0])[0]
            self._portion = batch, backend.portion(rows)
        return self._portion[1]

    def _losses(
        self,
        batch: Batch,
        reached: Sequence[Player],
        outputs: dict[str, list[Tensor]],
        added: dict[str, list[Tensor]],
    ) -> dict[str, Tensor]:
        whole: dict[str, Tensor] = {}
        if self.loss is not None:
            seen: Any = {
                n: self._structure(p, outputs[n])
                for n, p in self.players.items()
            }
            names: Any = {n: p.output_names for n, p in self.players.items()}
            if len(self.players.networks) == 1:
                seen, names = (next(iter(x.values())) for x in (seen, names))
            whole = self.loss(
                list(self.players),
                seen,
                batch.y,
                batch.sample_weight,
                names=names,
            )
        totals = {}
        for player in reached:
            name = player.name
            terms = []
            if self.loss is not None:
                terms.append(whole[name])
            elif player.objective.reads_loss:
                terms.append(
                    player.objective.loss_of(
                        batch.targets[name], outputs[name], batch.weights[name]
                    )
                )
            terms += map(_penalty, added[name])
            terms += [
                _penalty(v.regularizer(v))
                for v in player.variables
                if v.regularizer is not None
            ]
            totals[name] = _total(name, terms)
        return totals

    def _warn_of(self, lost: Values) -> None:
        """Says once what would change, but belongs to no player."""
        if lost and not self._warned:
            self._warned = True
            paths = quoted(v.path for v, _ in lost.values())
            warnings.warn(
                f"No player owns {paths}; they will not be updated. Put the "
                "layer into a model of the player's own layers.",
                stacklevel=2,
            )

    @staticmethod
    def _structure(player: Player, flat: list[Tensor]) -> Any:
        return keras.tree.pack_sequence_as(player.output_structure, flat)


def read_all(variables: Iterable[keras.Variable]) -> Values:
    """Reads variables into tensors."""
    return {id(v): (v, backend.read(v)) for v in variables}


def read_noise(variables: Iterable[keras.Variable]) -> Values:
    """Reads the random state: every replica draws numbers of its own."""
    return {
        key: (v, backend.apart(x))
        for key, (v, x) in read_all(variables).items()
    }


def write_noise(values: Values, active: Tensor | None = None) -> None:
    """Writes the random state, which is again the same in all replicas."""
    for variable, value in values.values():
        new = backend.apart(value, -1)
        if active is not None:
            new = ops.where(active, new, backend.read(variable))
        backend.write(variable, new)


def _changed(
    scope: keras.StatelessScope,
    variables: Iterable[keras.Variable],
    values: Values,
) -> Values:
    found: Values = {}
    for v in variables:
        value = scope.get_current_value(v)
        if value is not None and value is not values[id(v)][1]:
            found[id(v)] = (v, value)
    return found


def _penalty(loss: Tensor) -> Tensor:
    if not keras.backend.is_float_dtype(loss.dtype):
        loss = ops.cast(loss, keras.config.floatx())
    return backend.per_replica(ops.sum(loss))


def _total(name: str, terms: list[Tensor]) -> Tensor:
    if not terms:
        raise ValueError(
            conversation(
                f"Player '{name}' has no loss.",
                expected="a `loss` in `compile`, or a network that calls "
                "`add_loss`.",
                received="neither.",
                fix=f'pass `loss={{"{name}": ...}}`.',
            )
        )
    return terms[0] if len(terms) == 1 else ops.sum(ops.stack(terms))
