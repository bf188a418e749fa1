"""Labels as inputs, for every layer that reads them."""

import keras
import numpy as np
import pytest
from engines import array, compiled, without
from keras import ops

from adversarial.layers import ConditionalBatchNormalization, ProjectionHead

LAYERS = [ProjectionHead, ConditionalBatchNormalization]
each_layer = pytest.mark.parametrize("make", LAYERS)
X = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
LABELS = np.array([0, 2, 1, 2])


@each_layer
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
@pytest.mark.parametrize("column", [False, True])
def test_labels_may_be_any_integers_and_a_column(make, dtype, column):
    layer = make(3)
    expected = layer([X, LABELS])
    labels = LABELS.astype(dtype)
    found = layer([X, labels[:, None] if column else labels])
    np.testing.assert_array_equal(found, expected)


@each_layer
def test_float_labels_are_an_error(make):
    # A cast would hide labels that are probabilities or one-hot rows.
    with pytest.raises(TypeError, match="needs integer numbers of classes"):
        make(3)([X, LABELS.astype("float32")])
    with pytest.raises(TypeError, match="needs integer numbers of classes"):
        make(3)([keras.Input((6,)), keras.Input(())])


@each_layer
def test_one_hot_rows_are_an_error(make):
    with pytest.raises(ValueError, match="needs one class per sample"):
        make(3)([X, np.eye(3, dtype="int32")[LABELS]])


@each_layer
@pytest.mark.parametrize("wrong", [-1, 3, 100])
def test_a_label_out_of_range_is_an_error(make, wrong):
    with pytest.raises(ValueError, match="must be in range") as error:
        make(3)([X, np.array([0, wrong, 1, 2])])
    assert f"Received: {wrong}." in str(error.value)
    assert "numbers from 0 to 2 (`classes=3`)" in str(error.value)


@without("torch", "nothing is compiled, and the error is raised")
@each_layer
@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("wrong", [-1, 3, 100])
def test_in_a_compiled_step_its_sample_becomes_nan(make, jit, wrong):
    # A plain lookup takes the last row, another row, or zeros instead.
    layer = make(3)
    layer([X, LABELS])
    call = compiled(lambda x, c: layer([x, c]), jit)
    found = array(call(*map(ops.convert_to_tensor, (X, [0, wrong, 1, 2]))))
    assert np.isnan(found[1]).all()
    expected = np.asarray(layer([X, np.array([0, 0, 1, 2])]))
    rest = [0, 2, 3]
    np.testing.assert_allclose(found[rest], expected[rest], atol=1e-6)


@each_layer
@pytest.mark.parametrize("classes", [0, -1, 2.5])
def test_a_number_of_classes_that_is_none_is_an_error(make, classes):
    with pytest.raises(ValueError, match="`classes` must be a whole number"):
        make(classes)
