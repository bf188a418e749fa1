import keras
import numpy as np
import pytest

import adversarial
from adversarial import backend
from adversarial.diagnostics.best_response import BestResponse, Split
from adversarial.diagnostics.view import batch_of, view_of

ROUNDING = 1e-12
"""Ten steps of Adam in float64 on numbers near 1."""


def noise_of(view):
    return [backend.read(v) for v in view.evaluator().noise]


def test_training_a_copy_equals_playing_alone(quadratic, playing, float64):
    """The same steps as when only this player moves, fused or not."""
    game = quadratic([2, 3, 1])
    view = view_of(playing(game))
    response = BestResponse(view, "p1", keras.optimizers.Adam(0.1))
    copy, losses = response.start(noise_of(view)), []
    for _ in range(10):
        loss, copy = response.step(batch_of(np.ones((1, 1))), copy)
        losses.append(float(loss))

    adam = [keras.optimizers.Adam(0.1) for _ in range(3)]
    strategy = adversarial.optimizers.Scheduled(["p1"])
    model = game.compiled(strategy, adam)
    points = game.play(model, 10)
    np.testing.assert_allclose(
        np.ravel(copy.parameters[0]), points[-1][2:5], atol=ROUNDING
    )
    expected = [game.values(theta)[1] for theta in points[:-1]]
    np.testing.assert_allclose(losses, expected, atol=ROUNDING)
    others, _ = response.losses([(batch_of(np.ones((1, 1))), 1)], copy)
    np.testing.assert_allclose(
        list(others.values()), game.values(points[-1]), atol=ROUNDING
    )


class Unbounded(adversarial.losses.AdversarialLoss):
    """Both players want their number as large as can be."""

    def call(self, outputs, targets=None):
        return [-outputs[0], -outputs[1] / outputs[1] * np.inf]


def numbers(loss, **layer):
    x = keras.Input((1,))
    layers = [keras.layers.Dense(1, use_bias=False, **layer) for _ in range(2)]
    model = adversarial.AdversarialModel(
        keras.Model(x, [layer(x) for layer in layers]),
        player_params=dict(zip("ab", layers, strict=True)),
    )
    model.compile("simultaneous", "sgd", loss)
    return model


def test_constraints_hold_for_copies_too():
    view = view_of(
        numbers(Unbounded(), kernel_constraint=keras.constraints.MaxNorm(2.0))
    )
    response = BestResponse(view, "a", keras.optimizers.SGD(1.0))
    copy = response.start(noise_of(view))
    for _ in range(5):
        _, copy = response.step(batch_of(np.ones((1, 1))), copy)
    np.testing.assert_allclose(np.ravel(copy.parameters[0]), [2.0], rtol=1e-5)


def test_a_step_that_is_not_finite_is_not_made():
    view = view_of(numbers(Unbounded()))
    response = BestResponse(view, "b", keras.optimizers.SGD(1.0))
    before = response.start(noise_of(view))
    _, after = response.step(batch_of(np.ones((1, 1))), before)
    for old, new in zip(before.tensors[:3], after.tensors[:3], strict=True):
        for a, b in zip(old, new, strict=True):
            np.testing.assert_array_equal(a, b)


def test_state_and_noise_go_on_in_the_copy(trained_gan, gan_batch, untouched):
    view, data = view_of(trained_gan), batch_of(*gan_batch)
    player = trained_gan.players["generator"]
    with untouched(trained_gan):
        response = BestResponse(view, "generator", keras.optimizers.SGD(0.0))
        copy = response.start(noise_of(view))
        first, copy = response.step(data, copy)
        second, after = response.step(data, copy)
    assert float(first) != float(second)  # new latents and dropout
    assert len(player.state) == 2
    moving = [np.array(v) for v in player.state]
    for a, b, c in zip(moving, copy.state, after.state, strict=True):
        assert np.any(a != b) and np.any(b != c)


class Calls(keras.layers.Layer):
    """Multiplies by a number, and counts how often."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(), initializer="ones")
        self.calls = self.add_weight(
            shape=(), initializer="zeros", trainable=False
        )

    def call(self, x):
        self.calls.assign(self.calls + 1)
        return self.factor * x


def test_each_step_goes_on_from_the_state_of_the_last():
    x, layer = keras.Input((1,)), Calls()
    network = keras.Model(x, layer(x))
    model = adversarial.AdversarialModel(network, player_params={"a": layer})
    model.compile("simultaneous", "sgd", "mse")
    layer.calls.assign(10)
    view, data = view_of(model), batch_of(np.ones((2, 1)), np.ones((2, 1)))
    response = BestResponse(view, "a", keras.optimizers.SGD(0.1))
    copy = response.start(noise_of(view))
    for _ in range(3):
        _, copy = response.step(data, copy)
    assert float(copy.state[0]) == 13
    assert float(layer.calls) == 10


def test_a_start_can_be_shaken(quadratic, playing, float64):
    game = quadratic([2, 300, 1])
    view = view_of(playing(game))
    response = BestResponse(view, "p1", keras.optimizers.SGD(0.1))
    begin = np.ravel(response.start([]).parameters[0])
    np.testing.assert_array_equal(begin, game.start[2:302])
    noise = np.ravel(response.start([], 0.1, 7).parameters[0]) - begin
    assert 0.09 < noise.std() < 0.11  # 300 draws: 4 % of slack in a deviation
    again = np.ravel(response.start([], 0.1, 7).parameters[0]) - begin
    np.testing.assert_array_equal(noise, again)


def rows(data):
    return np.ravel(data[0]).tolist()


@pytest.fixture
def split():
    x = np.arange(10.0)[:, None]
    return Split((x, {"y": 2 * x}, None), np.array([1, 3, 5, 7, 9]))


def test_a_split_gives_all_samples_in_batches(split):
    batches = split.batches(2)
    assert [rows(data) for data, _ in batches] == [[1, 3], [5, 7], [9]]
    assert [size for _, size in batches] == [2, 2, 1]
    (_, y, weight), _ = batches[0]
    np.testing.assert_array_equal(y["y"], [[2], [6]])
    assert weight is None


def test_draws_are_full_batches_of_all_samples_in_turn(split):
    drawn = [rows(data) for data in split.draws(2, 40, seed=0)]
    assert {len(batch) for batch in drawn} == {2}
    for i in range(0, 40, 2):  # a round is two full batches of five samples
        assert len({*drawn[i], *drawn[i + 1]}) == 4
    assert {x for batch in drawn for x in batch} == {1, 3, 5, 7, 9}
    again = [rows(data) for data in split.draws(2, 40, seed=0)]
    assert drawn == again != [rows(d) for d in split.draws(2, 40, seed=1)]
    assert sorted(rows(next(iter(split.draws(99, 1, 0))))) == [1, 3, 5, 7, 9]
