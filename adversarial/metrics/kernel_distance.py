"""The kernel distance: an unbiased measure with an error bar."""

from __future__ import annotations

from typing import Any

import numpy as np

from adversarial.metrics.arguments import whole
from adversarial.metrics.sampled_metric import SampledMetric
from adversarial.registry import register

Array = np.ndarray[Any, Any]
CHUNK = 2048
"""Rows of a kernel matrix that are made at once."""


@register("metrics")
class KernelDistance(SampledMetric):
    """Measures the squared maximum mean discrepancy of a cubic kernel.

    With features from an Inception network it is the KID. Take it where there
    are few samples, for unlike the Frechet distance it has no bias, and says
    how far to trust it.

        k(x, y)  = (x.y / d + 1)^3                          d features
        MMD^2    = sum_{i != j} k(x_i, x_j) / (m (m - 1))
                 + sum_{i != j} k(y_i, y_j) / (m (m - 1))
                 - 2 sum_{i, j} k(x_i, y_j) / m^2           m samples a side
        distance = mean of MMD^2 over B subsets
        error    = standard deviation over subsets / sqrt(B)

    The kept samples of each side are shuffled (with the seed) and cut into
    disjoint subsets of m = `subset_size`; B is the number of whole subsets
    that both sides have, at most `subsets`. What is left over is not used.
    Disjoint subsets are independent, so that the error is a standard error:
    two in three times the distance is no further from the truth.

    Facts: unbiased, so it may be negative if the samples are alike. Its size
    depends on that of the features: not comparable between extractors. The
    error is NaN with one subset. State: `max_samples` features a side.

    Args:
        extractor: See `GenerativeMetric`.
        subset_size: Samples of each side in a subset, 2 or more.
        subsets: The most subsets to use, or `None` for all that there are.
        **kwargs: `max_samples`, `seed` and the rest: see `SampledMetric`.

    Raises:
        ValueError: for sizes that are too small; `result` for fewer samples
            than `subset_size`; `update_state` as in `GenerativeMetric`.
        TypeError: if a count or the seed is no whole number.

    Example:

    >>> import numpy as np
    >>> from adversarial.metrics import KernelDistance
    >>> x, y = np.random.default_rng(0).normal(size=(2, 1000, 4))
    >>> metric = KernelDistance(subset_size=100)
    >>> metric.update_state(x, y)
    >>> near = metric.result()
    >>> abs(near["kernel_distance"]) < 3 * near["kernel_distance_error"]
    True
    >>> metric.reset_state()
    >>> metric.update_state(x, y + 1.0)
    >>> far = metric.result()
    >>> far["kernel_distance"] > 3 * far["kernel_distance_error"]
    True

    References: Binkowski, Sutherland, Arbel, Gretton, Demystifying MMD GANs,
    ICLR 2018, equation 4 and section 4. Gretton et al., A Kernel Two-Sample
    Test, JMLR 13, 2012, equation 3.

    Differs from the paper's code, which draws 100 subsets that overlap: the
    mean estimates the same number, but their deviation over sqrt(100) is not
    its error.
    """

    measures = (
        "kernel_distance",
        "kernel_distance_error",
    )
    better = ("min", None)

    def __init__(
        self,
        extractor: Any = None,
        *,
        subset_size: int = 1000,
        subsets: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.subset_size = whole("subset_size", subset_size, 2)
        self.least = (self.subset_size, self.subset_size)
        if subsets is not None:
            subsets = whole("subsets", subsets, 1)
        self.subsets = subsets
        super().__init__(extractor, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"subset_size": self.subset_size, "subsets": self.subsets}
        return {**super().get_config(), **own}

    def _compute(self) -> tuple[float, float]:
        m = self.subset_size
        kept = self._kept_samples(f"`subset_size={m}`", m, m)
        rng = np.random.default_rng(self.seed)
        x, y = (samples[rng.permutation(len(samples))] for samples in kept)
        subsets = min(len(x), len(y)) // m
        if self.subsets is not None:
            subsets = min(subsets, self.subsets)
        found = [
            squared_mmd(x[i * m : (i + 1) * m], y[i * m : (i + 1) * m])
            for i in range(subsets)
        ]
        if subsets == 1:
            return found[0], float("nan")
        error = np.std(found, ddof=1) / np.sqrt(subsets)
        return float(np.mean(found)), float(error)


def squared_mmd(x: Array, y: Array) -> float:
    """Returns the unbiased squared discrepancy of the cubic kernel.

    Args:
        x: Shape (m, d), float64.
        y: Shape (n, d), float64.
    """
    m, n, d = len(x), len(y), x.shape[1]

    def total(a: Array, b: Array) -> float:
        starts = range(0, len(a), CHUNK)
        return sum(
            float(np.sum((a[i : i + CHUNK] @ b.T / d + 1) ** 3)) for i in starts
        )

    def own(a: Array) -> float:
        """The sum over pairs of different samples."""
        alone = np.sum((np.sum(a * a, axis=1) / d + 1) ** 3)
        return total(a, a) - float(alone)

    among_x, among_y = own(x) / (m * (m - 1)), own(y) / (n * (n - 1))
    return among_x + among_y - 2 * total(x, y) / (m * n)
