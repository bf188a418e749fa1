"""Checks of numbers that layers are made with."""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any

from adversarial.errors import conversation


def positive_whole(name: str, value: Any) -> int:
    """Returns a whole number above 0.

    Args:
        name: The argument's name, for errors.
        value: Its value.

    Raises:
        ValueError: if it is anything else.
    """
    try:
        found = 0 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        found = 0
    if found < 1:
        raise ValueError(
            conversation(
                f"`{name}` must be a whole number above 0.",
                received=f"{name}={value!r}.",
            )
        )
    return found


def positive(name: str, value: Any) -> float:
    """Returns a finite number above 0.

    Args:
        name: The argument's name, for errors.
        value: Its value.

    Raises:
        ValueError: if it is anything else.
    """
    if finite(value) and value > 0:
        return float(value)
    raise ValueError(
        conversation(
            f"`{name}` must be a finite number above 0.",
            received=f"{name}={value!r}.",
        )
    )


def finite(value: Any) -> bool:
    """Says whether a value is a finite real number and no bool."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and math.isfinite(value)
