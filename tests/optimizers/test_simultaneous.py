import keras
import numpy as np
import pytest
import tensorflow as tf

import adversarial
from adversarial.optimizers import Simultaneous

STEPS = 20
STEP_SIZE = 0.1
# Adam turns the rounding of tiny gradients into parts of its step of 1e-2.
ADAM = 2e-4
# Rounding of 20 steps of sums over up to 8 numbers near 1.
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
BLOCKS = ([2, 3], [2, 3, 1], [1, 2, 3, 2])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("blocks", BLOCKS)
def test_it_equals_a_numpy_loop(quadratic, blocks, dtype, request):
    if dtype == "float64":
        request.getfixturevalue("float64")
    game = quadratic(blocks, dtype)
    model = game.model()
    model.compile(
        Simultaneous(),
        [keras.optimizers.SGD(STEP_SIZE) for _ in blocks],
        game.loss(),
    )
    theta, expected = game.start, [game.start]
    for _ in range(STEPS):
        theta = theta - STEP_SIZE * game.field(theta)
        expected.append(theta)
    np.testing.assert_allclose(
        game.play(model, STEPS),
        expected,
        rtol=0,
        atol=TOLERANCE[dtype] * np.abs(expected).max(),
    )


def test_on_the_bilinear_game_it_grows_by_the_root_of_1_01(bilinear, float64):
    model = bilinear.model()
    model.compile("simultaneous", sgds(2), bilinear.loss())
    radii = np.linalg.norm(bilinear.play(model, 10), axis=1)
    np.testing.assert_allclose(
        radii[1:] / radii[:-1], np.sqrt(1.01), rtol=1e-14
    )


def test_the_reported_losses_are_those_before_the_step(quadratic):
    game = quadratic([2, 1])
    model = game.model()
    model.compile("simultaneous", sgds(2), game.loss())
    logs = model.train_on_batch(np.ones((1, 1)), return_dict=True)
    expected = game.losses(game.start)
    np.testing.assert_allclose(
        [logs["p0_loss"], logs["p1_loss"]], expected, rtol=1e-6
    )
    np.testing.assert_allclose(logs["loss"], sum(expected), rtol=1e-6)


def test_relabelling_the_players_permutes_the_result(quadratic, float64):
    game = quadratic([2, 2, 2])
    order = np.array([2, 0, 1])
    index = np.concatenate([[2 * i, 2 * i + 1] for i in order])
    other = quadratic([2, 2, 2])
    other.matrices = game.matrices[order][:, index][:, :, index]
    other.vectors = game.vectors[order][:, index]
    other.start = game.start[index]
    ends = []
    for each in (game, other):
        model = each.model()
        model.compile("simultaneous", sgds(3), each.loss())
        ends.append(each.play(model, 5)[-1])
    np.testing.assert_allclose(ends[0][index], ends[1], atol=1e-13)


def test_splitting_a_parameter_in_two_changes_nothing(float64):
    ends = []
    for sizes in ([4], [1, 3]):
        x = keras.Input((1,))
        layers = [keras.layers.Dense(n, use_bias=False) for n in sizes]
        parts = [layer(x) for layer in layers]
        a = keras.layers.Concatenate()(parts) if parts[1:] else parts[0]
        other = keras.layers.Dense(4, use_bias=False)
        model = adversarial.AdversarialModel(
            base_model=keras.Model(x, [a, other(x)]),
            player_params=[
                [v for layer in layers for v in layer.variables],
                other,
            ],
        )
        start = np.arange(4.0)
        for layer, value in zip(
            layers, np.split(start, [1])[-len(sizes) :], strict=True
        ):
            layer.kernel.assign((value if parts[1:] else start)[None])
        other.kernel.assign(np.ones((1, 4)))
        model.compile("simultaneous", ["adam", "adam"], Chase())
        for _ in range(5):
            model.train_on_batch(np.ones((1, 1)))
        ends.append(np.concatenate([np.ravel(l.kernel) for l in layers]))
    np.testing.assert_array_equal(*ends)


def test_a_gan_equals_a_hand_written_loop_with_adam(small_gan):
    model, twin = small_gan(), small_gan()
    twin.set_weights(model.get_weights())
    opt = [keras.optimizers.Adam(1e-2, beta_1=0.5) for _ in range(4)]
    bce = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile("simultaneous", opt[:2], bce)
    gan = twin.networks[0]
    generator = gan.get_layer("generator")
    discriminator = gan.get_layer("discriminator")
    latents = keras.random.SeedGenerator(7)

    @tf.function
    def step(x):
        z = keras.random.normal((16, 2), seed=latents)
        with tf.GradientTape(persistent=True) as tape:
            real = discriminator(x, training=True)  # draws dropout first
            fake = discriminator(generator(z, training=True), training=True)
            ones, zeros = tf.ones_like(fake), tf.zeros_like(fake)
            loss_g = bce(ones, fake) + bce(zeros, real)
            loss_d = bce(zeros, fake) + bce(ones, real)
        for loss, o, net in (
            (loss_g, opt[2], generator),
            (loss_d, opt[3], discriminator),
        ):
            weights = net.trainable_variables
            o.apply(tape.gradient(loss, weights), weights)
        return loss_g, loss_d

    opt[2].build(generator.trainable_variables)
    opt[3].build(discriminator.trainable_variables)
    data = np.random.default_rng(0).normal(size=(STEPS, 16, 3))
    y = adversarial.builders.gan_targets(16)
    for x in data.astype("float32"):
        logs = model.train_on_batch(x, y, return_dict=True)
        losses = step(tf.constant(x))
        np.testing.assert_allclose(
            [logs["generator_loss"], logs["discriminator_loss"]],
            losses,
            rtol=1e-4,
        )
    for a, b in zip(model.variables, twin.variables, strict=True):
        if "seed" not in b.path:
            np.testing.assert_allclose(a, b, atol=ADAM, err_msg=a.path)


def sgds(n: int) -> list[keras.optimizers.Optimizer]:
    return [keras.optimizers.SGD(STEP_SIZE) for _ in range(n)]


@keras.saving.register_keras_serializable(package="tests")
class Chase(adversarial.losses.AdversarialLoss):
    def call(self, outputs, targets=None):
        a, b = outputs
        return [
            keras.ops.sum(a * b + 0.1 * a**2, axis=-1),
            keras.ops.sum(b**2 - keras.ops.sin(a) * b, axis=-1),
        ]
