import keras
import numpy as np
import pytest
from engines import (
    COMPILES,
    JITS,
    dtype_of,
    learning,
    only,
    slopes,
    tensor,
)
from keras import ops

import adversarial
from adversarial import backend
from adversarial.layers import SpectralNormalization

ROUNDING = 1e-5
"""Of some hundred sums and products in single precision."""
EXACT = 1e-12
"""The same in double precision."""
NORM = 1e-3
"""How far from 1 the largest singular value may be."""
DIFFERENCE = 1e-7
"""Of central differences with a step of 1e-5 in double precision: their error
is about the square of the step times a third derivative."""

KINDS = {
    "dense": (lambda **kw: keras.layers.Dense(6, **kw), (8, 5), -1),
    "embedding": (lambda **kw: keras.layers.Embedding(9, 6, **kw), (8, 3), -1),
    "conv1d": (lambda **kw: keras.layers.Conv1D(6, 3, **kw), (4, 9, 3), -1),
    "conv2d": (lambda **kw: keras.layers.Conv2D(6, 3, **kw), (4, 7, 7, 3), -1),
    "conv3d": (
        lambda **kw: keras.layers.Conv3D(6, 2, **kw),
        (2, 4, 4, 4, 3),
        -1,
    ),
    "transposed": (
        lambda **kw: keras.layers.Conv2DTranspose(6, 3, strides=2, **kw),
        (4, 5, 5, 3),
        -2,
    ),
    "depthwise": (
        lambda **kw: keras.layers.DepthwiseConv2D(3, depth_multiplier=2, **kw),
        (4, 7, 7, 3),
        None,
    ),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def made(kind, **kwargs):
    make, shape, _ = KINDS[kind]
    rng = np.random.default_rng(3)
    if kind == "embedding":
        x = rng.integers(0, 9, size=shape)
    else:
        x = rng.normal(size=shape).astype("float32")
    return SpectralNormalization(make(**kwargs)), x


def matrix(kind, kernel):
    """The matrix of the paper, transposed, by other means than reshape."""
    kernel, axis = np.asarray(kernel), KINDS[kind][2]
    if axis is None:
        pairs = np.ndindex(*kernel.shape[-2:])
        return np.stack([kernel[..., i, j].ravel() for i, j in pairs], axis=1)
    outputs = range(kernel.shape[axis])
    return np.stack([kernel.take(c, axis).ravel() for c in outputs], axis=1)


def one_iteration(m, u):
    v = m @ u
    v = v / np.sqrt(v @ v)
    u = v @ m
    return u / np.sqrt(u @ u)


@each_kind
def test_the_largest_singular_value_is_1_after_some_steps(kind):
    layer, x = made(kind)
    layer(x)
    for _ in range(500):
        layer(x, training=True)
    found = np.linalg.svd(matrix(kind, layer.effective_kernel()))[1].max()
    assert abs(found - 1) < NORM


@each_kind
def test_refine_finds_the_singular_vector(kind):
    layer, _ = made(kind)
    layer.build(KINDS[kind][1])
    layer.refine()
    found = np.linalg.svd(matrix(kind, layer.effective_kernel()))[1].max()
    assert abs(found - 1) < NORM


@each_kind
def test_the_kernel_is_never_overwritten(kind):
    # `keras.layers.SpectralNormalization` fails here.
    layer, x = made(kind)
    layer(x)
    before = layer.kernel.numpy()
    for _ in range(3):
        layer(x, training=True)
    np.testing.assert_array_equal(layer.kernel, before)


def test_the_layer_of_keras_overwrites_the_kernel():
    layer = keras.layers.SpectralNormalization(keras.layers.Dense(6))
    x = np.ones((8, 5), "float32")
    layer(x)
    before = layer.layer.kernel.numpy()
    layer(x, training=True)
    assert np.abs(layer.layer.kernel.numpy() - before).max() > 0.01


@each_kind
def test_a_training_call_makes_the_power_iterations_of_the_paper(kind):
    make, _, _ = KINDS[kind]
    _, x = made(kind)
    layer = SpectralNormalization(make(), power_iterations=2)
    layer(x)
    m, u = matrix(kind, layer.kernel), layer.u.numpy()
    expected = one_iteration(m, one_iteration(m, u))
    layer(x, training=True)
    np.testing.assert_allclose(layer.u, expected, atol=ROUNDING)
    v = m @ expected / np.linalg.norm(m @ expected)
    sigma = v @ m @ expected
    np.testing.assert_allclose(
        layer.effective_kernel(), layer.kernel.numpy() / sigma, rtol=1e-4
    )


def test_training_computes_what_inference_computes_afterwards():
    layer, x = made("conv2d")
    in_training = layer(x, training=True)
    np.testing.assert_array_equal(in_training, layer(x, training=False))


def test_inference_does_not_move_u():
    layer, x = made("dense")
    layer(x)
    before = layer.u.numpy()
    layer(x)
    layer(x, training=False)
    np.testing.assert_array_equal(layer.u, before)


def test_a_frozen_layer_does_not_move_u():
    layer, x = made("dense")
    layer(x)
    before = layer.u.numpy()
    layer.trainable = False
    layer(x, training=True)
    np.testing.assert_array_equal(layer.u, before)


def test_an_embedding_gives_numbers_where_that_of_keras_gives_integers():
    x = np.array([[0, 1, 4]])
    theirs = keras.layers.SpectralNormalization(keras.layers.Embedding(5, 3))
    ours = SpectralNormalization(keras.layers.Embedding(5, 3))
    assert keras.backend.is_int_dtype(dtype_of(theirs(x)))
    assert dtype_of(ours(x)) == "float32"


def test_u_starts_as_a_unit_vector():
    layer, x = made("dense")
    layer(x)
    np.testing.assert_allclose(np.linalg.norm(layer.u), 1, rtol=1e-6)


def double(kind, training):
    """A loss of the kernel alone, its kernel, and the layer, converged."""
    layer, x = made(kind, dtype="float64")
    layer(x)
    layer.refine()
    weights = tensor(np.random.default_rng(5).normal(size=layer(x).shape))

    def loss(kernel):
        kernel = tensor(kernel)
        with keras.StatelessScope([(layer.kernel, kernel)]):
            y = layer(x, training=training)
        return ops.sum(ops.sin(y) * weights)

    return loss, layer.kernel.numpy(), layer


@each_kind
@pytest.mark.parametrize("training", [False, True])
def test_the_gradient_equals_finite_differences(kind, training):
    # In training u follows the kernel, here from the fixed point: there sigma
    # does not depend on u to first order.
    loss, kernel, _ = double(kind, training)
    (gradient,) = slopes(loss, kernel)
    rng = np.random.default_rng(0)
    for _ in range(5):
        way, h = rng.normal(size=kernel.shape), 1e-5
        found = (loss(kernel + h * way) - loss(kernel - h * way)) / (2 * h)
        expected = (gradient * way).sum()
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=DIFFERENCE)


def test_a_gradient_with_a_constant_sigma_would_be_seen():
    # The faulty form, and how far it is from the differences.
    loss, kernel, _ = double("dense", False)
    sigma = np.linalg.norm(kernel, 2)
    (gradient,) = slopes(loss, kernel)
    # W / |W| does not change along W itself.
    assert abs((gradient * kernel).sum()) < DIFFERENCE
    x = made("dense")[1].astype("float64")
    y = x @ kernel / sigma
    weights = np.random.default_rng(5).normal(size=y.shape)
    faulty = x.T @ (np.cos(y) * weights) / sigma
    assert abs((faulty * kernel).sum()) > 0.1


def test_the_gradient_is_equation_12_of_the_paper():
    loss, kernel, layer = double("dense", False)
    w, u = kernel, layer.u.numpy()
    v = w @ u / np.linalg.norm(w @ u)
    sigma = v @ w @ u
    x = made("dense")[1].astype("float64")
    y = x @ (w / sigma)
    upstream = np.cos(y) * np.random.default_rng(5).normal(size=y.shape)
    plain = x.T @ upstream
    average = (upstream * y).sum()
    expected = (plain - average * np.outer(v, u)) / sigma
    (found,) = slopes(loss, kernel)
    np.testing.assert_allclose(found, expected, atol=1e-10)


@each_kind
def test_second_derivatives_equal_differences_of_the_gradient(kind):
    # A constant v would fail here: v = W u / |W u| moves with W.
    loss, kernel, _ = double(kind, False)

    def along(at):
        return ops.sum(backend.gradient(loss, [at])[0] * tensor(way))

    def gradient(at):
        return slopes(loss, at)[0]

    way = np.random.default_rng(1).normal(size=kernel.shape)
    (found,) = slopes(along, kernel)
    h = 1e-5
    expected = gradient(kernel + h * way) - gradient(kernel - h * way)
    np.testing.assert_allclose(found, expected / (2 * h), rtol=1e-5, atol=1e-6)


def test_a_kernel_of_zeros_stays_and_has_a_finite_gradient():
    layer, x = made("dense", kernel_initializer="zeros")
    layer(x)
    before = layer.u.numpy()
    y = layer(x, training=True)
    np.testing.assert_array_equal(y, np.zeros(y.shape))

    def value(kernel):
        with keras.StatelessScope([(layer.kernel, kernel)]):
            return ops.sum(layer(x, training=True))

    (gradient,) = slopes(value, layer.kernel.numpy())
    expected = np.repeat(x.sum(axis=0)[:, None], 6, axis=1)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)
    np.testing.assert_array_equal(layer.u, before)


@pytest.mark.parametrize("size", [1e-20, 1e18])
def test_tiny_and_huge_kernels_are_normalised(size):
    layer = SpectralNormalization(
        keras.layers.Dense(6, use_bias=False), epsilon=1e-30
    )
    layer.build((None, 5))
    layer.kernel.assign(layer.kernel * size)
    layer.refine()
    found = np.linalg.norm(layer.effective_kernel(), 2)
    assert abs(found - 1) < NORM


def test_two_calls_of_one_evaluation_see_one_u_and_update_it_once():
    layer, x = made("dense")
    layer(x)
    expected = one_iteration(layer.kernel.numpy(), layer.u.numpy())
    values = [(v, backend.read(v)) for v in layer.variables]
    with keras.StatelessScope(values) as scope:
        one = layer(x, training=True)
        two = layer(x, training=True)
    found = scope.get_current_value(layer.u)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(found, expected, atol=ROUNDING)


def gan(power_iterations=1):
    """A GAN whose discriminator is called twice, on real and fake."""

    def dense(units, **kwargs):
        return SpectralNormalization(
            keras.layers.Dense(units, **kwargs), power_iterations
        )

    generator = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(4, activation="tanh"),
            keras.layers.Dense(3),
        ],
        name="generator",
    )
    discriminator = keras.Sequential(
        [keras.Input((3,)), dense(4, activation="tanh"), dense(1)],
        name="discriminator",
    )
    model = adversarial.AdversarialModel(
        # Latents are data here: XLA draws other ones.
        base_model=adversarial.builders.build_gan(
            generator, discriminator, latent=False
        ),
        player_params={"generator": generator, "discriminator": discriminator},
    )
    return model, generator, discriminator


BATCH = [
    np.random.default_rng(4).normal(size=(8, n)).astype("float32")
    for n in (2, 3)
]


def compiled(model, strategy, rates, **kwargs):
    optimizers = {n: keras.optimizers.SGD(r) for n, r in rates.items()}
    model.compile(
        strategy, optimizers, adversarial.losses.NonSaturating(), **kwargs
    )
    return model


def variables(model):
    """Everything that the players own."""
    return [v for p in model.players.values() for v in (*p.variables, *p.state)]


def us(network):
    return {v.path: v.numpy() for v in network.variables if v.name == "u"}


class OnlyGenerator(adversarial.AdversarialOptimizer):
    """Evaluates both players, moves the generator, again, again."""

    def step(self, game):
        for _ in range(3):
            game.apply(game.field(players=["generator"]))


@pytest.mark.parametrize("jit", JITS)
def test_a_step_of_the_generator_leaves_the_discriminator_as_it_is(jit):
    model, generator, discriminator = gan()
    rates = {"generator": 0.1, "discriminator": 0.1}
    compiled(model, OnlyGenerator(), rates, jit_compile=jit)
    before = [v.numpy() for v in discriminator.variables]
    moving = [v.numpy() for v in generator.variables]
    for _ in range(3):
        model.train_on_batch(BATCH)
    for v, old in zip(discriminator.variables, before, strict=True):
        np.testing.assert_array_equal(v, old)
    assert not np.array_equal(generator.variables[0], moving[0])


STRATEGIES = [
    adversarial.optimizers.Simultaneous(),
    adversarial.optimizers.Alternating(),
    adversarial.optimizers.ExtraGradient(),
    adversarial.optimizers.Unrolled(depth=2),
    adversarial.optimizers.Consensus(0.1),
]


@pytest.mark.parametrize("jit", JITS)
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: type(s).__name__)
def test_every_step_updates_u_once_and_at_the_real_point(strategy, jit):
    model, _, discriminator = gan()
    config = keras.saving.serialize_keras_object(strategy)
    strategy = keras.saving.deserialize_keras_object(config)
    # A discriminator that does not move: its real point is known.
    rates = {"generator": 0.1, "discriminator": 0.0}
    compiled(model, strategy, rates, jit_compile=jit)
    kernels = [layer.kernel.numpy() for layer in discriminator.layers]
    expected = list(us(discriminator).values())
    for _ in range(3):
        model.train_on_batch(BATCH)
        expected = [
            one_iteration(m, u) for m, u in zip(kernels, expected, strict=True)
        ]
    for found, u in zip(us(discriminator).values(), expected, strict=True):
        np.testing.assert_allclose(found, u, atol=ROUNDING)


@pytest.mark.parametrize(
    "strategy",
    [
        adversarial.optimizers.Simultaneous(),
        adversarial.optimizers.Alternating(),
    ],
    ids=["simultaneous", "alternating"],
)
def test_graph_and_xla_and_eager_agree(strategy):
    found = []
    for how in ({"run_eagerly": True}, {"jit_compile": COMPILES}, {}):
        keras.utils.set_random_seed(1)
        model, _, _ = gan()
        config = keras.saving.serialize_keras_object(strategy)
        fresh = keras.saving.deserialize_keras_object(config)
        rates = {"generator": 0.2, "discriminator": 0.2}
        compiled(model, fresh, rates, **how)
        for _ in range(3):
            model.train_on_batch(BATCH)
        found.append([v.numpy() for v in variables(model)])
    for one, two, three in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, atol=ROUNDING)
        np.testing.assert_allclose(one, three, atol=ROUNDING)


MOVES = [
    adversarial.optimizers.Simultaneous(),
    adversarial.optimizers.Alternating(["generator", "discriminator"]),
    adversarial.optimizers.Alternating(["discriminator", "generator"]),
]


@pytest.mark.parametrize(
    "strategy", MOVES, ids=["simultaneous", "generator first", "last"]
)
def test_only_its_own_move_changes_a_discriminator_and_its_u(strategy):
    # One update per step, at the kernel from before the move. Had the
    # generator's move counted as well, u would be a second iteration on.
    model, _, discriminator = gan()
    compiled(model, strategy, {"generator": 0.5, "discriminator": 0.5})
    for _ in range(3):
        kernels = [layer.kernel.numpy() for layer in discriminator.layers]
        before = list(us(discriminator).values())
        model.train_on_batch(BATCH)
        after = us(discriminator).values()
        for found, m, u in zip(after, kernels, before, strict=True):
            np.testing.assert_allclose(
                found, one_iteration(m, u), atol=ROUNDING
            )
        assert not np.array_equal(discriminator.layers[0].kernel, kernels[0])


def test_training_keeps_the_norm_at_1():
    model, _, discriminator = gan()
    rates = {"generator": 0.05, "discriminator": 0.05}
    compiled(model, adversarial.optimizers.Simultaneous(), rates)
    for _ in range(100):
        model.train_on_batch(BATCH)
    for layer in discriminator.layers:
        found = np.linalg.norm(layer.effective_kernel(), 2)
        # The kernel has moved by one step since u was updated.
        assert abs(found - 1) < 0.01


def test_in_a_plain_model_it_trains_with_fit():
    layer, _ = made("dense")
    model = keras.Sequential([keras.Input((5,)), layer])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(64, 5))
    y = np.zeros((64, 6))
    first = model.evaluate(x, y, verbose=0)
    u = layer.u.numpy()
    with learning():
        model.fit(x, y, epochs=3, verbose=0)
    assert model.evaluate(x, y, verbose=0) < first
    assert not np.array_equal(layer.u, u)


def test_under_mixed_precision_sigma_is_that_of_the_full_kernel():
    layer, x = made("dense", dtype="mixed_bfloat16")
    y = layer(x, training=True)
    assert dtype_of(y) == "bfloat16"
    layer.refine()
    found = np.linalg.norm(layer.effective_kernel(), 2)
    assert abs(found - 1) < NORM
    assert layer.u.dtype == "float32"


@each_kind
def test_saved_and_loaded_it_is_the_same_function(kind, tmp_path):
    layer, x = made(kind)
    inputs = keras.Input(x.shape[1:], dtype=str(x.dtype))
    model = keras.Model(inputs, layer(inputs))
    for _ in range(3):
        model(x, training=True)
    expected = model(x)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(copy(x), expected)


def test_a_saved_game_continues(tmp_path):
    model, _, _ = gan()
    rates = {"generator": 0.1, "discriminator": 0.1}
    compiled(model, adversarial.optimizers.Alternating(), rates)
    model.train_on_batch(BATCH)
    model.save(tmp_path / "game.keras")
    copy = keras.saving.load_model(tmp_path / "game.keras")
    for _ in range(2):
        model.train_on_batch(BATCH)
        copy.train_on_batch(BATCH)
    for one, two in zip(variables(model), variables(copy), strict=True):
        np.testing.assert_allclose(one, two, atol=ROUNDING)


@only("tensorflow", "a SavedModel is of TensorFlow")
def test_an_exported_model_computes_the_same(tmp_path):
    import tensorflow as tf

    layer, x = made("dense")
    model = keras.Sequential([keras.Input((5,)), layer])
    model(x, training=True)
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    np.testing.assert_allclose(served.serve(x), model(x), atol=ROUNDING)


def test_a_config_keeps_every_argument():
    layer = SpectralNormalization(
        keras.layers.Dense(3, name="inside"), 3, 1e-6, name="outside"
    )
    config = keras.saving.serialize_keras_object(layer)
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is SpectralNormalization
    assert (copy.power_iterations, copy.epsilon) == (3, 1e-6)
    assert (copy.name, copy.layer.name) == ("outside", "inside")
    assert copy.get_config() == layer.get_config()


@pytest.mark.parametrize("number", [0, -1, 1.5, True, "2"])
def test_a_number_of_iterations_that_is_none_is_an_error(number):
    with pytest.raises(ValueError, match="`power_iterations` must be a whole"):
        SpectralNormalization(keras.layers.Dense(3), number)


@pytest.mark.parametrize("epsilon", [0, -1.0, float("inf"), "x"])
def test_an_epsilon_that_is_none_is_an_error(epsilon):
    with pytest.raises(ValueError, match="`epsilon` must be a finite number"):
        SpectralNormalization(keras.layers.Dense(3), epsilon=epsilon)


def test_refining_before_there_is_a_kernel_is_an_error():
    with pytest.raises(ValueError, match="has no kernel yet"):
        SpectralNormalization(keras.layers.Dense(3)).refine()
