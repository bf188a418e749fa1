"""Checks of arguments: numbers in a range, flags, words out of a list."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np

from adversarial.errors import conversation, unknown


def checked_number(
    name: str,
    value: Any,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """Returns a finite number that lies in a range.

    Args:
        name: What the argument is called.
        value: The argument: a Python or a NumPy number.
        least: The smallest value that is allowed.
        most: The largest value that is allowed.
        above: What the value must be larger than.
        below: What the value must be smaller than.

    Raises:
        ValueError: if it does not.
        TypeError: if it is not a number.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(
            conversation(
                f"`{name}` must be a number.",
                received=f"{value!r} of type `{type(value).__name__}`.",
            )
        )
    number = value if isinstance(value, int | float) else float(value)
    fits = (
        (least is None or number >= least)
        and (most is None or number <= most)
        and (above is None or number > above)
        and (below is None or number < below)
    )
    if not (math.isfinite(number) and fits):
        limits = [
            f"{word} {limit:g}"
            for word, limit in (
                ("at least", least),
                ("above", above),
                ("at most", most),
                ("below", below),
            )
            if limit is not None
        ]
        raise ValueError(
            conversation(
                f"`{name}` is out of range.",
                expected=f"a finite number{', ' if limits else ''}"
                f"{', '.join(limits)}.",
                received=f"{value!r}.",
            )
        )
    return number


def checked_count(name: str, value: Any, *, least: int | None = 0) -> int:
    """Returns a whole number that is large enough.

    Args:
        name: What the argument is called.
        value: The argument: a Python or a NumPy number.
        least: The smallest value that is allowed; `None` is any.

    Raises:
        ValueError: if it is too small.
        TypeError: if it is not a whole number.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(
            conversation(
                f"`{name}` must be a whole number.",
                received=f"{value!r} of type `{type(value).__name__}`.",
            )
        )
    if least is not None and value < least:
        raise ValueError(
            conversation(
                f"`{name}` is out of range.",
                expected=f"a whole number, at least {least}.",
                received=f"{value}.",
            )
        )
    return int(value)


def checked_flag(name: str, value: Any) -> bool:
    """Returns `True` or `False`, and takes nothing for them that is not.

    Args:
        name: What the argument is called.
        value: The argument.

    Raises:
        TypeError: if it is neither.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(
            conversation(
                f"`{name}` must be True or False.",
                received=f"{value!r} of type `{type(value).__name__}`.",
            )
        )
    return bool(value)


def checked_choice(name: str, value: Any, known: Iterable[str]) -> str:
    """Returns a word that is one of those known.

    Args:
        name: What the argument is called.
        value: The argument.
        known: The words.

    Raises:
        ValueError: if it is none of them, with the nearest spelling.
    """
    known = list(known)
    if not isinstance(value, str) or value not in known:
        raise unknown(f"`{name}`", value, known)
    return value
