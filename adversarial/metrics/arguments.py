"""Checks of the arguments of metrics."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from adversarial.errors import conversation
from adversarial.layers.positive import finite


def whole(name: str, value: Any, least: int) -> int:
    """Returns a whole number that is large enough.

    Raises:
        ValueError: if it is too small.
        TypeError: if it is no whole number.
    """
    try:
        if isinstance(value, bool):
            raise TypeError("a bool is not a count")
        number = operator.index(value)
    except TypeError:
        raise TypeError(
            conversation(
                f"`{name}` must be a whole number.", received=f"{value!r}."
            )
        ) from None
    if number < least:
        raise ValueError(
            conversation(
                f"`{name}` must be {least} or more.", received=f"{number}."
            )
        )
    return number


def is_range(value: Any) -> bool:
    """Says whether a value is a pair of finite numbers in their order."""
    pair = isinstance(value, list | tuple | np.ndarray) and (
        np.shape(value) == (2,)
    )
    return pair and all(map(finite, value)) and bool(value[0] < value[1])
