"""Unrolled opponents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adversarial.errors import conversation
from adversarial.game import Game, State
from adversarial.joint import Joint
from adversarial.optimizers.checks import (
    check_players,
    checked_count,
    checked_flag,
)
from adversarial.optimizers.direction import Direction
from adversarial.registry import register


@register("optimizers")
class Unrolled(Direction):
    """A player plays against where its opponents will be in some steps.

    Against modes that come and go: a generator that foresees the answers of
    its discriminator spreads its samples. Costs about as much more as it looks
    steps ahead.

        phi_0     = theta_others
        phi_(k+1) = phi_k + u(grad l_others(theta_i, phi_k)),   k < depth_i
        g_i       = d/d theta_i  l_i(theta_i, phi_depth_i)

    where u is the displacement by the opponents' Keras optimizers, with all of
    their state; g is given to the players' Keras optimizers. All opponents
    move at once. With `through=True` the derivative goes through the
    opponents' steps, which depend on theta_i; otherwise phi is a constant.

    Facts: order 2 (1 if not `through`), any number of players, per player
    1 + depth field evaluations; memory grows with depth if `through`.

    Args:
        depth: How many steps of its opponents a player foresees: a whole
            number for all, or a dict by player, 0 for those left out. 0 is
            `Simultaneous`.
        through: Whether to differentiate through the opponents' steps, as
            Metz et al. do. `False` is what keras-adversarial did.
        rematerialize: Whether to compute the opponents' steps once more in
            the backward pass rather than to remember them: less memory, more
            time.

    Raises:
        ValueError: for a negative depth; at `compile`, for an unknown player.
        TypeError: for a depth that is not a whole number.

    Example:

    >>> import adversarial
    >>> strategy = adversarial.optimizers.Unrolled({"generator": 5})

    References:
        - Metz, Poole, Pfau, Sohl-Dickstein, Unrolled Generative Adversarial
          Networks, ICLR 2017, arXiv 1611.02163.

    Differs from the paper: every player may look ahead, and the opponents'
    steps are those of their real optimizers.
    """

    field_evaluations: float | None = None

    def __init__(
        self,
        depth: int | Mapping[str, int] = 5,
        through: bool = True,
        rematerialize: bool = False,
    ) -> None:
        super().__init__()
        if isinstance(depth, Mapping):
            for name, number in depth.items():
                checked_count(f"depth['{name}']", number)
            self.depth: int | dict[str, int] = dict(depth)
        else:
            self.depth = checked_count("depth", depth)
        self.through = checked_flag("through", through)
        self.rematerialize = checked_flag("rematerialize", rematerialize)
        self.order = 2 if through else 1
        if rematerialize and not through:
            raise ValueError(
                conversation(
                    "`rematerialize` is for `through=True`.",
                    received="`rematerialize=True` and `through=False`, where "
                    "nothing is remembered.",
                    fix="leave `rematerialize` out.",
                )
            )

    def build(self, game: Game) -> None:
        """Checks the names."""
        if isinstance(self.depth, dict):
            check_players(self.depth, game.players)

    def direction(
        self,
        game: Game,
        at: Joint | None = None,
        players: Iterable[str] | None = None,
    ) -> Joint:
        """Returns each player's gradient against its opponents of later."""
        found = Joint({})
        for name in game.players if players is None else players:
            found |= self._foreseeing(game, at, name)
        return found

    def _foreseeing(self, game: Game, at: Joint | None, name: str) -> Joint:
        depth = self.depth
        depth = depth.get(name, 0) if isinstance(depth, dict) else depth
        others = [n for n in game.players if n != name]
        if not depth or not others:
            return game.field(at, [name])
        if self.through:
            return game.gradient(
                lambda theta: game.losses(
                    self._ahead(game, theta, others, depth), [name]
                )[name],
                at,
                wrt=[name],
            )
        theta = game.point if at is None else game.point | at
        return game.field(self._ahead(game, theta, others, depth), [name])

    def _ahead(
        self, game: Game, theta: Joint, others: Sequence[str], depth: int
    ) -> Joint:
        def body(phi: Joint, state: State) -> tuple[Joint, State]:
            return game.virtual_step(game.field(phi, others), phi, state)

        state = {n: game.optimizer_state[n] for n in others}
        start = (theta, state)
        ahead: Joint
        if self.through:
            remat = self.rematerialize
            ahead, _ = game.unroll(body, start, depth, rematerialize=remat)
        else:
            ahead, _ = game.repeat(body, start, depth)
        return ahead

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "depth": self.depth,
            "through": self.through,
            "rematerialize": self.rematerialize,
        }
