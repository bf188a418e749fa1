import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.optimizers import adam

from adversarial.backend.roots import root, smooth_roots


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_values_are_those_of_the_square_root(dtype):
    x = np.concatenate([[0.0], np.geomspace(1e-300, 1e300, 601), [np.inf]])
    x = tf.constant(x.clip(0, np.finfo(dtype).max).astype(dtype))
    assert np.array_equal(root(x), keras.ops.sqrt(x))
    assert np.isnan(root(tf.constant([-1.0, np.nan]))).all()


def test_the_slopes_are_those_of_the_square_root_and_zero_at_zero():
    x = tf.constant([0.0, 1e-30, 4.0], "float64")
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = root(x)
        slope = inner.gradient(y, x)
    bend = outer.gradient(slope, x)
    np.testing.assert_allclose(slope, [0.0, 0.5e15, 0.25], rtol=1e-15)
    np.testing.assert_allclose(bend, [0.0, -0.25e45, -1 / 32], rtol=1e-15)


def test_keras_still_needs_it():
    """If this fails, Keras was mended, and the module can go."""
    x = tf.constant(0.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = keras.ops.sqrt(x)
    assert np.isinf(tape.gradient(y, x))


def test_it_is_seen_where_optimizers_look_it_up_and_only_inside():
    """backend/roots.py: `adam.ops` is `keras.src.ops`."""
    before = keras.ops.sqrt
    assert adam.ops.sqrt is before
    with smooth_roots():
        assert adam.ops.sqrt is root and keras.ops.sqrt is root
        assert root(tf.constant(4.0)) == 2
    assert adam.ops.sqrt is before and keras.ops.sqrt is before
    with pytest.raises(RuntimeError), smooth_roots():
        raise RuntimeError
    assert adam.ops.sqrt is before and keras.ops.sqrt is before
