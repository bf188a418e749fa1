import keras
import numpy as np
import pytest

import adversarial
from adversarial.losses import Wasserstein
from adversarial.optimizers import ExtraGradient, Lookahead
from adversarial.penalties import WeightClipping, clip_weights

RNG = np.random.default_rng(8)
X = RNG.normal(size=(8, 4)).astype("float32")
LIMIT = 0.05
ROUNDED = np.float32(LIMIT)
layers = keras.layers


def test_weights_are_clipped_to_the_bounds():
    weights = RNG.normal(size=(5, 4))
    found = WeightClipping(0.3)(weights)
    np.testing.assert_array_equal(found, np.clip(weights, -0.3, 0.3))
    assert np.abs(weights).min() < 0.3 < np.abs(weights).max()


NETWORKS = {
    "dense": (lambda: layers.Dense(2), (3,), 2),
    "conv": (lambda: layers.Conv2D(2, 2), (4, 4, 2), 2),
    "transposed": (lambda: layers.Conv2DTranspose(2, 2), (4, 4, 2), 2),
    "depthwise": (lambda: layers.DepthwiseConv2D(2), (4, 4, 2), 2),
    "separable": (lambda: layers.SeparableConv2D(2, 2), (4, 4, 2), 3),
    "recurrent": (lambda: layers.LSTM(2), (4, 2), 3),
    "wrapped": (lambda: layers.TimeDistributed(layers.Dense(2)), (4, 2), 2),
    "embedding": (lambda: layers.Embedding(4, 2), (3,), 1),
    "normalized": (lambda: layers.BatchNormalization(), (3,), 2),
    "spectral": (
        lambda: adversarial.layers.SpectralNormalization(layers.Dense(2)),
        (3,),
        2,
    ),
}


def clipped(model):
    return [isinstance(v.constraint, WeightClipping) for v in model]


@pytest.mark.parametrize("name", NETWORKS)
def test_all_weights_of_a_layer_are_clipped_and_saved_so(name, tmp_path):
    make, shape, number = NETWORKS[name]
    network = keras.Sequential([keras.Input(shape), make()])
    state = [v.numpy() for v in network.non_trainable_variables]
    clip_weights(network, LIMIT)
    assert clipped(network.trainable_variables) == [True] * number
    for v in network.trainable_variables:
        assert np.abs(v.numpy()).max() <= ROUNDED
    assert not any(clipped(network.non_trainable_variables))
    for v, before in zip(network.non_trainable_variables, state, strict=True):
        np.testing.assert_array_equal(v, before)
    network.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert clipped(copy.trainable_variables) == [True] * number
    assert {v.constraint.limit for v in copy.trainable_variables} == {LIMIT}


def test_networks_within_networks_are_clipped():
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    x = keras.Input((3,))
    outer = keras.Model(x, layers.Dense(1)(inner(x)))
    clip_weights(outer, LIMIT)
    copy = keras.Model.from_config(outer.get_config())
    assert clipped(copy.trainable_variables) == [True] * 4


def test_kernels_only_leaves_the_vectors():
    network = keras.Sequential(
        [keras.Input((3,)), layers.Dense(2), layers.LayerNormalization()]
    )
    clip_weights(network, LIMIT, kernels_only=True)
    assert clipped(network.trainable_variables) == [True, False, False, False]
    np.testing.assert_array_equal(network.layers[1].gamma, [1.0, 1.0])


def test_another_limit_may_follow():
    network = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    clip_weights(network, LIMIT)
    clip_weights(network, 0.01)
    assert {v.constraint.limit for v in network.trainable_variables} == {0.01}


def refused(network, **kwargs):
    before = [(v.constraint, v.numpy()) for v in network.trainable_variables]
    with pytest.raises(ValueError) as error:
        clip_weights(network, LIMIT, **kwargs)
    for v, (constraint, value) in zip(
        network.trainable_variables, before, strict=True
    ):
        assert v.constraint is constraint
        np.testing.assert_array_equal(v, value)
    return str(error.value)


def test_a_layer_that_saves_no_constraints_is_refused():
    network = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(4),
            adversarial.layers.MinibatchDiscrimination(2, 2),
        ]
    )
    message = refused(network)
    assert "minibatch_discrimination/kernel" in message
    assert "dense" not in message.split("Received:")[1].split("Fix:")[0]
    assert network.layers[0].kernel_constraint is None


def test_a_layer_that_saves_others_than_those_within_is_refused():
    """It makes its parts anew from arguments of its own."""
    x = keras.Input((4, 3))
    attention = layers.MultiHeadAttention(2, 2, name="attention")
    network = keras.Model(x, attention(x, x))
    assert "'attention/query/kernel'" in refused(network)
    assert attention._query_dense.kernel_constraint is None


def test_weights_with_another_constraint_are_refused():
    network = keras.Sequential(
        [keras.Input((3,)), layers.Dense(2, bias_constraint="non_neg")]
    )
    message = refused(network)
    assert "another one already" in message and "/bias'" in message


def test_a_network_without_weights_is_refused():
    with pytest.raises(ValueError, match="a built network"):
        clip_weights(keras.Sequential([layers.Dense(2)], name="raw"))
    network = keras.Sequential([keras.Input((3,)), layers.LayerNormalization()])
    assert "a built network with weights" in refused(network, kernels_only=True)


def wgan():
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4)], name="generator"
    )
    critic = keras.Sequential(
        [keras.Input((4,)), layers.Dense(6, "relu"), layers.Dense(1)],
        name="critic",
    )
    clip_weights(critic, LIMIT)
    x = keras.Input((4,))
    outputs = {"yreal": critic(x), "yfake": critic(generator(x[:, :2]))}
    return adversarial.AdversarialModel(
        keras.Model(x, outputs),
        player_params={"generator": generator, "discriminator": critic},
    )


def largest(model, player="discriminator"):
    weights = model.players[player].variables
    return max(np.abs(v.numpy()).max() for v in weights)


@pytest.mark.parametrize(
    "strategy",
    [
        "alternating",
        ExtraGradient(reuse_past=True),
        Lookahead("alternating", 2),
    ],
    ids=lambda s: s if isinstance(s, str) else type(s).__name__,
)
def test_the_critic_of_a_game_stays_in_its_bounds(strategy, tmp_path):
    model = wgan()
    fast = [keras.optimizers.SGD(1.0) for _ in range(2)]
    model.compile(strategy, fast, Wasserstein())
    for _ in range(3):
        model.train_on_batch(X)
        assert largest(model) == ROUNDED
    assert largest(model, "generator") > 2 * LIMIT
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert clipped(copy.players["discriminator"].variables) == [True] * 4
    for _ in range(3):
        copy.train_on_batch(X)
        assert largest(copy) == ROUNDED


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_virtual_steps_stay_in_the_bounds(optimizer, probe_strategy):
    model = wgan()

    def look(game):
        field = game.field()
        at, state = game.virtual_step(1e3 * field)
        again, _ = game.virtual_step(1e3 * field, at, state)
        return {"one": at["discriminator"], "two": again["discriminator"]}

    strategy = probe_strategy(look)
    model.compile(strategy, optimizer, Wasserstein(), run_eagerly=True)
    for v in model.players["discriminator"].variables:
        v.assign(np.clip(v.numpy(), -0.9 * LIMIT, 0.9 * LIMIT))
    if optimizer == "adam":
        for player in model.players.values():
            player.optimizer.learning_rate = 1.0
    model.train_on_batch(X)
    for name in ("one", "two"):
        moved = max(np.abs(x).max() for x in strategy.found[name])
        assert moved == ROUNDED


def test_a_constraint_on_a_variable_alone_is_lost_when_saved(tmp_path):
    """Why the helper writes it into the layer."""
    model = wgan()
    for v in model.players["generator"].variables:
        v.constraint = WeightClipping(LIMIT)
    model.compile("simultaneous", "sgd", Wasserstein())
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert clipped(copy.players["generator"].variables) == [False, False]
    assert clipped(copy.players["discriminator"].variables) == [True] * 4


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("inf"), "0.01"])
def test_the_limit_must_be_positive(wrong):
    with pytest.raises(ValueError, match="`limit` must be a finite number"):
        WeightClipping(wrong)


def test_it_is_remade_from_its_config():
    layer = layers.Dense(2, kernel_constraint=WeightClipping(0.2))
    config = keras.saving.serialize_keras_object(layer)
    copy = keras.saving.deserialize_keras_object(config).kernel_constraint
    assert type(copy) is WeightClipping
    assert copy.get_config() == {"limit": 0.2}
