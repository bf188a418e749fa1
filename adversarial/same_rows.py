"""Rows that must be as many, where sizes are known only in a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

Tensor = Any


def unless_rows_differ(
    loss: Tensor, output: Tensor, others: Sequence[Tensor]
) -> Tensor:
    """Returns a loss, or NaN if one of the others has another number of rows.

    A compiled step cannot raise; a loss that is NaN is noticed, and the step
    refused, instead of learning from rows that were broadcast. What is known
    before the step runs is not looked at.

    Args:
        loss: Of any shape.
        output: What gives the number of rows.
        others: What must have as many.
    """
    rows = output.shape[0]
    unknown = [x for x in others if None in (x.shape[0], rows)]
    if not unknown:
        return loss
    count = ops.shape(output)[0]
    fits = ops.all(
        ops.stack([ops.equal(ops.shape(x)[0], count) for x in unknown])
    )
    return loss + ops.where(fits, 0.0, float("nan"))
