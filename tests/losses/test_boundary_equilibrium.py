import keras
import numpy as np
import pytest
from keras import ops

import adversarial
from adversarial.losses import BoundaryEquilibrium, EquilibriumBalance

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 4)).astype("float32")
OUTPUTS = {
    name: np.abs(RNG.normal(size=(5, 1))) for name in ("yreal", "yfake")
} | {"balance": np.full((5, 1), 0.3)}
FLOAT32 = 1e-6
"""Absolute; a few float32 operations on numbers of the order of 1."""


def told(yreal, yfake, k):
    return {
        "generator": yfake.mean(),
        "discriminator": yreal.mean() - k * yfake.mean(),
    }


def scores_only(k):
    """The formula for a fixed k: no gradient flows into the balance."""
    return lambda yreal, yfake, balance: told(yreal, yfake, k)


def test_values_and_gradients_are_those_of_the_formula(agrees):
    agrees(BoundaryEquilibrium(), OUTPUTS, scores_only(0.3))


@pytest.mark.parametrize(
    "faulty",
    [
        lambda yreal, yfake, balance: told(yreal, yfake, -0.3),
        lambda yreal, yfake, balance: told(yreal, yfake, 1.0),
        lambda yreal, yfake, balance: told(yreal, yfake, balance.mean()),
    ],
    ids=["sign", "no balance", "gradient into k"],
)
def test_a_faulty_loss_is_told_apart(faulty, tells_apart):
    tells_apart(BoundaryEquilibrium(), OUTPUTS, faulty)


def test_the_optimum_is_that_of_the_docstring(values):
    gamma, k, e = 0.5, 0.3, 2.0
    numbers = {"yreal": e, "yfake": gamma * e, "balance": k}
    outputs = {name: np.full((4, 1), x) for name, x in numbers.items()}
    found = values(BoundaryEquilibrium(), outputs)
    assert found["generator"] == pytest.approx(gamma * e, rel=1e-12)
    expected = (1 - k * gamma) * e
    assert found["discriminator"] == pytest.approx(expected, rel=1e-12)


def test_the_balance_moves_in_training_only_and_stays_in_its_range():
    layer = EquilibriumBalance(gamma=0.5, rate=0.1, start=0.2)
    real, fake = np.full((3, 1), 4.0), np.full((3, 1), 1.0)
    np.testing.assert_allclose(layer([real, fake]), 0.2, atol=FLOAT32)
    assert float(layer.k.value) == pytest.approx(0.2)
    k = 0.2
    for _ in range(12):
        seen = layer([real, fake], training=True)
        np.testing.assert_allclose(seen, np.full((3, 1), k), atol=FLOAT32)
        k = min(1.0, k + 0.1 * (0.5 * 4.0 - 1.0))
        assert float(layer.k.value) == pytest.approx(k, abs=FLOAT32)
    assert k == 1.0
    for _ in range(12):
        layer([fake, real], training=True)
    assert float(layer.k.value) == 0.0


def began(rate=0.1):
    layers = keras.layers
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4)], name="generator"
    )
    parts = [layers.Dense(2, "tanh"), layers.Dense(4)]
    coder = keras.Sequential([keras.Input((4,)), *parts])
    pair = [keras.Input((4,)), keras.Input((4,))]
    energies = [
        ops.mean(ops.absolute(coder(x) - x), axis=-1, keepdims=True)
        for x in pair
    ]
    balance = EquilibriumBalance(gamma=2.0, rate=rate, name="balance")
    judge = keras.Model(pair, [*energies, balance(energies)], name="judge")
    x = keras.Input((4,))
    made = generator(adversarial.layers.NormalLatent(2, seed=1)(x))
    names = ["yreal", "yfake", "balance"]
    outputs = dict(zip(names, judge([x, made]), strict=True))
    return adversarial.AdversarialModel(
        keras.Model(x, outputs),
        player_params={"generator": generator, "discriminator": judge},
    )


def balance_of(model):
    (k,) = model.players["discriminator"].state
    return float(k.value)


@pytest.mark.parametrize(
    "strategy",
    ["simultaneous", "alternating", "extra_gradient", "unrolled"],
)
def test_the_balance_moves_once_per_step_whatever_the_strategy(strategy):
    model = began()
    # Players that stand still see the same energies at every evaluation.
    still = [keras.optimizers.SGD(1e-30) for _ in range(2)]
    model.compile(strategy, still, "boundary_equilibrium")
    for _ in range(2):
        before = balance_of(model)
        logs = model.train_on_batch(X, return_dict=True)
        fake = logs["generator_loss"]
        real = logs["discriminator_loss"] + before * fake
        model.reset_metrics()
        after = min(1.0, max(0.0, before + 0.1 * (2.0 * real - fake)))
        assert balance_of(model) == pytest.approx(after, abs=FLOAT32)
        assert before < after < 1.0


def test_a_saved_balance_goes_on(tmp_path):
    model = began()
    model.compile("simultaneous", "sgd", loss=BoundaryEquilibrium())
    model.fit(X, batch_size=4, epochs=3, verbose=0)
    assert 0 < balance_of(model) < 1
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert balance_of(copy) == balance_of(model)
    assert copy.train_on_batch(X) == model.train_on_batch(X)
    assert balance_of(copy) == balance_of(model)


def test_numbers_out_of_range_are_refused(refused):
    for name, value in (("gamma", 0.0), ("rate", -1.0), ("start", 1.5)):
        message = refused(lambda n=name, v=value: EquilibriumBalance(**{n: v}))
        assert f"`{name}` is out of range" in message


def test_the_layer_is_remade_from_its_config():
    layer = EquilibriumBalance(0.7, 0.01, 0.5, name="balance")
    config = keras.saving.serialize_keras_object(layer)
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == layer.get_config()
    assert (copy.gamma, copy.rate, copy.start) == (0.7, 0.01, 0.5)
