"""The mean and covariance of samples that come in batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from adversarial.metrics.side import Side

Tensor = Any
Array = np.ndarray[Any, Any]


class Moments(Side):
    """Keeps the number, mean and scatter of features.

    Two sets of n and m samples with means a and b and scatters A and B (sums
    of outer products of what differs from the mean) have together

        n + m,   a + (b - a) m / (n + m),
        A + B + (b - a) (b - a)^T n m / (n + m)

    so that nothing large is ever subtracted from anything large: sums of
    squares would lose every digit of a small variance around a large mean.

    References: Chan, Golub, LeVeque, Algorithms for Computing the Sample
    Variance, The American Statistician 37(3), 1983, equation 2.1.
    """

    def build(self, width: int) -> None:
        """Makes the mean and the scatter."""
        self.mean = self.variable("mean", (width,))
        self.scatter = self.variable("scatter", (width, width))

    def keep(self, features: Tensor) -> None:
        """Merges the moments of a batch into those so far."""
        n = ops.cast(self.seen, self.dtype)
        m = ops.cast(ops.shape(features)[0], self.dtype)
        both = ops.maximum(n + m, 1)
        b = ops.sum(features, axis=0) / ops.maximum(m, 1)
        away = features - b
        apart = b - self.mean
        # One product for both terms: the last row makes (b - a) (b - a)^T.
        last = apart * ops.sqrt(n * m / both)
        rows = ops.concatenate([away, last[None]])
        self.mean.assign(self.mean + apart * (m / both))
        self.scatter.assign(
            self.scatter + ops.matmul(ops.transpose(rows), rows)
        )

    def read(self) -> tuple[Array, Array]:
        """Returns the mean and the covariance, divided by n - 1."""
        n = self.number(self.seen)
        scatter = ops.convert_to_numpy(self.scatter).astype("float64")
        mean: Array = ops.convert_to_numpy(self.mean).astype("float64")
        return mean, (scatter + scatter.T) / (2 * (n - 1))

    def write(self, mean: Array, covariance: Array, samples: int) -> None:
        """Sets the moments to those of samples that were seen elsewhere."""
        self.mean.assign(mean)
        self.scatter.assign(covariance * (samples - 1))
        self.seen.assign(samples)
