"""Training one player against the others as they are, on copies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from keras import ops

from adversarial import backend
from adversarial.backend.functional_optimizer import FunctionalOptimizer
from adversarial.diagnostics.view import Array, Data, View
from adversarial.evaluation import Evaluation, Values, read_all
from adversarial.player import Player

Tensor = Any
Block = list[Tensor]


@dataclass(frozen=True)
class Copy:
    """What may change while one player is trained, as tensors.

    Attributes:
        parameters: What the player owns.
        state: Its own state, such as moving statistics.
        slots: The state of its optimizer.
        noise: The random state.
    """

    parameters: Block
    state: Block
    slots: Block
    noise: Block

    @property
    def tensors(self) -> tuple[Block, Block, Block, Block]:
        """All of it, for a compiled function."""
        return self.parameters, self.state, self.slots, self.noise

    def seeing(self, noise: Block) -> Copy:
        """Returns the same copy in front of another random state."""
        return replace(self, noise=noise)


class BestResponse:
    """Trains a copy of one player; nobody and nothing else changes.

    Args:
        view: The game.
        name: The player.
        optimizer: A new optimizer for it, not built.
    """

    def __init__(self, view: View, name: str, optimizer: Any) -> None:
        self.view = view
        self.player: Player = view.players[name]
        optimizer.build(list(self.player.variables))
        self.twin = FunctionalOptimizer(optimizer)
        self.noise = view.evaluator().noise
        self._step = view.compile(self._stepped)
        self._evaluate = view.compile(self._evaluated)

    def start(self, noise: Block, spread: float = 0.0, seed: int = 0) -> Copy:
        """Copies the player as it is.

        Args:
            noise: The random state to begin with.
            spread: The standard deviation of the normal noise added to the
                parameters.
            seed: Of that noise.
        """
        rng = np.random.default_rng(seed)
        return Copy(
            parameters=[
                x + ops.cast(spread * rng.normal(size=x.shape), x.dtype)
                if spread
                else x
                for x in map(backend.read, self.player.variables)
            ],
            state=[backend.read(v) for v in self.player.state],
            slots=[backend.read(v) for v in self.twin.variables],
            noise=noise,
        )

    def step(self, data: Data, copy: Copy) -> tuple[Tensor, Copy]:
        """Makes one step on a batch.

        Returns:
            The loss before it, a scalar, and the copy after it.
        """
        loss, *tensors = self._step(data, *copy.tensors)
        return loss, Copy(*tensors)

    def losses(
        self, batches: Iterable[tuple[Data, int]], copy: Copy
    ) -> tuple[dict[str, float], Block]:
        """Evaluates all players against the copy.

        Args:
            batches: The data, with the size of each batch.
            copy: The copy; the random state goes on from that in it.

        Returns:
            The mean loss of each player, and the random state afterwards.
        """
        noise, sums, whole = copy.noise, dict.fromkeys(self.view.names, 0.0), 0
        for data, size in batches:
            losses, noise = self._evaluate(
                data, copy.parameters, copy.state, noise
            )
            whole += size
            for name, loss in losses.items():
                sums[name] += size * float(loss)
        return {name: value / whole for name, value in sums.items()}, noise

    def _stepped(
        self,
        data: Data,
        parameters: Block,
        state: Block,
        slots: Block,
        noise: Block,
    ) -> tuple[Any, ...]:
        player, name = self.player, self.player.name
        scale = player.loss_scale()

        seen: list[Evaluation] = []

        def scaled(own: Any) -> tuple[dict[str, Tensor], list[Tensor]]:
            seen.append(self._found(data, [name], own[name], state, noise))
            loss = seen[-1].losses[name]
            if scale is not None:
                loss = loss * ops.cast(scale, loss.dtype)
            return {name: loss}, seen[-1].flatten()

        tensors, gradients = backend.own_gradients(scaled, {name: parameters})
        found = seen[-1].pack(tensors)
        player.check_gradients(gradients[name])
        true = [
            g if g is None or scale is None else g / ops.cast(scale, g.dtype)
            for g in gradients[name]
        ]
        moved, after = self.twin.step(slots, true, parameters)
        # As in the game, a step that is not finite is not made.
        finite = backend.all_finite(true)
        return (
            found.losses[name],
            _chosen(finite, moved, parameters),
            _chosen(
                finite, _latest(player.state, state, found.state[name]), state
            ),
            _chosen(finite, after, slots),
            _latest(self.noise, noise, found.noise),
        )

    def _evaluated(
        self, data: Data, parameters: Block, state: Block, noise: Block
    ) -> tuple[dict[str, Tensor], Block]:
        found = self._found(data, self.view.names, parameters, state, noise)
        return dict(found.losses), _latest(self.noise, noise, found.noise)

    def _found(
        self,
        data: Data,
        names: Sequence[str],
        parameters: Block,
        state: Block,
        noise: Block,
    ) -> Any:
        """Evaluates players, the copy in place of the player."""
        evaluator = self.view.evaluator()
        values = read_all(evaluator.state)
        for player in self.view.players.values():
            values |= read_all(player.variables)
        values |= _paired(self.player.variables, parameters)
        values |= _paired(self.player.state, state)
        values |= _paired(self.noise, noise)
        return evaluator(self.view.scores.deal(data), names, values)


def _paired(variables: Iterable[keras.Variable], tensors: Block) -> Values:
    pairs = zip(variables, tensors, strict=True)
    return {id(v): (v, x) for v, x in pairs}


def _latest(
    variables: Sequence[keras.Variable], old: Block, new: Mapping[int, Any]
) -> Block:
    """The new values of variables, where there are any."""
    pairs = zip(variables, old, strict=True)
    return [new[id(v)][1] if id(v) in new else x for v, x in pairs]


def _chosen(condition: Tensor, new: Block, old: Block) -> Block:
    return [ops.where(condition, a, b) for a, b in zip(new, old, strict=True)]


class Split:
    """Samples of a batch that belong together.

    Args:
        data: The batch, as arrays.
        rows: The numbers of the samples.
    """

    def __init__(self, data: Data, rows: Array) -> None:
        self.data = data
        self.rows = rows

    def batches(self, size: int) -> list[tuple[Data, int]]:
        """Returns all samples in order, in batches of at most `size`."""
        return [
            (_rows(self.data, part), len(part))
            for part in np.split(self.rows, range(size, len(self.rows), size))
        ]

    def draws(self, size: int, steps: int, seed: int) -> Iterable[Data]:
        """Yields full batches, in a new random order for every round."""
        rng = np.random.default_rng(seed)
        size = min(size, len(self.rows))
        left: Array = np.empty(0, int)
        for _ in range(steps):
            if len(left) < size:
                left = rng.permutation(self.rows)
            yield _rows(self.data, left[:size])
            left = left[size:]


def _rows(data: Data, rows: Array) -> Data:
    x, y, sample_weight = keras.tree.map_structure(
        lambda a: None if a is None else ops.convert_to_tensor(a[rows]), data
    )
    return x, y, sample_weight
