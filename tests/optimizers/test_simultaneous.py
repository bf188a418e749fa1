import keras
import numpy as np
import pytest
from engines import slopes_of, tensor
from keras import ops

import adversarial
from adversarial import games
from adversarial.optimizers import Simultaneous

STEPS = 20
STEP_SIZE = 0.1
# Adam turns the rounding of tiny gradients into parts of its step of 1e-2.
ADAM = 2e-4
# Rounding of 20 steps of sums over up to 8 numbers near 1.
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}


@pytest.mark.parametrize(
    ("blocks", "dtype"),
    [
        ([2, 3], "float32"),
        ([2, 3, 1], "float32"),
        ([1, 2, 3, 2], "float32"),
        ([1, 2, 3, 2], "float64"),
    ],
)
def test_it_equals_a_numpy_loop(quadratic, blocks, dtype, request):
    if dtype == "float64":
        request.getfixturevalue("float64")
    game = quadratic(blocks, dtype)
    model = game.compiled(Simultaneous(), STEP_SIZE)
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
    model = bilinear.compiled("simultaneous", STEP_SIZE)
    radii = np.linalg.norm(bilinear.play(model, 10), axis=1)
    np.testing.assert_allclose(
        radii[1:] / radii[:-1], np.sqrt(1.01), rtol=1e-14
    )


def test_the_reported_losses_are_those_before_the_step(quadratic):
    game = quadratic([2, 1])
    model = game.compiled("simultaneous", STEP_SIZE)
    logs = model.train_on_batch(np.ones((1, 1)), return_dict=True)
    expected = game.values(game.start)
    np.testing.assert_allclose(
        [logs["p0_loss"], logs["p1_loss"]], expected, rtol=1e-6
    )
    np.testing.assert_allclose(logs["loss"], sum(expected), rtol=1e-6)


def test_splitting_a_parameter_in_two_changes_nothing(float64):
    """With Adam, in a game that is not quadratic."""
    game = games.IteratedPrisonersDilemma()
    whole, halves = (
        game.play(game.compiled("simultaneous", "adam", split=split), 5)[-1]
        for split in (False, True)
    )
    np.testing.assert_array_equal(whole, halves)
    assert (whole != game.start).all()


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

    def step(x):
        z = keras.random.normal((16, 2), seed=latents)

        def losses():
            real = discriminator(x, training=True)  # draws dropout first
            fake = discriminator(generator(z, training=True), training=True)
            ones, zeros = ops.ones_like(fake), ops.zeros_like(fake)
            loss_g = bce(ones, fake) + bce(zeros, real)
            loss_d = bce(zeros, fake) + bce(ones, real)
            return loss_g, loss_d

        nets = generator, discriminator
        slopes = [
            slopes_of(lambda i=i: (losses()[i], ()), net.trainable_variables)
            for i, net in enumerate(nets)
        ]
        found = losses()  # and moves the statistics and the noise
        for (_, g), o, net in zip(slopes, opt[2:], nets, strict=True):
            o.apply(list(map(tensor, g)), net.trainable_variables)
        return [float(x) for x in found]

    opt[2].build(generator.trainable_variables)
    opt[3].build(discriminator.trainable_variables)
    data = np.random.default_rng(0).normal(size=(STEPS, 16, 3))
    y = adversarial.builders.gan_targets(16)
    for x in data.astype("float32"):
        logs = model.train_on_batch(x, y, return_dict=True)
        losses = step(x)
        np.testing.assert_allclose(
            [logs["generator_loss"], logs["discriminator_loss"]],
            losses,
            rtol=1e-4,
        )
    for a, b in zip(model.variables, twin.variables, strict=True):
        if "seed" not in b.path:
            np.testing.assert_allclose(a, b, atol=ADAM, err_msg=a.path)
