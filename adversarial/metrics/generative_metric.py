"""The base class of the measures of generated samples."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from adversarial import backend
from adversarial.errors import conversation
from adversarial.metrics import extractor as extractors
from adversarial.metrics.arguments import is_range
from adversarial.metrics.side import AddVariable, Side
from adversarial.registry import snake_case

Tensor = Any
Array = np.ndarray[Any, Any]
DTYPES = ("float64", "float32")


class GenerativeMetric(keras.metrics.Metric, abc.ABC):  # type: ignore[misc]
    """Compares generated samples with real ones, batch by batch.

    Feed it with `update_real` and `update_fake`, or both at once, and ask for
    the `result`: a Python float, or a dict of them. It takes NumPy arrays and
    tensors, and batches of any sizes.

    In compiled functions (`compile(metrics=...)`, where the targets are the
    real samples and the outputs the generated ones, or a `test_step` of your
    own) updates are part of the graph, and `result` is NaN: the value comes
    from the host, where Keras asks for it at the end of `evaluate` and of
    every epoch of `fit`. What an update would refuse is then refused there.

    Args:
        extractor: What makes features of a batch: a Keras model (called with
            `training=False`), any callable, the path of a `.keras` file
            (loaded in safe mode); `None` if the data are the features.
        value_range: The lowest and highest value of the samples that the
            extractor is made for, such as `(-1, 1)`; samples outside are
            refused. `None` does not look. (A range that is too narrow cannot
            be told from dark pictures.)
        keep_real: Whether `reset_state` keeps the real samples. Off, because
            Keras resets metrics and feeds both sides anew in every epoch. On,
            feed the real samples once, and generated ones again and again.
        name: In logs. With another name than the default one, which is that
            of the class, the keys of a dict begin with it.
        dtype: What is kept is kept in this dtype; `result` computes in
            float64. `None` is float64. `"float32"` halves the memory.

    Raises:
        ValueError: if the value range is empty, or for other dtypes.
        TypeError: if the extractor cannot be called.
    """

    _real: Side
    _fake: Side
    measures: tuple[str, ...] = ()
    """The keys of the result; none if it is one number."""
    better: tuple[str | None, ...] = ()
    """For each number of the result, whether `"min"` or `"max"` is better.

    `None` where neither is; nothing at all is `None` for each.
    """
    least: tuple[int, int] = (1, 1)
    """The fewest real and generated samples; no real ones need come for 0."""

    def __init__(
        self,
        extractor: Any = None,
        *,
        value_range: tuple[float, float] | None = None,
        keep_real: bool = False,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            name=name or snake_case(type(self).__name__),
            dtype=dtype or "float64",
        )
        self._check_arguments(value_range)
        self._given_extractor = extractor
        self.extractor = extractors.resolve(extractor)
        self.value_range = (
            None
            if value_range is None
            else (float(value_range[0]), float(value_range[1]))
        )
        self.keep_real = keep_real
        self._kept = False
        self._real, self._fake = (
            self._side(self.add_variable, side) for side in ("real", "fake")
        )

    @abc.abstractmethod
    def _side(self, add_variable: AddVariable, name: str) -> Side:
        """Makes the state of one side."""

    @abc.abstractmethod
    def _compute(self) -> tuple[float, ...]:
        """Returns the measures of what was seen, on the host."""

    def update_state(
        self, real: Any = None, fake: Any = None, sample_weight: Any = None
    ) -> None:
        """Takes in a batch of each side.

        Args:
            real: Samples of the data, first axis the batch, or `None`.
            fake: Generated samples, or `None`; as many as there are.
            sample_weight: Must be `None`.

        Raises:
            ValueError: for sample weights; for samples out of range; if
                features are not finite, not of rank 2, or not of one width;
                if real samples come again although they were kept. What was
                refused leaves the metric as it was.
            TypeError: for anything that is not made of numbers.
        """
        if sample_weight is not None:
            raise ValueError(
                conversation(
                    "Samples count alike: these metrics take no weights.",
                    received="a `sample_weight`.",
                    fix="pass the metric in `metrics`, not `weighted_metrics`.",
                )
            )
        update_together([self], real=real, fake=fake)

    def update_real(self, x: Any) -> None:
        """Takes in samples of the data; see `update_state`."""
        self.update_state(real=x)

    def update_fake(self, x: Any) -> None:
        """Takes in generated samples; see `update_state`."""
        self.update_state(fake=x)

    def result(self) -> Any:
        """Returns the value for all samples since the last reset.

        Returns:
            A float, or a dict of floats; NaN while a function is compiled, and
            in the steps of a game that could be.

        Raises:
            ValueError: if there are too few samples of a side.
        """
        if backend.in_step() or extractors.concrete(self._fake.seen) is None:
            nan = ops.convert_to_tensor(float("nan"), dtype="float32")
            return {k: nan for k in self._keys()} if self.measures else nan
        values = tuple(map(float, self._compute()))
        if not self.measures:
            return values[0]
        return dict(zip(self._keys(), values, strict=True))

    def reset_state(self) -> None:
        """Forgets the generated samples, and the real if not `keep_real`."""
        self._fake.reset()
        self._kept = self.keep_real and self._real.number(self._real.seen) > 0
        if not self.keep_real:
            self._real.reset()

    def reset_real(self) -> None:
        """Forgets the real samples, so that others can come."""
        self._real.reset()
        self._kept = False

    def reset_fake(self) -> None:
        """Forgets the generated samples, and never the real ones."""
        self._fake.reset()

    @property
    def directions(self) -> dict[str, str | None]:
        """What is better in each number of the result, by its name in logs."""
        names = self._keys() or (self.name,)
        better = self.better or (None,) * len(names)
        return dict(zip(names, better, strict=True))

    @property
    def seen(self) -> tuple[int, int]:
        """How many real and how many generated samples came."""
        real, fake = self._real, self._fake
        return real.number(real.seen), fake.number(fake.seen)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, an extractor's weights too.

        Raises:
            ValueError: if the extractor is a callable that is not registered.
        """
        return {
            **super().get_config(),
            "extractor": extractors.to_config(self._given_extractor),
            "value_range": self.value_range and list(self.value_range),
            "keep_real": self.keep_real,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> GenerativeMetric:
        """Remakes the metric, without samples, from its configuration."""
        extractor = extractors.from_config(config["extractor"])
        return cls(**{**config, "extractor": extractor})

    def _keys(self) -> tuple[str, ...]:
        own = self.name != snake_case(type(self).__name__)
        return tuple(f"{self.name}_{m}" if own else m for m in self.measures)

    def _prepared(self, side: Side, x: Any, known: dict[int, Any]) -> Tensor:
        side.inspect_range(x)
        if id(self.extractor) not in known:
            features = extractors.extract(self.extractor, x)
            known[id(self.extractor)] = extractors.numbers(features, "Features")
        features = self._features(known[id(self.extractor)])
        side.inspect(features)
        return features

    def _features(self, features: Any) -> Tensor:
        """Returns a matrix of features, after checks of its shape."""
        shape = tuple(features.shape)
        if len(shape) != 2 or not shape[1]:
            raise ValueError(self._not_a_matrix(shape))
        for side in (self._real, self._fake):
            if side.width is None:
                side.build(shape[1])
                side.width = shape[1]
            elif side.width != shape[1]:
                raise ValueError(
                    conversation(
                        "Real and generated samples must have features of "
                        "the same width.",
                        expected=f"{side.width}, as in earlier batches.",
                        received=f"{shape[1]}.",
                    )
                )
        return ops.convert_to_tensor(features, dtype=self.dtype)

    def _not_a_matrix(self, shape: tuple[int | None, ...]) -> str:
        if self.extractor is None:
            received = f"samples of shape {shape}, and no extractor."
            fix = (
                "pass `extractor=...`, or flatten the samples: "
                "`x.reshape(len(x), -1)`."
            )
        else:
            received = f"shape {shape} from the extractor."
            fix = (
                "end the extractor with a layer such as "
                "`GlobalAveragePooling2D` or `Flatten`: which one is part of "
                "the measure."
            )
        return conversation(
            "Features must be one row of numbers per sample.",
            expected="shape (batch, features).",
            received=received,
            fix=fix,
        )

    def _check_arguments(self, value_range: Any) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(
                conversation(
                    "`dtype` must be one that keeps features.",
                    expected="'float64' or 'float32'.",
                    received=f"{self.dtype!r}.",
                )
            )
        if value_range is not None and not is_range(value_range):
            raise ValueError(
                conversation(
                    "`value_range` must be the lowest and highest value.",
                    received=f"{value_range}.",
                )
            )

    def _check_place(self, real: Any) -> None:
        """Refuses updates that would be counted wrongly."""
        if backend.replicas() > 1:
            raise ValueError(
                conversation(
                    "A metric of samples must see all of them.",
                    received=f"{backend.replicas()} replicas, each with its "
                    "own part.",
                    fix="update it outside the strategy, from a callback.",
                )
            )
        if real is None or not self.keep_real:
            return
        if self._kept or extractors.concrete(self._real.seen) is None:
            raise ValueError(
                conversation(
                    "With `keep_real=True` the real samples come once.",
                    received="real samples after a reset that kept the "
                    "earlier ones, or in a compiled function, which would "
                    "add them again in every epoch.",
                    fix="pass generated samples alone, call `reset_real()` "
                    "first, or set `keep_real=False`.",
                )
            )


def update_together(
    metrics: Sequence[GenerativeMetric], *, real: Any = None, fake: Any = None
) -> None:
    """Takes a batch of each side into several metrics.

    Metrics with the same extractor share its features: it runs once a batch.
    What one of them refuses leaves all of them as they were.

    Args:
        metrics: The metrics.
        real: As for `GenerativeMetric.update_state`.
        fake: As for `GenerativeMetric.update_state`.

    Raises:
        ValueError: as `GenerativeMetric.update_state`.
        TypeError: as `GenerativeMetric.update_state`.
    """
    if real is None and fake is None:
        raise ValueError(
            conversation(
                "An update needs samples.",
                received="`None` for both `real` and `fake`.",
            )
        )
    for metric in metrics:
        metric._check_place(real)
    batches = []
    for name, x in (("_real", real), ("_fake", fake)):
        if x is not None:
            x = extractors.numbers(x, "Samples")
            known: dict[int, Any] = {}
            for metric in metrics:
                side: Side = getattr(metric, name)
                batches.append((side, metric._prepared(side, x, known)))
    for side, features in batches:
        side.add(features)
