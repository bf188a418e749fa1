import keras
import numpy as np
import pytest
import tensorflow as tf

from adversarial.same_rows import unless_rows_differ


def poisoned(rows, others):
    """Inside a graph that does not know the numbers of rows."""
    spec = tf.TensorSpec((None, 2))

    @tf.function(input_signature=[spec] * (1 + len(others)))
    def run(output, *rest):
        return unless_rows_differ(keras.ops.sum(output), output, rest)

    return float(run(*(np.ones((n, 2), "float32") for n in (rows, *others))))


@pytest.mark.parametrize("others", [[1], [4, 1], [3, 4]])
def test_other_rows_make_a_loss_nan(others):
    assert np.isnan(poisoned(4, others))


@pytest.mark.parametrize("others", [[], [4], [4, 4]])
def test_the_same_rows_leave_a_loss_alone(others):
    assert poisoned(4, others) == 8.0
