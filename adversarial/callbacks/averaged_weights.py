"""Finds the averages of a model's weights, wherever a strategy keeps them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

import keras

from adversarial.errors import conversation


@runtime_checkable
class Averages(Protocol):
    """A strategy that keeps averages, such as `optimizers.Averaging`."""

    def averaged(self) -> AbstractContextManager[None]:
        """Puts the averages in the place of the parameters, for a while."""


def averages_of(model: keras.Model) -> Averages:
    """Returns the strategy of a model that keeps averages of its weights.

    It may be inside others: `Lookahead(Averaging("alternating"))` has them
    too. Of several the outermost counts.

    Raises:
        ValueError: if none of the model's strategies keeps averages.
    """
    strategy, names = model.optimizer, []
    while strategy is not None:
        if isinstance(strategy, Averages):
            return strategy
        names.append(type(strategy).__name__)
        strategy = getattr(strategy, "inner", None)
    raise ValueError(
        conversation(
            "`averaged=True` needs a strategy that keeps averages.",
            expected="`Averaging`, alone or inside another strategy.",
            received=f"{' around '.join(names) or 'no optimizer'}.",
            fix="compile with `adversarial.optimizers.Averaging(...)` around "
            "the strategy, or set `averaged=False`.",
        )
    )
