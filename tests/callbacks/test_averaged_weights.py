import keras
import numpy as np
import pytest

from adversarial.callbacks.averaged_weights import averages_of
from adversarial.optimizers import Averaging, Lookahead

LOSS = keras.losses.BinaryCrossentropy(from_logits=True)


def test_averages_are_found_in_a_strategy_and_inside_others(small_gan):
    for strategy, place in (
        (Averaging("simultaneous"), lambda s: s),
        (Lookahead(Averaging("simultaneous")), lambda s: s.inner),
        (Averaging(Lookahead(Averaging())), lambda s: s),
    ):
        model = small_gan()
        model.compile(strategy, "sgd", LOSS)
        assert averages_of(model) is place(model.optimizer)


@pytest.mark.parametrize(
    ("strategy", "named"),
    [
        ("simultaneous", r"Received: Simultaneous\."),
        (Lookahead("simultaneous"), r"Lookahead around Simultaneous\."),
    ],
)
def test_a_strategy_without_averages_is_named(small_gan, strategy, named):
    model = small_gan()
    model.compile(strategy, "sgd", LOSS)
    with pytest.raises(ValueError, match="keeps averages") as error:
        averages_of(model)
    assert error.match(named)
    assert error.match("Averaging")


def test_a_model_with_a_keras_optimizer_has_none():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    with pytest.raises(ValueError, match=r"Received: Adam\."):
        averages_of(model)


def test_the_averages_take_the_place_of_the_weights(small_gan):
    model = small_gan()
    model.compile(Averaging("simultaneous", kind="uniform"), "sgd", LOSS)
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    y = [np.ones((8, 1))] * 4
    variable = model.players["generator"].variables[0]
    points = []
    for _ in range(3):
        model.train_on_batch(x, y)
        points.append(np.array(variable))
    with averages_of(model).averaged():
        # Rounding of a running mean in float32.
        np.testing.assert_allclose(variable, np.mean(points, 0), atol=1e-6)
    np.testing.assert_array_equal(variable, points[-1])
