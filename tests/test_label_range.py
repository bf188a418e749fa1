import keras
import numpy as np
import pytest
from engines import JITS, array, compiled, dtype_of, tensor, without

from adversarial.label_range import refusal_of_labels

SPARSE = keras.losses.SparseCategoricalCrossentropy()
VOID = keras.losses.SparseCategoricalCrossentropy(ignore_class=255)
SCORES = np.zeros((4, 3), "float32")


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float32"])
@pytest.mark.parametrize("shape", [(4,), (4, 1), (2, 2)])
def test_labels_of_classes_add_nothing(dtype, shape):
    labels = np.array([0, 2, 1, 2], dtype).reshape(shape)
    assert float(refusal_of_labels(SPARSE, labels, SCORES)) == 0.0


def test_what_is_added_has_the_dtype_of_the_scores():
    found = refusal_of_labels(SPARSE, [0], tensor(SCORES, "bfloat16"))
    assert dtype_of(found) == "bfloat16"


@pytest.mark.parametrize(
    ("labels", "named"),
    [([0, 3], "3"), ([-1, 2, 9, 9], "-1, 9"), ([0.0, np.nan], "nan")],
)
def test_labels_of_no_class_are_refused_by_name(labels, named):
    with pytest.raises(ValueError, match="must be numbers of classes") as error:
        refusal_of_labels(SPARSE, np.array(labels), SCORES)
    assert r"whole numbers in [0, 3)." in str(error.value)
    assert f"Received: {named}." in str(error.value)


def test_a_class_that_is_ignored_is_a_label():
    assert float(refusal_of_labels(VOID, np.array([0, 255]), SCORES)) == 0.0
    with pytest.raises(ValueError, match="Received: 254"):
        refusal_of_labels(VOID, np.array([255, 254]), SCORES)
    with pytest.raises(ValueError, match="Received: 255"):
        refusal_of_labels("sparse_categorical_crossentropy", [255], SCORES)


@without("torch", "Nothing is compiled, and they are refused.")
@pytest.mark.parametrize("jit", JITS)
def test_labels_of_no_class_are_nan_where_they_have_no_values(jit):
    run = compiled(lambda y: refusal_of_labels(SPARSE, y, SCORES), jit)
    assert np.isnan(array(run(tensor([2, 3]))))
    assert array(run(tensor([2, 1]))) == 0.0
