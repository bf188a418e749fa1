"""Losses, fields and their derivatives at joint points."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
        self._sound: dict[str, Tensor] = {}
        """Whether fields of players with a loss scale were finite."""
        self._common = False

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
        names = self._names(players)
        share = self._share(at, names, self._copied(at))
        found = share.pack(backend.total(share.flatten()))
        for name in () if self._common else names:
            if self._players[name].skips_bad_gradients:
                finite = backend.all_finite(found[name])
                before = self._sound.get(name, True)
                self._sound[name] = ops.logical_and(before, finite)
        return found

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
        scale = self._scale()
        with backend.exact_moments(), self._at_one_scale():
            slopes = backend.gradient(
                lambda *x: _times(function(point | block.pack(x)), scale),
                block.flatten(),
            )
        return _over(block.pack(slopes), scale)

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
        point, scale = self._copied(at), self._scale()
        v, size = _of_length_one(v.map(backend.shared), scale)
        still = Joint({name: [None] * len(point[name]) for name in point})
        with backend.exact_moments():
            shares = backend.jvp(
                lambda *x: self._slopes(
                    point, names, point.pack(x), scale
                ).flatten(),
                point.flatten(),
                (still | v).flatten(),
            )
        found = point.only(names).pack(backend.total(shares))
        return _over(found, scale, size)

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
        self._names(u)
        shares = self._pulled(u.map(backend.shared), self._copied(at))
        return shares.pack(backend.total(shares.flatten()))

    def _share(
        self, at: Joint | None, names: Sequence[str], copy: Joint
    ) -> Joint:
        """What the rows of this replica add to the field.

        Where losses are scaled, so is a derivative of it on its way through
        the networks, whatever is made of it outside.
        """
        scales = {name: self._players[name].loss_scale() for name in names}
        if all(scale is None for scale in scales.values()):
            return self._slopes(at, names, copy)
        if self._common:
            scales = dict.fromkeys(names, self._scale())
        shape: list[Joint] = []
        seen: list[Evaluation] = []

        def forward(*x: Tensor) -> list[Tensor]:
            scaled = self._slopes(at, names, copy.pack(x), scales, seen)
            shape.append(
                Joint({n: _over(scaled.only([n]), scales[n])[n] for n in names})
            )
            present = [g for g in shape[-1].flatten() if g is not None]
            return [*present, *seen[-1].flatten()]

        def backward(x: Sequence[Tensor], u: Sequence[Tensor]) -> list[Tensor]:
            return self._pulled(_put(shape[-1], u), copy.pack(x)).flatten()

        found = backend.with_slopes(forward, backward, copy.flatten())
        count = len(found) - len(seen[-1].flatten())
        self._keep(at, seen[-1].pack(found[count:]))
        return _put(shape[-1], found[:count])

    @contextlib.contextmanager
    def _at_one_scale(self) -> Iterator[None]:
        """Lets all fields be scaled by the least scale.

        Else the field of a player whose scale is too large could spoil what
        another makes of it, for ever: the wrong scale would fall.
        """
        outer, self._common = self._common, True
        try:
            yield
        finally:
            self._common = outer

    def _slopes(
        self,
        at: Joint | None,
        names: Sequence[str],
        copy: Joint,
        scale: Any = None,
        seen: list[Evaluation] | None = None,
    ) -> Joint:
        """Each player's gradient of its loss times a scale, or times its own.

        Args:
            at: As for `field`.
            names: The players.
            copy: The point, in tensors to differentiate by.
            scale: A scalar, a dict of scalars by player, or `None`.
            seen: Is given the evaluation, if it is not to be taken down.
        """
        found: list[Evaluation] = []
        scales = scale if isinstance(scale, dict) else {}

        def evaluate(own: Any) -> tuple[dict[str, Tensor], list[Tensor]]:
            found.append(self._look(copy | Joint(own), names))
            losses = found[-1].losses
            scaled = {n: _times(losses[n], scales.get(n, scale)) for n in names}
            return scaled, found[-1].flatten()

        tensors, gradients = backend.own_gradients(evaluate, copy.only(names))
        if seen is None:
            self._keep(at, found[-1].pack(tensors))
        else:
            seen.append(found[-1].pack(tensors))
        for name in names:
            self._players[name].check_gradients(gradients[name])
        return Joint({name: gradients[name] for name in names})

    def _pulled(self, u: Joint, point: Joint) -> Joint:
        """The share of this replica of J^T u."""
        names, scale = list(u), self._scale()
        u, size = _of_length_one(u, scale)
        with backend.exact_moments():
            slopes = backend.gradient(
                lambda *x: u.dot(
                    self._slopes(point, names, point.pack(x), scale)
                ),
                point.flatten(),
            )
        return _over(point.pack(slopes), scale, size)

    def _scale(self) -> Tensor | None:
        """The least loss scale of all players, if any has one.

        A product with the Jacobian is linear in the losses and in the
        direction: the one is scaled by this, the other to length one, and what
        comes of it is in the range of a scaled gradient. If it overflows, the
        scale of a player falls until it is the least, and then this with it.
        """
        scales = [player.loss_scale() for player in self._players.values()]
        known = [
            ops.cast(ops.convert_to_tensor(s), "float32")
            for s in scales
            if s is not None
        ]
        return ops.min(ops.stack(known)) if known else None

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


def _over(v: Joint, scale: Tensor | None, size: Tensor | None = None) -> Joint:
    """Undoes a scale, of the direction, too."""
    if scale is None:
        return v
    factor = 1.0 if size is None else size
    return v.map(
        lambda x: x * ops.cast(factor, x.dtype) / ops.cast(scale, x.dtype)
    )


def _of_length_one(v: Joint, scale: Tensor | None) -> tuple[Joint, Any]:
    """A direction that half precision can hold, and its length.

    Left alone where losses are not scaled, and if it is zero.
    """
    if scale is None:
        return v, None
    largest = [ops.max(ops.abs(x)) for x in v.flatten() if x is not None]
    most = ops.max(ops.stack([ops.cast(x, "float32") for x in largest]))
    most = ops.where(most > 0, most, 1.0)
    v = v.map(lambda x: x / ops.cast(most, x.dtype))
    length = ops.cast(v.norm(), "float32")
    length = ops.where(length > 0, length, 1.0)
    return v.map(lambda x: x / ops.cast(length, x.dtype)), most * length


def _put(shape: Joint, present: Sequence[Tensor]) -> Joint:
    """Puts tensors where those of a vector are that are not `None`."""
    flat = iter(present)
    return shape.map(lambda _: next(flat))


def _without(v: Joint, player: str) -> Joint:
    return v.only([name for name in v if name != player])
