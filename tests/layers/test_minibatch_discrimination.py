import keras
import numpy as np
import pytest

from adversarial.layers import MinibatchDiscrimination

RNG = np.random.default_rng(0)
F = RNG.normal(size=(5, 6))


def reference(f, t, kernels, dims):
    """The formula of the paper in loops."""
    m = (f @ t).reshape(len(f), kernels, dims)
    o = np.zeros((len(f), kernels))
    for i in range(len(f)):
        for b in range(kernels):
            for j in range(len(f)):
                o[i, b] += np.exp(-np.abs(m[i, b] - m[j, b]).sum())
    return np.concatenate([f, o], axis=1)


def test_it_is_the_formula_of_the_paper():
    layer = MinibatchDiscrimination(4, 3, dtype="float64")
    found = layer(F)
    expected = reference(F, layer.kernel.numpy(), 4, 3)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_equal_samples_are_as_close_as_can_be():
    y = MinibatchDiscrimination(2, 3)(np.ones((7, 4)))
    np.testing.assert_allclose(y[:, 4:], np.full((7, 2), 7.0), rtol=1e-6)


def test_a_sample_alone_is_close_to_itself():
    y = MinibatchDiscrimination(2, 3)(F[:1])
    np.testing.assert_allclose(y[:, 6:], np.ones((1, 2)))


def test_the_gradient_equals_finite_differences(check_derivatives):
    check_derivatives(MinibatchDiscrimination(4, 3, dtype="float64"), F)


def test_the_batch_size_may_be_open_and_the_model_is_saved(saved):
    inputs = keras.Input((6,))
    model = keras.Model(inputs, MinibatchDiscrimination(4, 3)(inputs))
    assert model.output_shape == (None, 10)
    x = F.astype("float32")
    np.testing.assert_array_equal(saved(model)(x), model(x))
    assert model.predict(x[:3], verbose=0).shape == (3, 10)


def test_a_config_remakes_the_layer(remade):
    copy = remade(MinibatchDiscrimination(4, 3, "he_normal", name="d"))
    assert (copy.kernels, copy.dims) == (4, 3)


@pytest.mark.parametrize("sizes", [(0, 3), (4, 0), (1.5, 3)])
def test_a_size_that_is_none_is_an_error(sizes):
    with pytest.raises(ValueError, match="must be a whole number above 0"):
        MinibatchDiscrimination(*sizes)


def test_features_that_are_not_flat_are_an_error():
    with pytest.raises(ValueError, match="needs flat features"):
        MinibatchDiscrimination(4, 3)(np.zeros((5, 2, 3)))
