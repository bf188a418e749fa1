"""Several metrics that see the same samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras

from adversarial import registry
from adversarial.errors import conversation, quoted, unknown
from adversarial.metrics.generative_metric import (
    GenerativeMetric,
    update_together,
)

MODES = ("auto", "min", "max")


class MetricGroup:
    """Metrics whose logs have names of their own.

    Args:
        metrics: A metric, its name, or a list of them.

    Attributes:
        metrics: The metrics.
        directions: Whether `"min"` or `"max"` is better, or `None`, by log.

    Raises:
        ValueError: for an empty list; if two logs have one name.
        TypeError: for things that are no metric.
    """

    def __init__(self, metrics: Any) -> None:
        self.metrics = _metrics(metrics)
        self.directions = _directions(self.metrics)

    def check_samples(self, count: int) -> None:
        """Complains if a metric needs more generated samples.

        Raises:
            ValueError: if one does.
        """
        for metric in self.metrics:
            _check_count(metric, 1, count, "`samples`")

    def feed_real(self, real: Any, batch_size: int) -> tuple[int, ...] | None:
        """Takes the real samples into the metrics that need them.

        Those that were made with `keep_real=True` and have some keep them.

        Args:
            real: An array, a tensor, an iterable of batches, or `None`.
            batch_size: How many samples of an array to take at once.

        Returns:
            The shape of one sample; `None` if there are none.

        Raises:
            ValueError: if a metric has fewer than it needs.
            TypeError: if `real` holds no samples.
        """
        needy = [
            metric
            for metric in self.metrics
            if metric.least[0] and not (metric.keep_real and metric.seen[0])
        ]
        for metric in needy:
            metric.reset_real()
        shape = None
        for batch in _batches(real, batch_size):
            shape = tuple(batch.shape[1:])
            if not needy:
                break
            update_together(needy, real=batch)
        for metric in self.metrics:
            _check_count(metric, 0, metric.seen[0], "`real`")
        return shape

    def measure(self, batches: Iterable[Any]) -> dict[str, float]:
        """Returns the values for generated samples, by log."""
        for metric in self.metrics:
            metric.reset_fake()
        for batch in batches:
            update_together(self.metrics, fake=batch)
        values: dict[str, float] = {}
        for metric in self.metrics:
            found = metric.result()
            values.update(found if metric.measures else {metric.name: found})
        return values

    def choose(self, monitor: str | None, mode: str) -> tuple[str, str]:
        """Returns by which log the best is found, and what is better in it.

        Args:
            monitor: A log; `None` for the only one that it can be.
            mode: `"min"`, `"max"`, or `"auto"` to ask the metric.

        Raises:
            ValueError: for unknown names; if `monitor` is needed; if neither
                `mode` nor the metric says what is better.
        """
        if mode not in MODES:
            raise unknown("`mode`", mode, MODES)
        known = [n for n, way in self.directions.items() if way]
        known = known if mode == "auto" else list(self.directions)
        if monitor is None and len(known) == 1:
            monitor = known[0]
        if monitor is None:
            raise ValueError(
                conversation(
                    "`monitor` must say by which log the best model is found.",
                    expected=f"one of {quoted(self.directions)}.",
                    received="none.",
                    fix=f"pass `monitor={[*known, *self.directions][0]!r}`.",
                )
            )
        if monitor not in self.directions:
            raise unknown("`monitor`", monitor, self.directions)
        better = self.directions[monitor] if mode == "auto" else mode
        if better is None:
            raise ValueError(
                conversation(
                    f"'{monitor}' does not say whether more or less is better.",
                    fix='pass `mode="min"` or `mode="max"`, or monitor another '
                    "log.",
                )
            )
        return monitor, better


def _metrics(given: Any) -> list[GenerativeMetric]:
    several = isinstance(given, Sequence) and not isinstance(given, str)
    found = [
        registry.get("metrics", metric, GenerativeMetric, "metric")
        for metric in (given if several else [given])
    ]
    if not found:
        raise ValueError(
            conversation(
                "`metrics` must hold a metric or more.",
                received="an empty list.",
                fix='write, for example, `metrics=["frechet_distance"]`.',
            )
        )
    return found


def _directions(metrics: Sequence[GenerativeMetric]) -> dict[str, str | None]:
    """What is better, by name of the log.

    Raises:
        ValueError: if two logs have one name.
    """
    found: dict[str, str | None] = {}
    for metric in metrics:
        twice = [name for name in metric.directions if name in found]
        if twice:
            raise ValueError(
                conversation(
                    "Metrics must have names of their own.",
                    received=f"{quoted(twice)} twice.",
                    fix=f"name one: `{type(metric).__name__}(..., "
                    'name="...")`.',
                )
            )
        found |= metric.directions
    return found


def _check_count(
    metric: GenerativeMetric, side: int, count: int, argument: str
) -> None:
    if count < metric.least[side]:
        kind = ("real", "generated")[side]
        raise ValueError(
            conversation(
                f"'{metric.name}' needs more {kind} samples.",
                expected=f"at least {metric.least[side]}.",
                received=f"{count}.",
                fix=f"pass more with {argument}, or lower what the metric "
                "asks for.",
            )
        )


def _batches(real: Any, batch_size: int) -> Iterator[Any]:
    if real is None:
        return
    if keras.ops.is_tensor(real) or hasattr(real, "shape"):
        for start in range(0, len(real), batch_size):
            yield real[start : start + batch_size]
        return
    if not isinstance(real, Iterable):
        raise TypeError(
            conversation(
                "`real` must hold samples.",
                expected="an array, a tensor, or an iterable of batches.",
                received=f"an object of type `{type(real).__name__}`.",
            )
        )
    for batch in real:
        x = keras.utils.unpack_x_y_sample_weight(batch)[0]
        yield x
