import keras
import numpy as np
import pytest
from engines import dtype_of

from adversarial.losses.seen import (
    Seen,
    at_least_float32,
    check_same,
    per_sample,
)

A, B, C = (np.full((2, 1), value) for value in (1.0, 2.0, 3.0))


def seen(outputs, player="generator"):
    return Seen("Loss", player, outputs)


def test_outputs_are_read_by_name():
    assert float(seen({"a": A, "b": B}).read("real", "b")[0, 0]) == 2.0


def test_an_unknown_output_is_refused_with_the_nearest_name(refused):
    view = seen({"yreal": A, "yfake": B})
    message = refused(lambda: view.read("real", "y_real"))
    assert "Unknown output in `Loss(real=...)`: 'y_real'" in message
    assert "did you mean 'yreal'?" in message


def test_outputs_without_names_are_refused(refused):
    message = refused(lambda: seen([A, B]), TypeError)
    assert "`Loss` reads outputs by name" in message
    assert "`list`" in message


def test_with_several_networks_the_players_own_comes_first():
    outputs = {"generator": {"y": A}, "discriminator": {"y": B, "z": C}}
    for player, expected in (("generator", 1.0), ("discriminator", 2.0)):
        view = seen(outputs, player)
        assert float(view.read("real", "y")[0, 0]) == expected
        assert float(view.read("real", "z")[0, 0]) == 3.0
        full = view.read("real", "discriminator_y")
        assert float(full[0, 0]) == 2.0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32", "bool"])
def test_what_is_less_than_float32_is_cast(dtype):
    x = keras.ops.cast(keras.ops.ones((2, 1)), dtype)
    assert dtype_of(at_least_float32(x)) == "float32"
    assert dtype_of(seen({"y": x}).score("real", "y")) == "float32"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_other_floats_stay(dtype):
    assert dtype_of(at_least_float32(np.ones(2, dtype))) == dtype


SINGLE = [(4,), (4, 1), (4, 5, 5, 1), (4, 1, 5, 5), (4, 5, 5), (4, 7, 1)]


@pytest.mark.parametrize("shape", SINGLE)
def test_one_score_per_sample_or_patch_is_taken(shape):
    assert seen({"y": np.zeros(shape)}).score("real", "y").shape == shape


@pytest.mark.parametrize("shape", [(), (4, 10), (4, 5, 5, 64), (4, 2, 1, 3)])
def test_several_scores_are_refused(shape, refused):
    view = seen({"y": np.zeros(shape)})
    message = refused(lambda: view.score("fake", "y"))
    assert "`Loss` needs one score per sample, or one per patch" in message
    assert "an output 'y' of shape (batch, 1)" in message
    assert f"Received: shape ({', '.join(map(str, shape))})." in message
    assert "`MultiClassHinge`" in message


def test_pairs_have_one_batch_and_if_asked_one_shape(refused):
    view = seen({"a": np.zeros((2, 1)), "b": np.zeros((2, 3, 3, 1))})
    assert len(view.pair("a", "b", alike=False)) == 2
    message = refused(lambda: view.pair("a", "b", alike=True))
    assert "'a', 'b' sample by sample" in message
    view = seen({"a": np.zeros((2, 1)), "b": np.zeros((3, 1))})
    message = refused(lambda: view.pair("a", "b", alike=False))
    assert "shape (2) and shape (3)" in message


def test_unknown_sizes_may_be_the_same():
    check_same("Loss", ("a", "b"), (None, 3), (4, None))


def test_the_mean_is_over_all_axes_but_the_first():
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_allclose(per_sample(x), x.mean((1, 2)))
    np.testing.assert_array_equal(per_sample(np.arange(3.0)), np.arange(3.0))
