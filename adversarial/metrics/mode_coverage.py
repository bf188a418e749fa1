"""Mode coverage: how many kinds there are, and how evenly."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from adversarial.backend.scopes import only_shapes
from adversarial.errors import conversation, unknown
from adversarial.games.mixture_of_gaussians import MixtureOfGaussians
from adversarial.metrics.arguments import whole
from adversarial.metrics.extractor import concrete
from adversarial.metrics.generative_metric import GenerativeMetric
from adversarial.metrics.side import AddVariable, Side
from adversarial.metrics.stacked_classifier import classes_of
from adversarial.registry import register

Tensor = Any
Array = np.ndarray[Any, Any]
SUM_SLACK = 1e-6
"""How far from 1 the probabilities of a reference may sum: rounding."""


class ModeCounts(Side):
    """Counts the samples of every mode, and those that are near it.

    Its features are two columns: the number of the mode, and 1 if near.

    Args:
        add_variable: See `Side`.
        name: See `Side`.
        dtype: See `Side`.
        value_range: See `Side`.
        modes: How many there are.
    """

    def __init__(
        self,
        add_variable: AddVariable,
        name: str,
        dtype: str,
        value_range: tuple[float, float] | None = None,
        *,
        modes: int,
    ) -> None:
        super().__init__(add_variable, name, dtype, value_range)
        self.modes = modes
        self.counts = self.variable("counts", (modes, 2), "int64")

    def build(self, width: int) -> None:
        """Makes nothing: the number of modes is known."""

    def valid(self, features: Tensor) -> Tensor:
        """Says of each row whether it names a mode."""
        mode = features[:, 0]
        return ops.logical_and(mode >= 0, mode < self.modes)

    def demand(self) -> str:
        """Says what a row must be."""
        return f"Every sample must have a mode from 0 to {self.modes - 1}."

    def cure(self) -> str:
        """Says what to do about other rows."""
        return (
            "pass the number of modes as `modes`; if the classifier returns "
            "scores, look for NaN in them."
        )

    def keep(self, features: Tensor) -> None:
        """Counts a batch."""
        # What is not valid has been counted, but must have some place.
        mode = ops.cast(ops.clip(features[:, 0], 0, self.modes - 1), "int32")
        near = features[:, 1]
        added = ops.segment_sum(
            ops.stack([ops.ones_like(near), near], axis=1),
            mode,
            num_segments=self.modes,
        )
        self.counts.assign(self.counts + added)

    def read(self) -> tuple[Array, Array]:
        """Returns the counts of all samples and of those near, by mode."""
        counts: Array = ops.convert_to_numpy(self.counts)
        return counts[:, 0], counts[:, 1]


@register("metrics")
class ModeCoverage(GenerativeMetric):
    """Counts which modes are generated, and compares their frequencies.

    Take it where the modes are known: for mixtures of Gaussians, for classes,
    and for stacked MNIST, whose 1,000 modes are three digits each.

        h(i)          = part of the generated samples in mode i
        modes_covered = number of modes with `at_least` samples
        kl_divergence = sum_i h(i) log(h(i) / r(i)),   0 log 0 = 0

    in nats; r is the reference. For a mixture the mode of a sample is the
    nearest, only samples within `within` standard deviations of it cover it,
    and there is `high_quality`, the part of the samples that are.

    Facts: the divergence is 0 if all is as in the reference, and infinite if
    a mode is generated that the reference does not have. From n samples of
    the reference itself it is about (modes - 1) / (2 n), and some modes are
    missed by chance. State: two counts per mode.

    Args:
        extractor: The classifier: returns whole numbers of modes, shape
            (batch,), or scores or probabilities, shape (batch, modes), of
            which the largest counts; `StackedClassifier` for stacked MNIST;
            `None` if the data are what it returned, or for a mixture. See
            `GenerativeMetric`.
        modes: How many there are; or an `adversarial.games.MixtureOfGaussians`
            (which works with NumPy, so not in compiled functions).
        reference: r: `"uniform"`; `"real"`, the frequencies of the real
            samples; or `modes` probabilities.
        at_least: How many samples cover a mode, 1 or more.
        within: What is near, in standard deviations; 3 if `None`. For
            mixtures only.
        **kwargs: `value_range` and the rest: see `GenerativeMetric`.

    Raises:
        ValueError: for numbers that do not fit; for a reference that does not
            sum to 1; `update_state` for modes out of range, for real samples
            if the reference is not `"real"`, and as in `GenerativeMetric`;
            `result` without samples.
        TypeError: if a count is no whole number.

    Example:

    >>> from adversarial import games
    >>> from adversarial.metrics import ModeCoverage
    >>> ring = games.ring()
    >>> metric = ModeCoverage(modes=ring)
    >>> metric.update_fake(ring.means[[0, 0, 1, 1]])
    >>> found = metric.result()
    >>> found["modes_covered"], found["high_quality"]
    (2.0, 1.0)

    References: Metz, Poole, Pfau, Sohl-Dickstein, Unrolled Generative
    Adversarial Networks, ICLR 2017, section 3.3 (stacked MNIST). Srivastava
    et al., VEEGAN, NeurIPS 2017, section 4.1 (mixtures, 3 deviations).
    """

    _real: ModeCounts
    _fake: ModeCounts
    measures: tuple[str, ...] = ("modes_covered", "kl_divergence")
    better: tuple[str | None, ...] = ("max", "min")

    def __init__(
        self,
        extractor: Any = None,
        *,
        modes: int | MixtureOfGaussians,
        reference: Any = "uniform",
        at_least: int = 1,
        within: float | None = None,
        **kwargs: Any,
    ) -> None:
        self.mixture = None
        if isinstance(modes, MixtureOfGaussians):
            self.mixture, modes = modes, len(modes.means)
            self.measures = (*self.measures, "high_quality")
            self.better = (*self.better, "max")
        elif within is not None:
            raise ValueError(
                conversation(
                    "Only mixtures have samples that are near or far.",
                    received=f"`within={within}` and `modes={modes!r}`.",
                    fix="leave `within` out, or pass the mixture as `modes`.",
                )
            )
        self.modes = whole("modes", modes, 1)
        self.within = within
        self.at_least = whole("at_least", at_least, 1)
        self.reference = reference
        self._probabilities = _probabilities(reference, self.modes)
        self.least = (int(self._probabilities is None), 1)
        super().__init__(extractor, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        modes: Any = self.modes
        if self.mixture is not None:
            modes = {
                "means": self.mixture.means.tolist(),
                "deviation": self.mixture.deviation,
            }
        reference = self.reference
        if not isinstance(reference, str):
            reference = np.asarray(reference).tolist()
        return {
            **super().get_config(),
            "modes": modes,
            "reference": reference,
            "at_least": self.at_least,
            "within": self.within,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> GenerativeMetric:
        """Remakes the metric, without samples, from its configuration."""
        modes = config["modes"]
        if isinstance(modes, dict):
            modes = MixtureOfGaussians(**modes)
        return super().from_config({**config, "modes": modes})

    def _side(self, add_variable: AddVariable, name: str) -> ModeCounts:
        return ModeCounts(
            add_variable, name, self.dtype, self.value_range, modes=self.modes
        )

    def _check_place(self, real: Any) -> None:
        super()._check_place(real)
        if real is not None and self.reference != "real":
            raise ValueError(
                conversation(
                    "The real samples have no part in this comparison.",
                    received="real samples, and a `reference` that is given.",
                    fix="pass generated samples alone, or make the metric "
                    'with `reference="real"`.',
                )
            )

    def _features(self, features: Any) -> Tensor:
        """Returns the mode of each sample, and whether it is near."""
        if self.mixture is None:
            modes = classes_of(features)
            return ops.stack([modes, ops.ones_like(modes)], axis=1)
        points = concrete(features)
        if points is None and only_shapes():
            points = np.zeros(features.shape)
        if points is None:
            raise ValueError(
                conversation(
                    "A mixture finds modes with NumPy.",
                    received="samples in a compiled function.",
                    fix="compile with `run_eagerly=True`, or update the "
                    "metric from a callback.",
                )
            )
        modes, distances = self.mixture.nearest(points)
        modes = np.where(np.isfinite(distances), modes, -1)
        within = 3.0 if self.within is None else self.within
        near = distances <= within * self.mixture.deviation
        return ops.convert_to_tensor(
            np.stack([modes, near], axis=1), dtype="int64"
        )

    def _compute(self) -> tuple[float, ...]:
        n = self._fake.check(least=1)
        counts, near = self._fake.read()
        covered = float(np.sum(near >= self.at_least))
        divergence = _divergence(counts / n, self._reference())
        if self.mixture is None:
            return covered, divergence
        return covered, divergence, float(np.sum(near) / n)

    def _reference(self) -> Array:
        if self._probabilities is not None:
            return self._probabilities
        n = self._real.check(least=1)
        frequencies: Array = self._real.read()[0] / n
        return frequencies


def _divergence(h: Array, r: Array) -> float:
    """KL(h | r) in nats; infinite where h is and r is not."""
    h, r = h[h > 0], r[h > 0]
    return float(np.sum(h * np.log(h / r))) if np.all(r > 0) else float("inf")


def _probabilities(reference: Any, modes: int) -> Array | None:
    """The reference as an array; `None` if the real samples are it."""
    if isinstance(reference, str) and reference == "real":
        return None
    if isinstance(reference, str) and reference == "uniform":
        return np.full(modes, 1 / modes)
    if isinstance(reference, str):
        raise unknown("reference", reference, ["uniform", "real"])
    try:
        r = np.asarray(reference, "float64")
    except (TypeError, ValueError):
        r = np.zeros(0)
    if (
        r.shape != (modes,)
        or not np.all(r >= 0)
        or abs(np.sum(r) - 1) > SUM_SLACK
    ):
        raise ValueError(
            conversation(
                "`reference` must hold one probability per mode.",
                expected=f"shape ({modes},), none negative, of sum 1.",
                received=f"shape {r.shape}, least {np.min(r, initial=0):g}, "
                f"sum {np.sum(r):g}.",
            )
        )
    return r
