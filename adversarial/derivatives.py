"""Losses, fields and their derivatives at joint points."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from keras import ops

from adversarial import backend
from adversarial.errors import unknown
from adversarial.evaluation import Evaluation
from adversarial.joint import Joint
from adversarial.player import Player

Tensor = Any


class Derivatives(abc.ABC):
    """What a game can say of its players at a joint point.

    Args:
        players: The players by name.
    """

    def __init__(self, players: Mapping[str, Player]) -> None:
        self._players = players

    @property
    def players(self) -> tuple[str, ...]:
        """The names of the players, in order."""
        return tuple(self._players)

    @property
    @abc.abstractmethod
    def point(self) -> Joint:
        """The real joint point now: the parameters of all players."""

    @abc.abstractmethod
    def _look(self, point: Joint, names: Sequence[str]) -> Evaluation:
        """Evaluates players at a point, on the batch of one replica."""

    @abc.abstractmethod
    def _keep(self, at: Joint | None, found: Evaluation) -> None:
        """Takes down what an evaluation found; `at` as in `losses`."""

    def _evaluate(self, at: Joint | None, names: Sequence[str]) -> Evaluation:
        found = self._look(self._copied(at), names)
        self._keep(at, found)
        return found

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
        sums = backend.total([losses[name] for name in names])
        return dict(zip(names, sums, strict=True))

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
        found = self._share(at, self._names(players), self._copied(at))
        return found.pack(backend.total(found.flatten()))

    def gradient(
        self,
        function: Callable[[Joint], Tensor],
        at: Joint | None = None,
        wrt: Iterable[str] | None = None,
    ) -> Joint:
        """Differentiates a scalar function of the joint point.

        The function may itself call `losses`, `field` and the others at the
        point it is given, to any depth.

        Args:
            function: Takes a `Joint` and returns a scalar tensor.
            at: The joint point; `None` is the real point.
            wrt: The players by whose parameters; `None` is all.

        Returns:
            A vector with one block per player in `wrt`.
        """
        point = self._at(at)
        block = point.only(self._names(wrt))
        with backend.exact_moments():
            return block.pack(
                backend.gradient(
                    lambda *x: function(point | block.pack(x)), block.flatten()
                )
            )

    def jvp(
        self,
        v: Joint,
        at: Joint | None = None,
        players: Iterable[str] | None = None,
        *,
        own: bool = True,
    ) -> Joint:
        """Returns J v, the change of the field in the direction v.

        Args:
            v: A direction; players it does not have stand still.
            at: The joint point; `None` is the real point.
            players: Whose field's change; `None` is all.
            own: Whether a player's field changes with its own block of v, too.
                False gives J_o v, the interaction of the players alone.
        """
        names = self._names(players)
        if not own:
            point = self._at(at)
            each = [self.jvp(_without(v, n), point, [n]) for n in names]
            return Joint({n: b for one in each for n, b in one.items()})
        point = self._copied(at)
        still = Joint({name: [None] * len(point[name]) for name in point})
        with backend.exact_moments():
            shares = backend.jvp(
                lambda *x: self._share(point, names, point.pack(x)).flatten(),
                point.flatten(),
                (still | v.map(backend.shared)).flatten(),
            )
        return point.only(names).pack(backend.total(shares))

    def vjp(
        self, u: Joint, at: Joint | None = None, *, own: bool = True
    ) -> Joint:
        """Returns J^T u, the gradient of <field, u>.

        Args:
            u: A direction; players it does not have count as zero.
            at: The joint point; `None` is the real point.
            own: False gives J_o^T u, without each player's own block of J.
        """
        if not own:
            each = [_without(self.vjp(u.only([n]), at), n) for n in u]
            total = sum(each, start=Joint({}))
            return total.only([n for n in self.players if n in total])
        names, point = self._names(u), self._copied(at)
        u = u.map(backend.shared)
        with backend.exact_moments():
            shares = backend.gradient(
                lambda *x: u.dot(self._share(point, names, point.pack(x))),
                point.flatten(),
            )
        return point.pack(backend.total(shares))

    def _share(
        self, at: Joint | None, names: Sequence[str], copy: Joint
    ) -> Joint:
        """What the rows of this replica add to the field."""
        scales = {name: self._players[name].loss_scale() for name in names}
        found: list[Evaluation] = []

        def evaluate(own: Any) -> tuple[dict[str, Tensor], list[Tensor]]:
            found.append(self._look(copy | Joint(own), names))
            scaled = {n: _times(found[-1].losses[n], scales[n]) for n in names}
            return scaled, found[-1].flatten()

        tensors, gradients = backend.own_gradients(evaluate, copy.only(names))
        self._keep(at, found[-1].pack(tensors))
        for name in names:
            self._players[name].check_gradients(gradients[name])
        return Joint(
            {
                name: [_over(g, scales[name]) for g in gradients[name]]
                for name in names
            }
        )

    def _copied(self, at: Joint | None) -> Joint:
        """The point for a replica to work on: a derivative by it is a share."""
        return self._at(at).map(backend.shared)

    def _names(self, players: Iterable[str] | None) -> list[str]:
        names = list(self.players if players is None else players)
        for name in names:
            if name not in self._players:
                raise unknown("player", name, self.players)
        return names

    def _at(self, at: Joint | None) -> Joint:
        return self.point if at is None else self.point | at


def _times(loss: Tensor, scale: Tensor | None) -> Tensor:
    return loss if scale is None else loss * ops.cast(scale, loss.dtype)


def _over(gradient: Tensor | None, scale: Tensor | None) -> Tensor | None:
    if gradient is None or scale is None:
        return gradient
    return gradient / ops.cast(scale, gradient.dtype)


def _without(v: Joint, player: str) -> Joint:
    return v.only([name for name in v if name != player])
