"""What a metric keeps of the real, or of the generated samples."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from adversarial import backend
from adversarial.errors import conversation
from adversarial.metrics.extractor import concrete

Tensor = Any
AddVariable = Callable[..., keras.Variable]
SLACK = 1e-4
"""By which part of its width a value range may be left: rounding."""


class Side(abc.ABC):
    """The state of one side of a comparison, in Keras variables.

    All of it is in variables, so that updates work inside compiled functions.
    What cannot be refused there is counted, and refused by `check`.

    Args:
        add_variable: `Metric.add_variable`.
        name: `"real"` or `"fake"`.
        dtype: Of the numbers that are kept.
        value_range: In which the values of samples must lie, or `None`.
    """

    def __init__(
        self,
        add_variable: AddVariable,
        name: str,
        dtype: str,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        self.name = name
        self.dtype = dtype
        self.value_range = value_range
        self.width: int | None = None
        self._add_variable = add_variable
        self._zeros: list[keras.Variable] = []
        self.seen = self.variable("seen", dtype="int64")
        self.batches = self.variable("batches", dtype="int64")
        self.spoiled = self.variable("spoiled", dtype="int64")
        self.extremes = []
        for which, bound in zip(
            ("lowest", "highest"), value_range or (), strict=False
        ):
            self.extremes.append(
                add_variable(
                    (),
                    keras.initializers.Constant(bound),
                    dtype="float64",
                    name=f"{name}_{which}",
                )
            )

    @abc.abstractmethod
    def build(self, width: int) -> None:
        """Makes the variables for features of this width."""

    @abc.abstractmethod
    def keep(self, features: Tensor) -> None:
        """Takes a batch into the variables; `seen` is still without it."""

    def valid(self, features: Tensor) -> Tensor:
        """Says of each row whether it can be used."""
        return ops.all(ops.isfinite(features), axis=-1)

    def demand(self) -> str:
        """Says in an error what `valid` asks for."""
        return "Features must be finite."

    def cure(self) -> str:
        """Says in an error what to do about rows that are not valid."""
        return "look for NaN or infinity in the samples and in the extractor."

    def variable(
        self, name: str, shape: tuple[int, ...] = (), dtype: str | None = None
    ) -> keras.Variable:
        """Makes a variable of zeros that `reset` sets to zero."""
        with backend.concrete():
            made = self._add_variable(
                shape, "zeros", dtype=dtype or self.dtype, name=self.name + name
            )
        self._zeros.append(made)
        return made

    def inspect(self, features: Tensor) -> None:
        """Refuses a batch with bad rows, if its values are known.

        Raises:
            ValueError: if a row is not valid.
        """
        good = concrete(self.valid(features))
        if good is not None and not good.all():
            self._refuse(
                int(np.sum(~good)), len(good), self.number(self.batches)
            )

    def inspect_range(self, x: Any) -> None:
        """Refuses samples outside the range, if their values are known.

        Raises:
            ValueError: if there are any.
        """
        if self.value_range is None:
            return
        values = concrete(x)
        if values is None:
            values = ops.cast(x, "float64")
            for extreme, most, found in zip(
                self.extremes,
                (ops.minimum, ops.maximum),
                (ops.min(values), ops.max(values)),
                strict=True,
            ):
                extreme.assign(most(extreme, found))
        elif values.size:
            self._refuse_range(float(values.min()), float(values.max()))

    def add(self, features: Tensor) -> None:
        """Takes a batch in."""
        if concrete(features) is None:
            bad = ops.logical_not(self.valid(features))
            self.spoiled.assign(self.spoiled + ops.sum(ops.cast(bad, "int64")))
        self.keep(features)
        rows = ops.cast(ops.shape(features)[0], "int64")
        self.seen.assign(self.seen + rows)
        self.batches.assign(self.batches + 1)

    def check(self, least: int) -> int:
        """Returns the number of samples that were seen.

        Raises:
            ValueError: if there are too few, or some could not be used.
        """
        seen, spoiled = self.number(self.seen), self.number(self.spoiled)
        if self.extremes:
            low, high = map(ops.convert_to_numpy, self.extremes)
            self._refuse_range(float(low), float(high))
        if spoiled:
            self._refuse(spoiled, seen)
        if seen < least:
            kind = {"real": "real", "fake": "generated"}[self.name]
            raise ValueError(
                conversation(
                    f"The metric needs {kind} samples.",
                    expected=f"at least {least}.",
                    received=f"{seen}.",
                    fix=f"call `update_{self.name}(samples)` before "
                    "`result()`.",
                )
            )
        return seen

    def reset(self) -> None:
        """Forgets all samples."""
        for variable in self._zeros:
            variable.assign(ops.zeros(variable.shape, dtype=variable.dtype))
        for variable, bound in zip(
            self.extremes, self.value_range or (), strict=True
        ):
            variable.assign(bound)

    def number(self, variable: keras.Variable) -> int:
        """Returns the value of a counter."""
        return int(ops.convert_to_numpy(variable))

    def _refuse(self, bad: int, rows: int, batch: int | None = None) -> None:
        where = "" if batch is None else f" in batch {batch} (from 0)"
        raise ValueError(
            conversation(
                self.demand(),
                received=f"{bad} of {rows} {self.name} rows that are not"
                f"{where}.",
                fix=self.cure(),
            )
        )

    def _refuse_range(self, least: float, most: float) -> None:
        low, high = self.value_range or (least, most)
        slack = SLACK * (high - low)
        if least >= low - slack and most <= high + slack:
            return
        raise ValueError(
            conversation(
                "Samples must lie in `value_range`.",
                expected=f"{self.name} samples in [{low:g}, {high:g}].",
                received=f"values from {least:g} to {most:g}, "
                f"which {_looks(least, most)}.",
                fix="rescale the samples, or pass the `value_range` that the "
                "extractor is made for.",
            )
        )


def _looks(least: float, most: float) -> str:
    """Names the convention of pixels that values most likely follow."""
    if not np.isfinite([least, most]).all():
        return "are not all finite"
    for low, high in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)):
        slack = SLACK * (high - low)
        if low - slack <= least and most <= high + slack:
            return f"look like pixels in [{low:g}, {high:g}]"
    return "fit none of [0, 1], [-1, 1] and [0, 255]"
