"""A table of the players."""

from __future__ import annotations

import math
from typing import Any

import keras

from adversarial.player import Player, Players

HEADER = ("Player", "Network", "Parameters owned", "Optimizer")


def player_table(name: str, players: Players) -> str:
    """Returns a table: player, network, parameters owned, optimizer."""
    rows = [HEADER, *(_row(player) for player in players.values())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    rule = "-" * max(map(len, lines))
    return "\n".join(
        [f'Game: "{name}"', rule, lines[0], rule, *lines[1:], rule]
    )


def _row(player: Player) -> tuple[str, str, str, str]:
    size = sum(math.prod(v.shape) for v in player.variables)
    count = len(player.variables)
    return (
        player.name,
        player.network.name,
        f"{size:,} in {count} variable{'s' if count != 1 else ''}",
        _kind(player.optimizer),
    )


def _kind(optimizer: Any) -> str:
    if optimizer is None:
        return "not compiled"
    kind = type(optimizer).__name__
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return f"{kind}({_kind(optimizer.inner_optimizer)})"
    return kind
