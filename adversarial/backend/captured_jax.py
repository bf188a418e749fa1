"""What a function writes comes out as a result, on JAX.

A function that is differentiated, or run under a condition, must not leave
values of its own in the scope around it.

Private parts of Keras: `StatelessScope.state_mapping`, by the identity of a
variable, of the scope that `get_stateless_scope` returns.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from keras.src.backend.common.stateless_scope import (
    get_stateless_scope,
    in_stateless_scope,
)

Tensor = Any


@contextlib.contextmanager
def captured() -> Iterator[dict[int, Tensor]]:
    """Takes what is written in the scope around it out again, at the end."""
    written: dict[int, Tensor] = {}
    if not in_stateless_scope():
        yield written
        return
    mapping = get_stateless_scope().state_mapping
    before = dict(mapping)
    try:
        yield written
    finally:
        written.update(
            {k: x for k, x in mapping.items() if before.get(k) is not x}
        )
        mapping.clear()
        mapping.update(before)


def write_all(written: Mapping[int, Tensor]) -> None:
    """Writes what was taken out into the scope around it."""
    if written:
        get_stateless_scope().state_mapping.update(written)


def now(key: int) -> Tensor:
    """The value that a variable has in the scope, by its identity."""
    return get_stateless_scope().state_mapping[key]
