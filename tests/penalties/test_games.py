"""Penalties as terms of the losses of a game."""

import keras
import numpy as np
import pytest
from engines import COMPILES

import adversarial
from adversarial.builders import build_gan
from adversarial.losses import NonSaturating, Penalty, RelativisticPaired
from adversarial.penalties import R1, R2, GradientPenalty, PathLength

layers, optimizers = keras.layers, adversarial.optimizers
RNG = np.random.default_rng(4)
BATCH = [RNG.normal(size=(8, n)).astype("float32") for n in (2, 3)]
ROUNDING = 1e-5
"""Absolute; a few steps in float32, in another order of operations."""


def players():
    keras.utils.set_random_seed(0)
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4, "tanh"), layers.Dense(3)],
        name="generator",
    )
    discriminator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)],
        name="discriminator",
    )
    return generator, discriminator


def game(make=lambda g, d: [], latent=False, networks=None):
    """A game in which latents are data: XLA would draw other ones."""
    generator, discriminator = networks or players()
    base = build_gan(
        generator,
        discriminator,
        latent,
        penalties=make(generator, discriminator),
    )
    return adversarial.AdversarialModel(
        base,
        player_params={"generator": generator, "discriminator": discriminator},
    )


def fresh(strategy):
    config = keras.saving.serialize_keras_object(strategy)
    return keras.saving.deserialize_keras_object(config)


def compiled(model, strategy, loss, rates=(0.1, 0.1), **kwargs):
    """Eagerly, unless told otherwise: tests take longer to compile."""
    kwargs = kwargs or {"run_eagerly": True}
    sgd = [keras.optimizers.SGD(rate) for rate in rates]
    model.compile(fresh(strategy), sgd, loss, **kwargs)
    return model


def parameters(model, player=None):
    chosen = [player] if player else list(model.players)
    return np.concatenate(
        [
            v.numpy().ravel()
            for name in chosen
            for v in model.players[name].variables
        ]
    )


def r1(interval=1):
    return lambda g, d: [R1(d, interval=interval)]


R1_LOSS = RelativisticPaired() + 3.0 * Penalty("r1")


def test_the_recipe_trains():
    model = game(lambda g, d: [R1(d), R2(d)], latent=None)
    loss = RelativisticPaired() + Penalty("r1") + Penalty("r2")
    model.compile("alternating", "adam", loss)
    logs = model.fit(BATCH[1], batch_size=4, epochs=3, verbose=0).history
    assert np.all(np.isfinite(logs["loss"]))
    assert model.predict(BATCH[1], verbose=0)[2].shape == (8,)
    assert np.isfinite(model.evaluate(BATCH[1], verbose=0)[0])


def test_the_loss_of_a_player_is_larger_by_the_weighted_mean():
    model = compiled(game(r1()), optimizers.Simultaneous(), R1_LOSS)
    plain = compiled(game(), optimizers.Simultaneous(), RelativisticPaired())
    found = model.evaluate(BATCH, verbose=0, return_dict=True)
    before = plain.evaluate(BATCH, verbose=0, return_dict=True)
    kernel, _, last, _ = (
        v.numpy() for v in model.players["discriminator"].variables
    )
    hidden = np.tanh(BATCH[1] @ kernel)
    slopes = ((1 - hidden**2) * last[:, 0]) @ kernel.T
    expected = 0.5 * (slopes**2).sum(axis=1).mean()
    added = found["discriminator_loss"] - before["discriminator_loss"]
    assert added == pytest.approx(3 * expected, rel=1e-4)
    assert found["generator_loss"] == before["generator_loss"]


def test_a_penalty_of_the_critic_does_not_move_the_generator():
    makers = {
        "r2": lambda g, d: [R2(d)],
        "gradient_penalty": lambda g, d: [GradientPenalty(d, seed=1)],
    }
    plain = compiled(game(), optimizers.Simultaneous(), NonSaturating())
    plain.train_on_batch(BATCH)
    for name, make in makers.items():
        loss = NonSaturating() + 10.0 * Penalty(name)
        model = compiled(game(make), optimizers.Simultaneous(), loss)
        model.train_on_batch(BATCH)
        same = parameters(model, "generator"), parameters(plain, "generator")
        np.testing.assert_array_equal(*same)
        critics = [parameters(m, "discriminator") for m in (model, plain)]
        assert np.abs(critics[0] - critics[1]).max() > 0.01
        # The faulty form, in which everybody minimises the penalty.
        shared = Penalty(name, player=["generator", "discriminator"])
        model = game(make)
        compiled(model, optimizers.Simultaneous(), NonSaturating() + shared)
        model.train_on_batch(BATCH)
        assert not np.allclose(parameters(model, "generator"), same[1])


def test_state_belongs_to_the_owner_of_the_network():
    model = game(lambda g, d: [R1(d, interval=2), PathLength(g, interval=2)])
    names = {
        name: sorted(v.path for v in player.state)
        for name, player in model.players.items()
    }
    assert names == {
        "generator": ["path_length/count", "path_length/mean"],
        "discriminator": ["r1/count"],
    }


STRATEGIES = [
    optimizers.Simultaneous(),
    optimizers.Alternating(),
    optimizers.Alternating(["discriminator", "generator"]),
    optimizers.ExtraGradient(),
    optimizers.Unrolled({"generator": 1}),
    optimizers.Consensus(0.1),
    optimizers.SymplecticGradientAdjustment(),
]


def ids(strategy):
    return type(strategy).__name__


@pytest.mark.parametrize("strategy", STRATEGIES[:-1], ids=ids)
def test_the_count_moves_once_per_step_and_so_does_the_mean(strategy):
    model = game(
        lambda g, d: [
            R1(d, interval=3),
            PathLength(g, rate=0.5, interval=2, seed=1),
        ]
    )
    loss = R1_LOSS + Penalty("path_length", player="generator")
    compiled(model, strategy, loss)
    network = model.players["generator"].network
    critic = network.get_layer("r1")
    length = network.get_layer("path_length")
    means = []
    for step in range(4):
        model.train_on_batch(BATCH)
        assert int(critic.count) == (step + 1) % 3
        assert int(length.count) == (step + 1) % 2
        means.append(float(length.mean))
    assert 0 < means[0] == means[1] < means[2] == means[3]


@keras.saving.register_keras_serializable(package=__name__)
class OnlyGenerator(adversarial.AdversarialOptimizer):
    """Evaluates everybody, moves the generator."""

    def step(self, game):
        game.losses()
        game.apply(game.field(players=["generator"]))


def test_another_players_move_counts_nothing():
    model = game(
        lambda g, d: [R1(d, interval=3), PathLength(g, interval=3, seed=1)]
    )
    loss = R1_LOSS + Penalty("path_length", player="generator")
    compiled(model, OnlyGenerator(), loss)
    model.train_on_batch(BATCH)
    network = model.players["generator"].network
    assert int(network.get_layer("r1").count) == 0
    assert int(network.get_layer("path_length").count) == 1


def test_with_an_interval_steps_are_taken_in_turn():
    """Steps that are due have the weight times the interval, others none."""
    model = compiled(game(r1(3)), optimizers.Simultaneous(), R1_LOSS)
    other = game(r1())
    heavy = RelativisticPaired() + 9.0 * Penalty("r1")
    light = RelativisticPaired() + 0.0 * Penalty("r1")
    for step in range(5):
        model.train_on_batch(BATCH)
        compiled(other, optimizers.Simultaneous(), light if step % 3 else heavy)
        other.train_on_batch(BATCH)
        np.testing.assert_allclose(
            parameters(model), parameters(other), atol=ROUNDING
        )


MODES = {
    "graph": {"jit_compile": False},
    **({"xla": {"jit_compile": True}} if COMPILES else {}),
    "two steps": {"jit_compile": False, "steps_per_execution": 2},
}
# Rules that differentiate twice take long to compile, the more by XLA.
SLOW = (
    "ExtraGradient",
    "Unrolled",
    "Consensus",
    "SymplecticGradientAdjustment",
)
CASES = [
    pytest.param(strategy, mode, id=f"{ids(strategy)}-{i}-{mode}")
    for i, strategy in enumerate(STRATEGIES)
    for mode in MODES
    if mode == "graph" or ids(strategy) not in SLOW
]


@pytest.mark.parametrize(("strategy", "mode"), CASES)
def test_compiled_it_does_what_it_does_eagerly(strategy, mode):
    found = []
    for how in ({"run_eagerly": True}, MODES[mode]):
        model = compiled(game(r1(2)), strategy, R1_LOSS, (0.05, 0.05), **how)
        x = [np.concatenate([x, x]) for x in BATCH]
        model.fit(x, batch_size=4, epochs=1, shuffle=False, verbose=0)
        found.append(parameters(model))
    np.testing.assert_allclose(*found, atol=ROUNDING)


@pytest.mark.parametrize("interval", [1, 3])
def test_saved_and_loaded_it_goes_on_as_if_never_stopped(interval, tmp_path):
    model = game(
        lambda g, d: [
            R1(d, interval=interval),
            GradientPenalty(d, seed=1, interval=interval),
            PathLength(g, seed=2, interval=interval),
        ],
        latent=None,
    )
    loss = (
        R1_LOSS
        + Penalty("gradient_penalty")
        + Penalty("path_length", player="generator")
    )
    compiled(model, optimizers.Alternating(), loss, run_eagerly=interval == 3)
    model.train_on_batch(BATCH[1])
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    network = copy.players["discriminator"].network
    for name, other in (("r1", "discriminator"), ("path_length", "generator")):
        inside = network.get_layer(other)
        assert network.get_layer(name).network is inside
    assert len(copy.variables) == len(model.variables)
    for _ in range(4):
        first = model.train_on_batch(BATCH[1], return_dict=True)
        second = copy.train_on_batch(BATCH[1], return_dict=True)
        assert first == second
    np.testing.assert_array_equal(parameters(copy), parameters(model))


def test_in_mixed_precision_it_trains():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        networks = players()
    finally:
        keras.config.set_dtype_policy("float32")
    model = game(lambda g, d: [R1(d), R2(d)], networks=networks)
    loss = R1_LOSS + Penalty("r2")
    model.compile("simultaneous", "adam", loss)
    before = parameters(model)
    logs = model.fit(BATCH, batch_size=4, epochs=4, verbose=0).history
    assert np.all(np.isfinite(logs["loss"]))
    assert not np.array_equal(parameters(model), before)


def test_two_discriminators_have_a_penalty_each():
    generator, first = players()
    second = keras.models.clone_model(first)
    second.name = "second"
    x = keras.Input((3,))
    made = generator(adversarial.layers.NormalLatent(2)(x))
    outputs = {}
    for i, critic in enumerate((first, second)):
        outputs[f"real{i}"], outputs[f"fake{i}"] = critic(x), critic(made)
        outputs[f"r1_{i}"] = R1(critic, name=f"r1_{i}")(x)
    model = adversarial.AdversarialModel(
        keras.Model(x, outputs),
        player_params={"generator": generator, "a": first, "b": second},
    )
    parts = [
        RelativisticPaired(
            real=f"real{i}", fake=f"fake{i}", discriminator=player
        )
        + 2.0 * Penalty(f"r1_{i}", player)
        for i, player in enumerate("ab")
    ]
    compiled(model, optimizers.Simultaneous(), parts[0] + parts[1], (0.1,) * 3)
    logs = model.train_on_batch(BATCH[1], return_dict=True)
    assert all(np.isfinite(x) for x in logs.values())
