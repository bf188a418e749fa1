"""The Frechet distance between features, seen as Gaussian."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from adversarial.errors import conversation
from adversarial.metrics.generative_metric import GenerativeMetric
from adversarial.metrics.moments import Moments
from adversarial.metrics.side import AddVariable
from adversarial.registry import register

Array = np.ndarray[Any, Any]
STATISTICS = ("mu", "sigma", "n")
"""The names in a file of statistics; the first two are those of pytorch-fid."""


def frechet_distance(
    mean_r: Any, covariance_r: Any, mean_f: Any, covariance_f: Any
) -> float:
    """Returns the squared Frechet distance between two Gaussians.

        d = |m_r - m_f|^2 + tr C_r + tr C_f - 2 tr (C_r C_f)^(1/2)

    The last trace is the sum of the singular values of C_r^(1/2) C_f^(1/2),
    with roots from symmetric eigen-decompositions. So there is no complex
    part to drop, and singular covariances need no jitter: eigenvalues below
    the rounding of the largest count as zero, and d is the limit of what
    C + epsilon I would give.

    Args:
        mean_r: Shape (d,).
        covariance_r: Shape (d, d), symmetric.
        mean_f: Shape (d,).
        covariance_f: Shape (d, d), symmetric.

    Returns:
        A float, never below 0.

    Raises:
        ValueError: if the shapes do not fit.

    Example:

    >>> import numpy as np
    >>> from adversarial.metrics import frechet_distance
    >>> one = np.eye(2)
    >>> round(frechet_distance([0.0, 0.0], one, [3.0, 0.0], 4 * one), 12)
    11.0

    References: Dowson and Landau, The Frechet Distance between Multivariate
    Normal Distributions, J. Multivariate Analysis 12(3), 1982, equation 4.
    """
    m_r, m_f, c_r, c_f = (
        np.asarray(x, "float64")
        for x in (mean_r, mean_f, covariance_r, covariance_f)
    )
    d = m_r.size
    if m_r.shape != (d,) or m_f.shape != (d,) or c_r.shape != (d, d):
        raise ValueError(_shapes(m_r, c_r, m_f, c_f))
    if c_f.shape != (d, d):
        raise ValueError(_shapes(m_r, c_r, m_f, c_f))
    product = _factor(c_r).T @ _factor(c_f)
    roots = np.linalg.svd(product, compute_uv=False)
    apart = np.sum((m_r - m_f) ** 2)
    distance = apart + np.trace(c_r) + np.trace(c_f) - 2 * np.sum(roots)
    return max(float(distance), 0.0)


def _factor(covariance: Array) -> Array:
    """Returns F with F F^T = C, one column per eigenvalue that is not zero.

    C^(1/2) is F U^T with orthonormal columns U, so that products of factors
    and of roots have the same singular values.
    """
    values, vectors = np.linalg.eigh(covariance)
    rounding = len(values) * np.finfo("float64").eps * np.max(np.abs(values))
    real = values > rounding
    factor: Array = vectors[:, real] * np.sqrt(values[real])
    return factor


def _shapes(m_r: Array, c_r: Array, m_f: Array, c_f: Array) -> str:
    return conversation(
        "Two Gaussians need means and covariances of one width.",
        expected="shapes (d,), (d, d), (d,), (d, d).",
        received=f"{m_r.shape}, {c_r.shape}, {m_f.shape}, {c_f.shape}.",
    )


@register("metrics")
class FrechetDistance(GenerativeMetric):
    """Measures the Frechet distance between real and generated features.

    With features from an Inception network it is the FID, the measure that
    most papers report. It sees fidelity and variety at once, and cannot say
    which of them is missing: `PrecisionRecall` does.

        m, C = mean of the features, sum (x - m)(x - m)^T / (n - 1)
        d    = |m_r - m_f|^2 + tr C_r + tr C_f - 2 tr (C_r C_f)^(1/2)

    of the real (r) and the generated (f) samples. It is the squared distance,
    as everywhere. Dividing by n - 1 is what the authors' code and all that
    follow it do.

    Facts: it is biased: with few samples it is too large, by about as much
    per 1/n for every model, so compare at equal n only (10,000 or more for
    2048 features). With n <= d samples of d features the covariance is
    singular; the value is defined (see `frechet_distance`), but says little,
    and a warning says so. State: d (d + 1) numbers a side, whatever n.

    Args:
        extractor: See `GenerativeMetric`.
        value_range: See `GenerativeMetric`.
        keep_real: See `GenerativeMetric`.
        name: See `GenerativeMetric`.
        dtype: See `GenerativeMetric`.

    Raises:
        ValueError: for other arguments than these; `result` for fewer than 2
            samples of a side; `update_state` as in `GenerativeMetric`.

    Example:

    >>> import numpy as np
    >>> from adversarial.metrics import FrechetDistance
    >>> x = np.random.default_rng(0).normal(size=(1000, 4))
    >>> metric = FrechetDistance(keep_real=True)
    >>> metric.update_real(x[:500]), metric.update_real(x[500:])
    (None, None)
    >>> metric.update_fake(x + 3.0)
    >>> round(metric.result(), 9)
    36.0

    References: Heusel et al., GANs Trained by a Two Time-Scale Update Rule
    Converge to a Local Nash Equilibrium, NeurIPS 2017, equation 6. Chong and
    Forsyth, Effectively Unbiased FID and Inception Score, CVPR 2020 (bias).

    Differs from the paper's code in the root: no `scipy.linalg.sqrtm`, whose
    complex part is dropped, and no 1e-6 on the diagonal of singular ones.
    """

    _real: Moments
    _fake: Moments
    better = ("min",)
    least = (2, 2)

    def _side(self, add_variable: AddVariable, name: str) -> Moments:
        return Moments(add_variable, name, self.dtype, self.value_range)

    def _compute(self) -> tuple[float]:
        moments: list[Array] = []
        for side in (self._real, self._fake):
            n, d = side.check(least=2), int(side.width or 0)
            if n <= d:
                warnings.warn(
                    f"The covariance of {n} {side.name} samples of {d} "
                    f"features has rank {n - 1} at most: the Frechet distance "
                    "is far too large, and to be compared at equal numbers "
                    f"only. Pass more than {d} samples.",
                    stacklevel=3,
                )
            moments += side.read()
        return (frechet_distance(*moments),)

    def write_real(self, path: str | os.PathLike[str]) -> None:
        """Writes the statistics of the real samples to an `.npz` file.

        The file holds `mu`, `sigma` (divided by n - 1) and `n`.

        Args:
            path: The file; `.npz` is added if it is missing.

        Raises:
            ValueError: for fewer than 2 real samples.
        """
        n = self._real.check(least=2)
        mean, covariance = self._real.read()
        np.savez(path, mu=mean, sigma=covariance, n=np.int64(n))

    def read_real(
        self, path: str | os.PathLike[str], *, samples: int | None = None
    ) -> None:
        """Takes the statistics of the real samples from an `.npz` file.

        They replace the real samples so far; more may follow. Make the metric
        with `keep_real=True` to keep them after `reset_state`.

        Args:
            path: A file of `write_real`, or of pytorch-fid.
            samples: Of how many samples the statistics are; needed if the
                file does not say (those of pytorch-fid do not).

        Raises:
            ValueError: for a file without the statistics, or of features of
                another width.
        """
        with np.load(path, allow_pickle=False) as file:
            found = {k: file[k] for k in STATISTICS if k in file}
        if samples is not None:
            found.setdefault("n", np.asarray(samples))
        missing = [k for k in STATISTICS if k not in found]
        if missing:
            raise ValueError(
                conversation(
                    "A file of statistics holds `mu`, `sigma` and `n`.",
                    received=f"'{os.fspath(path)}' without {missing}.",
                    fix="pass `samples=...`, the number of real samples."
                    if missing == ["n"]
                    else "write one with `write_real`.",
                )
            )
        mean, covariance, n = (found[k] for k in STATISTICS)
        if mean.ndim != 1 or covariance.shape != (mean.size, mean.size):
            raise ValueError(_shapes(mean, covariance, mean, covariance))
        self._features(mean[None])
        self._real.reset()
        self._real.write(mean, covariance, int(n))
