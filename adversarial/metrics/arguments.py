"""Checks of the arguments of metrics."""

from __future__ import annotations

import operator
from typing import Any

from adversarial.errors import conversation


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
