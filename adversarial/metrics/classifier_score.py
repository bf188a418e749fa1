"""The classifier score: sure of each sample, undecided about all."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from adversarial.errors import conversation
from adversarial.metrics.arguments import whole
from adversarial.metrics.generative_metric import GenerativeMetric
from adversarial.metrics.side import AddVariable, Side
from adversarial.registry import register

Tensor = Any
SUM_SLACK = 1e-2
"""How far from 1 probabilities may sum: the rounding of half precision."""


class SplitSums(Side):
    """Keeps sums of probabilities, and of p log p, for every split.

    Args:
        add_variable: See `Side`.
        name: See `Side`.
        dtype: See `Side`.
        value_range: See `Side`.
        splits: How many splits there are; sample t is of split t mod splits.
        from_logits: Whether features are logits.
    """

    def __init__(
        self,
        add_variable: AddVariable,
        name: str,
        dtype: str,
        value_range: tuple[float, float] | None = None,
        *,
        splits: int,
        from_logits: bool,
    ) -> None:
        super().__init__(add_variable, name, dtype, value_range)
        self.splits = splits
        self.from_logits = from_logits

    def build(self, width: int) -> None:
        """Makes the sums."""
        self.marginal = self.variable("marginal", (self.splits, width))
        self.certainty = self.variable("certainty", (self.splits,))

    def valid(self, features: Tensor) -> Tensor:
        """Says of each row whether it holds logits, or probabilities."""
        finite = super().valid(features)
        if self.from_logits:
            return finite
        total = ops.sum(features, axis=-1)
        sums = ops.abs(total - 1) <= SUM_SLACK
        signs = ops.all(features >= -SUM_SLACK, axis=-1)
        return ops.logical_and(finite, ops.logical_and(sums, signs))

    def demand(self) -> str:
        """Says what a row must be."""
        if self.from_logits:
            return "Logits must be finite."
        return "Probabilities must lie in [0, 1] and sum to 1 in every row."

    def cure(self) -> str:
        """Says what to do about other rows."""
        if self.from_logits:
            return super().cure()
        return (
            "if the classifier returns logits, pass `from_logits=True`; else "
            "end it with a softmax."
        )

    def keep(self, features: Tensor) -> None:
        """Adds a batch to the sums of the splits."""
        if self.from_logits:
            log_p = ops.log_softmax(features, axis=-1)
            p = ops.exp(log_p)
        else:
            p = ops.maximum(features, 0)
            p = p / ops.sum(p, axis=-1, keepdims=True)
            log_p = ops.log(ops.where(p > 0, p, 1))
        rows = ops.arange(0, ops.shape(p)[0], dtype="int64")
        split = ops.cast((self.seen + rows) % self.splits, "int32")
        member = ops.transpose(ops.one_hot(split, self.splits, dtype=p.dtype))
        self.marginal.assign(self.marginal + ops.matmul(member, p))
        certainty = ops.sum(p * log_p, axis=-1, keepdims=True)
        self.certainty.assign(
            self.certainty + ops.matmul(member, certainty)[:, 0]
        )

    def scores(self) -> np.ndarray[Any, Any]:
        """Returns the score of every split."""
        n = self.check(least=self.splits)
        sizes = np.bincount(np.arange(n) % self.splits)
        total = ops.convert_to_numpy(self.marginal).astype("float64")
        certainty = ops.convert_to_numpy(self.certainty).astype("float64")
        q = total / sizes[:, None]
        information = certainty / sizes - np.sum(
            q * np.log(np.where(q > 0, q, 1.0)), axis=1
        )
        scores: np.ndarray[Any, Any] = np.exp(information)
        return scores


@register("metrics")
class ClassifierScore(GenerativeMetric):
    """Measures whether a classifier is sure of each sample, and finds all.

    With an Inception network it is the inception score. Take it to compare
    with old papers, or with a classifier of your own classes as a check that
    all are generated; it never looks at the real samples, so that it sees
    neither memorised data nor missing variety within a class.

        p(c | x)  what the classifier says of a sample x
        q(c)      = mean of p(c | x) over the samples of a split
        score     = exp(mean over x of sum_c p(c | x) log(p(c | x) / q(c)))

    The result is the mean of the scores of the splits, and their standard
    deviation (divided by the number of splits, as in the authors' code). From
    1 (nothing learned) to the number of classes (sure of each sample, all
    classes equally often).

    Facts: sample t is of split t mod `splits`. Scores of small splits are too
    low, those of few samples more so. State: splits * (classes + 1) numbers a
    side. Higher is better.

    Args:
        extractor: The classifier: returns shape (batch, classes), classes 2
            or more; `None` if the data are what it returned. See
            `GenerativeMetric`.
        splits: How many, 1 or more; at most the number of samples.
        from_logits: Whether it returns logits, not probabilities.
        **kwargs: `value_range` and the rest: see `GenerativeMetric`.

    Raises:
        ValueError: for less than one split; `update_state` for rows that are
            not probabilities (or not finite), for less than 2 classes, and as
            in `GenerativeMetric`; `result` for fewer samples than splits.
        TypeError: if the number of splits is no whole number.

    Example:

    >>> import numpy as np
    >>> from adversarial.metrics import ClassifierScore
    >>> metric = ClassifierScore(splits=2)
    >>> metric.update_fake(np.eye(4)[[0, 0, 1, 1, 2, 2, 3, 3]])
    >>> metric.result()
    {'classifier_score': 4.0..., 'classifier_score_deviation': 0.0}

    References: Salimans et al., Improved Techniques for Training GANs, NeurIPS
    2016, section 4. Barratt and Sharma, A Note on the Inception Score, 2018
    (what it does not see).

    Differs from the authors' code in the splits: these are interleaved, those
    are consecutive, and miss classes if the samples are sorted by class. With
    one split there is no difference.
    """

    _real: SplitSums
    _fake: SplitSums
    measures = (
        "classifier_score",
        "classifier_score_deviation",
    )
    better = ("max", None)

    def __init__(
        self,
        extractor: Any = None,
        *,
        splits: int = 10,
        from_logits: bool = False,
        **kwargs: Any,
    ) -> None:
        self.splits = whole("splits", splits, 1)
        self.least = (0, self.splits)
        self.from_logits = from_logits
        super().__init__(extractor, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"splits": self.splits, "from_logits": self.from_logits}
        return {**super().get_config(), **own}

    def real_result(self) -> dict[str, float]:
        """Returns the score of the real samples: what a generator can reach.

        Raises:
            ValueError: if there are fewer real samples than splits.
        """
        values = _mean_and_deviation(self._real)
        return dict(zip(self._keys(), values, strict=True))

    def _side(self, add_variable: AddVariable, name: str) -> SplitSums:
        return SplitSums(
            add_variable,
            name,
            self.dtype,
            self.value_range,
            splits=self.splits,
            from_logits=self.from_logits,
        )

    def _features(self, features: Any) -> Tensor:
        if len(features.shape) == 2 and features.shape[1] == 1:
            raise ValueError(
                conversation(
                    "A classifier score needs two classes or more.",
                    expected="shape (batch, classes).",
                    received=f"shape {tuple(features.shape)}.",
                    fix="for one sigmoid p return [1 - p, p].",
                )
            )
        return super()._features(features)

    def _compute(self) -> tuple[float, float]:
        return _mean_and_deviation(self._fake)


def _mean_and_deviation(side: SplitSums) -> tuple[float, float]:
    scores = side.scores()
    return float(np.mean(scores)), float(np.std(scores))
