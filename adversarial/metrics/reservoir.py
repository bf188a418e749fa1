"""Samples that are kept, as many as there is room for."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from adversarial.metrics.side import AddVariable, Side

Tensor = Any
Array = np.ndarray[Any, Any]
WORD = 0xFFFFFFFF
"""All bits of the 32-bit words that are hashed."""


class Reservoir(Side):
    """Keeps the first `room` samples; later ones replace random earlier ones.

    Sample t (from 0) goes to place t while there is room, and then to place

        j = floor(u (t + 1)),    u = hash(seed, t) / 2^32

    if j < room, else nowhere. So every sample is kept with the same
    probability, room / n, and which ones are kept depends on the seed and on
    the order of the samples alone: not on the batches that they came in, nor
    on whether a function was compiled.

    Args:
        add_variable: See `Side`.
        name: See `Side`.
        dtype: See `Side`.
        value_range: See `Side`.
        room: How many samples to keep.
        seed: A whole number.

    References: Vitter, Random Sampling with a Reservoir, ACM Transactions on
    Mathematical Software 11(1), 1985, algorithm R.
    """

    def __init__(
        self,
        add_variable: AddVariable,
        name: str,
        dtype: str,
        value_range: tuple[float, float] | None = None,
        *,
        room: int,
        seed: int,
    ) -> None:
        super().__init__(add_variable, name, dtype, value_range)
        self.room = room
        self.seed = seed

    def build(self, width: int) -> None:
        """Makes one row per place, and a last one that is never read."""
        self.rows = self.variable("rows", (self.room + 1, width))

    def keep(self, features: Tensor) -> None:
        """Puts the rows of a batch to their places."""
        rows = ops.arange(0, ops.shape(features)[0], dtype="int32")
        t = self.seen + ops.cast(rows, "int64")
        u = ops.cast(self._hash(t), "float64") / (WORD + 1)
        drawn = ops.cast(ops.floor(u * ops.cast(t + 1, "float64")), "int64")
        place = ops.where(t < self.room, t, drawn)
        place = ops.cast(ops.minimum(place, self.room), "int32")
        # Of several rows for one place the last must win, as if they had come
        # one by one; a scatter promises no order.
        last = ops.segment_max(rows, place, num_segments=self.room + 1)
        place = ops.where(ops.take(last, place) == rows, place, self.room)
        self.rows.assign(
            ops.scatter_update(self.rows, place[:, None], features)
        )

    def read(self) -> Array:
        """Returns the samples that are kept, shape (n, features), float64."""
        n = min(self.number(self.seen), self.room)
        rows: Array = ops.convert_to_numpy(self.rows)
        return rows[:n].astype("float64", copy=False)

    def _hash(self, t: Tensor) -> Tensor:
        """Mixes whole numbers into random 32-bit words, kept as int64."""
        # The golden ratio spreads seeds apart; the rounds are the finaliser
        # of MurmurHash3. Products wrap around in 64 bits, which leaves the
        # lower 32 right.
        word = ops.bitwise_and(t + self.seed * 0x9E3779B9 % (WORD + 1), WORD)
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
            word = ops.bitwise_xor(word, ops.right_shift(word, shift))
            word = ops.bitwise_and(word * factor, WORD)
        return word
