import keras
import numpy as np
import pytest
from engines import ENGINE, dtype_of
from keras import ops

from adversarial import backend

ROUNDING = 1e-14
"""Float64 sums over some numbers near 1."""
X = np.random.default_rng(0).normal(size=(7, 3))


@pytest.mark.parametrize("name", ["mean", "var", "std", "average"])
def test_double_precision_is_kept_by_what_reduces(name):
    found = getattr(ops, name)(ops.convert_to_tensor(X), axis=0)
    assert dtype_of(found) == "float64"
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), getattr(np, name)(X, axis=0), rtol=ROUNDING
    )


@pytest.mark.skipif(ENGINE == "torch", reason="Its `batch_norm` is its own.")
def test_double_precision_is_kept_by_batch_normalisation():
    layer = keras.layers.BatchNormalization(dtype="float64", epsilon=1e-3)
    found = layer(ops.convert_to_tensor(X), training=True)
    expected = (X - X.mean(0)) / np.sqrt(X.var(0) + 1e-3)
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), expected, rtol=0, atol=ROUNDING
    )


def test_types_are_promoted_as_on_tensorflow():
    kinds = ("float32", "float64", "float16", "int32")
    found = {
        (a, b): keras.backend.result_type(a, b) for a in kinds for b in kinds
    }
    for (a, b), kind in found.items():
        if "float64" in (a, b):
            assert kind == "float64"
    assert found["float32", "float16"] == found["float32", "int32"] == "float32"
    assert found["float16", "int32"] == "float16"


@pytest.mark.skipif(ENGINE != "jax", reason="Others always have float64.")
def test_where_jax_has_no_float64_nothing_asks_for_it():
    import jax

    with jax.enable_x64(False):
        assert keras.backend.result_type("float64", "float32") == "float32"
        assert dtype_of(ops.mean(X)) == "float32"
        (slope,) = backend.gradient(ops.sum, [ops.convert_to_tensor(X)])
        assert dtype_of(slope) == "float32"
