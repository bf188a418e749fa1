"""Precision and recall: fidelity and variety, apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from adversarial.metrics.arguments import whole
from adversarial.metrics.neighbours import centred, inside, squared_radii
from adversarial.metrics.sampled_metric import SampledMetric
from adversarial.registry import register


@register("metrics")
class PrecisionRecall(SampledMetric):
    """Measures which part of each side lies where the other side is.

    Take it to tell a generator that makes bad samples (low precision) from
    one that leaves some out (low recall).

        r_k(z)    = distance of z to its k-th nearest other on its side
        precision = part of the y_j with |y_j - x_i| <= r_k(x_i) for some i
        recall    = part of the x_i with |x_i - y_j| <= r_k(y_j) for some j

    for real x_i and generated y_j. Both lie between 0 and 1.

    Facts: one outlier among the real samples has a large ball, which raises
    precision, and a spread-out generator has large balls itself, which raises
    recall: `DensityCoverage` suffers from neither. Both numbers depend on how
    many samples there are; compare at equal numbers. State: `max_samples`
    features a side; `result` holds 64 MB of distances at a time.

    Args:
        extractor: See `GenerativeMetric`.
        k: Which neighbour, 1 or more, below the number of samples of either
            side.
        **kwargs: `max_samples`, `seed` and the rest: see `SampledMetric`.

    Raises:
        ValueError: if `k` is below 1; `result` if there are k samples of a
            side or fewer; `update_state` as in `GenerativeMetric`.
        TypeError: if a count or the seed is no whole number.

    Example:

    >>> import numpy as np
    >>> from adversarial.metrics import PrecisionRecall
    >>> x, y = np.random.default_rng(0).normal(size=(2, 1000, 2))
    >>> metric = PrecisionRecall()
    >>> metric.update_state(x, 0.01 * y)
    >>> found = metric.result()
    >>> found["precision"] == 1.0, found["recall"] < 0.05
    (True, True)

    References: Kynkaanniemi, Karras, Laine, Lehtinen, Aila, Improved
    Precision and Recall Metric for Assessing Generative Models, NeurIPS 2019,
    equations 1 to 3.

    Differs from the paper in the default: k = 5, as in later work, not 3.
    """

    measures = ("precision", "recall")
    better = ("max", "max")

    def __init__(
        self, extractor: Any = None, *, k: int = 5, **kwargs: Any
    ) -> None:
        self.k = whole("k", k, 1)
        self.least = (self.k + 1, self.k + 1)
        super().__init__(extractor, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "k": self.k}

    def _compute(self) -> tuple[float, float]:
        least = self.k + 1
        x, y = self._kept_samples(f"`k={self.k}`", least, least)
        x, y = centred(x, y)
        among_real, _ = inside(y, x, squared_radii(x, self.k))
        among_fake, _ = inside(x, y, squared_radii(y, self.k))
        return float(np.mean(among_real > 0)), float(np.mean(among_fake > 0))
