"""A game on one batch: all that a strategy sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import keras
from keras import ops

from adversarial import backend
from adversarial.backend.functional_optimizer import FunctionalOptimizer
from adversarial.batch import Batch
from adversarial.errors import conversation, unknown
from adversarial.evaluation import (
    Evaluation,
    Evaluator,
    Outcome,
    Values,
    read_all,
)
from adversarial.joint import Joint

Tensor = Any
State = dict[str, list[Tensor]]


class Game:
    """The players on one batch.

    A strategy moves them with these methods and nothing else. All
    evaluations see the same batch and start from the same random state
    (latents, dropout). Points, gradients and directions are `Joint` vectors.

    Terms: `theta` is the joint point, `l_i` the loss of player i, `xi` the
    field (each player's gradient of its own loss), `J` the game Jacobian
    d xi / d theta.

    Args:
        evaluator: Evaluates the players.
        batch: The batch; `None` while a strategy is built, when nothing can
            be evaluated.
        permitted: A boolean scalar: if false, nobody moves.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        batch: Batch | None = None,
        *,
        permitted: Tensor | None = None,
    ) -> None:
        self._evaluator = evaluator
        self._players = evaluator.players
        self._batch = batch
        self._permitted = permitted
        self._point: Joint | None = None
        self._start: Joint | None = None
        self._state = read_all(evaluator.state) if batch else {}
        self._noise = read_all(evaluator.noise) if batch else {}
        self._start_state = dict(self._state)
        self._next_noise: Values = {}
        self._reported: dict[str, Evaluation] = {}
        self._fresh: dict[str, Values] = {}
        self._finite: list[tuple[str, Tensor]] = []
        self._moved: set[str] = set()
        self._early: set[str] = set()
        self._outcome: Outcome | None = None

    @property
    def players(self) -> tuple[str, ...]:
        """The names of the players, in order."""
        return tuple(self._players)

    @property
    def variables(self) -> dict[str, tuple[keras.Variable, ...]]:
        """The variables that each player owns."""
        return {name: p.variables for name, p in self._players.items()}

    @property
    def point(self) -> Joint:
        """The real joint point now: the parameters of all players."""
        if self._point is None:
            self._point = self._read(self.players)
            self._start = self._start or self._point
        return self._point

    def losses(
        self, at: Joint | None = None, players: Iterable[str] | None = None
    ) -> dict[str, Tensor]:
        """Returns the losses of players at a joint point.

        Args:
            at: The point; blocks it does not have are those of the real
                point. `None` is the real point.
            players: The names of the players; `None` is all.

        Returns:
            A scalar tensor by player.
        """
        names = self._names(players)
        losses = self._evaluate(at, names).losses
        return {name: losses[name] for name in names}

    def field(
        self, at: Joint | None = None, players: Iterable[str] | None = None
    ) -> Joint:
        """Returns each player's gradient of its own loss, all at one point.

        Args:
            at: The joint point; `None` is the real point.
            players: The names of the players; `None` is all.

        Raises:
            ValueError: if a player's loss depends on none of its parameters.
        """
        names = self._names(players)
        point = self._at(at)
        scales = {name: self._players[name].loss_scale() for name in names}

        def evaluate() -> tuple[dict[str, Tensor], None]:
            losses = self._evaluate(at, names).losses
            return {n: _times(losses[n], scales[n]) for n in names}, None

        _, gradients = backend.own_gradients(evaluate, point.only(names))
        for name in names:
            self._players[name].check_gradients(gradients[name])
        return Joint(
            {
                name: [_over(g, scales[name]) for g in gradients[name]]
                for name in names
            }
        )

    def cross_gradient(
        self, of: str, wrt: str, at: Joint | None = None
    ) -> Joint:
        """Returns the gradient of one player's loss by another's parameters.

        Args:
            of: The player whose loss is differentiated.
            wrt: The player by whose parameters.
            at: The joint point; `None` is the real point.

        Returns:
            A vector with the one block `wrt`.
        """
        of, wrt = self._names([of, wrt])
        return Joint(
            {
                wrt: backend.gradient(
                    lambda: self.losses(at, [of])[of], self._at(at)[wrt]
                )
            }
        )

    def gradient(
        self, function: Callable[[Joint], Tensor], at: Joint | None = None
    ) -> Joint:
        """Differentiates a scalar function of the joint point.

        The function may itself call `losses`, `field` and the others at the
        point it is given, to any depth.

        Args:
            function: Takes a `Joint` and returns a scalar tensor.
            at: The joint point; `None` is the real point.

        Returns:
            The gradient by the parameters of all players.
        """
        point = self._at(at)
        return point.pack(
            backend.gradient(lambda: function(point), point.flatten())
        )

    def jvp(self, v: Joint, at: Joint | None = None) -> Joint:
        """Returns J v, the change of the field in the direction v.

        Args:
            v: A direction; players it does not have stand still.
            at: The joint point; `None` is the real point.
        """
        point = self._at(at)
        still = Joint({name: [None] * len(point[name]) for name in point})
        return point.pack(
            backend.jvp(
                lambda: self.field(point).flatten(),
                point.flatten(),
                (still | v).flatten(),
            )
        )

    def vjp(self, u: Joint, at: Joint | None = None) -> Joint:
        """Returns J^T u, the gradient of <field, u>.

        Args:
            u: A direction; players it does not have count as zero.
            at: The joint point; `None` is the real point.
        """
        return self.gradient(lambda theta: u.dot(self.field(theta, u)), at)

    def virtual_step(
        self,
        direction: Joint,
        at: Joint | None = None,
        state: State | None = None,
    ) -> tuple[Joint, State]:
        """Steps the players' Keras optimizers without moving anything.

        The result is differentiable, also through the optimizers' state.

        Args:
            direction: The gradient given to each optimizer; only the players
                in it move.
            at: The point to start from; `None` is the real point.
            state: The optimizers' state to start from, as returned by an
                earlier virtual step; `None` is their real state.

        Returns:
            The new point, of all players, and the new state.
        """
        point = self._at(at)
        state = dict(state or {})
        for name, block in direction.items():
            twin = FunctionalOptimizer(self._players[name].optimizer)
            old = state.get(name) or list(map(backend.read, twin.variables))
            gradients = backend.across_replicas(list(block))
            new, state[name] = twin.step(old, gradients, list(point[name]))
            point = point | {name: new}
        return point, state

    def apply(self, direction: Joint) -> None:
        """Makes the real step of the players in the direction.

        Each player's Keras optimizer is given its block as the gradient, and
        the player's own state (moving statistics, say) takes the values it
        found at the real point, once per step. Nobody moves if a loss before
        the step or the direction is not finite; if that shows only after
        other players' moves, these are taken back.
        """
        self._report()
        self._finite += [
            (name, backend.all_finite(block))
            for name, block in direction.items()
            if not self._players[name].skips_bad_gradients
        ]
        commits: Values = {}
        for name in direction:
            if name not in self._moved and self._players[name].update_state:
                commits.update(self._fresh[name])

        def move() -> None:
            for name, block in direction.items():
                self._players[name].move(block)
            for variable, value in commits.values():
                variable.assign(value)

        backend.when(self._all_finite(), move)
        self._early = set(self._moved)
        self._moved.update(direction)
        self._state.update(commits)
        self._point = self.point | self._read(direction)

    def refresh_noise(self) -> None:
        """Lets the evaluations from here on see new random numbers."""
        self._report()
        self._noise = {**self._noise, **self._next_noise}
        self._next_noise = {}

    def switch(
        self, index: Tensor, branches: Sequence[Callable[[Game], None]]
    ) -> None:
        """Lets one of several branches play the step.

        To be called instead of everything else in the step.

        Args:
            index: The number of the branch, an integer scalar tensor.
            branches: Functions that play the step on the game they are given.
        """

        def play(branch: Callable[[Game], None]) -> list[Tensor]:
            game = Game(self._evaluator, self._batch, permitted=self._permitted)
            branch(game)
            return game.finish().flatten()

        tensors = backend.switch(index, [partial(play, b) for b in branches])
        self._outcome = Outcome.pack(self._players, tensors)
        self._point = None

    def finish(self) -> Outcome:
        """Ends the step and says what it reports; the model calls this."""
        if self._outcome is None:
            self._report()
            if self._early:
                self._take_back_unless(self._all_finite())
            for variable, value in {**self._noise, **self._next_noise}.values():
                variable.assign(value)
            self._outcome = Outcome(
                {n: self._reported[n].losses[n] for n in self.players},
                {n: self._reported[n].outputs[n] for n in self.players},
                {n: self._all_finite(n) for n in self.players},
            )
        return self._outcome

    def _names(self, players: Iterable[str] | None) -> list[str]:
        names = list(self.players if players is None else players)
        for name in names:
            if name not in self._players:
                raise unknown("player", name, self.players)
        return names

    def _at(self, at: Joint | None) -> Joint:
        return self.point if at is None else self.point | at

    def _read(self, players: Iterable[str]) -> Joint:
        return Joint({n: map(backend.read, self.variables[n]) for n in players})

    def _evaluate(self, at: Joint | None, names: Sequence[str]) -> Evaluation:
        point = self._at(at)
        values = {**self._state, **self._noise}
        for name, block in point.items():
            pairs = zip(self.variables[name], block, strict=True)
            values.update((id(v), (v, x)) for v, x in pairs)
        if self._batch is None:
            raise ValueError(
                conversation(
                    "A game without a batch cannot be evaluated.",
                    received="a call in the `build` of a strategy.",
                    fix="evaluate in `step`.",
                )
            )
        evaluation = self._evaluator(self._batch, names, values)
        self._next_noise = {**evaluation.noise, **self._next_noise}
        if at is None:
            self._fresh.update(evaluation.state)
            if not self._moved:
                for name, loss in evaluation.losses.items():
                    if name not in self._reported:
                        self._reported[name] = evaluation
                        self._finite.append((name, ops.isfinite(loss)))
        return evaluation

    def _report(self) -> None:
        """Evaluates at the start who was not evaluated there yet."""
        missing = [n for n in self.players if n not in self._reported]
        if missing:
            self._evaluate(None, missing)

    def _all_finite(self, player: str | None = None) -> Tensor:
        flags = [f for n, f in self._finite if player in (None, n)]
        if player is None and self._permitted is not None:
            flags.append(self._permitted)
        return ops.all(ops.stack(flags))

    def _take_back_unless(self, ok: Tensor) -> None:
        """Undoes the early moves of a step in which a late one failed."""
        start = self._start or self.point

        def take_back() -> None:
            for name in self._early:
                pairs = zip(self.variables[name], start[name], strict=True)
                for variable, value in pairs:
                    variable.assign(value)
                for variable in self._players[name].state:
                    variable.assign(self._start_state[id(variable)][1])

        backend.when(ops.logical_not(ok), take_back)


def _times(loss: Tensor, scale: Tensor | None) -> Tensor:
    return loss if scale is None else loss * ops.cast(scale, loss.dtype)


def _over(gradient: Tensor | None, scale: Tensor | None) -> Tensor | None:
    if gradient is None or scale is None:
        return gradient
    return gradient / ops.cast(scale, gradient.dtype)
