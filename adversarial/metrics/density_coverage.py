"""Density and coverage: fidelity and variety that outliers do not bend."""

from __future__ import annotations

from typing import Any

import numpy as np

from adversarial.metrics.arguments import whole
from adversarial.metrics.neighbours import centred, inside, squared_radii
from adversarial.metrics.sampled_metric import SampledMetric
from adversarial.registry import register


@register("metrics")
class DensityCoverage(SampledMetric):
    """Measures how thickly, and how widely, generated samples lie on real.

    Take it where `PrecisionRecall` flatters: both numbers use balls around
    real samples alone, and density counts them.

        r_k(x)   = distance of x to its k-th nearest other real sample
        density  = sum_j sum_i [|y_j - x_i| <= r_k(x_i)] / (k m)
        coverage = part of the x_i with |y_j - x_i| <= r_k(x_i) for some j

    for n real x_i and m generated y_j. Density is about 1, and coverage about
    1 - 2^-k, if both sides have the same distribution and as many samples.
    Density may exceed 1: where samples lie in the balls of many.

    Facts: coverage rises with the number m of generated samples; compare at
    equal numbers. State: `max_samples` features a
    side; `result` holds 64 MB of distances at a time.

    Args:
        extractor: See `GenerativeMetric`.
        k: Which neighbour, 1 or more, below the number of real samples.
        **kwargs: `max_samples`, `seed` and the rest: see `SampledMetric`.

    Raises:
        ValueError: if `k` is below 1; `result` if there are k real samples or
            fewer; `update_state` as in `GenerativeMetric`.
        TypeError: if a count or the seed is no whole number.

    Example:

    >>> import numpy as np
    >>> from adversarial.metrics import DensityCoverage
    >>> x, y = np.random.default_rng(0).normal(size=(2, 1000, 2))
    >>> metric = DensityCoverage()
    >>> metric.update_state(x, 0.01 * y)
    >>> found = metric.result()
    >>> found["density"] > 0.5, found["coverage"] < 0.05
    (True, True)

    References: Naeem, Oh, Uh, Choi, Yoo, Reliable Fidelity and Diversity
    Metrics for Generative Models, ICML 2020, equations 3 and 4, and lemma 2
    (the expected coverage).

    Differs from the authors' code at ties: balls are closed here, open there.
    It shows where samples are repeated only: a set against itself has density
    (k + 1) / k here and 1 there.
    """

    measures = ("density", "coverage")
    better = (None, "max")  # A density of 2 is no better than one of 1.

    def __init__(
        self, extractor: Any = None, *, k: int = 5, **kwargs: Any
    ) -> None:
        self.k = whole("k", k, 1)
        self.least = (self.k + 1, 1)
        super().__init__(extractor, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "k": self.k}

    def _compute(self) -> tuple[float, float]:
        x, y = self._kept_samples(f"`k={self.k}`", self.k + 1, 1)
        x, y = centred(x, y)
        balls, filled = inside(y, x, squared_radii(x, self.k))
        return float(np.mean(balls) / self.k), float(np.mean(filled))
