from pathlib import Path

import keras
import numpy as np
import pytest

from adversarial import Joint
from adversarial.diagnostics.checkpoints import point_from


def flat(point):
    return np.concatenate([np.ravel(w) for b in point.values() for w in b])


@pytest.fixture
def game(quadratic):
    return quadratic([2, 3, 1], "float32")


@pytest.fixture
def model(game):
    model = game.compiled("simultaneous", "adam")
    return model


@pytest.fixture
def gan(small_gan):
    model = small_gan()
    model.compile("simultaneous", "adam", "mse")
    return model


def move_on(model):
    for variable in model.trainable_variables:
        variable.assign_add(keras.ops.ones_like(variable))


def test_none_is_the_model_as_it_is(model):
    point = point_from(model, None)
    for name, player in model.players.items():
        for found, variable in zip(point[name], player.variables, strict=True):
            np.testing.assert_array_equal(found, variable)


def test_weights_are_sorted_by_player(gan):
    before, weights = point_from(gan, None), gan.get_weights()
    move_on(gan)
    found = point_from(gan, weights)
    np.testing.assert_array_equal(flat(found), flat(before))


def test_files_of_a_gan_are_read_and_it_is_left_alone(
    trained_gan, untouched, tmp_path
):
    """With moving statistics, and random states, that have moved on."""
    before, path = point_from(trained_gan, None), tmp_path / "gan.keras"
    trained_gan.save(path)
    for variable in trained_gan.variables:
        variable.assign_add(keras.ops.ones_like(variable))
    with untouched(trained_gan):
        found = point_from(trained_gan, path)
    np.testing.assert_array_equal(flat(found), flat(before))


@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
@pytest.mark.parametrize("kind", [str, Path])
def test_it_does_not_matter_how_the_writer_was_compiled(
    game, model, untouched, tmp_path, ending, kind
):
    path, before = tmp_path / f"game{ending}", point_from(model, None)
    model.save(path) if ending == ".keras" else model.save_weights(path)
    other = game.compiled("alternating", "sgd")
    with untouched(other):
        found = point_from(other, kind(path))
    np.testing.assert_array_equal(flat(found), flat(before))


def test_the_writer_need_not_be_compiled(game, model, tmp_path):
    path, other = tmp_path / "plain.weights.h5", game.model()
    other.save_weights(path)
    np.testing.assert_array_equal(
        flat(point_from(model, path)), flat(point_from(other, None))
    )


def test_loss_scales_do_not_matter(small_gan, tmp_path):
    path = tmp_path / "other.weights.h5"
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model, other = small_gan(), small_gan()
        bce = keras.losses.BinaryCrossentropy(from_logits=True)
        model.compile("simultaneous", "adam", bce)
        other.compile("simultaneous", "sgd", bce)
    finally:
        keras.config.set_dtype_policy("float32")
    other.save_weights(path)
    found = point_from(model, path)
    np.testing.assert_array_equal(flat(found), flat(point_from(other, None)))


# Keras first warns of each layer that it skips.
@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_a_file_that_does_not_fit_leaves_the_model_alone(
    model, quadratic, untouched, tmp_path
):
    path = tmp_path / "other.weights.h5"
    quadratic([2, 4, 1], "float32").model().save_weights(path)
    with untouched(model), pytest.raises(ValueError, match="not be loaded"):
        point_from(model, path)


def test_joint_points_keep_what_they_do_not_name(gan):
    before = point_from(gan, None)
    count = len(before["generator"])
    ones = np.ones_like(before["generator"][1])
    block = [None, ones, *[None] * (count - 2)]
    for given in (Joint({"generator": block}), {"generator": tuple(block)}):
        found = point_from(gan, given)
        np.testing.assert_array_equal(found["generator"][1], ones)
        found["generator"][1] = before["generator"][1]
        np.testing.assert_array_equal(flat(found), flat(before))


def test_values_take_the_dtype_of_the_variables(model):
    before = point_from(model, None)
    doubles = {n: [w.astype("float64") for w in b] for n, b in before.items()}
    found = point_from(model, doubles)
    assert {w.dtype for b in found.values() for w in b} == {np.dtype("float32")}


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"p9": []}, "Unknown player: 'p9'"),
        ({"p0": [None, None]}, r"block of player 'p0'.*\n.*1.*\n.*2"),
        ([np.ones(3)], "in a list of weights"),
        ({"p0": [np.ones(3)]}, r"\(2,\).*\n.*\(3,\)"),
    ],
)
def test_points_that_do_not_fit_are_refused(model, given, match):
    with pytest.raises(ValueError, match=match):
        point_from(model, given)


def test_things_without_parameters_are_refused(model):
    with pytest.raises(TypeError, match="`int`"):
        point_from(model, 3)
