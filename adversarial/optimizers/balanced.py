"""A player that is winning rests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from keras import ops

from adversarial.errors import conversation, unknown
from adversarial.game import Game, State
from adversarial.guard import both, by_player
from adversarial.joint import Joint
from adversarial.optimizers.adversarial_optimizer import AdversarialOptimizer
from adversarial.optimizers.checks import check_players, checked_number
from adversarial.registry import register

Tensor = Any
Bound = float | tuple[float, str]
FIX = 'write `skip={"discriminator": 0.3}`.'


@register("optimizers")
class Balanced(AdversarialOptimizer):
    """A player that is winning does not move in this step.

    For a discriminator that runs away from its generator, where a penalty or
    augmentation is not wanted. This is folklore of training GANs: it is in
    many programs, and nothing is proven of it. It hides that one player is too
    strong; lower its learning rate first.

        L_i <- smoothing * L_i + (1 - smoothing) * l_i(theta),  L_i = l_i first
        rests: all i in `skip` with  L_i < bound_i,  or
                                     L_i < ratio_i * L_other;
               nobody, if these are all players
        theta <- step of `inner`, in which those who rest stay

    Of a player that rests, the parameters, the state and step counter of its
    Keras optimizer, and its moving statistics stay, whatever `inner` does: also
    where it places players, as the pull of `Lookahead`, and what it notes of
    the player together with that. All else goes on: `inner` counts the step,
    averages, and foresees moves as if they were to come.

    Facts: order and field evaluations of `inner` (and the losses at theta,
    which most of them ask for anyhow), any number of players, state: two
    numbers per player.

    Args:
        inner: The strategy that makes the steps, its name or its config.
        skip: When players rest, by player: a bound of the loss, or a pair
            `(ratio, other)` for a part of the loss of another player.
            The losses are those before the step, penalties and regularizers
            included.
        smoothing: The weight of the past in the loss that is compared, at
            least 0, which is the loss of this batch alone, and below 1.

    Attributes:
        rested: In how many steps each player in `skip` has rested, integer
            variables by name.
        level: The loss that is compared, float variables by name.

    Raises:
        ValueError: if `skip` names nobody, for a `smoothing` out of range; at
            `compile`, for an unknown player.
        TypeError: if `skip` is not a dict of numbers and pairs.

    Example:

    >>> from adversarial.optimizers import Balanced
    >>> strategy = Balanced(skip={"discriminator": 0.3})
    >>> strategy = Balanced(
    ...     "lookahead",
    ...     skip={
    ...         "discriminator": (0.5, "generator"),
    ...         "generator": (0.5, "discriminator"),
    ...     },
    ...     smoothing=0.9,
    ... )
    """

    field_evaluations: float | None = None
    inner: AdversarialOptimizer

    def __init__(
        self,
        inner: Any = "alternating",
        *,
        skip: Mapping[str, float | Sequence[Any]],
        smoothing: float = 0.0,
    ) -> None:
        super().__init__(inner)
        if not isinstance(skip, Mapping):
            raise TypeError(
                conversation(
                    "`skip` must be a dict by player.",
                    received=f"{skip!r}.",
                    fix=FIX,
                )
            )
        if not skip:
            raise ValueError(
                conversation("`skip` must name a player.", fix=FIX)
            )
        self.skip = {name: _bound(name, x) for name, x in skip.items()}
        self.smoothing = checked_number("smoothing", smoothing, least=0)
        if smoothing >= 1:
            raise ValueError(
                conversation(
                    "`smoothing` must be below 1, which would never forget "
                    "the first loss.",
                    received=f"{smoothing!r}.",
                )
            )

    def build(self, game: Game) -> None:
        """Checks the names, and makes levels and counters."""
        check_players(self.skip, game.players)
        watched = dict.fromkeys(self.skip)
        for name, bound in self.skip.items():
            if isinstance(bound, tuple):
                if bound[1] not in game.players or bound[1] == name:
                    others = [n for n in game.players if n != name]
                    raise unknown(f"other player of '{name}'", bound[1], others)
                watched[bound[1]] = None
        self.level = {
            name: self.add_variable((), name=f"{name}_level")
            for name in watched
        }
        self.rested = {
            name: self.add_variable((), dtype="int32", name=f"{name}_rested")
            for name in self.skip
        }

    def step(self, game: Game) -> None:
        """Sees who is winning, and plays `inner` without them."""
        level = self._levels(game.losses())
        rests = {n: self._is_winning(n, level) for n in self.skip}
        if len(rests) == len(game.players):
            some = ops.logical_not(ops.all(ops.stack(list(rests.values()))))
            rests = {n: ops.logical_and(r, some) for n, r in rests.items()}
        moves = {n: ops.logical_not(r) for n, r in rests.items()}
        self.inner(cast(Game, _RestingGame(game, moves)))
        for name, value in level.items():
            game.assign(self.level[name], value)
        for name, rest in rests.items():
            counter = self.rested[name]
            game.assign(counter, counter + ops.cast(rest, "int32"))

    def _levels(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        first = ops.equal(self.iterations, 0)
        found = {}
        for name, before in self.level.items():
            loss = ops.cast(losses[name], before.dtype)
            mean = self.smoothing * before + (1 - self.smoothing) * loss
            found[name] = ops.where(first, loss, mean)
        return found

    def _is_winning(self, name: str, level: Mapping[str, Tensor]) -> Tensor:
        bound = self.skip[name]
        if isinstance(bound, tuple):
            ratio, other = bound
            return level[name] < ratio * level[other]
        return level[name] < bound

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        skip = {
            name: list(x) if isinstance(x, tuple) else x
            for name, x in self.skip.items()
        }
        config = {"skip": skip, "smoothing": self.smoothing}
        return {**super().get_config(), **config}


class _RestingGame:
    """A game in which moves of some players are held back.

    Everything else is the game's own.

    Args:
        game: The game.
        moves: By player, whether it moves; players it does not have do.
    """

    def __init__(self, game: Game, moves: Mapping[str, Tensor]) -> None:
        self._game = game
        self._moves = moves

    def __getattr__(self, name: str) -> Any:
        return getattr(self._game, name)

    def apply(
        self,
        direction: Joint,
        state: State | None = None,
        *,
        when: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Moves those who do not rest."""
        moves = dict(when or {})
        for name, move in self._moves.items():
            moves[name] = both(moves.get(name), move)
        self._game.apply(direction, state, when=moves)

    def assign(
        self, variables: Any, values: Any, *, when: Tensor | None = None
    ) -> None:
        """Writes, but what places players only for those who do not rest."""
        several = isinstance(variables, Sequence)
        targets = [
            by_player(t) for t in (variables if several else [variables])
        ]
        if not self._places(targets):
            self._game.assign(variables, values, when=when)
            return
        found = values() if callable(values) else values
        blocks = [by_player(x) for x in (found if several else [found])]
        for name in dict.fromkeys(n for block in blocks for n in block):
            pairs = zip(targets, blocks, strict=True)
            mine = [({name: t[name]}, {name: b[name]}) for t, b in pairs]
            self._game.assign(
                [target for target, _ in mine],
                [block for _, block in mine],
                when=both(when, self._moves.get(name)),
            )

    def switch(
        self, index: Tensor, branches: Sequence[Callable[[Game], None]]
    ) -> None:
        """Lets one branch play the step, without those who rest."""

        def play(game: Game, branch: Callable[[Game], None]) -> None:
            branch(cast(Game, _RestingGame(game, self._moves)))

        self._game.switch(index, [partial(play, branch=b) for b in branches])

    def _places(self, targets: Sequence[Mapping[str, Any]]) -> bool:
        """Whether parameters of players are among the targets."""
        owned = {id(v) for b in self._game.variables.values() for v in b}
        return any(
            id(v) in owned for t in targets for b in t.values() for v in b
        )


def _bound(name: str, value: Any) -> Bound:
    """A bound, or a ratio and the name of another player."""
    if isinstance(value, list | tuple):
        if len(value) != 2 or not isinstance(value[1], str):
            raise TypeError(
                conversation(
                    f"`skip['{name}']` must be a bound or a pair.",
                    expected="a number, or `(ratio, other)` with the name of "
                    "another player.",
                    received=f"{value!r}.",
                    fix='write `skip={"discriminator": (0.5, "generator")}`.',
                )
            )
        return checked_number(f"skip['{name}'][0]", value[0]), value[1]
    return checked_number(f"skip['{name}']", value)
