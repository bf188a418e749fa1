"""The base class of the measures that keep samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from adversarial.errors import conversation
from adversarial.metrics.arguments import whole
from adversarial.metrics.generative_metric import GenerativeMetric
from adversarial.metrics.reservoir import Reservoir
from adversarial.metrics.side import AddVariable

Array = np.ndarray[Any, Any]


class SampledMetric(GenerativeMetric):
    """Keeps up to `max_samples` features a side, drawn evenly from all.

    Args:
        extractor: See `GenerativeMetric`.
        max_samples: How many features to keep of each side. The memory,
            `max_samples * features` numbers a side, is taken at the first
            update, and once more while a batch is put in. Of more samples
            each is kept with the same probability: see `Reservoir`.
        seed: A whole number; it decides which samples are kept, and what a
            subclass draws.
        value_range: See `GenerativeMetric`.
        keep_real: See `GenerativeMetric`.
        name: See `GenerativeMetric`.
        dtype: See `GenerativeMetric`.

    Raises:
        ValueError: if `max_samples` is not positive, or as
            `GenerativeMetric`.
        TypeError: if a count or the seed is no whole number.
    """

    _real: Reservoir
    _fake: Reservoir

    def __init__(
        self,
        extractor: Any = None,
        *,
        max_samples: int = 10_000,
        seed: int = 0,
        value_range: tuple[float, float] | None = None,
        keep_real: bool = False,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        self.max_samples = whole("max_samples", max_samples, 2)
        self.seed = whole("seed", seed, 0)
        super().__init__(
            extractor,
            value_range=value_range,
            keep_real=keep_real,
            name=name,
            dtype=dtype,
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"max_samples": self.max_samples, "seed": self.seed}
        return {**super().get_config(), **own}

    def _side(self, add_variable: AddVariable, name: str) -> Reservoir:
        return Reservoir(
            add_variable,
            name,
            self.dtype,
            self.value_range,
            room=self.max_samples,
            # Otherwise the same places would be drawn on both sides.
            seed=2 * self.seed + (name == "fake"),
        )

    def _kept_samples(
        self, argument: str, real: int, fake: int
    ) -> tuple[Array, Array]:
        """Returns the real and the generated features that were kept.

        Args:
            argument: What asks for so many, in an error.
            real: The fewest real samples.
            fake: The fewest generated ones.

        Raises:
            ValueError: if there are fewer.
        """
        found = []
        for side, least in ((self._real, real), (self._fake, fake)):
            side.check(least=1)
            kept = side.read()
            if len(kept) < least:
                raise ValueError(
                    conversation(
                        f"{argument} needs more {side.name} samples.",
                        expected=f"at least {least}.",
                        received=f"{len(kept)}, where `max_samples` is "
                        f"{self.max_samples}.",
                        fix="pass more samples, or lower the argument.",
                    )
                )
            found.append(kept)
        return found[0], found[1]
