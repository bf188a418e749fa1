import keras
import numpy as np
import pytest
from engines import compiled, dtype_of, slopes, tensor
from keras import ops

from adversarial.layers import MinibatchStandardDeviation

ROUNDING = 1e-6


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape)


def reference(x, size, features=1):
    """Loops over the groups: sample i is in group i mod M."""
    n, channels = len(x), x.shape[-1]
    groups = -(-n // size)
    out = np.zeros((*x.shape[:-1], features))
    for m in range(groups):
        members = [i for i in range(n) if i % groups == m]
        s = np.sqrt(x[members].var(axis=0, ddof=0) + 1e-8)
        part = channels // features
        for f in range(features):
            t = s[..., f * part : (f + 1) * part].mean()
            for i in members:
                out[i, ..., f] = t
    return np.concatenate([x, out], axis=-1)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 9, 12])
@pytest.mark.parametrize("shape", [(6,), (3, 6), (2, 3, 6)])
def test_it_is_the_formula_for_every_size_of_batch(n, shape):
    x = numbers(n, *shape)
    found = MinibatchStandardDeviation(dtype="float64")(x)
    np.testing.assert_allclose(found, reference(x, 4), atol=1e-12)


@pytest.mark.parametrize("features", [1, 2, 3, 6])
def test_each_part_of_the_channels_makes_a_feature(features):
    x = numbers(8, 2, 2, 6)
    layer = MinibatchStandardDeviation(4, features, dtype="float64")
    expected = reference(x, 4, features)
    np.testing.assert_allclose(layer(x), expected, atol=1e-12)


def authors(x, size):
    """The reshapes of the authors' code, for a batch that is divided."""
    n, h, w, c = x.shape
    y = x.reshape(size, n // size, h, w, c)
    y = np.sqrt(((y - y.mean(axis=0)) ** 2).mean(axis=0) + 1e-8)
    y = np.tile(y.mean(axis=(1, 2, 3)), size)
    y = np.broadcast_to(y[:, None, None, None], (n, h, w, 1))
    return np.concatenate([x, y], axis=-1)


def test_groups_and_their_order_are_those_of_the_authors():
    x = numbers(12, 3, 3, 2)
    found = MinibatchStandardDeviation(dtype="float64")(x)
    np.testing.assert_allclose(found, authors(x, 4), atol=1e-12)


def test_the_other_order_of_groups_and_the_sample_deviation_would_be_seen():
    x = numbers(8, 2, 2, 2)
    found = np.asarray(MinibatchStandardDeviation(dtype="float64")(x))
    ours = found[:, 0, 0, -1]
    neighbours = np.repeat(
        [x[:4].std(axis=0).mean(), x[4:].std(axis=0).mean()], 4
    )
    sample = np.tile([x[m::2].std(axis=0, ddof=1).mean() for m in (0, 1)], 4)
    repeated = np.repeat([x[m::2].std(axis=0).mean() for m in (0, 1)], 4)
    for faulty in (neighbours, sample, repeated):
        assert np.abs(ours - faulty).max() > 1e-3


def test_equal_samples_have_no_deviation_and_a_finite_gradient():
    x, layer = np.ones((4, 3), "float32"), MinibatchStandardDeviation()
    np.testing.assert_allclose(layer(x)[:, -1], [1e-4] * 4, rtol=1e-4)
    (slope,) = slopes(lambda x: ops.sum(layer(x)), x)
    assert np.isfinite(slope).all()


def test_the_gradient_equals_finite_differences():
    layer = MinibatchStandardDeviation(3, dtype="float64")
    x, way, h = numbers(5, 4), numbers(5, 4)[::-1], 1e-6
    weights = tensor(np.arange(25.0).reshape(5, 5))

    def value(x):
        return ops.sum(layer(x) * weights)

    found = (slopes(value, x)[0] * way).sum()
    expected = (value(x + h * way) - value(x - h * way)) / (2 * h)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_the_batch_size_may_be_open_in_a_graph(jit):
    layer = MinibatchStandardDeviation()
    layer.build((None, 2, 2, 3))
    call = compiled(layer, jit, shapes=[((None, 2, 2, 3), "float32")])
    for n in (8, 5):
        x = numbers(n, 2, 2, 3).astype("float32")
        np.testing.assert_allclose(call(x), reference(x, 4), atol=ROUNDING)
    y = layer(keras.Input((None, None, 3)))
    assert y.shape == (None, None, None, 4)


def test_half_precision_keeps_small_deviations():
    x = np.zeros((4, 3), "float16")
    x[::2] = 1e-3
    y = MinibatchStandardDeviation(dtype="mixed_float16")(x)
    assert dtype_of(y) == "float16"
    np.testing.assert_allclose(y[:, -1], [5e-4 * np.sqrt(1.04)] * 4, rtol=0.01)


def test_a_saved_model_computes_the_same(tmp_path):
    inputs = keras.Input((3, 4))
    layer = MinibatchStandardDeviation(3, 2)
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    x = numbers(7, 3, 4).astype("float32")
    np.testing.assert_array_equal(copy(x), model(x))
    assert copy.layers[-1].get_config() == layer.get_config()


def test_features_that_do_not_divide_the_channels_are_an_error():
    layer = MinibatchStandardDeviation(features=4)
    with pytest.raises(ValueError, match="`features` must divide") as error:
        layer(numbers(4, 6))
    assert "features=4, 6 channels" in str(error.value)


@pytest.mark.parametrize("name", ["group_size", "features"])
def test_a_size_that_is_none_is_an_error(name):
    with pytest.raises(ValueError, match=f"`{name}` must be a whole number"):
        MinibatchStandardDeviation(**{name: 0})
