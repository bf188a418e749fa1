import warnings

import keras
import numpy as np
import pytest
from engines import array, compiled, dtype_of, slopes_of, tensor, without
from keras import ops

import adversarial
from adversarial.penalties import (
    DRAGAN,
    R1,
    R2,
    GradientPenalty,
    MaxGradientPenalty,
    NetworkPenalty,
    PathLength,
)

layers = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 3)).astype("float32")
CLOSE = 1e-5
"""Relative, of some float32 operations."""
STEP = 1e-5
"""Of central differences in float64: error about 1e-10."""

EACH = [R1, R2, GradientPenalty, DRAGAN, MaxGradientPenalty, PathLength]
each_kind = pytest.mark.parametrize("kind", EACH, ids=lambda k: k.__name__)


def network(*parts, units=1, name="network"):
    return keras.Sequential(
        [keras.Input((3,)), *parts, layers.Dense(units)], name=name
    )


def called_on(kind, x=X):
    return [x, x + 1] if kind.reads == "both" else x


# What all of them have in common


@each_kind
def test_one_value_per_sample_under_the_snake_case_name(kind):
    layer = kind(network(layers.Dense(4, "tanh")))
    assert layer.name == adversarial.registry.snake_case(kind.__name__)
    found = layer(called_on(kind))
    assert found.shape == (8,)
    assert dtype_of(found) == "float32"
    symbol = keras.Input((3,))
    symbol = [symbol, symbol] if kind.reads == "both" else symbol
    assert layer(symbol).shape == (None,)
    assert layer(symbol).dtype == "float32"


@each_kind
def test_the_config_holds_all_arguments(kind):
    known = {"target": 0.5, "rate": 0.5, "strength": 0.25, "seed": 3}
    known |= {"one_sided": True, "data_format": "channels_first"}
    base = kind(network()).own_config()
    own = {k: v for k, v in known.items() if k in base}
    layer = kind(network(), interval=4, output=0, name="other", **own)
    config = keras.saving.serialize_keras_object(layer)
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is kind
    assert copy.get_config() == layer.get_config()
    assert copy.own_config() == {**base, **own, "interval": 4} | {
        "output": 0,
        "name": "other",
    }
    assert copy.network is not layer.network
    copy.network.set_weights(layer.network.get_weights())


@each_kind
def test_it_is_registered_under_its_name(kind):
    name = adversarial.registry.snake_case(kind.__name__)
    assert name in adversarial.registry.names("penalties")


@each_kind
def test_a_plain_model_saves_it_and_finds_the_network_again(kind, tmp_path):
    inner = network(layers.Dense(4, "tanh"))
    x = keras.Input((3,))
    given = [x, x + 1.0] if kind.reads == "both" else x
    model = keras.Model(x, [inner(x), kind(inner, interval=3)(given)])
    model(X, training=True)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    layer = copy.get_layer(adversarial.registry.snake_case(kind.__name__))
    assert layer.network is copy.get_layer("network")
    assert int(layer.count) == 1
    np.testing.assert_array_equal(copy(X)[0], model(X)[0])


@each_kind
def test_integers_are_refused(kind):
    layer = kind(network())
    with pytest.raises(TypeError, match="must be floats"):
        layer(called_on(kind, np.ones((4, 3), "int32")))
    symbol = keras.Input((3,), dtype="int32")
    symbol = [symbol, symbol] if kind.reads == "both" else symbol
    with pytest.raises(TypeError, match="must be floats"):
        layer(symbol)


@pytest.mark.parametrize("interval", [0, -1, 1.5, True])
def test_an_interval_is_a_whole_number_above_0(interval):
    with pytest.raises(ValueError, match="`interval` must be a whole"):
        R1(network(), interval=interval)


def test_a_precision_and_what_is_no_network_are_refused():
    with pytest.raises(ValueError, match="dtype='float16'"):
        R1(network(), dtype="float16")
    with pytest.raises(TypeError, match="looks at a network"):
        R1(X)
    with pytest.raises(ValueError, match="must be built"):
        R1(keras.Sequential([layers.Dense(1)]))


@pytest.mark.parametrize("units", [2, 10])
def test_scores_of_classes_are_refused(units):
    with pytest.raises(ValueError, match="one score per sample"):
        R1(network(units=units))(X)


def test_a_network_in_double_precision_is_looked_at_in_it():
    x = keras.Input((3,), dtype="float64")
    inner = keras.Model(x, layers.Dense(1, dtype="float64")(x))
    found = R1(inner)(np.float64(X))
    assert dtype_of(found) == "float64"
    kernel = inner.layers[-1].kernel.numpy()
    expected = np.full(8, 0.5 * (kernel**2).sum())
    np.testing.assert_allclose(found, expected, rtol=1e-14)


# It only looks


def stateful():
    return network(
        layers.Dense(4, "tanh"),
        layers.BatchNormalization(),
        adversarial.layers.SpectralNormalization(layers.Dense(4)),
        layers.Dropout(0.5, seed=3),
        layers.Dense(2, activity_regularizer="l2"),
    )


def state_of(model):
    noise = "seed_generator_state"
    rest = [v for v in model.non_trainable_variables if v.name != noise]
    seeds = [v for v in model.variables if v.name == noise]
    return [v.numpy() for v in rest], [v.numpy() for v in seeds]


@pytest.mark.filterwarnings("ignore:.*batch normalisation:UserWarning")
@pytest.mark.parametrize("interval", [1, 2])
@pytest.mark.parametrize("how", ["eager", "graph", "xla"])
def test_only_random_numbers_go_on(how, interval):
    inner = stateful()
    layer = R1(inner, interval=interval)
    call = lambda x: layer(x, training=True)  # noqa: E731
    if how != "eager":
        call = compiled(call, how == "xla", writes=layer.variables)
    before, seeds = state_of(inner)
    first = array(call(tensor(X)))
    after, moved = state_of(inner)
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(seeds[0], moved[0])
    assert not inner.losses
    if interval == 2:
        np.testing.assert_array_equal(array(call(tensor(X))), np.zeros(8))
        np.testing.assert_array_equal(state_of(inner)[1], moved)
    assert not np.allclose(array(call(tensor(X))), first)
    # The call of the network itself would have moved all of it.
    inner(X, training=True)
    assert not any(
        np.array_equal(one, two)
        for one, two in zip(before, state_of(inner)[0], strict=True)
    )


@without("jax", "Keras wants a generator in each layer that draws.")
def test_numbers_drawn_without_a_seed_of_their_own_go_on():
    class Noisy(layers.Layer):
        def call(self, x):
            return x * keras.random.normal(ops.shape(x))

    layer = R1(network(Noisy()))
    assert not np.allclose(layer(X), layer(X))


def test_the_network_runs_in_the_mode_of_the_layer():
    inner = network(layers.Dropout(0.5, seed=3))
    layer = R1(inner)
    kernel = inner.layers[-1].kernel.numpy()[:, 0]
    still = np.full(8, 0.5 * (kernel**2).sum())
    np.testing.assert_allclose(layer(X), still, rtol=CLOSE)
    found = np.asarray(layer(X, training=True))
    # Each weight is dropped or doubled.
    kept = np.array(list(np.ndindex(2, 2, 2)))
    possible = 0.5 * ((2 * kept * kernel) ** 2).sum(axis=1)
    assert np.all(np.isclose(found[:, None], possible, rtol=CLOSE).any(axis=1))
    assert len(set(found.round(5))) > 1


@pytest.mark.filterwarnings("ignore:.*batch normalisation:UserWarning")
def test_derivatives_through_batch_normalisation_are_whole():
    """Also those of the variance by the mean, which TensorFlow leaves out."""
    x = keras.Input((3,), dtype="float64")
    norm = layers.BatchNormalization(dtype="float64", epsilon=0.1)
    hidden = layers.Dense(4, "tanh", dtype="float64")
    inner = keras.Model(
        x, layers.Dense(1, dtype="float64")(ops.sin(norm(hidden(x))))
    )
    layer, at = R1(inner), np.float64(X)

    def total(x):
        return float(ops.sum(inner(x, training=True)))

    slopes = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        ends = []
        for sign in (1, -1):
            moved = at.copy()
            moved[index] += sign * STEP
            ends.append(total(moved))
        slopes[index] = (ends[0] - ends[1]) / (2 * STEP)
    expected = 0.5 * (slopes**2).sum(axis=1)
    np.testing.assert_allclose(layer(at, training=True), expected, rtol=1e-7)
    kernel = hidden.kernel
    _, (gradient,) = slopes_of(
        lambda: (ops.mean(layer(at, training=True)), []), [kernel]
    )
    way, start = RNG.normal(size=kernel.shape), kernel.numpy()
    ends = []
    for sign in (1, -1):
        kernel.assign(start + sign * STEP * way)
        ends.append(float(ops.mean(layer(at, training=True))))
    found = (gradient * way).sum()
    expected = (ends[0] - ends[1]) / (2 * STEP)
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "part",
    [
        lambda: layers.BatchNormalization(),
        lambda: keras.Sequential([layers.BatchNormalization()]),
    ],
    ids=["plain", "nested"],
)
def test_batch_normalisation_is_warned_of(part):
    inner = network(part(), name="normed")
    with pytest.warns(UserWarning, match="batch normalisation in 'normed'"):
        R1(inner)


def test_other_normalisations_are_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        R1(network(layers.LayerNormalization()))


# What it looks at


def test_further_inputs_are_given_and_not_differentiated():
    x = keras.Input((3,), name="x")
    label = keras.Input((), dtype="int32", name="label")
    scale = layers.Embedding(2, 1, embeddings_initializer="ones")
    y = ops.sum(x, axis=-1, keepdims=True) * scale(label)
    inner = keras.Model([x, label], y)
    scale.embeddings.assign([[1.0], [3.0]])
    labels = np.array([0, 1] * 4)
    found = R1(inner)(X, given=labels)
    expected = 1.5 * np.where(labels, 9.0, 1.0)
    np.testing.assert_allclose(found, expected, rtol=CLOSE)
    outer = keras.Model([x, label], R1(inner)(x, given=label))
    np.testing.assert_allclose(outer([X, labels]), expected, rtol=CLOSE)
    named = keras.Model({"x": x, "label": label}, y)
    found = R1(named)({"x": X}, given={"label": labels})
    np.testing.assert_allclose(found, expected, rtol=CLOSE)


def test_of_floats_that_are_given_the_slope_is_not_counted():
    x, c = keras.Input((3,)), keras.Input((2,))
    y = ops.sum(x, axis=-1) + 5.0 * ops.sum(c, axis=-1)
    inner = keras.Model([x, c], y)
    c = np.ones((8, 2), "float32")
    np.testing.assert_allclose(R1(inner)(X, given=c), np.full(8, 1.5))
    np.testing.assert_allclose(R1(inner)([X, c]), np.full(8, 1.5 + 25.0))


@pytest.mark.parametrize("output", ["score", 1])
def test_one_output_of_several_is_chosen(output):
    x = keras.Input((3,))
    outputs = {
        "classes": layers.Dense(5)(x),
        "score": 2.0 * ops.sum(x, axis=-1, keepdims=True),
    }
    inner = keras.Model(x, outputs)
    found = R1(inner, output=output)(X)
    np.testing.assert_allclose(found, np.full(8, 6.0), rtol=CLOSE)
    with pytest.raises(ValueError, match="one output") as error:
        R1(inner)
    assert "'classes', 'score'" in str(error.value)
    with pytest.raises(ValueError, match="did you mean 'score'"):
        R1(inner, output="scores")


class Subclassed(keras.Model):
    def build(self, shape):
        self.dense = layers.Dense(1)
        self.dense.build(shape)
        self.built = True

    def call(self, x):
        return {"y": self.dense(x), "x": x}


def test_a_subclassed_network_may_be_looked_at():
    inner = Subclassed()
    inner.build((None, 3))
    kernel = inner.dense.kernel.numpy()
    expected = np.full(8, 0.5 * (kernel**2).sum())
    for output in ("y", 1):
        found = R1(inner, output=output)(X)
        np.testing.assert_allclose(found, expected, rtol=CLOSE)
    with pytest.raises(ValueError, match="one output"):
        R1(inner)(X)


# Seldom


def test_every_third_step_has_three_times_the_penalty():
    layer = R1(network(), interval=3)
    whole = np.asarray(layer(X))
    found = [np.asarray(layer(X, training=True)) for _ in range(6)]
    for step, value in enumerate(found):
        expected = 3 * whole if step % 3 == 0 else np.zeros(8)
        np.testing.assert_allclose(value, expected, rtol=CLOSE)
    np.testing.assert_allclose(np.mean(found, axis=0), whole, rtol=CLOSE)
    # Without the factor, the mean over the steps would be a third.
    assert not np.allclose(np.mean(found, axis=0) / 3, whole, rtol=0.1)
    assert int(layer.count) == 0


def test_at_inference_it_is_whole_and_counts_nothing():
    layer = R1(network(), interval=3)
    layer(X, training=True)
    assert int(layer.count) == 1
    expected = R1(layer.network)(X)
    np.testing.assert_array_equal(layer(X), expected)
    np.testing.assert_array_equal(layer(X, training=False), expected)
    assert int(layer.count) == 1


def test_without_an_interval_there_is_nothing_to_count():
    assert len(R1(network()).variables) == len(network().variables)


# In half precision


def half(scale, policy):
    """A network whose slopes are of the order of the scale."""
    start = keras.initializers.RandomNormal(0.0, 0.5, seed=1)
    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(
                16, "tanh", kernel_initializer=start, dtype=policy, name="one"
            ),
            layers.Dense(1, kernel_initializer=start, dtype=policy, name="two"),
        ]
    )
    # Half each, so that float16 holds the weights themselves.
    for layer in inner.layers:
        layer.kernel.assign(layer.kernel * scale**0.5)
    return inner


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("scale", [1e-7, 1e-5, 1e-3, 1.0, 10.0])
def test_in_half_precision_it_is_the_penalty_of_full_precision(scale, policy):
    x = RNG.normal(size=(8, 8)).astype("float32")
    exact = R1(half(scale, "float32"))(x)
    found = R1(half(scale, policy))(x)
    assert dtype_of(found) == "float32"
    # Some roundings of 11 bits, or of 8, in a square of sums.
    bound = 0.005 if policy == "mixed_float16" else 0.04
    # Where tanh is saturated, the sums cancel, on every engine: small slopes
    # have the errors of large ones.
    rest = bound * np.mean(array(exact)) if scale > 1 else 0
    np.testing.assert_allclose(found, exact, rtol=bound, atol=rest)


def test_unlifted_small_slopes_would_be_lost(monkeypatch):
    x = RNG.normal(size=(8, 8)).astype("float32")
    layer = R1(half(1e-7, "mixed_float16"))
    exact = R1(half(1e-7, "float32"))(x)
    monkeypatch.setattr(layer, "_lift", 1.0)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(layer(x), exact, rtol=0.005)


# The first scale of `LossScaleOptimizer`, and a lower one that it may find.
@pytest.mark.parametrize(
    ("scale", "factor"), [(1e-5, 2.0**15), (1e-3, 2.0**15), (1.0, 2.0**10)]
)
def test_gradients_of_small_slopes_come_through_under_a_loss_scale(
    scale, factor
):
    x = RNG.normal(size=(8, 8)).astype("float32")
    found = {}
    for policy in ("float32", "mixed_float16"):
        layer = R1(half(scale, policy))
        kernels = layer.network.trainable_variables[::2]
        _, gradients = slopes_of(
            lambda layer=layer: (factor * ops.mean(layer(x)), []), kernels
        )
        found[policy] = [g / factor for g in gradients]
    for exact, mixed in zip(*found.values(), strict=True):
        error = np.linalg.norm(mixed - exact) / np.linalg.norm(exact)
        assert error < 0.01


def test_squares_of_large_slopes_do_not_overflow():
    """|slope|^2 of 8000 numbers of 10 is above what float16 can hold."""
    inner = keras.Sequential(
        [
            keras.Input((8000,), dtype="float16"),
            layers.Dense(1, kernel_initializer="ones", dtype="mixed_float16"),
        ]
    )
    inner.layers[0].kernel.assign(np.full((8000, 1), 10.0))
    found = R1(inner)(np.zeros((2, 8000), "float16"))
    np.testing.assert_allclose(found, [4e5, 4e5], rtol=1e-3)


def test_samples_in_half_precision_are_differentiated_in_full():
    inner = network(layers.Dense(4, "tanh"))
    found = R1(inner)(np.float16(X))
    assert dtype_of(found) == "float32"
    expected = R1(inner)(np.float32(np.float16(X)))
    np.testing.assert_array_equal(found, expected)


# A penalty of one's own


@keras.saving.register_keras_serializable(package=__name__)
class Absolute(NetworkPenalty):
    reads = "fake"

    def penalty(self, samples, network, training):
        slopes = self.slopes(lambda x: self.score(network, x), samples)
        return ops.sum(ops.abs(slopes[0]), axis=-1)


def test_a_penalty_of_ones_own_needs_one_method():
    inner = network()
    layer = Absolute(inner, interval=2)
    expected = np.full(8, np.abs(inner.layers[-1].kernel.numpy()).sum())
    np.testing.assert_allclose(layer(X), expected, rtol=CLOSE)
    np.testing.assert_allclose(layer(X, training=True), 2 * expected)
    assert layer.name == "absolute"
