"""Directional derivatives, and work that is not done in every step.

Forward mode cannot pass a conditional of TensorFlow. Where one is in the way,
the derivative is found by reverse mode twice, which can.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from adversarial.backend.tensorflow import dense, switch

Tensor = Any
_Field = Callable[..., Sequence[Tensor | None]]


class _Watch:
    """Whether a conditional was met while forward mode was on."""

    met = False


_forward: contextvars.ContextVar[_Watch | None] = contextvars.ContextVar(
    "forward", default=None
)


def jvp(
    function: _Field,
    primals: Sequence[Tensor],
    tangents: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """Directional derivatives of a function of tensors.

    Args:
        function: Takes the primals and returns tensors (or `None`). It is
            called twice if `seldom` is used in it, and what the first call
            leaves behind must do no harm.
        primals: The tensors at which the derivative is taken.
        tangents: One direction per primal; `None` is zero.

    Returns:
        One derivative per returned tensor; `None` where it is zero.
    """
    directions = [
        tf.zeros_like(p) if t is None else tf.convert_to_tensor(t)
        for p, t in zip(primals, tangents, strict=True)
    ]
    with (
        _watching(_Watch()) as watch,
        tf.autodiff.ForwardAccumulator(
            list(primals), directions
        ) as accumulator,
    ):
        values = function(*primals)
    if watch.met:
        return _by_reverse(function, primals, directions)
    return [None if v is None else accumulator.jvp(v) for v in values]


def seldom(
    due: Tensor,
    do: Callable[[], list[Tensor]],
    rest: Callable[[], list[Tensor]],
) -> list[Tensor]:
    """Runs `do` if a boolean scalar holds, and `rest`, its stand-in, if not.

    The other one is not run, compiled or not, also where the result is
    differentiated, to any order.

    Args:
        due: The condition.
        do: Returns tensors.
        rest: Returns tensors of the same shapes and dtypes.

    Returns:
        New tensors, also where `rest` returns some that were there before.
    """

    def fresh() -> list[Tensor]:
        return [tf.identity(x) for x in rest()]

    watch = _forward.get()
    if watch is not None and not tf.executing_eagerly():
        watch.met = True
        return fresh()
    return switch(tf.cast(due, tf.int32), [fresh, do])


@contextlib.contextmanager
def _watching(watch: _Watch) -> Iterator[_Watch]:
    token = _forward.set(watch)
    try:
        yield watch
    finally:
        _forward.reset(token)


def _by_reverse(
    function: _Field, primals: Sequence[Tensor], directions: Sequence[Tensor]
) -> list[Tensor | None]:
    """J v as the derivative of J^T u, which is linear in u, by u."""
    with tf.GradientTape(watch_accessed_variables=False) as outer:
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(list(primals))
            values = list(function(*primals))
        present = [v for v in values if v is not None]
        u = [tf.zeros_like(v) for v in present]
        outer.watch(u)
        pulled = [dense(g) for g in inner.gradient(present, list(primals), u)]
    pairs = [
        (p, d) for p, d in zip(pulled, directions, strict=True) if p is not None
    ]
    found = iter(
        outer.gradient([p for p, _ in pairs], u, [d for _, d in pairs])
        if pairs
        else [None] * len(u)
    )
    return [None if v is None else dense(next(found)) for v in values]
