from typing import ClassVar

import keras
import numpy as np
import pytest

import adversarial
from adversarial import Joint

ROUNDING = 1e-12
"""Float64 sums over up to 6 numbers near 1."""


class Probe(adversarial.AdversarialOptimizer):
    """Runs a function on the game of one step and keeps what it returns."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def step(self, game):
        found = self.function(game)
        self.found = keras.tree.map_structure(
            lambda x: None if x is None else keras.ops.convert_to_numpy(x),
            {k: list(v) for k, v in found.items()}
            if isinstance(found, Joint)
            else found,
        )


def probe(game, function, optimizers="sgd"):
    """Plays one eager step of `function` on a quadratic game."""
    model = game.model()
    strategy = Probe(function)
    model.compile(strategy, optimizers, game.loss(), run_eagerly=True)
    model.train_on_batch(np.ones((1, 1)))
    return flat(strategy.found)


def flat(found):
    if not isinstance(found, dict):
        return found
    return np.concatenate(
        [np.ravel(x) for block in found.values() for x in block]
    )


def joint_of(game, vector):
    return Joint(
        {
            f"p{i}": [keras.ops.convert_to_tensor(part[None])]
            for i, part in enumerate(game.split(vector))
        }
    )


@pytest.fixture
def game(quadratic, float64):
    return quadratic([2, 3, 1])


@pytest.fixture
def other(game):
    return np.random.default_rng(9).normal(size=6)


def test_players_variables_and_point_are_those_of_the_model(game):
    def look(g):
        assert g.players == ("p0", "p1", "p2")
        assert [v.shape for v in g.variables["p1"]] == [(1, 3)]
        return g.point

    np.testing.assert_array_equal(probe(game, look), game.start)


def test_losses_at_the_real_point_and_elsewhere(game, other):
    here = probe(game, lambda g: list(g.losses().values()))
    there = probe(
        game, lambda g: list(g.losses(joint_of(game, other)).values())
    )
    np.testing.assert_allclose(here, game.losses(game.start), rtol=ROUNDING)
    np.testing.assert_allclose(there, game.losses(other), rtol=ROUNDING)


def test_a_point_of_some_players_leaves_the_others_where_they_are(game, other):
    mixed = game.start.copy()
    mixed[2:5] = other[2:5]
    found = probe(
        game,
        lambda g: list(g.losses(joint_of(game, other).only(["p1"])).values()),
    )
    np.testing.assert_allclose(found, game.losses(mixed), rtol=ROUNDING)


def test_the_field_holds_each_players_own_gradient(game, other):
    found = probe(game, lambda g: g.field(joint_of(game, other)))
    np.testing.assert_allclose(found, game.field(other), atol=ROUNDING)


def test_the_field_of_some_players_has_only_their_blocks(game):
    found = probe(game, lambda g: g.field(players=["p2", "p0"]))
    parts = game.split(game.field(game.start))
    np.testing.assert_allclose(
        found, np.concatenate([parts[2], parts[0]]), atol=ROUNDING
    )


@pytest.mark.parametrize(("i", "j"), [(0, 1), (2, 0), (1, 1)])
def test_cross_gradients(game, other, i, j):
    found = probe(
        game,
        lambda g: g.cross_gradient(f"p{i}", f"p{j}", joint_of(game, other)),
    )
    full = game.matrices[i] @ other + game.vectors[i]
    np.testing.assert_allclose(found, game.split(full)[j], atol=ROUNDING)


def test_jvp_and_vjp_are_products_with_the_explicit_jacobian(game, other):
    v = joint_of(game, other)
    np.testing.assert_allclose(
        probe(game, lambda g: g.jvp(v)), game.jacobian @ other, atol=ROUNDING
    )
    np.testing.assert_allclose(
        probe(game, lambda g: g.vjp(v)), game.jacobian.T @ other, atol=ROUNDING
    )


def test_jvp_and_vjp_of_some_players_take_the_others_as_zero(game, other):
    masked = other.copy()
    masked[2:5] = 0
    v = joint_of(game, other).only(["p0", "p2"])
    np.testing.assert_allclose(
        probe(game, lambda g: g.jvp(v)), game.jacobian @ masked, atol=ROUNDING
    )
    np.testing.assert_allclose(
        probe(game, lambda g: g.vjp(v)), game.jacobian.T @ masked, atol=ROUNDING
    )


def test_gradient_goes_through_the_field(game, other):
    """grad (|xi|^2 / 2) = J^T xi, and its own derivative is J^T J."""

    def energy(g, theta):
        xi = g.field(theta)
        return xi.dot(xi) / 2

    at = joint_of(game, other)
    found = probe(game, lambda g: g.gradient(lambda t: energy(g, t), at))
    j = game.jacobian
    np.testing.assert_allclose(found, j.T @ game.field(other), atol=ROUNDING)
    fixed = joint_of(game, other)
    twice = probe(
        game,
        lambda g: g.gradient(
            lambda t: g.gradient(lambda s: energy(g, s), t).dot(fixed), at
        ),
    )
    np.testing.assert_allclose(twice, j.T @ j @ other, atol=10 * ROUNDING)


OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.1, weight_decay=0.01),
    "clipped": lambda: keras.optimizers.Adam(0.1, clipnorm=0.5),
    "scheduled": lambda: keras.optimizers.RMSprop(
        keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    ),
    "nadam": lambda: keras.optimizers.Nadam(0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_virtual_steps_equal_real_steps(game, name):
    seen = []

    def three_steps(g):
        point, state = g.point, None
        for _ in range(3):
            point, state = g.virtual_step(g.field(point), point, state)
        seen.append(point)
        g.apply(g.field())
        return point

    expected = probe(game, three_steps, make_each(name))
    model = game.model()
    model.compile("simultaneous", make_each(name), game.loss())
    np.testing.assert_allclose(game.play(model, 3)[-1], expected, rtol=1e-10)


def make_each(name):
    return [OPTIMIZERS[name]() for _ in range(3)]


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "nadam"])
def test_the_gradient_through_three_virtual_steps_is_the_finite_difference(
    game, other, name
):
    """Of player 0's loss after the others made three steps."""

    def unrolled(g, theta):
        point, state = theta, None
        for _ in range(3):
            rest = g.field(point, ["p1", "p2"])
            point, state = g.virtual_step(rest, point, state)
        return g.losses(point, ["p0"])["p0"]

    at = joint_of(game, other)
    found = probe(
        game,
        lambda g: g.gradient(lambda t: unrolled(g, t), at),
        make_each(name),
    )
    h = 1e-5
    points = [other + s * h * e for e in np.eye(6) for s in (1, -1)]
    values = probe(
        game,
        lambda g: [unrolled(g, joint_of(game, p)) for p in points],
        make_each(name),
    )
    difference = -np.diff(np.reshape(values, (6, 2)))[:, 0] / (2 * h)
    np.testing.assert_allclose(found, difference, rtol=1e-6, atol=1e-8)


def test_gradients_through_adam_at_exactly_zero_gradient_are_finite(game):
    still = np.zeros_like(game.vectors)
    game.vectors, game.matrices = still, game.matrices * 0

    def through(g):
        def after(theta):
            point, _ = g.virtual_step(g.field(theta), theta)
            return point.dot(point)

        return g.gradient(after)

    found = probe(game, through, "adam")
    np.testing.assert_allclose(found, 2 * game.start, rtol=1e-9)


def test_evaluations_and_virtual_steps_change_nothing(small_gan):
    model = small_gan()
    before = model.get_weights()

    def look(game):
        game.losses()
        theta = game.point
        game.virtual_step(game.field(0.5 * theta))
        game.vjp(game.field())
        return game.losses()

    model.compile(
        Probe(look),
        "adam",
        keras.losses.BinaryCrossentropy(True),
        run_eagerly=True,
    )
    model.train_on_batch(np.ones((8, 3)), adversarial.builders.gan_targets(8))
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_all_evaluations_of_a_step_see_one_noise(small_gan):
    def twice(game):
        first, second = game.losses(), game.losses(game.point)
        game.refresh_noise()
        return [
            first["generator"],
            second["generator"],
            game.losses()["generator"],
        ]

    model = small_gan()
    model.compile(
        strategy := Probe(twice),
        "adam",
        keras.losses.BinaryCrossentropy(True),
        run_eagerly=True,
    )
    x, y = np.ones((8, 3)), adversarial.builders.gan_targets(8)
    model.train_on_batch(x, y)
    first, second, refreshed = strategy.found
    assert first == second
    assert abs(first - refreshed) > 1e-4
    model.train_on_batch(x, y)
    assert abs(strategy.found[0] - refreshed) > 1e-4


@pytest.mark.parametrize("strategy", ["simultaneous", "alternating"])
def test_the_random_state_advances_once_per_step(small_gan, strategy):
    model = small_gan()
    model.compile(strategy, "adam", keras.losses.BinaryCrossentropy(True))
    states = {v.path: v for v in model.variables if "seed" in v.path}
    before = {path: np.array(v) for path, v in states.items()}
    for _ in range(3):
        model.train_on_batch(
            np.ones((8, 3)), adversarial.builders.gan_targets(8)
        )
    draws = sorted(int((v - before[p])[1]) for p, v in states.items())
    assert draws == [3, 6]  # latents: once; dropout: on real and on fake


class OnlyOne(adversarial.AdversarialOptimizer):
    players_to_move: ClassVar[list[str]] = ["generator"]

    def step(self, game):
        xi = game.field()
        game.field(0.5 * game.point)  # a virtual evaluation, to be forgotten
        game.apply(xi.only(self.players_to_move))


def moved(model, layer):
    x = np.random.default_rng(0).normal(2, size=(16, 3)).astype("float32")
    weights = model.get_weights()
    model.train_on_batch(x, adversarial.builders.gan_targets(16))
    return {
        v.path
        for v, old in zip(model.weights, weights, strict=True)
        if not np.array_equal(v, old)
    }


def test_state_moves_with_its_own_players_move_only(small_gan):
    model = small_gan()
    model.compile(OnlyOne(), "adam", keras.losses.BinaryCrossentropy(True))
    paths = moved(model, "generator")
    assert any("generator" in p and "moving_mean" in p for p in paths)
    assert not any("discriminator" in p for p in paths)


def test_update_state_false_freezes_a_players_state(small_gan):
    model = small_gan()
    model.compile(
        "simultaneous",
        "adam",
        keras.losses.BinaryCrossentropy(True),
        update_state={"discriminator": False},
    )
    paths = moved(model, "discriminator")
    assert any("generator" in p and "moving" in p for p in paths)
    assert any("discriminator" in p and "kernel" in p for p in paths)
    assert not any("discriminator" in p and "moving" in p for p in paths)


@pytest.mark.parametrize(
    "strategy",
    [
        "simultaneous",
        adversarial.optimizers.Alternating(
            steps={"generator": 3, "discriminator": 2}
        ),
    ],
)
def test_moving_statistics_are_updated_once_per_step(small_gan, strategy):
    model = small_gan()
    model.compile(strategy, "sgd", keras.losses.BinaryCrossentropy(True))
    generator = model.networks[0].get_layer("generator")
    norm = generator.layers[1]
    z = keras.random.normal((16, 2), seed=keras.random.SeedGenerator(7))
    hidden = generator.layers[0](z)
    mean = np.mean(hidden, axis=0)
    moved(model, "generator")
    expected = (1 - norm.momentum) * mean
    np.testing.assert_allclose(norm.moving_mean, expected, rtol=1e-4)


def test_unknown_players_are_refused(game):
    for ask in (
        lambda g: g.field(players=["p9"]),
        lambda g: g.losses(players=["p9"]),
        lambda g: g.cross_gradient("p0", "p9"),
    ):
        with pytest.raises(ValueError, match="Unknown player: 'p9'"):
            probe(game, ask)


def test_a_game_without_a_batch_cannot_be_evaluated(game):
    class Eager(adversarial.AdversarialOptimizer):
        def build(self, game):
            game.losses()

        def step(self, game):
            pass

    with pytest.raises(ValueError, match="without a batch"):
        game.model().compile(Eager(), "sgd", game.loss())


def test_virtual_steps_refuse_optimizers_that_branch_on_their_state(game):
    optimizer = [
        keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
        for _ in range(3)
    ]
    with pytest.raises(ValueError, match="gradient_accumulation_steps"):
        probe(game, lambda g: g.virtual_step(g.field())[0], optimizer)


@pytest.mark.parametrize("strategy", ["simultaneous", "alternating"])
def test_a_bad_gradient_behind_a_finite_loss_moves_nobody(strategy):
    """A relu turns NaN into zero, but not its kernel's gradient."""
    x = keras.Input((2,))
    a, b = (keras.layers.Dense(3, "relu") for _ in range(2))
    ends = [keras.layers.Dense(1)(layer(x)) for layer in (a, b)]
    model = adversarial.AdversarialModel(
        player_models={
            n: keras.Model(x, y) for n, y in zip("ab", ends, strict=True)
        },
        player_params={
            "a": keras.Model(x, ends[0]),
            "b": keras.Model(x, ends[1]),
        },
    )
    model.compile(strategy, "adam", "mse")
    before = model.get_weights()
    bad = np.array([[1.0, 2.0], [np.nan, 1.0]])
    with pytest.raises(adversarial.GameDivergedError, match="'a', 'b'"):
        model.train_on_batch(bad, [np.ones((2, 1))] * 2)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.train_on_batch(np.ones((2, 2)), [np.ones((2, 1))] * 2)
    assert np.isfinite(
        np.concatenate(list(map(np.ravel, model.get_weights())))
    ).all()
