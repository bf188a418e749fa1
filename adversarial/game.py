"""A game on one batch: all that a strategy sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
from keras import ops

from adversarial import backend
from adversarial.backend.functional_optimizer import FunctionalOptimizer
from adversarial.batch import Batch
from adversarial.errors import conversation
from adversarial.evaluation import (
    Evaluation,
    Evaluator,
    Outcome,
    Values,
    read_all,
    read_noise,
    write_noise,
)
from adversarial.guard import Guard, both, by_player, put
from adversarial.joint import Joint
from adversarial.loops import Loops

Tensor = Any
State = dict[str, list[Tensor]]
Slots = Mapping[str, Sequence[keras.Variable]]


class Game(Loops):
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
        compiled: Whether XLA compiles the whole step.
        active: A boolean scalar: if false, the random state stays, too.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        batch: Batch | None = None,
        *,
        permitted: Tensor | None = None,
        compiled: bool = False,
        active: Tensor | None = None,
    ) -> None:
        self._active = active
        self._evaluator = evaluator
        super().__init__(evaluator.players, compiled=compiled)
        self._batch = batch
        self._permitted = permitted
        self._guard = Guard(permitted)
        self._point: Joint | None = None
        self._state = read_all(evaluator.state) if batch else {}
        self._noise = read_noise(evaluator.noise) if batch else {}
        self._reported: dict[str, tuple[Tensor, list[Tensor]]] = {}
        self._fresh: dict[str, Values] = {}
        self._moved: set[str] = set()
        self._twins: dict[str, tuple[FunctionalOptimizer, Any]] = {}
        self._outcome: Outcome | None = None

    @property
    def variables(self) -> dict[str, tuple[keras.Variable, ...]]:
        """The variables that each player owns."""
        return {name: p.variables for name, p in self._players.items()}

    @property
    def point(self) -> Joint:
        """The real joint point now: the parameters of all players."""
        if self._point is None:
            self._point = self._read(self.players)
        return self._point

    @property
    def optimizer_state(self) -> State:
        """The state of each player's Keras optimizer now."""
        return {
            name: [backend.read(v) for v in self._twin(name)[0].variables]
            for name in self.players
        }

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
            twin, step = self._twin(name)
            old = state.get(name) or list(map(backend.read, twin.variables))
            new, state[name] = step(old, list(block), list(point[name]))
            point = point | {name: new}
        return point, state

    def apply(
        self,
        direction: Joint,
        state: State | None = None,
        *,
        when: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Makes the real step of the players in the direction.

        Each player's Keras optimizer is given its block as the gradient, and
        the player's own state (moving statistics, say) takes the values it
        found at the real point, once per step. Nobody moves if a loss before
        the step or the direction is not finite; if that shows only after
        other players' moves, these are taken back.

        Args:
            direction: The gradient for each optimizer; only the players in it
                move.
            state: The optimizers' state to step from, as a virtual step
                returned it; players it does not have step from their own.
                Those that are not in the direction take it and stay.
            when: By player, whether it moves, a boolean scalar tensor; if not,
                nothing of it changes. Players it does not have move.
        """
        self._report()
        direction = self._unless_unsound(direction)
        state, when = state or {}, when or {}
        for name, block in direction.items():
            if not self._players[name].skips_bad_gradients:
                self._guard.expect(name, backend.all_finite(block))
        commits = {
            name: self._agreed(self._fresh[name])
            for name in direction
            if name not in self._moved and self._players[name].update_state
        }
        names = list({**direction, **state})
        together = [name for name in names if name not in when]
        for group in [together, *([n] for n in names if n in when)]:
            if group:
                condition = when.get(group[0])
                self._move(group, direction, state, commits, condition)
        self._moved.update(direction)
        for name, values in commits.items():
            for key, (v, value) in values.items():
                old = self._state[key][1]
                kept = (
                    ops.where(when[name], value, old) if name in when else value
                )
                self._state[key] = v, kept
        self._point = self.point | self._read(direction)

    def _move(
        self,
        names: Sequence[str],
        direction: Joint,
        state: State,
        commits: Mapping[str, Values],
        when: Tensor | None,
    ) -> None:
        """Moves some players, if all conditions hold."""
        new = [pair for n in names for pair in commits.get(n, {}).values()]

        def move() -> None:
            for name in names:
                if name in state:
                    put(self._twin(name)[0].variables, state[name])
            for name in names:
                if name in direction:
                    self._players[name].move(direction[name])
            for variable, value in new:
                backend.write(variable, value)

        moved = [v for n in names if n in direction for v in self.variables[n]]
        counts = [
            v for n in names for v in self._players[n].optimizer.variables
        ]
        self._guard.write([*moved, *(v for v, _ in new)], move, when, counts)

    def _unless_unsound(self, direction: Joint) -> Joint:
        """Lets the loss scale fall of who has overflowed anywhere.

        Its direction may be finite where another's, made of it, is not.
        """
        for name in direction:
            if name in self._sound:
                bad = ops.where(self._sound[name], 1.0, float("nan"))
                direction = direction | (direction.only([name]) * bad)
        return direction

    def assign(
        self,
        variables: Slots | keras.Variable | Sequence[Slots],
        values: Any,
        *,
        when: Tensor | None = None,
    ) -> None:
        """Writes a strategy's own variables, or places the players.

        Like `apply`, it writes nothing if something in the step is not
        finite. The constraints of parameters are kept.

        Args:
            variables: Variables by player: a strategy's slots, or
                `game.variables`; or one variable; or a list of these.
            values: A `Joint` for variables by player, of which `None` is left
                alone; a tensor for one variable; a list for a list; or a
                function that returns that, which is called only if it is
                written, after everything that was written before.
            when: Whether to write, a boolean scalar tensor.
        """
        self._report()
        several = isinstance(variables, Sequence)
        targets = [
            by_player(t) for t in (variables if several else [variables])
        ]
        written = [v for t in targets for block in t.values() for v in block]

        def write() -> None:
            found = values() if callable(values) else values
            for target, value in zip(
                targets, found if several else [found], strict=True
            ):
                for name, block in by_player(value).items():
                    put(target[name], block)

        self._guard.write(written, write, when)
        parameters = {id(v) for block in self.variables.values() for v in block}
        if not parameters.isdisjoint(map(id, written)):
            self._point = None

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

        def play(
            branch: Callable[[Game], None], number: int | None = None
        ) -> list[Tensor]:
            here = None if number is None else ops.equal(index, number)
            game = Game(
                self._evaluator,
                self._batch,
                permitted=both(self._permitted, here),
                compiled=self._compiled,
                active=both(self._active, here),
            )
            branch(game)
            return game.finish().flatten()

        if backend.in_replica() and len(branches) > 1:
            tensors = play(branches[0], 0)
            for number, branch in list(enumerate(branches))[1:]:
                found = zip(play(branch, number), tensors, strict=True)
                here = ops.equal(index, number)
                tensors = [ops.where(here, a, b) for a, b in found]
        else:
            plays = [partial(play, b) for b in branches]
            tensors = backend.switch(index, plays)
        self._outcome = Outcome.pack(self._players, tensors)
        for name, finite in self._outcome.finite.items():
            self._guard.expect(name, finite)
        self._point = None

    def finish(self) -> Outcome:
        """Ends the step and says what it reports; the model calls this."""
        if self._outcome is None:
            self._report()
            self._guard.take_back()
            write_noise({**self._noise, **self._next_noise}, self._active)
            self._outcome = Outcome(
                {n: self._reported[n][0] for n in self.players},
                {n: self._reported[n][1] for n in self.players},
                {n: self._guard.finite(n) for n in self.players},
            )
        return self._outcome

    def _twin(self, name: str) -> tuple[FunctionalOptimizer, Any]:
        """The player's optimizer on tensors, and its step."""
        if name not in self._twins:
            player = self._players[name]
            twin = FunctionalOptimizer(player.optimizer)
            fuse = player.fuse_updates
            step = backend.fused(twin.step) if fuse else twin.step
            self._twins[name] = twin, step
        return self._twins[name]

    def _read(self, players: Iterable[str]) -> Joint:
        return Joint({n: map(backend.read, self.variables[n]) for n in players})

    def _look(self, point: Joint, names: Sequence[str]) -> Evaluation:
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
        return self._evaluator(self._batch, names, values)

    def _keep(self, at: Joint | None, found: Evaluation) -> None:
        if self._looping and at is None:
            raise ValueError(
                conversation(
                    "Inside a loop everything is evaluated at a given point.",
                    received="an evaluation at the real point.",
                    fix="pass `at`, the point that the loop carries.",
                )
            )
        self._next_noise = {**found.noise, **self._next_noise}
        if at is None:
            self._fresh.update(found.state)
            if not self._moved:
                self._note(found)

    def _note(self, found: Evaluation) -> None:
        """Keeps the first loss of each player, to be reported."""
        names = [n for n in found.losses if n not in self._reported]
        losses = backend.total([found.losses[n] for n in names])
        for name, loss in zip(names, losses, strict=True):
            self._reported[name] = loss, found.outputs[name]
            self._guard.expect(name, ops.isfinite(loss))

    def _agreed(self, values: Values) -> Values:
        """The state that the replicas find together."""
        variables = [v for v, _ in values.values()]
        found = backend.agreed(
            variables,
            [x for _, x in values.values()],
            self._evaluator.portion(self._batch) if self._batch else None,
        )
        pairs = zip(variables, found, strict=True)
        return {id(v): (v, x) for v, x in pairs}

    def _report(self) -> None:
        """Evaluates at the start who was not evaluated there yet."""
        if self._outcome is not None:
            return
        missing = [n for n in self.players if n not in self._reported]
        if missing:
            self._evaluate(None, missing)
