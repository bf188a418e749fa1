import keras
import numpy as np
import pytest
from engines import compiled, only

from adversarial.layers import NormalLatent, UniformLatent

N = 100_000
"""Draws for the tests of moments."""
SLACK = 5.0
"""Standard errors by which a moment of N draws may be off. The seed is fixed,
and the moments seen are within 2."""

LATENTS = [
    lambda **kw: NormalLatent((2, 3), **kw),
    lambda **kw: UniformLatent((2, 3), -1.0, 3.0, **kw),
]
each_latent = pytest.mark.parametrize(
    "make", LATENTS, ids=["normal", "uniform"]
)


def draw(layer, rows):
    return keras.ops.convert_to_numpy(layer(np.zeros((rows, 28, 28))))


@each_latent
def test_there_is_one_sample_per_row_of_the_input(make):
    assert draw(make(), 7).shape == (7, 2, 3)
    assert draw(make(), 7).dtype == np.float32


def test_a_shape_may_be_a_length():
    assert NormalLatent(5).shape == (5,)
    assert draw(NormalLatent(5), 2).shape == (2, 5)


def test_a_shape_may_be_empty():
    assert draw(NormalLatent(()), 2).shape == (2,)


@each_latent
def test_the_values_of_the_input_do_not_matter(make):
    rows = keras.random.normal((4, 3), seed=1)
    ints = keras.ops.zeros((4,), dtype="int32")
    np.testing.assert_array_equal(make(seed=1)(rows), make(seed=1)(ints))


@each_latent
def test_a_symbolic_input_leaves_the_batch_size_open(make):
    z = make()(keras.Input((28, 28)))
    assert z.shape == (None, 2, 3)
    assert z.dtype == "float32"
    assert make()(keras.Input(batch_shape=(6, 1))).shape == (6, 2, 3)


@only("tensorflow", "other engines trace no open sizes")
@each_latent
def test_the_batch_size_is_read_in_the_graph(make):
    layer, traces = make(), []

    def traced(x):
        traces.append(x.shape)
        return layer(x)

    call = compiled(traced, shapes=[((None, 4), "float32")])
    assert call(np.zeros((3, 4), "float32")).shape == (3, 2, 3)
    assert call(np.zeros((9, 4), "float32")).shape == (9, 2, 3)
    assert len(traces) == 1


@each_latent
def test_every_call_and_every_row_draws_anew(make):
    layer = make(seed=1)
    both = np.concatenate([draw(layer, 50), draw(layer, 50)])
    assert len(np.unique(both)) == both.size


@each_latent
def test_a_model_draws_anew_at_every_call(make):
    x = keras.Input((1,))
    model = keras.Model(x, make(seed=1)(x))
    first, second = (model.predict(np.zeros((4, 1)), verbose=0) for _ in "ab")
    assert not np.intersect1d(first, second).size


@each_latent
def test_a_seed_makes_the_draws_reproducible(make):
    one, other, another = make(seed=3), make(seed=3), make(seed=4)
    for _ in range(2):
        found = draw(one, 5)
        np.testing.assert_array_equal(found, draw(other, 5))
        assert not np.intersect1d(found, draw(another, 5)).size


@each_latent
def test_without_a_seed_the_global_seed_decides(make):
    def first():
        keras.utils.set_random_seed(11)
        return draw(make(), 5)

    np.testing.assert_array_equal(first(), first())
    assert not np.intersect1d(draw(make(), 5), draw(make(), 5)).size


def test_normal_latents_have_mean_0_and_variance_1():
    z = draw(NormalLatent((1,), seed=0), N)
    assert abs(z.mean()) < SLACK / np.sqrt(N)
    assert abs(z.var() - 1) < SLACK * np.sqrt(2 / N)
    assert abs((z**4).mean() - 3) < SLACK * np.sqrt(96 / N)


def test_uniform_latents_have_the_moments_of_their_interval():
    low, high = -1.0, 3.0
    z = draw(UniformLatent((1,), low, high, seed=0), N)
    variance = (high - low) ** 2 / 12
    assert abs(z.mean() - 1) < SLACK * np.sqrt(variance / N)
    # The variance of (z - 1)^2 on an interval of length 4 is 64/45.
    assert abs(z.var() - variance) < SLACK * np.sqrt(64 / 45 / N)


def test_uniform_latents_fill_their_interval_and_stay_in_it():
    z = draw(UniformLatent((1,), low=-1.0, high=3.0, seed=0), N)
    # The chance that N draws all miss an end piece of 1e-3 is exp(-25).
    assert -1.0 <= z.min() < -0.999
    assert 2.999 < z.max() < 3.0


def test_uniform_latents_are_from_0_to_1_unless_told():
    layer = UniformLatent(2)
    assert (layer.low, layer.high) == (0.0, 1.0)
    z = draw(UniformLatent((1,), seed=0), 1000)
    assert z.min() >= 0 and z.max() < 1


@each_latent
def test_a_config_remakes_the_layer(make):
    layer = make(seed=5, name="z", dtype="float64")
    config = keras.saving.serialize_keras_object(layer)
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is type(layer)
    assert (copy.shape, copy.seed, copy.name) == ((2, 3), 5, "z")
    assert copy.get_config() == layer.get_config()
    assert draw(copy, 4).dtype == np.float64
    np.testing.assert_array_equal(draw(copy, 4), draw_twice(layer))


def draw_twice(layer):
    draw(layer, 4)
    return draw(layer, 4)


def test_a_config_keeps_the_bounds():
    layer = UniformLatent(2, low=-2.0, high=0.5)
    copy = UniformLatent.from_config(layer.get_config())
    assert (copy.low, copy.high) == (-2.0, 0.5)


@each_latent
def test_a_loaded_model_draws_from_the_same_seed(make, tmp_path):
    # Keras saves no random state; `AdversarialModel` does.
    x = keras.Input((1,))
    model = keras.Model(x, make(seed=1)(x))
    first = model.predict(np.zeros((4, 1)), verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    found = copy.predict(np.zeros((4, 1)), verbose=0)
    np.testing.assert_array_equal(found, first)


@each_latent
@pytest.mark.parametrize(
    "policy, dtype",
    [
        ("mixed_bfloat16", "bfloat16"),
        ("mixed_float16", "float16"),
        ("float64", "float64"),
    ],
)
def test_the_dtype_is_the_compute_dtype(make, policy, dtype):
    layer = make(dtype=policy)
    assert layer(keras.Input((3,))).dtype == dtype
    z = layer(np.zeros((2, 3)))
    assert keras.backend.standardize_dtype(z.dtype) == dtype


@each_latent
def test_nothing_is_trained(make):
    layer = make(seed=1)
    assert layer.built
    assert layer.trainable_variables == []
    assert len(layer.non_trainable_variables) == 1


@pytest.mark.parametrize("layer", [NormalLatent, UniformLatent])
@pytest.mark.parametrize("shape", [0, -1, (3, 0), (2.0,), (None, 3), "ab"])
def test_a_shape_that_is_no_shape_is_an_error(layer, shape):
    with pytest.raises(ValueError, match="positive whole numbers") as error:
        layer(shape)
    assert repr(shape) in str(error.value)


@pytest.mark.parametrize("low, high", [(1.0, 1.0), (2.0, 1.0)])
def test_bounds_in_the_wrong_order_are_an_error(low, high):
    with pytest.raises(ValueError, match="`low` must be below `high`") as error:
        UniformLatent(2, low=low, high=high)
    assert f"low={low}, high={high}" in str(error.value)
