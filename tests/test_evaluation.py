import keras
import numpy as np
import pytest
from engines import ENGINE
from keras import layers

import adversarial
from adversarial.batch import Batch
from adversarial.evaluation import Evaluator, Outcome, read_all


def evaluate(model, names, batch, changed=(), training=True):
    """Evaluates with the real values, but for those in `changed`."""
    evaluator = Evaluator(model.players, batch_loss(model), training=training)
    values = read_all([*evaluator.state, *evaluator.noise])
    for player in model.players.values():
        values |= read_all(player.variables)
    for variable, value in changed:
        values[id(variable)] = (variable, keras.ops.convert_to_tensor(value))
    return evaluator(batch, names, values)


def batch_loss(model):
    return getattr(model, "test_loss", None)


@pytest.fixture
def pair():
    """Two networks that share a latent layer; each player's loss is its z."""
    x = keras.Input((1,))
    latent = adversarial.layers.NormalLatent(1, seed=1)
    a, b = (layers.Dense(1, use_bias=False) for _ in range(2))
    model = adversarial.AdversarialModel(
        player_models={
            "a": keras.Model(x, a(latent(x))),
            "b": keras.Model(x, b(latent(x))),
        },
        player_params={"a": a, "b": b},
    )

    class Outputs(adversarial.losses.AdversarialLoss):
        def call(self, outputs, targets=None):
            return outputs

    model.test_loss = Outputs()
    for layer in (a, b):
        layer.kernel.assign([[1.0]])
    return model


def test_variables_are_looked_up_in_the_given_values_and_not_written(
    quadratic,
):
    game = quadratic([2, 1], "float32")
    model = game.model()
    model.test_loss = game.loss()
    moved = np.array([1.0, 2.0, 3.0])
    parts = [p.astype("float32") for p in game.split(moved)]
    variables = [p.variables[0] for p in model.players.values()]
    found = evaluate(
        model,
        ["p0"],
        Batch(keras.ops.ones((1, 1))),
        zip(variables, parts, strict=True),
    )
    expected = game.values(moved)
    np.testing.assert_allclose(
        [found.losses["p0"], found.losses["p1"]], expected, rtol=1e-5
    )
    np.testing.assert_array_equal(
        np.ravel(variables[0]), game.start[:2].astype("float32")
    )


def test_networks_that_share_a_latent_layer_see_the_same_latents(pair):
    found = evaluate(pair, ["a", "b"], Batch(keras.ops.ones((1, 1))))
    assert float(found.losses["a"]) == float(found.losses["b"]) != 0.0
    assert len(found.noise) == 1


def test_state_is_sorted_by_player_and_inference_changes_none(small_gan):
    model = small_gan()

    class Sums(adversarial.losses.AdversarialLoss):
        def call(self, outputs, targets=None):
            return [keras.ops.sum(y) for y in outputs]

    model.test_loss = Sums()
    batch = Batch(keras.ops.ones((4, 3)))
    found = evaluate(model, ["generator"], batch)
    for name, values in found.state.items():
        paths = [v.path for v, _ in values.values()]
        assert len(paths) == 2
        assert all(p.startswith(name) and "moving" in p for p in paths)
    found = evaluate(model, ["generator"], batch, training=False)
    assert not found.state["generator"] and not found.state["discriminator"]


def test_an_outcome_survives_being_flattened(small_gan):
    players = small_gan().players
    outcome = Outcome(
        {"generator": 1, "discriminator": 2},
        {"generator": [3, 4], "discriminator": [5, 6]},
        {"generator": 7, "discriminator": 8},
    )
    assert Outcome.pack(players, outcome.flatten()) == outcome


@pytest.mark.skipif(ENGINE == "jax", reason="Keras refuses them on JAX.")
def test_random_numbers_without_a_seed_are_replayed_too():
    x = keras.Input((1,))
    dense = layers.Dense(1)

    class Unseeded(layers.Layer):
        def call(self, x):
            return x + keras.random.normal(keras.ops.shape(x))

    seen = []

    class Twice(adversarial.AdversarialOptimizer):
        def step(self, game):
            seen.extend(float(game.losses()["a"]) for _ in range(2))

    model = adversarial.AdversarialModel(
        keras.Model(x, Unseeded()(dense(x))), player_params={"a": dense}
    )
    model.compile(Twice(), "sgd", "mse", run_eagerly=True)
    for _ in range(2):
        model.train_on_batch(np.ones((2, 1)), np.ones((2, 1)))
    assert seen[0] == seen[1] != seen[2] == seen[3]


def test_state_that_belongs_to_nobody_is_named_once():
    x = keras.Input((2,))
    first, second, third = layers.Dense(2), layers.Dense(1), layers.Dense(1)
    norm = layers.BatchNormalization(scale=False, center=False)
    model = adversarial.AdversarialModel(
        keras.Model(x, [second(norm(first(x))), third(x)]),
        player_params=[first.variables + second.variables, third],
    )
    model.compile("simultaneous", "sgd", "mse")
    with pytest.warns(UserWarning, match="No player owns .*moving_mean"):
        model.train_on_batch(np.ones((4, 2)), [np.ones((4, 1))] * 4)
    np.testing.assert_array_equal(norm.moving_mean, [0.0, 0.0])
