import math

import keras
import numpy as np
import pytest
from engines import array

from adversarial import games
from adversarial.games.player_parameters import Bounded, PlayerParameters

SHAPES = [(2, 3), (), (1,), (5,)]


def filled(layer):
    """The layer with the numbers 0, 1, 2, ... in its variables."""
    values = np.split(
        np.arange(13.0),
        np.cumsum([math.prod(v.shape) for v in layer.weights])[:-1],
    )
    for variable, value in zip(layer.weights, values, strict=True):
        variable.assign(value.reshape(variable.shape))
    return layer


@pytest.mark.parametrize("split", [True, False])
def test_it_repeats_the_tensors_for_every_row_whatever_the_input(split):
    layer = filled(PlayerParameters(SHAPES, split=split))
    outputs = layer(np.full((4, 2), np.nan, "float32"))
    starts = [0, 6, 7, 8]
    for y, shape, start in zip(outputs, SHAPES, starts, strict=True):
        size = int(np.prod(shape))
        one = np.arange(start, start + size).reshape(shape)
        np.testing.assert_array_equal(array(y), np.stack([one] * 4))
    symbolic = layer(keras.Input((7,)))
    assert [tuple(y.shape) for y in symbolic] == [(None, *s) for s in SHAPES]


def test_split_tensors_of_several_numbers_are_held_in_two_halves():
    whole = PlayerParameters(SHAPES)
    assert [tuple(v.shape) for v in whole.weights] == SHAPES
    halves = PlayerParameters(SHAPES, split=True)
    assert [tuple(v.shape) for v in halves.weights] == [
        (3,),
        (3,),
        (),
        (1,),
        (2,),
        (3,),
    ]
    assert len({v.path for v in halves.weights}) == 6


def test_a_bound_is_kept_after_every_step():
    game = games.DiracGAN("wasserstein", clip=0.5, start=[3.0, 0.2])
    model = game.compiled("simultaneous", 0.2)
    points = game.play(model, 3)
    # Without the bound psi would be 0.2 + 0.2 * 3 = 0.8 after one step.
    np.testing.assert_allclose(points[1:, 1], 0.5)
    assert points[:, 0].min() > 0.5
    bound = Bounded(0.5)
    np.testing.assert_array_equal(bound(np.array([-2.0, 0.1])), [-0.5, 0.1])


def test_it_comes_back_from_its_configuration():
    layer = PlayerParameters(
        SHAPES, split=True, bound=2.0, name="x", dtype="float64"
    )
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == layer.get_config()
    assert [v.shape for v in again.weights] == [v.shape for v in layer.weights]
    assert {v.dtype for v in again.weights} == {"float64"}
    constraint = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(again.weights[0].constraint)
    )
    assert constraint.bound == 2.0
