"""Norms of slopes per sample, and samples between samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from adversarial.errors import conversation

Tensor = Any
Samples = Any
SMALLEST = 1e-30
"""Slopes below this count as zero; float32 has nothing below 1e-38."""


def squared_norms(slopes: Sequence[Tensor]) -> Tensor:
    """Adds squares over everything but the batch: shape (batch,)."""
    return sum(ops.sum(g * g, axis=inside(g)) for g in slopes)


def norms(slopes: Sequence[Tensor]) -> Tensor:
    """Returns Euclidean norms over everything but the batch: shape (batch,).

    Where a norm is zero, its derivatives are taken to be zero. Squares neither
    overflow nor underflow.
    """
    peaks = [ops.max(ops.abs(g), axis=inside(g)) for g in slopes]
    # The norm is homogeneous: it does not depend on what it is scaled by.
    peak = ops.stop_gradient(ops.max(ops.stack(peaks), axis=0))
    big = peak > SMALLEST
    peak = ops.where(big, peak, ops.ones_like(peak))
    scaled = []
    for g in slopes:
        safe = ops.where(like(big, g), g, ops.ones_like(g))
        scaled.append(safe / like(peak, g))
    found = peak * ops.sqrt(squared_norms(scaled))
    return ops.where(big, found, ops.zeros_like(found))


def between(real: Samples, fake: Samples, seed: Any) -> Samples:
    """Draws a sample on the straight line between each real and fake one.

    Args:
        real: One or more tensors.
        fake: As many of the same shapes.
        seed: A seed generator.

    Returns:
        real + u (fake - real), with one u per sample, uniform in [0, 1).
    """
    first = keras.tree.flatten(real)[0]
    rows = (ops.shape(first)[0],)
    u = keras.random.uniform(rows, dtype=first.dtype, seed=seed)
    return keras.tree.map_structure(
        lambda x, g: x + ops.cast(like(u, x), x.dtype) * (g - x), real, fake
    )


def pair_of(kind: str, inputs: Any) -> tuple[Samples, Samples]:
    """Parts the real from the fake samples that a layer was called on.

    Args:
        kind: The name of the layer, for errors.
        inputs: What it was called on.

    Raises:
        ValueError: if that is no pair of samples of the same shapes.
    """
    two = isinstance(inputs, list | tuple) and len(inputs) == 2
    shapes: list[Any] = []
    if two:
        shapes = [
            [tuple(x.shape) for x in keras.tree.flatten(part)]
            for part in inputs
        ]
    if not two or not _fit(*shapes):
        raise ValueError(
            conversation(
                f"`{kind}` is called on real and fake samples of one shape.",
                expected="a list of the two, `[real, fake]`.",
                received=f"shapes {shapes[0]} and {shapes[1]}."
                if two
                else f"{inputs!r}.",
            )
        )
    return inputs[0], inputs[1]


def inside(x: Tensor) -> tuple[int, ...]:
    """Returns all axes but that of the batch."""
    return tuple(range(1, len(x.shape)))


def like(values: Tensor, x: Tensor) -> Tensor:
    """Gives one value per sample the rank of the samples."""
    return ops.reshape(values, (-1,) + (1,) * (len(x.shape) - 1))


def _fit(first: list[Any], second: list[Any]) -> bool:
    return len(first) == len(second) and all(
        len(a) == len(b)
        and all(
            None in sizes or sizes[0] == sizes[1]
            for sizes in zip(a, b, strict=True)
        )
        for a, b in zip(first, second, strict=True)
    )
