import ast
import json
import re
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from engines import array
from PIL import Image

import adversarial
from adversarial import compat
from adversarial.compat import (
    AdversarialModel,
    AdversarialOptimizer,
    AdversarialOptimizerAlternating,
    AdversarialOptimizerScheduled,
    AdversarialOptimizerSimultaneous,
    ImageGridCallback,
    UnrolledAdversarialOptimizer,
    build_gan,
    eliminate_z,
    fix_names,
    gan_targets,
    gan_targets_hinge,
    n_choice,
    normal_latent_sampling,
    simple_bigan,
    simple_gan,
    uniform_latent_sampling,
)

ROOT = Path(__file__).parents[1]
FLOAT32 = 2e-6
"""Relative error of a handful of float32 steps; 3e-7 is seen."""

STRATEGIES = {
    "simultaneous": AdversarialOptimizerSimultaneous,
    "alternating": AdversarialOptimizerAlternating,
    "reversed": lambda: AdversarialOptimizerAlternating(reverse=True),
    "scheduled": lambda: AdversarialOptimizerScheduled([0, 1, 1]),
    "unrolled": lambda: UnrolledAdversarialOptimizer(3, 1),
}
MOVES = {
    "simultaneous": [[(0, 1)]],
    "alternating": [[(0,), (1,)]],
    "reversed": [[(1,), (0,)]],
    "scheduled": [[(0,)], [(1,)], [(1,)]],
    "unrolled": [[(0, 1)]],
}
"""For the batches of a cycle: the groups that move at once, in turn."""
DEPTHS = {"unrolled": (3, 1)}
"""How many steps of the other each player foresees, if any."""
each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)

LOGS = [
    "loss",
    "generator_loss",
    "generator_yfake_loss",
    "generator_yreal_loss",
    "discriminator_loss",
    "discriminator_yfake_loss",
    "discriminator_yreal_loss",
]


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def linear(inputs, units, name=None, **kwargs):
    layer = keras.layers.Dense(units, use_bias=False, **kwargs)
    return keras.Sequential([keras.Input((inputs,)), layer], name=name)


def test_every_name_of_keras_adversarial_is_here_and_in_the_docs():
    assert sorted(compat.__all__) == compat.__all__
    assert all(hasattr(compat, name) for name in compat.__all__)
    page = (ROOT / "docs" / "migrating.md").read_text()
    missing = [n for n in compat.__all__ if not re.search(rf"`{n}\b", page)]
    assert not missing


def test_nothing_in_the_package_imports_compat():
    for path in (ROOT / "adversarial").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            named = [getattr(node, "module", None) or ""]
            if isinstance(node, ast.Import | ast.ImportFrom):
                named += [alias.name for alias in node.names]
            assert not any(n.split(".")[-1] == "compat" for n in named), path


# The example of keras-adversarial, with the layers of Keras 3.


def model_generator(latent_dim, input_shape, hidden_dim=16):
    reg = lambda: keras.regularizers.L1L2(1e-5, 1e-5)  # noqa: E731
    return keras.Sequential(
        [
            keras.Input((latent_dim,)),
            keras.layers.Dense(
                hidden_dim, name="generator_h1", kernel_regularizer=reg()
            ),
            keras.layers.LeakyReLU(0.2),
            keras.layers.Dense(
                int(np.prod(input_shape)),
                name="generator_x_flat",
                kernel_regularizer=reg(),
            ),
            keras.layers.Activation("sigmoid"),
            keras.layers.Reshape(input_shape, name="generator_x"),
        ],
        name="generator",
    )


def model_discriminator(input_shape, hidden_dim=16):
    reg = lambda: keras.regularizers.L1L2(1e-5, 1e-5)  # noqa: E731
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Flatten(name="discriminator_flatten"),
            keras.layers.Dense(
                hidden_dim, name="discriminator_h1", kernel_regularizer=reg()
            ),
            keras.layers.LeakyReLU(0.2),
            keras.layers.Dense(
                1, name="discriminator_y", kernel_regularizer=reg()
            ),
            keras.layers.Activation("sigmoid"),
        ],
        name="discriminator",
    )


def example_gan(path, adversarial_optimizer):
    latent_dim = 4
    input_shape = (6, 6)
    generator = model_generator(latent_dim, input_shape)
    discriminator = model_discriminator(input_shape)
    gan = simple_gan(
        generator, discriminator, normal_latent_sampling((latent_dim,))
    )
    model = AdversarialModel(
        base_model=gan,
        player_params=[
            generator.trainable_weights,
            discriminator.trainable_weights,
        ],
        player_names=["generator", "discriminator"],
    )
    model.adversarial_compile(
        adversarial_optimizer=adversarial_optimizer,
        player_optimizers=[
            keras.optimizers.Adam(1e-3),
            keras.optimizers.Adam(1e-3),
        ],
        loss="binary_crossentropy",
    )

    zsamples = np.random.normal(size=(3 * 4, latent_dim))

    def generator_sampler():
        found = generator.predict(zsamples, verbose=0)
        return found.reshape((3, 4, 6, 6))

    generator_cb = ImageGridCallback(
        str(path / "pictures" / "epoch-{:03d}.png"), generator_sampler
    )
    xtrain = np.random.uniform(size=(24, 6, 6))
    xtest = n_choice(xtrain, 8)
    y = gan_targets(xtrain.shape[0])
    ytest = gan_targets(xtest.shape[0])
    history = model.fit(
        x=xtrain,
        y=y,
        validation_data=(xtest, ytest),
        callbacks=[generator_cb],
        epochs=2,
        batch_size=8,
        verbose=0,
    )
    generator.save(path / "generator.keras")
    discriminator.save(path / "discriminator.keras")
    return model, history.history


def test_an_old_script_runs(tmp_path):
    optimizer = AdversarialOptimizerSimultaneous()
    model, history = example_gan(tmp_path, optimizer)

    assert sorted(history) == sorted([*LOGS, *(f"val_{name}" for name in LOGS)])
    assert {len(values) for values in history.values()} == {2}
    first, last = history["discriminator_loss"]
    assert last < first
    assert model.metrics_names == LOGS
    assert model.output_names == [
        "generator_yfake",
        "generator_yreal",
        "discriminator_yfake",
        "discriminator_yreal",
    ]
    assert model.optimizer is optimizer
    assert int(optimizer.iterations) == 2 * 3
    outputs = model.predict(np.zeros((5, 6, 6)), verbose=0)
    assert [np.shape(found) for found in outputs] == [(5, 1)] * 4

    pictures = sorted((tmp_path / "pictures").iterdir())
    assert [p.name for p in pictures] == ["epoch-000.png", "epoch-001.png"]
    generator = keras.saving.load_model(tmp_path / "generator.keras")
    assert generator.predict(np.zeros((2, 4)), verbose=0).shape == (2, 6, 6)


def small_gan(strategy, eliminate=False):
    generator, discriminator = linear(2, 3), linear(3, 1)
    draws = normal_latent_sampling((2,))
    if eliminate:
        gan = eliminate_z(build_gan(generator, discriminator), draws)
    else:
        gan = simple_gan(generator, discriminator, draws)
    model = AdversarialModel(
        base_model=gan,
        player_params=[
            generator.trainable_weights,
            discriminator.trainable_weights,
        ],
        player_names=["generator", "discriminator"],
    )
    model.adversarial_compile(
        STRATEGIES[strategy](), ["adam", "adam"], "mse", jit_compile=False
    )
    return model, np.random.normal(size=(6, 3)), gan_targets(6)


@pytest.mark.parametrize("eliminate", [False, True])
@each_strategy
def test_a_saved_model_goes_on_as_if_never_stopped(
    strategy, eliminate, tmp_path
):
    model, x, y = small_gan(strategy, eliminate)
    model.train_on_batch(x, y)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert type(copy) is adversarial.AdversarialModel
    assert list(copy.players) == ["generator", "discriminator"]
    assert int(copy.optimizer.iterations) == 1
    for _ in range(4):
        np.testing.assert_array_equal(
            copy.train_on_batch(x, y), model.train_on_batch(x, y)
        )
    for found, wanted in zip(copy.weights, model.weights, strict=True):
        np.testing.assert_array_equal(found, wanted)


@each_strategy
def test_only_two_strategies_need_compat_to_be_loaded(strategy, tmp_path):
    model, _, _ = small_gan(strategy)
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        config = json.loads(file.read("config.json"))
    assert config["registered_name"] == "adversarial>AdversarialModel"
    needs_compat = strategy in ("reversed", "unrolled")
    assert ("compat" in json.dumps(config)) == needs_compat


def test_targets_and_losses_are_in_player_order():
    generator, discriminator = linear(2, 3), linear(3, 1)
    model = AdversarialModel(
        [generator.trainable_weights, discriminator.trainable_weights],
        build_gan(generator, discriminator),
        None,
        ["generator", "discriminator"],
    )
    model.adversarial_compile(
        AdversarialOptimizerSimultaneous(),
        ["sgd", "sgd"],
        "mse",
        jit_compile=False,
    )
    z, x = np.random.normal(size=(5, 2)), np.random.normal(size=(5, 3))
    yfake = array(discriminator(generator(z)))
    yreal = array(discriminator(x))
    targets = [np.full((5, 1), value) for value in (1.0, 2.0, 3.0, 4.0)]
    pairs = zip(targets, [yfake, yreal, yfake, yreal], strict=True)
    a, b, c, d = (np.mean((y - found) ** 2) for y, found in pairs)

    logs = model.train_on_batch([z, x], targets)
    np.testing.assert_allclose(
        logs, [a + b + c + d, a + b, a, b, c + d, c, d], rtol=FLOAT32
    )
    assert model.metrics_names == LOGS


def test_players_without_names_are_numbered():
    generator, discriminator = linear(2, 3), linear(3, 1)
    gan = simple_gan(generator, discriminator, normal_latent_sampling((2,)))
    model = AdversarialModel(
        base_model=gan,
        player_params=[
            generator.trainable_weights,
            discriminator.trainable_weights,
        ],
    )
    assert list(model.players) == ["player_0", "player_1"]
    model.adversarial_compile(
        adversarial_optimizer=AdversarialOptimizerSimultaneous(),
        player_optimizers=["adam", "adam"],
        loss="mse",
        jit_compile=False,
    )
    history = model.fit(np.zeros((4, 3)), gan_targets(4), verbose=0)
    assert list(history.history)[:3] == [
        "loss",
        "player_0_loss",
        "player_0_yfake_loss",
    ]


def test_players_may_have_a_model_each():
    """Rock, paper, scissors: each wants the mean of its wins to be 1."""
    x = keras.Input((1,))
    players = [
        keras.layers.Dense(3, activation="softmax", use_bias=False)
        for _ in range(2)
    ]
    a, b = (player(x) for player in players)

    def wins(u, v):
        beaten = keras.ops.roll(v, 1, axis=1)
        return keras.ops.sum(u * beaten, axis=1, keepdims=True)

    model = AdversarialModel(
        player_models=[
            keras.Model(x, wins(a, b)),
            keras.Model(x, wins(b, a)),
        ],
        player_params=[[player.kernel] for player in players],
        player_names=["a", "b"],
    )
    model.adversarial_compile(
        AdversarialOptimizerAlternating(),
        player_optimizers=[
            keras.optimizers.SGD(1.0),
            keras.optimizers.SGD(1.0),
        ],
        loss="mean_absolute_error",
        jit_compile=False,
    )
    ones = np.ones((5, 1))
    p, q = (array(keras.ops.softmax(player.kernel[0])) for player in players)
    model.fit(ones, [ones, ones], epochs=2, batch_size=1, verbose=0)
    assert model.metrics_names == ["loss", "a_loss", "b_loss"]
    for before, player in zip((p, q), players, strict=True):
        after = array(keras.ops.softmax(player.kernel[0]))
        assert np.abs(np.subtract(before, after)).max() > 0.01
    logs = model.evaluate(ones, [ones, ones], verbose=0, return_dict=True)
    p, q = (array(keras.ops.softmax(player.kernel[0])) for player in players)
    np.testing.assert_allclose(
        [1 - logs["a_loss"], 1 - logs["b_loss"]],
        [p @ np.roll(q, 1), q @ np.roll(p, 1)],
        rtol=1e-5,
    )


def test_losses_by_output_and_weights_by_player_are_dealt_out():
    """The adversarial autoencoder of keras-adversarial."""
    encoder, decoder = linear(3, 2), linear(2, 3)
    discriminator = linear(2, 1, activation="sigmoid")
    x = encoder.inputs[0]
    z = encoder(x)
    zreal = normal_latent_sampling((2,))(x)
    outputs = [decoder(z), discriminator(z), discriminator(zreal)]
    aae = keras.Model(x, fix_names(outputs, ["xpred", "yfake", "yreal"]))
    model = AdversarialModel(
        base_model=aae,
        player_params=[
            encoder.trainable_weights + decoder.trainable_weights,
            discriminator.trainable_weights,
        ],
        player_names=["generator", "discriminator"],
    )
    weights = {"yfake": 1e-2, "yreal": 1e-2, "xpred": 10.0}
    model.adversarial_compile(
        adversarial_optimizer=AdversarialOptimizerSimultaneous(),
        player_optimizers=["adam", "adam"],
        loss={
            "yfake": "binary_crossentropy",
            "yreal": "binary_crossentropy",
            "xpred": "mean_squared_error",
        },
        player_compile_kwargs=[{"loss_weights": weights}] * 2,
        jit_compile=False,
    )
    data = np.random.normal(size=(8, 3))
    one, zero = np.ones((8, 1)), np.zeros((8, 1))
    y = [data, one, zero, data, zero, one]
    history = model.fit(data, y, verbose=0).history
    for player in ("generator", "discriminator"):
        total = sum(
            weight * history[f"{player}_{output}_loss"][0]
            for output, weight in weights.items()
        )
        np.testing.assert_allclose(
            history[f"{player}_loss"][0], total, rtol=1e-5
        )


def test_what_is_wrong_is_said_as_by_the_ordinary_model():
    generator, discriminator = linear(2, 3), linear(3, 1)
    gan = build_gan(generator, discriminator)
    with pytest.raises(ValueError, match="Exactly one of `base_model`"):
        AdversarialModel([generator, discriminator])
    with pytest.raises(ValueError, match="Exactly one of `base_model`"):
        AdversarialModel([generator, discriminator], gan, [gan, gan])
    with pytest.raises(ValueError, match="`player_params` must hold one"):
        AdversarialModel([generator], gan, None, ["g", "d"])


# A game of two players a, b with parameters u, v, on the outputs
# p = u + v and q = u - 3 v: l_a = (p - 1)^2 + (q - 2)^2 and
# l_b = (p + 1)^2 + (q - 1/2)^2.


def quadratic(strategy):
    x = keras.Input((1,))
    u, v = (
        keras.layers.Dense(1, use_bias=False, name=name)(x) for name in "uv"
    )
    base = keras.Model(x, fix_names([u + v, u - 3 * v], ["p", "q"]))
    layers = [base.get_layer(name) for name in "uv"]
    model = AdversarialModel(
        base_model=base, player_params=layers, player_names=["a", "b"]
    )
    model.adversarial_compile(
        STRATEGIES[strategy](),
        [keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.02)],
        "mse",
        jit_compile=False,
    )
    return model


def theta_of(model):
    players = model.players.values()
    return [player.variables[0].numpy().item() for player in players]


def play(model, steps):
    targets = [np.full((1, 1), y) for y in (1.0, 2.0, -1.0, 0.5)]
    for _ in range(steps):
        model.train_on_batch(np.ones((1, 1)), targets)


def played(theta, strategy, steps, start=0):
    """The same in NumPy, written down from the definition of the game."""
    theta, cycle = np.array(theta), MOVES[strategy]
    depths = DEPTHS.get(strategy, (0, 0))

    def moved(theta, player, at):
        u, v = at
        p, q = u + v, u - 3 * v
        field = 2 * np.array([(p - 1) + (q - 2), (p + 1) - 3 * (q - 0.5)])
        theta = theta.copy()
        theta[player] -= (0.05, 0.02)[player] * field[player]
        return theta

    for step in range(start, start + steps):
        for group in cycle[step % len(cycle)]:
            now = theta
            for player in group:
                foreseen = now
                for _ in range(depths[player]):
                    foreseen = moved(foreseen, 1 - player, foreseen)
                theta = moved(theta, player, foreseen)
    return theta


@each_strategy
def test_a_strategy_moves_as_its_definition_says(strategy):
    model = quadratic(strategy)
    start = theta_of(model)
    play(model, 7)
    found = theta_of(model)
    np.testing.assert_allclose(found, played(start, strategy, 7), rtol=FLOAT32)
    others = [played(start, name, 7) for name in MOVES if name != strategy]
    assert all(np.abs(found - other).max() > 1e-3 for other in others)


def test_a_schedule_starts_at_entry_0():
    model = quadratic("scheduled")
    points = [theta_of(model)]
    for _ in range(4):
        play(model, 1)
        points.append(theta_of(model))
    moved = np.diff(points, axis=0) != 0
    # The schedule is [0, 1, 1].
    np.testing.assert_array_equal(moved, [[1, 0], [0, 1], [0, 1], [1, 0]])


def test_a_schedule_is_taken_up_where_it_was_saved(tmp_path):
    model = quadratic("scheduled")
    play(model, 2)
    saved = theta_of(model)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    play(copy, 1)
    found = theta_of(copy)
    np.testing.assert_allclose(
        found, played(saved, "scheduled", 1, start=2), rtol=FLOAT32
    )
    assert found[0] == saved[0] and found[1] != saved[1]


@pytest.mark.parametrize("schedule", [[], [0, 2], [0, "player_3"]])
def test_a_schedule_of_nobody_is_an_error(schedule):
    generator, discriminator = linear(2, 3), linear(3, 1)
    model = AdversarialModel(
        [generator, discriminator], build_gan(generator, discriminator)
    )
    with pytest.raises(ValueError, match="`schedule`"):
        model.adversarial_compile(
            AdversarialOptimizerScheduled(schedule), ["sgd", "sgd"], "mse"
        )


def test_strategies_are_the_ordinary_ones():
    for make in STRATEGIES.values():
        assert isinstance(make(), adversarial.AdversarialOptimizer)
    assert AdversarialOptimizer is adversarial.AdversarialOptimizer
    plain = AdversarialOptimizerAlternating()
    assert type(plain) is adversarial.optimizers.Alternating


@each_strategy
def test_a_config_remakes_a_strategy(strategy):
    made = STRATEGIES[strategy]()
    config = keras.saving.serialize_keras_object(made)
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is type(made)
    assert copy.get_config() == made.get_config()


def test_the_depths_are_those_of_the_opponents_steps():
    """`depth_g` is what the generator, the first player, foresees."""
    strategy = UnrolledAdversarialOptimizer(depth_g=2, depth_d=0)
    named = adversarial.optimizers.Unrolled({"a": 2, "b": 0}, through=False)
    ends = []
    for made in (strategy, named):
        model = quadratic("simultaneous")
        for name, start in {"a": 0.5, "b": -0.25}.items():
            model.players[name].variables[0].assign([[start]])
        steps = [keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.02)]
        model.adversarial_compile(made, steps, "mse", jit_compile=False)
        play(model, 3)
        ends.append(theta_of(model))
    assert ends[0] == ends[1]
    assert strategy.field_evaluations == 2


@pytest.mark.parametrize(
    "depths, error", [((-1, 0), ValueError), ((1, 2.5), TypeError)]
)
def test_a_depth_that_is_no_count_is_an_error(depths, error):
    with pytest.raises(error, match=r"depth_[gd]"):
        UnrolledAdversarialOptimizer(*depths)


def test_unrolling_is_for_two_players():
    network = linear(2, 1)
    model = AdversarialModel([network], player_models=[network])
    with pytest.raises(ValueError, match="is for 2 players"):
        model.adversarial_compile(
            UnrolledAdversarialOptimizer(1, 1), ["sgd"], "mse"
        )


def test_an_own_strategy_may_be_written():
    class Signs(AdversarialOptimizer):
        def step(self, game):
            game.apply(game.field().map(keras.ops.sign))

    generator, discriminator = linear(2, 3), linear(3, 1)
    model = AdversarialModel(
        [generator, discriminator], build_gan(generator, discriminator)
    )
    steps = [keras.optimizers.SGD(0.5), keras.optimizers.SGD(0.25)]
    model.adversarial_compile(Signs(), steps, "mse", run_eagerly=True)
    before = model.get_weights()
    x = [np.random.normal(size=(4, 2)), np.random.normal(size=(4, 3))]
    model.train_on_batch(x, gan_targets(4))
    moved = [
        np.abs(after - at)
        for after, at in zip(model.get_weights(), before, strict=True)
    ]
    np.testing.assert_allclose(moved[0], 0.5, rtol=1e-5)
    np.testing.assert_allclose(moved[1], 0.25, rtol=1e-5)


@each_strategy
def test_moving_statistics_are_updated_once_and_not_averaged(strategy):
    """They are those of one plain call of the base model in training."""

    def make():
        generator = keras.Sequential(
            [
                keras.Input((2,)),
                keras.layers.BatchNormalization(momentum=0.5),
                keras.layers.Dense(3),
            ]
        )
        discriminator = keras.Sequential(
            [
                keras.Input((3,)),
                keras.layers.BatchNormalization(momentum=0.5),
                keras.layers.Dense(1),
            ]
        )
        return generator, discriminator, build_gan(generator, discriminator)

    generator, discriminator, gan = make()
    _, _, plain = make()
    plain.set_weights(gan.get_weights())
    model = AdversarialModel([generator, discriminator], gan)
    # Steps of length 0: what moves are the statistics alone.
    still = [keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0)]
    model.adversarial_compile(
        STRATEGIES[strategy](), still, "mse", jit_compile=False
    )
    # Two batches: under the schedule [0, 1, 1] each player moves on one.
    moves_each = 1 if strategy == "scheduled" else 2
    z = np.random.normal(3, 1, (6, 2)).astype("float32")
    x = np.random.normal(-5, 2, (6, 3)).astype("float32")
    for _ in range(2):
        model.train_on_batch([z, x], gan_targets(6))
    for _ in range(moves_each):
        plain([z, x], training=True)
    for found, wanted in zip(
        gan.non_trainable_variables,
        plain.non_trainable_variables,
        strict=True,
    ):
        np.testing.assert_allclose(found, wanted, rtol=FLOAT32, atol=1e-6)
    mean = generator.layers[0].moving_mean
    np.testing.assert_allclose(
        mean, (1 - 0.5**moves_each) * z.mean(axis=0), rtol=FLOAT32
    )


def test_build_gan_leaves_z_an_input():
    generator, discriminator = linear(2, 3), linear(3, 1)
    gan = build_gan(generator, discriminator)
    assert gan.name == "gan"
    assert build_gan(generator, discriminator, "other").name == "other"
    assert gan.input_shape == [(None, 2), (None, 3)]
    assert gan.output_names == ["yfake", "yreal"]
    z, x = np.random.normal(size=(4, 2)), np.random.normal(size=(4, 3))
    yfake, yreal = gan([z, x])
    np.testing.assert_array_equal(
        array(yfake), array(discriminator(generator(z)))
    )
    np.testing.assert_array_equal(array(yreal), array(discriminator(x)))


def identity_gan():
    """(z, x) -> (z, x), both of two numbers."""
    same = [
        keras.Sequential([keras.Input((2,)), keras.layers.Activation("linear")])
        for _ in range(2)
    ]
    return same, build_gan(*same, name="same")


@pytest.mark.parametrize("build", [simple_gan, eliminate_z])
def test_z_is_drawn_by_the_layer_that_is_given(build):
    parts, gan = identity_gan()
    parts = [gan] if build is eliminate_z else parts
    drawing = build(*parts, uniform_latent_sampling((2,), 5.0, 6.0))
    assert drawing.input_shape == (None, 2)
    assert drawing.output_names == ["yfake", "yreal"]
    x = np.random.normal(size=(7, 2)).astype("float32")
    yfake, yreal = map(array, drawing(x))
    np.testing.assert_array_equal(yreal, x)
    assert yfake.shape == (7, 2)
    assert np.min(yfake) >= 5 and np.max(yfake) < 6
    assert len(np.unique(yfake)) == 14


def test_simple_gan_without_a_layer_leaves_z_an_input():
    (generator, discriminator), _ = identity_gan()
    gan = simple_gan(generator, discriminator, None)
    assert gan.input_shape == [(None, 2), (None, 2)]


def test_eliminate_z_keeps_the_name_of_the_model():
    _, gan = identity_gan()
    assert eliminate_z(gan, normal_latent_sampling((2,))).name == "same"


def test_eliminate_z_needs_a_z():
    (generator, _), _ = identity_gan()
    with pytest.raises(ValueError, match="`gan` must have two inputs") as e:
        eliminate_z(generator, normal_latent_sampling((2,)))
    assert "with 1." in str(e.value)


def test_simple_bigan_scores_pairs_of_latent_and_sample():
    generator, encoder = linear(2, 3), linear(3, 2)
    z, x = keras.Input((2,)), keras.Input((3,))
    pair = keras.Model([z, x], keras.layers.Concatenate()([z, x]))
    sampling = uniform_latent_sampling((2,), 5.0, 6.0)
    bigan = simple_bigan(generator, encoder, pair, sampling)
    assert bigan.name == "bigan"
    assert bigan.input_shape == (None, 3)
    assert bigan.output_names == ["yfake", "yreal"]
    rows = np.random.normal(size=(4, 3)).astype("float32")
    yfake, yreal = map(array, bigan(rows))
    np.testing.assert_array_equal(yreal, np.c_[array(encoder(rows)), rows])
    drawn = yfake[:, :2]
    assert drawn.min() >= 5 and drawn.max() < 6
    np.testing.assert_array_equal(yfake[:, 2:], array(generator(drawn)))


def test_fix_names_names_one_output_or_several():
    x = keras.Input((2,))
    assert keras.Model(x, fix_names(x, "y")).output_names == ["y"]
    two = keras.Model(x, fix_names([x, 2 * x], ["a", "b"]))
    assert two.output_names == ["a", "b"]
    np.testing.assert_array_equal(two(np.ones((1, 2)))[1], [[2, 2]])


@pytest.mark.parametrize(
    "targets, values",
    [(gan_targets, [1, 0, 0, 1]), (gan_targets_hinge, [1, -1, -1, 1])],
)
def test_targets_are_those_of_keras_adversarial(targets, values):
    found = targets(3)
    assert isinstance(found, list)
    assert [y.shape for y in found] == [(3, 1)] * 4
    np.testing.assert_array_equal(np.concatenate(found, axis=1), [values] * 3)


def test_latent_samplers_are_layers_of_the_shape():
    normal = normal_latent_sampling((3, 4))
    assert isinstance(normal, adversarial.layers.NormalLatent)
    z = array(normal(np.zeros((50, 2))))
    assert z.shape == (50, 3, 4)
    # Some of 600 normal numbers are below -2 and above 2.
    assert z.min() < -2 and z.max() > 2
    uniform = uniform_latent_sampling((3, 4))
    assert isinstance(uniform, adversarial.layers.UniformLatent)
    z = array(uniform(np.zeros((50, 2))))
    assert z.shape == (50, 3, 4)
    assert 0 <= z.min() < 0.1 and 0.9 < z.max() < 1
    z = uniform_latent_sampling((2,), low=-3.0, high=-1.0)(np.zeros((50, 2)))
    z = array(z)
    assert -3 <= z.min() < -2.5 and -1.5 < z.max() < -1


def test_n_choice_draws_different_rows_with_numpys_seed():
    x = np.arange(20).reshape(10, 2)
    np.random.seed(3)
    found = n_choice(x, 6)
    assert found.shape == (6, 2)
    assert len({tuple(row) for row in found}) == 6
    assert {tuple(row) for row in found} <= {tuple(row) for row in x}
    np.random.seed(3)
    np.testing.assert_array_equal(n_choice(x, 6), found)
    assert sorted(n_choice(x, 10)[:, 0]) == sorted(x[:, 0])
    with pytest.raises(ValueError, match="`n` must not be more") as error:
        n_choice(x, 11)
    assert "at most 10" in str(error.value)


def written(tmp_path, images, **kwargs):
    callback = ImageGridCallback(
        str(tmp_path / "new" / "{:02d}.png"), lambda: images, **kwargs
    )
    callback.on_epoch_end(7)
    with Image.open(tmp_path / "new" / "07.png") as picture:
        return np.asarray(picture)


def test_a_picture_shows_each_image_from_its_smallest_to_largest(tmp_path):
    # Two rows, one column; images of 1 by 3 pixels, as `imshow` shows them.
    images = np.array([[[[-1.0, 0.0, 1.0]]], [[[10.0, 20.0, 60.0]]]])
    picture = written(tmp_path, images)
    assert picture.shape == (1 + 2 + 1, 3)
    np.testing.assert_array_equal(picture[0], [0, 128, 255])
    np.testing.assert_array_equal(picture[3], [0, 51, 255])
    np.testing.assert_array_equal(written(tmp_path, images[..., None]), picture)


def test_an_image_of_one_value_is_black(tmp_path):
    assert not written(tmp_path, np.full((1, 1, 3, 5), 0.7)).any()


def test_colours_are_shown_as_they_are(tmp_path):
    pixels = np.array([[0, 51, 102], [153, 204, 255]], np.uint8)
    pixels = pixels.reshape(1, 1, 1, 2, 3)
    for images in (pixels, pixels / 255):
        np.testing.assert_array_equal(written(tmp_path, images), pixels[0, 0])


def test_a_colour_map_colours_images_of_one_channel(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    images = np.array([0.0, 1.0, 2.0]).reshape(1, 1, 1, 3)
    picture = written(tmp_path, images, cmap="viridis")
    wanted = matplotlib.colormaps["viridis"]([0.0, 0.5, 1.0])[:, :3]
    np.testing.assert_array_equal(picture[0], np.round(255 * wanted))


def test_the_gray_map_does_not_need_matplotlib(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert written(tmp_path, np.zeros((1, 1, 2, 2))).shape == (2, 2)
    with pytest.raises(ImportError, match="need matplotlib") as error:
        ImageGridCallback("{}.png", list, cmap="jet")
    assert 'cmap="gray"' in str(error.value)


def test_an_unknown_colour_map_is_an_error_at_once():
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match="Unknown colour map") as error:
        ImageGridCallback("{}.png", list, cmap="virids")
    assert "did you mean 'viridis'?" in str(error.value)


@pytest.mark.parametrize("shape", [(4, 4), (3, 4, 4), (1, 1, 4, 4, 2)])
def test_what_is_no_grid_is_an_error(shape, tmp_path):
    with pytest.raises(ValueError, match="A grid needs images"):
        written(tmp_path, np.zeros(shape))


def test_pictures_that_are_not_finite_are_an_error(tmp_path):
    images = np.zeros((1, 2, 4, 4))
    images[0, 1, 2, 2] = np.nan
    with pytest.raises(ValueError, match="finite images"):
        written(tmp_path, images)
