import keras
import numpy as np
import pytest
from engines import compiled, only

from adversarial.same_rows import unless_rows_differ


def poisoned(rows, others):
    """Compiled, where that is possible for any number of rows."""

    def run(output, *rest):
        return unless_rows_differ(keras.ops.sum(output), output, rest)

    shapes = [((None, 2), "float32")] * (1 + len(others))
    run = compiled(run, shapes=shapes)
    return float(run(*(np.ones((n, 2), "float32") for n in (rows, *others))))


@only("tensorflow", "Others know the numbers of rows before a step runs.")
@pytest.mark.parametrize("others", [[1], [4, 1], [3, 4]])
def test_other_rows_make_a_loss_nan(others):
    assert np.isnan(poisoned(4, others))


@pytest.mark.parametrize("others", [[], [4], [4, 4]])
def test_the_same_rows_leave_a_loss_alone(others):
    assert poisoned(4, others) == 8.0
