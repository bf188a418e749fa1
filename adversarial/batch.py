"""One batch of data, with the targets of each player."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from adversarial.errors import conversation, quoted, unknown
from adversarial.player import Player, Players

Tensor = Any


@dataclass(frozen=True)
class Batch:
    """One batch as a game sees it.

    Attributes:
        x: The inputs of all networks.
        y: All targets as they came, or `None`.
        targets: The targets of each player, one per output, if they were
            split.
        weights: The sample weights of each player, one per output.
    """

    x: Any
    y: Any = None
    sample_weight: Any = None
    targets: Mapping[str, list[Tensor] | None] = field(default_factory=dict)
    weights: Mapping[str, list[Tensor] | None] = field(default_factory=dict)


def split_batch(
    players: Players, x: Any, y: Any, sample_weight: Any, *, targets: bool
) -> Batch:
    """Deals targets and sample weights out to the players.

    Args:
        players: The players, whose output names must be known.
        x: The inputs.
        y: A flat list of all targets in player order, or a dict by
            `{player}_{output}`, or a dict by player.
        sample_weight: One tensor for everything, or a structure like `y`.
        targets: Whether the losses or metrics need the targets.

    Raises:
        ValueError: if the number or the names of the targets do not fit.
    """
    check_not_empty(x)
    if not targets:
        return Batch(x, y, sample_weight)
    if y is None:
        raise ValueError(
            conversation(
                "The losses or metrics of this model need targets.",
                expected=f"{_count(players)}, in this order: "
                f"{quoted(players.targets)}.",
                received="`y=None`.",
                fix="pass `y=[...]`, or compile with an `AdversarialLoss`, "
                "which needs no targets.",
            )
        )
    dealt = _deal(players, y, "y")
    weights: dict[str, list[Any] | None] = dict.fromkeys(players)
    if sample_weight is not None:
        if keras.tree.is_nested(sample_weight):
            weights = _deal(players, sample_weight, "sample_weight")
        else:
            weights = {
                name: [sample_weight] * len(player.targets)
                for name, player in players.items()
            }
    return Batch(x, y, sample_weight, dealt, weights)


def check_not_empty(x: Any) -> None:
    """Refuses a batch without samples, if its size is known.

    Raises:
        ValueError: for that.
    """
    shapes = [getattr(v, "shape", None) for v in keras.tree.flatten(x)]
    sizes = {shape[0] for shape in shapes if shape}
    if sizes == {0}:
        raise ValueError(
            conversation(
                "A batch must hold at least one sample.",
                received="none.",
                fix="leave empty batches out; in a `tf.data.Dataset`, make "
                "batches after filtering.",
            )
        )


def _deal(
    players: Players, values: Any, what: str
) -> dict[str, list[Any] | None]:
    if isinstance(values, dict):
        return _deal_dict(players, values, what)
    flat = list(keras.tree.flatten(values))
    if len(flat) != len(players.targets):
        raise ValueError(
            conversation(
                f"`{what}` must hold one entry per target.",
                expected=f"{_count(players)}, in this order: "
                f"{quoted(players.targets)}.",
                received=f"{len(flat)}.",
                fix=f"pass `{what}` as a list of {len(players.targets)} "
                "arrays, or as a dict by these names (in a `tf.data.Dataset`, "
                "as a tuple).",
            )
        )
    rest = iter(flat)
    return {
        name: [next(rest) for _ in player.targets]
        for name, player in players.items()
    }


def _deal_dict(
    players: Players, values: Mapping[str, Any], what: str
) -> dict[str, list[Any] | None]:
    if set(values) <= set(players):
        values = {
            name: entry
            for player, part in values.items()
            for name, entry in zip(
                players[player].targets,
                _player_entries(players[player], part, what),
                strict=True,
            )
        }
    for name in values:
        if name not in players.targets:
            raise unknown(f"target in `{what}`", name, players.targets)
    missing = [name for name in players.targets if values.get(name) is None]
    if missing and what == "y":
        raise ValueError(
            conversation(
                f"`{what}` must hold one entry per target.",
                expected=f"{quoted(players.targets)}.",
                received=f"none for {quoted(missing)}.",
            )
        )
    return {
        name: [values.get(target) for target in player.targets]
        for name, player in players.items()
    }


def _player_entries(player: Player, part: Any, what: str) -> list[Any]:
    if isinstance(part, dict):
        names = player.output_names or []
        for key in part:
            if key not in names:
                kind = f"output of '{player.name}' in `{what}`"
                raise unknown(kind, key, names)
        return [part.get(name) for name in names]
    flat = list(keras.tree.flatten(part))
    if len(flat) != len(player.targets):
        raise ValueError(
            conversation(
                f"`{what}` of player '{player.name}' must hold one entry per "
                "output.",
                expected=f"{len(player.targets)}: "
                f"{quoted(player.output_names or ())}.",
                received=f"{len(flat)}.",
            )
        )
    return flat


def _count(players: Players) -> str:
    count = len(players.targets)
    return f"{count} target{'s' if count != 1 else ''}"
