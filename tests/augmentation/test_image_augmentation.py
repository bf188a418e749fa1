import re

import keras
import numpy as np
import pytest
from engines import array, compiled, dtype_of, tensor

from adversarial.augmentation import ImageAugmentation
from adversarial.augmentation.image_augmentation import per_image, proportion

IMAGES = np.random.default_rng(0).uniform(-1, 1, (4, 6, 5, 3))


@keras.saving.register_keras_serializable(package=__name__)
class Brighter(ImageAugmentation):
    """Adds a number of each image, and remembers what it got."""

    def drawn(self, dice):
        self.shape = tuple(dice.shape)
        return {"more": dice.uniform(1)}

    def changed(self, images, parameters):
        self.dtype_inside = dtype_of(images)
        return images + per_image(parameters["more"]) * self.half


def test_images_pass_outside_of_training():
    layer = Brighter(seed=1)
    for kwargs in ({}, {"training": False}):
        np.testing.assert_array_equal(layer(IMAGES, **kwargs), IMAGES)


def test_training_draws_and_applies():
    layer, same = Brighter(seed=1), Brighter(seed=1)
    found = array(layer(IMAGES, training=True))
    more = array(same.draw(IMAGES)["more"])
    np.testing.assert_array_equal(found, IMAGES + more[:, :, None, None])
    assert len(np.unique(more)) == 4
    again = array(layer(IMAGES, training=True))
    assert not (again == found).any()


@pytest.mark.parametrize(
    ("dtype", "inside"),
    [
        ("float16", "float32"),
        ("bfloat16", "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
    ],
)
@pytest.mark.parametrize("policy", [None, "mixed_float16"])
def test_the_dtype_is_kept_whatever_the_policy(dtype, inside, policy):
    layer = Brighter(seed=1, dtype=policy)
    images = tensor(IMAGES, dtype)
    assert dtype_of(layer(images, training=True)) == dtype
    assert layer.dtype_inside == inside
    assert dtype_of(layer(images)) == dtype
    assert layer(keras.Input((6, 5, 3), dtype=dtype)).dtype == dtype


def test_channels_may_come_first():
    last, first = Brighter(seed=1), Brighter(seed=1, data_format=FIRST)
    found = array(first(IMAGES.transpose(0, 3, 1, 2), training=True))
    expected = array(last(IMAGES, training=True))
    np.testing.assert_array_equal(found.transpose(0, 2, 3, 1), expected)
    assert first.shape == (4, 6, 5, 3)


FIRST = "channels_first"


def test_the_format_of_the_configuration_holds_unless_told():
    keras.config.set_image_data_format(FIRST)
    try:
        assert Brighter().data_format == FIRST
        assert Brighter(data_format="channels_last").data_format != FIRST
    finally:
        keras.config.set_image_data_format("channels_last")


def test_sizes_may_be_known_only_when_the_model_runs():
    layer = Brighter(seed=1)
    x = keras.Input((None, None, 1))
    assert layer(x).shape == (None, None, None, 1)
    call = compiled(
        lambda x: layer(x, training=True),
        shapes=[((None, None, None, 3), "float64")],
        writes=layer.variables,
    )
    assert call(IMAGES).shape == IMAGES.shape
    assert call(IMAGES[:2, :3]).shape == (2, 3, 5, 3)


def test_the_range_has_a_middle_and_a_half():
    layer = Brighter(value_range=(0, 255))
    assert (layer.middle, layer.half) == (127.5, 127.5)
    layer = Brighter()
    assert (layer.middle, layer.half) == (0.0, 1.0)


def test_a_config_remakes_the_layer(remade):
    kwargs = {"value_range": (0, 2), "data_format": FIRST, "seed": 4}
    copy = remade(Brighter(name="more", **kwargs))
    assert (copy.value_range, copy.data_format) == ((0.0, 2.0), FIRST)
    assert (copy.seed, copy.name) == (4, "more")


@pytest.mark.parametrize("call", ["__call__", "draw"])
def test_what_is_no_batch_of_images_is_refused(call):
    layer = Brighter()
    for shape, fix in (((6, 5, 3), True), ((4, 9), False)):
        with pytest.raises(ValueError, match="needs images") as error:
            getattr(layer, call)(np.zeros(shape))
        assert f"Received: shape {shape}" in str(error.value)
        assert "(batch, height, width, channels)" in str(error.value)
        assert ("expand_dims" in str(error.value)) == fix
    with pytest.raises(ValueError, match="needs images"):
        layer(keras.Input((6, 5)))
    with pytest.raises(ValueError, match="channels, height, width"):
        Brighter(data_format=FIRST)(np.zeros((4, 9)))


def test_whole_numbers_are_refused():
    images = np.zeros((4, 6, 5, 3), "uint8")
    for given in (images, keras.Input((6, 5, 3), dtype="uint8")):
        with pytest.raises(TypeError, match="images of floats") as error:
            Brighter(value_range=(0, 1))(given)
        assert "floats from 0 to 1" in str(error.value)
        assert "Received: dtype uint8" in str(error.value)


@pytest.mark.parametrize(
    "wrong",
    [(1.0, 1.0), (1.0, -1.0), (0.0,), (0, 1, 2), 255, (0, np.inf), "01"],
)
def test_a_range_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match="`value_range`") as error:
        Brighter(value_range=wrong)
    assert re.escape(repr(wrong)) in re.escape(str(error.value))


def test_an_unknown_format_gets_the_nearest_spelling():
    with pytest.raises(ValueError, match="did you mean 'channels_last'"):
        Brighter(data_format="channel_last")


def test_a_proportion_is_from_0_to_1():
    assert proportion("x", 0) == 0.0
    assert proportion("x", 1) == 1.0
    for wrong in (-0.1, 1.1, float("nan"), True, "1", None):
        with pytest.raises(ValueError, match="`x` must be a number from 0"):
            proportion("x", wrong)
