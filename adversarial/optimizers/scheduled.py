"""A schedule of who moves on which batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from keras import ops

from adversarial.errors import conversation, unknown
from adversarial.game import Game
from adversarial.optimizers.adversarial_optimizer import AdversarialOptimizer
from adversarial.optimizers.direction import Direction, get_direction
from adversarial.registry import register

Entry = str | int | Sequence[str | int]


@register("optimizers")
class Scheduled(AdversarialOptimizer):
    """A fixed cycle says which players move on which batch.

    For when a player needs several batches to itself, as the critic of a
    Wasserstein GAN does: `["discriminator"] * 5 + ["generator"]`.

        on batch t, for all players i in schedule[t mod length] at once:
            theta_i <- theta_i - h grad_i l_i(theta)

    where `- h grad` is the step of player i's Keras optimizer. The first
    batch plays entry 0. The counter is `iterations`, which is saved with the
    model.

    Facts: order 1, any number of players, per step 1 field evaluation of the
    players in the entry, no copy of the parameters, state: one counter.

    Args:
        schedule: A list of entries, one per batch, repeated for ever. An
            entry is a player or a list of players, by name or by number in
            the model's order.
        inner: The direction in which players move: a `Direction`, its name or
            its config. By default the gradient.

    Raises:
        ValueError: if the schedule or an entry is empty; at `compile`, if it
            names an unknown player.
        TypeError: if `inner` is not a direction.

    Example:

    >>> import adversarial
    >>> strategy = adversarial.optimizers.Scheduled(
    ...     ["discriminator", "discriminator", ["generator", "discriminator"]]
    ... )

    References:
        - Arjovsky, Chintala, Bottou, Wasserstein Generative Adversarial
          Networks, ICML 2017, arXiv 1701.07875 (n_critic batches per generator
          step).
    """

    field_evaluations: float | None = None
    inner: Direction

    def __init__(
        self, schedule: Sequence[Entry], inner: Any = "simultaneous"
    ) -> None:
        super().__init__(get_direction(inner))
        if not isinstance(schedule, list | tuple) or not schedule:
            raise ValueError(
                conversation(
                    "`schedule` must be a list with at least one entry.",
                    received=f"{schedule!r}.",
                    fix='write `schedule=["discriminator", "generator"]`.',
                )
            )
        self.schedule = tuple(_entry(entry) for entry in schedule)

    def build(self, game: Game) -> None:
        """Checks the names."""
        for entry in self.schedule:
            _resolved(entry, game.players)

    def step(self, game: Game) -> None:
        """Moves the players of the current entry."""
        entries = [_resolved(entry, game.players) for entry in self.schedule]
        distinct = list(dict.fromkeys(entries))
        branch = _number(self.iterations, [distinct.index(e) for e in entries])
        game.switch(branch, [partial(self._move, players=e) for e in distinct])

    def plain_moves(
        self, players: Sequence[str]
    ) -> list[tuple[str, ...]] | None:
        """Returns the schedule, if the players step along their gradients."""
        if self.inner.plain_moves(players) is None:
            return None
        return [_resolved(entry, players) for entry in self.schedule]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        schedule = [list(entry) for entry in self.schedule]
        return {"schedule": schedule, **super().get_config()}

    def _move(self, game: Game, players: Iterable[str]) -> None:
        game.apply(self.inner.direction(game, players=players))


def _number(iterations: Any, numbers: list[int]) -> Any:
    """Looks up the branch of this step in a constant table."""
    table = ops.convert_to_tensor(numbers, dtype="int32")
    return ops.take(table, iterations % len(numbers))


def _entry(entry: Entry) -> tuple[str | int, ...]:
    players = tuple(entry) if isinstance(entry, list | tuple) else (entry,)
    if not players or not all(map(_is_player, players)):
        raise ValueError(
            conversation(
                "An entry of `schedule` must name at least one player.",
                expected="a name, the number of a player, or a list of these.",
                received=f"{entry!r}.",
            )
        )
    return players


def _is_player(entry: Any) -> bool:
    return isinstance(entry, str | int) and not isinstance(entry, bool)


def _resolved(
    entry: Iterable[str | int], players: Sequence[str]
) -> tuple[str, ...]:
    names = []
    for player in entry:
        if isinstance(player, int) and 0 <= player < len(players):
            player = players[player]
        if player not in players:
            raise unknown("player in `schedule`", player, players)
        names.append(str(player))
    return tuple(dict.fromkeys(names))
