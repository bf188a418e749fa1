import keras
import numpy as np
import pytest

from adversarial import builders
from adversarial.losses import (
    EnergyBased,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Wasserstein,
)

MADE = [
    NonSaturating(smooth_real=0.1),
    Minimax(),
    LeastSquares(-1.0, 1.0, 0.0),
    Hinge(),
    Wasserstein(),
    EnergyBased(1.0),
]
each = pytest.mark.parametrize("loss", MADE, ids=lambda x: type(x).__name__)
FLOAT32 = 1e-5
"""Relative; Keras losses compute in float32."""
PLAYERS = ("generator", "discriminator")


@each
@pytest.mark.parametrize("shape", [(6, 1), (6,), (4, 3, 3, 1)])
def test_the_usual_targets_give_the_loss_of_the_game(
    loss, shape, values, scores
):
    drawn = scores(*shape)
    expected = values(loss, drawn)
    targets = builders.gan_targets(shape[0])
    for number, player in enumerate(PLAYERS):
        told = loss.per_output(player)
        fake, real = targets[2 * number : 2 * number + 2]
        found = told(fake, drawn["yfake"]) + told(real, drawn["yreal"])
        np.testing.assert_allclose(found, expected[player], rtol=FLOAT32)


@each
def test_soft_targets_mix_the_two_terms(loss, scores):
    told, y = loss.per_output("discriminator"), scores(6, 1)["yreal"]
    ends = [float(told(np.full((6, 1), t), y)) for t in (0.0, 1.0)]
    found = told(np.full((6, 1), 0.25), y)
    expected = 0.75 * ends[0] + 0.25 * ends[1]
    np.testing.assert_allclose(found, expected, rtol=FLOAT32)


@each
@pytest.mark.parametrize("player", PLAYERS)
def test_it_is_saved_with_its_loss(loss, player, scores):
    told = loss.per_output(player)
    config = keras.saving.serialize_keras_object(told)
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.name == told.name
    assert copy.loss.get_config() == loss.get_config()
    y, t = scores(6, 1)["yreal"], np.ones((6, 1))
    assert float(copy(t, y)) == float(told(t, y))


def test_it_is_named_for_the_loss_and_the_player():
    name = NonSaturating().per_output("generator").name
    assert name == "non_saturating_of_generator"


@pytest.mark.parametrize(
    "target", [np.ones(4), np.ones((4, 1)), np.ones((4, 3)), np.ones((4, 3, 1))]
)
def test_targets_are_per_sample_or_like_the_scores(target):
    told = Hinge().per_output("discriminator")
    patches = np.zeros((4, 3, 1), "float32")
    assert float(told(target, patches)) == 1.0


@pytest.mark.parametrize("shape", [(4, 2), (3, 4), (4, 3, 3)])
def test_targets_that_would_broadcast_are_refused(shape, refused):
    told = Hinge().per_output("discriminator")
    patches = np.zeros((4, 3, 1), "float32")
    message = refused(lambda: told(np.ones(shape), patches))
    assert "Targets must have the shape of the scores" in message


def test_sample_weights_and_reductions_are_those_of_keras(scores):
    told, y = Hinge().per_output("discriminator"), scores(4, 1)["yreal"]
    weight, t = np.array([0.0, 1.0, 2.0, 5.0]), np.ones((4, 1))
    each = np.maximum(0, 1 - y)[:, 0]
    found = told(t, y, sample_weight=weight)
    np.testing.assert_allclose(found, np.mean(weight * each), rtol=FLOAT32)
    told.reduction = "sum"
    np.testing.assert_allclose(told(t, y), np.sum(each), rtol=FLOAT32)


def test_a_model_trains_on_it_as_on_the_loss_of_the_game(small_gan):
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    loss = NonSaturating(smooth_real=0.1)
    whole, parts = small_gan(), small_gan()
    parts.set_weights(whole.get_weights())
    whole.compile("simultaneous", "sgd", loss=loss)
    told = {name: loss.per_output(name) for name in PLAYERS}
    parts.compile(
        "simultaneous",
        "sgd",
        loss={
            "generator": {"yfake": told["generator"]},
            "discriminator": told["discriminator"],
        },
    )
    found = whole.train_on_batch(x, return_dict=True)
    expected = parts.train_on_batch(
        x, builders.gan_targets(8), return_dict=True
    )
    for name in PLAYERS:
        key = f"{name}_loss"
        np.testing.assert_allclose(found[key], expected[key], rtol=FLOAT32)
    for a, b in zip(whole.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
