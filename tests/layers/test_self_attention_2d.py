import keras
import numpy as np
import pytest
from engines import dtype_of, slopes
from keras import ops

from adversarial.layers import SelfAttention2D, SpectralNormalization

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4, 6, 8))


def made(**kwargs):
    layer = SelfAttention2D(4, 2, dtype="float64", **kwargs)
    layer(X)
    layer.gamma.assign(0.7)
    return layer


def kernel(part):
    if isinstance(part, SpectralNormalization):
        return np.asarray(part.effective_kernel())[0, 0]
    return part.kernel.numpy()[0, 0]


def pooled(x, size):
    n, height, width, channels = x.shape
    out = np.zeros((n, height // size, width // size, channels))
    for i in range(height // size):
        for j in range(width // size):
            window = x[:, i * size : (i + 1) * size, j * size : (j + 1) * size]
            out[:, i, j] = window.max(axis=(1, 2))
    return out


def reference(layer, x):
    """Loops over samples and pixels."""
    query = x @ kernel(layer.query)
    key = pooled(x @ kernel(layer.key), layer.pool_size)
    values = pooled(x @ kernel(layer.values), layer.pool_size)
    y = x.copy()
    for n in range(len(x)):
        keys = key[n].reshape(-1, key.shape[-1])
        vs = values[n].reshape(-1, values.shape[-1])
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                logits = keys @ query[n, i, j]
                a = np.exp(logits - logits.max())
                seen = (a / a.sum()) @ vs
                y[n, i, j] += layer.gamma.numpy() * seen @ kernel(layer.out)
    return y


@pytest.mark.parametrize("pool_size", [1, 2])
@pytest.mark.parametrize("spectral", [False, True])
def test_it_is_the_formula(pool_size, spectral):
    layer = made(pool_size=pool_size, spectral_normalization=spectral)
    np.testing.assert_allclose(layer(X), reference(layer, X), atol=1e-12)


def test_it_starts_as_the_identity_and_gamma_learns():
    # With gamma from 1 it would not; if W were 0 as well, nothing would move.
    layer = SelfAttention2D(4, dtype="float64")
    np.testing.assert_array_equal(layer(X), X)
    assert layer.gamma.numpy() == 0
    assert layer.gamma.trainable

    def value(gamma):
        with keras.StatelessScope([(layer.gamma, gamma)]):
            return ops.sum(layer(X) ** 3)

    (slope,) = slopes(value, layer.gamma.numpy())
    assert abs(slope) > 1e-3


def test_the_gradient_equals_finite_differences(check_derivatives):
    check_derivatives(made(), X)
    check_derivatives(made(pool_size=1, spectral_normalization=False), X)


def test_it_has_the_widths_of_the_authors_code():
    layer = SelfAttention2D()
    layer.build((None, 8, 8, 32))
    shapes = [
        tuple(part.kernel.shape[-2:])
        for part in (layer.query, layer.key, layer.values, layer.out)
    ]
    assert shapes == [(32, 4), (32, 4), (32, 16), (16, 32)]


def test_odd_and_open_sizes_are_possible(saved):
    inputs = keras.Input((None, None, 8))
    model = keras.Model(inputs, SelfAttention2D()(inputs))
    assert model.output_shape == (None, None, None, 8)
    model.layers[-1].gamma.assign(0.5)
    x = RNG.normal(size=(2, 5, 7, 8)).astype("float32")
    y = model(x)
    assert y.shape == x.shape
    np.testing.assert_array_equal(saved(model)(x), y)


def test_mixed_precision_gives_half_precision():
    y = SelfAttention2D(dtype="mixed_bfloat16")(X)
    assert dtype_of(y) == "bfloat16"


def test_a_config_remakes_the_layer(remade):
    layer = SelfAttention2D(4, 3, pool_size=1, spectral_normalization=False)
    copy = remade(layer)
    assert (copy.reduction, copy.value_reduction) == (4, 3)
    assert (copy.pool_size, copy.spectral_normalization) == (1, False)


@pytest.mark.parametrize("shape", [(2, 4, 4, 4), (2, 4, 8)])
def test_too_few_channels_or_no_images_are_an_error(shape):
    with pytest.raises(ValueError, match="needs images with enough channels"):
        SelfAttention2D()(np.zeros(shape))
