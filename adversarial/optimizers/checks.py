"""Checks that several strategies make of their arguments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from adversarial.arguments import (
    checked_choice as checked_choice,
    checked_count as checked_count,
    checked_flag as checked_flag,
    checked_number as checked_number,
)
from adversarial.errors import conversation, quoted, unknown


def checked_order(
    order: Sequence[str] | None, players: Sequence[str] | None = None
) -> tuple[str, ...] | None:
    """Returns the order in which players move.

    Args:
        order: Their names, or `None` for the model's order.
        players: The players of the game, if they are known yet.

    Raises:
        ValueError: if it does not name every player once.
        TypeError: if it is not a list.
    """
    if order is None:
        return None
    if not isinstance(order, list | tuple) or not all(
        isinstance(name, str) for name in order
    ):
        raise TypeError(
            conversation(
                "`order` must be a list of names.",
                received=f"{order!r}.",
                fix='write `order=["discriminator", "generator"]`.',
            )
        )
    if not order:
        raise ValueError(
            conversation(
                "`order` must name every player once.",
                received="no names.",
                fix="leave it out for the order of the model.",
            )
        )
    if players is not None:
        check_players(order, players)
        if sorted(order) != sorted(players):
            raise ValueError(
                conversation(
                    "`order` must name every player once.",
                    expected=f"{quoted(players)}, in any order.",
                    received=f"{quoted(order)}.",
                )
            )
    return tuple(order)


def check_players(names: Iterable[str], players: Iterable[str]) -> None:
    """Complains of names that are not those of players.

    Raises:
        ValueError: with the nearest spelling.
    """
    players = list(players)
    for name in names:
        if not isinstance(name, str) or name not in players:
            raise unknown("player", name, players)
