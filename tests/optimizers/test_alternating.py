import keras
import numpy as np
import pytest
from engines import slopes_of, tensor
from keras import ops

import adversarial
from adversarial.optimizers import Alternating, Simultaneous

STEPS = 20
STEP_SIZE = 0.1
# Adam turns the rounding of tiny gradients into parts of its step of 1e-2.
ADAM = 2e-4
# Rounding of 20 steps of sums over up to 8 numbers near 1.
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}


def in_turn(game, theta, moves):
    """One step in NumPy: each player sees the moves before its own."""
    for i in moves:
        theta = theta.copy()
        part = slice(game.edges[i], game.edges[i + 1])
        theta[part] -= STEP_SIZE * game.gradient(i, theta)
    return theta


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("blocks", "order", "steps", "moves"),
    [
        ([2, 3], None, None, [0, 1]),
        ([2, 3, 1], ["p2", "p0", "p1"], None, [2, 0, 1]),
        ([1, 2, 3, 2], None, {"p1": 3, "p3": 2}, [0, 1, 1, 1, 2, 3, 3]),
    ],
)
def test_it_equals_a_numpy_loop(
    quadratic, blocks, order, steps, moves, dtype, request
):
    if dtype == "float64":
        request.getfixturevalue("float64")
    game = quadratic(blocks, dtype)
    model = game.compiled(Alternating(order, steps), STEP_SIZE)
    expected = [game.start]
    for _ in range(STEPS):
        expected.append(in_turn(game, expected[-1], moves))
    np.testing.assert_allclose(
        game.play(model, STEPS),
        expected,
        rtol=0,
        atol=TOLERANCE[dtype] * np.abs(expected).max(),
    )


def test_on_the_bilinear_game_it_conserves_the_modified_energy(
    bilinear, float64
):
    model = bilinear.compiled("alternating", STEP_SIZE)
    x, y = bilinear.play(model, 50).T
    energy = x**2 + y**2 - STEP_SIZE * x * y
    np.testing.assert_allclose(energy, energy[0], rtol=1e-13)
    assert np.ptp(x) > 8  # it does move, round and round


def test_a_gan_equals_a_hand_written_loop_with_adam(small_gan):
    model, twin = small_gan(), small_gan()
    twin.set_weights(model.get_weights())
    opt = [keras.optimizers.Adam(1e-2, beta_1=0.5) for _ in range(4)]
    bce = keras.losses.BinaryCrossentropy(from_logits=True)
    order = ["discriminator", "generator"]
    model.compile(Alternating(order), opt[:2], bce)
    gan = twin.networks[0]
    generator = gan.get_layer("generator")
    discriminator = gan.get_layer("discriminator")
    dropout = discriminator.layers[2].seed_generator.state
    latents = keras.random.SeedGenerator(7)
    opt[2].build(generator.trainable_variables)
    opt[3].build(discriminator.trainable_variables)

    def move(x, z, net, optimizer, targets):
        def loss():
            real = discriminator(x, training=True)  # draws dropout first
            fake = discriminator(generator(z, training=True), training=True)
            return bce(targets[0], fake) + bce(targets[1], real)

        weights = net.trainable_variables
        _, slopes = slopes_of(lambda: (loss(), ()), weights)
        loss()  # moves the noise
        optimizer.apply(list(map(tensor, slopes)), weights)

    def step(x):
        z = keras.random.normal((16, 2), seed=latents)
        ones, zeros = ops.ones((16, 1)), ops.zeros((16, 1))
        noise = ops.copy(dropout.value)
        move(x, z, discriminator, opt[3], (zeros, ones))
        dropout.assign(noise)  # one noise for both moves
        move(x, z, generator, opt[2], (ones, zeros))

    y = adversarial.builders.gan_targets(16)
    data = np.random.default_rng(0).normal(size=(STEPS, 16, 3))
    for x in data.astype("float32"):
        model.train_on_batch(x, y)
        step(x)
    for a, b in zip(model.variables, twin.variables, strict=True):
        if "seed" not in b.path and "moving" not in b.path:
            np.testing.assert_allclose(a, b, atol=ADAM, err_msg=a.path)


def noise_of_moves(strategy):
    """Plays a step on l_i = theta_i * noise; returns what each player saw."""
    x = keras.Input((1,))
    noise = adversarial.layers.NormalLatent(1, seed=3)(x)
    a, b = (keras.layers.Dense(1, use_bias=False) for _ in range(2))
    model = adversarial.AdversarialModel(
        base_model=keras.Model(x, [a(noise), b(noise)]),
        player_params={"a": a, "b": b},
    )
    model.compile(
        strategy,
        [keras.optimizers.SGD(1.0) for _ in range(2)],
        {"a": [take, None], "b": [None, take]},
    )
    seen = []
    for _ in range(2):
        before = np.ravel([a.kernel, b.kernel])
        model.train_on_batch(np.ones((1, 1)), [np.zeros((1, 1))] * 4)
        seen.append(before - np.ravel([a.kernel, b.kernel]))
    return np.array(seen)


def take(y_true, y_pred):
    return y_pred


def test_all_moves_of_a_step_see_one_noise_and_steps_see_new_noise():
    seen = noise_of_moves(Alternating())
    np.testing.assert_allclose(seen[:, 0], seen[:, 1], atol=1e-6)
    assert abs(seen[0, 0] - seen[1, 0]) > 1e-3


def test_fresh_noise_gives_every_move_its_own():
    seen = np.sort(np.ravel(noise_of_moves(Alternating(fresh_noise=True))))
    assert np.diff(seen).min() > 1e-3


def test_its_configuration_makes_it_again():
    strategy = Alternating(["b", "a"], {"a": 2}, True)
    config = keras.saving.serialize_keras_object(strategy)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == strategy.get_config()
    assert again.get_config() == {
        "order": ["b", "a"],
        "steps": {"a": 2},
        "fresh_noise": True,
        "inner": keras.saving.serialize_keras_object(Simultaneous()),
    }


@pytest.mark.parametrize("count", [0, -1, 1.5, "two"])
def test_steps_must_be_positive_whole_numbers(count):
    with pytest.raises((TypeError, ValueError), match=r"`steps\['a'\]`"):
        Alternating(steps={"a": count})


def test_unknown_players_and_missing_players_are_refused(quadratic):
    game = quadratic([1, 1])
    for strategy, words in (
        (Alternating(["p0", "p2"]), "did you mean"),
        (Alternating(steps={"q1": 2}), "Unknown player: 'q1'"),
        (Alternating(["p0"]), "must name every player once"),
        (Alternating(["p0", "p1", "p1"]), "must name every player once"),
    ):
        with pytest.raises(ValueError, match=words):
            game.model().compile(strategy, "sgd", game.loss())


@pytest.mark.parametrize("wrong", [{"order": "ab"}, {"steps": 5}])
def test_a_string_for_an_order_and_a_number_for_steps_are_refused(wrong):
    with pytest.raises(
        TypeError, match=r"must be a (list of names|dict by player)"
    ):
        Alternating(**wrong)
