"""What the players' Keras optimizers are called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import keras

from adversarial.registry import snake_case


def looked_through(optimizer: Any) -> Any:
    """Returns the optimizer that is inside of a `LossScaleOptimizer`."""
    while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    return optimizer


def name_after_players(optimizers: Mapping[str, Any]) -> None:
    """Calls optimizers after their players, unless they have names already.

    Keras' callbacks log `learning_rate_{name}`. The names that Keras makes up,
    `adam` and `adam_1`, do not tell who is who, and count on from model to
    model.
    """
    for player, given in optimizers.items():
        optimizer = looked_through(given)
        made_up = rf"{snake_case(type(optimizer).__name__)}(_\d+)?"
        if re.fullmatch(made_up, optimizer.name):
            optimizer.name = player
