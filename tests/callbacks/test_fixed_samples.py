import keras
import numpy as np
import pytest

from adversarial.callbacks.fixed_samples import FixedSamples

layers = keras.layers


def doubling(width=3, **kwargs):
    """A generator that doubles its latents."""
    dense = layers.Dense(
        width, use_bias=False, kernel_initializer=2 * keras.ops.eye(width)
    )
    return keras.Sequential([keras.Input((width,)), dense], **kwargs)


def all_of(generate, samples=10, batch_size=4, seed=0, shape=None):
    drawn = FixedSamples(generate, samples, batch_size, seed)
    return list(drawn.batches(shape))


def test_a_model_gets_standard_normal_latents_of_the_seed():
    found = all_of(doubling(), seed=7)
    assert [len(x) for x in found] == [4, 4, 2]
    z = np.random.default_rng(7).normal(size=(10, 3)).astype("float32")
    # One product a number.
    np.testing.assert_allclose(np.concatenate(found), 2 * z, rtol=1e-6)


def test_samples_do_not_depend_on_the_batches():
    generator = doubling()
    once = np.concatenate(all_of(generator, batch_size=10))
    for size in (1, 3, 64):
        again = np.concatenate(all_of(generator, batch_size=size))
        np.testing.assert_allclose(again, once, rtol=1e-6)


def test_latents_may_be_images():
    generator = keras.Sequential(
        [keras.Input((4, 4, 2)), layers.Conv2D(1, 3, padding="same")]
    )
    assert all_of(generator, 3)[0].shape == (3, 4, 4, 1)


def test_a_model_is_called_in_inference_mode_and_keeps_its_state():
    generator = keras.Sequential(
        [keras.Input((3,)), layers.BatchNormalization(), layers.Dropout(0.9)]
    )
    before = [np.array(v) for v in generator.variables]
    found = np.concatenate(all_of(generator))
    z = np.random.default_rng(0).normal(size=(10, 3))
    epsilon = generator.layers[0].epsilon
    np.testing.assert_allclose(found, z / np.sqrt(1 + epsilon), rtol=1e-5)
    for old, new in zip(before, generator.variables, strict=True):
        np.testing.assert_array_equal(old, new)


def test_new_weights_are_used():
    generator = doubling()
    first = all_of(generator)[0]
    generator.set_weights([3 * np.eye(3)])
    np.testing.assert_allclose(all_of(generator)[0], 1.5 * first, rtol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_comes_as_single(policy):
    generator = doubling()
    generator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(3, dtype=policy)]
    )
    assert all_of(generator)[0].dtype == np.float32


def test_a_function_is_asked_for_numbers_of_samples():
    asked = []

    def generate(n):
        asked.append(n)
        return keras.ops.ones((n, 2, 2), dtype="uint8")

    found = all_of(generate)
    assert asked == [4, 4, 2]
    assert found[0].dtype == np.uint8
    assert FixedSamples(generate, 1, 1, 0).variables == []


@pytest.mark.parametrize("made", [lambda n: np.ones((n + 1, 2)), np.float32])
def test_another_number_of_samples_is_refused(made):
    with pytest.raises(ValueError, match="as many samples as it is asked"):
        all_of(made)


def test_another_shape_than_that_of_real_samples_is_refused():
    with pytest.raises(ValueError, match="shape of the real ones") as error:
        all_of(lambda n: np.zeros((n, 28, 28)), shape=(28, 28, 1))
    assert error.match(r"Expected: shape \(4, 28, 28, 1\)")
    assert error.match(r"Received: shape \(4, 28, 28\)")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_counted_and_placed(bad):
    left = iter([4, 4, 2])

    def generate(n):
        x = np.zeros((n, 2, 2))
        next(left)
        if n == 2:
            x[1, 0, 1] = bad
        return x

    with pytest.raises(ValueError, match="must be finite") as error:
        all_of(generate)
    assert error.match("in 1 of 2 samples of batch 2 .* first in sample 1")
    assert error.match("diverged")


def two_inputs():
    x, y = keras.Input((2,)), keras.Input((2,))
    return keras.Model([x, y], layers.Add()([x, y]))


def two_outputs():
    x = keras.Input((2,))
    return keras.Model(x, [layers.Dense(1)(x), layers.Dense(1)(x)])


@pytest.mark.parametrize(
    ("model", "received"),
    [
        (two_inputs, "2 inputs"),
        (two_outputs, "2 outputs"),
        (lambda: keras.Sequential([layers.Dense(1)]), "not known"),
        (
            lambda: keras.Sequential(
                [keras.Input((None, 2)), layers.Conv1D(1, 1)]
            ),
            r"an input of shape \(None, None, 2\)",
        ),
    ],
)
def test_a_model_that_cannot_be_called_on_latents_is_refused(model, received):
    with pytest.raises(ValueError, match="from latents to samples") as error:
        FixedSamples(model(), 1, 1, 0)
    assert error.match(received)
    assert error.match("pass a function instead")


def test_what_cannot_be_called_is_no_generator():
    with pytest.raises(TypeError, match="`generate` must make samples"):
        FixedSamples(np.zeros((5, 2)), 1, 1, 0)
