"""Balls around samples that reach to the k-th nearest neighbour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
ENTRIES = 2**23
"""Distances that are held at once: 64 MB."""
TIE = 1e-10
"""By which part of its squared radius a ball is widened, and ..."""
ROUNDING = 1e-13
"""... by which part of the squared norms: more than rounding, so that a point
at the same distance as the neighbour is inside whatever the order of sums."""


def squared_radii(x: Array, k: int) -> Array:
    """Returns the squared distance of each sample to its k-th nearest other.

    Args:
        x: Shape (n, d), float64, k < n.
        k: 1 or more.

    Returns:
        Shape (n,).
    """
    radii = np.empty(len(x))
    for rows, distances in _distances(x, x):
        own = np.arange(rows.start, rows.stop)
        distances[own - rows.start, own] = np.inf
        radii[rows] = np.partition(distances, k - 1, axis=1)[:, k - 1]
    return radii


def inside(points: Array, centres: Array, radii: Array) -> tuple[Array, Array]:
    """Counts which points lie in which closed balls.

    Args:
        points: Shape (m, d).
        centres: Shape (n, d).
        radii: Squared, shape (n,).

    Returns:
        For each point the number of balls that it is in, shape (m,), and for
        each ball whether a point is in it, shape (n,).
    """
    balls = np.empty(len(points), "int64")
    filled = np.zeros(len(centres), "bool")
    scale = max(np.sum(x * x, axis=1).max() for x in (points, centres))
    reach = radii * (1 + TIE) + ROUNDING * scale
    for rows, distances in _distances(points, centres):
        hits = distances <= reach
        balls[rows] = hits.sum(axis=1)
        filled |= hits.any(axis=0)
    return balls, filled


def centred(x: Array, y: Array) -> tuple[Array, Array]:
    """Shifts two sets alike, so that squared distances lose no digits."""
    middle = x.mean(axis=0)
    return x - middle, y - middle


def _distances(x: Array, y: Array) -> Iterator[tuple[slice, Array]]:
    """Yields squared distances |x|^2 + |y|^2 - 2 x.y, some rows at a time."""
    norms = np.sum(y * y, axis=1)
    chunk = max(1, ENTRIES // len(y))
    for start in range(0, len(x), chunk):
        rows = slice(start, min(start + chunk, len(x)))
        some = x[rows]
        distances = some @ y.T
        distances *= -2
        distances += norms
        distances += np.sum(some * some, axis=1)[:, None]
        yield rows, np.maximum(distances, 0, out=distances)
