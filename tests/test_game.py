from typing import ClassVar

import keras
import numpy as np
import pytest

import adversarial
from adversarial.testing import LinearGame
from adversarial.testing.linear_model import linear_model, numbers

ROUNDING = 1e-12
"""Float64 sums over up to 6 numbers near 1."""


@pytest.fixture
def game(quadratic, float64):
    return quadratic([2, 3, 1])


@pytest.fixture
def other(game):
    return np.random.default_rng(9).normal(size=6)


def test_players_variables_and_point_are_those_of_the_model(game, probe):
    def look(g):
        assert g.players == ("p0", "p1", "p2")
        assert [v.shape for v in g.variables["p1"]] == [(3,)]
        return g.point

    np.testing.assert_array_equal(probe(game, look), game.start)


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
def test_virtual_steps_equal_real_steps(game, name, probe):
    seen = []

    def three_steps(g):
        point, state = g.point, None
        for _ in range(3):
            point, state = g.virtual_step(g.field(point), point, state)
        seen.append(point)
        g.apply(g.field())
        return point

    expected = probe(game, three_steps, make_each(name))
    model = game.compiled("simultaneous", make_each(name))
    np.testing.assert_allclose(game.play(model, 3)[-1], expected, rtol=1e-10)


def make_each(name):
    return [OPTIMIZERS[name]() for _ in range(3)]


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "nadam"])
def test_the_gradient_through_three_virtual_steps_is_the_finite_difference(
    game, other, name, probe, joint_of
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


def test_gradients_through_adam_at_exactly_zero_gradient_are_finite(
    game, probe
):
    still = np.zeros_like(game.vectors)
    game.vectors, game.matrices = still, game.matrices * 0

    def through(g):
        def after(theta):
            point, _ = g.virtual_step(g.field(theta), theta)
            return point.dot(point)

        return g.gradient(after)

    found = probe(game, through, "adam")
    np.testing.assert_allclose(found, 2 * game.start, rtol=1e-9)


def test_evaluations_and_virtual_steps_change_nothing(
    small_gan, probe_strategy
):
    model = small_gan()
    before = model.get_weights()

    def look(game):
        game.losses()
        theta = game.point
        game.virtual_step(game.field(0.5 * theta))
        game.vjp(game.field())
        return game.losses()

    model.compile(
        probe_strategy(look),
        "adam",
        keras.losses.BinaryCrossentropy(True),
        run_eagerly=True,
    )
    model.train_on_batch(np.ones((8, 3)), adversarial.builders.gan_targets(8))
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_all_evaluations_of_a_step_see_one_noise(small_gan, probe_strategy):
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
        strategy := probe_strategy(twice),
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
    mean = np.mean(keras.ops.convert_to_numpy(hidden), axis=0)
    moved(model, "generator")
    expected = (1 - norm.momentum) * mean
    np.testing.assert_allclose(norm.moving_mean, expected, rtol=1e-4)


def test_unknown_players_are_refused(game, probe):
    for ask in (
        lambda g: g.field(players=["p9"]),
        lambda g: g.losses(players=["p9"]),
        lambda g: g.gradient(lambda at: g.losses(at)["p0"], wrt=["p9"]),
        lambda g: g.jvp(g.point, players=["p9"]),
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


def test_virtual_steps_refuse_optimizers_that_branch_on_their_state(
    game, probe
):
    optimizer = [
        keras.optimizers.SGD(0.1, use_ema=True, ema_overwrite_frequency=2)
        for _ in range(3)
    ]
    with pytest.raises(ValueError, match="cannot make a virtual step"):
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


class Slots(adversarial.AdversarialOptimizer):
    """Moves everybody, and remembers the field in slots of its own."""

    def build(self, game):
        self.memory = self.add_slots(game, "memory")
        self.count = self.add_variable((), name="count")

    def step(self, game):
        xi = game.field()
        game.assign(self.memory, xi)
        game.assign(self.count, self.count + 1)
        game.apply(xi)


def memory_of(strategy):
    return np.concatenate(
        [np.ravel(v) for block in strategy.memory.values() for v in block]
    )


def test_slots_are_named_shaped_and_typed_like_the_parameters(game):
    game.compiled(strategy := Slots(), "sgd")
    assert [v.shape for v in strategy.memory["p1"]] == [(3,)]
    assert strategy.memory["p1"][0].dtype == "float64"
    names = [v.name for block in strategy.memory.values() for v in block]
    assert len(set(names)) == 3 and "p1" in strategy.memory["p1"][0].name


def test_assign_writes_the_slots_of_a_strategy(game):
    model = game.compiled(strategy := Slots(), "sgd")
    game.play(model, 1)
    np.testing.assert_allclose(
        memory_of(strategy), game.field(game.start), atol=1e-12
    )
    assert float(strategy.count) == 1


@pytest.fixture
def plays_batches(float64):
    """Makes a strategy play a game that comes with every batch anew."""

    def model_of(strategy, **kwargs):
        kwargs = {"jit_compile": "auto", "on_nonfinite": "warn", **kwargs}
        return linear_model(strategy, [2, 1], ["p0", "p1"], **kwargs)

    return model_of


GOOD = numbers(LinearGame.random([2, 1]))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_refused_step_writes_neither_slots_nor_parameters(plays_batches, bad):
    strategy = Slots()
    model = plays_batches(strategy, optimizer=keras.optimizers.Adam)
    for _ in range(2):
        model.step(GOOD)
    point, memory = model.theta, memory_of(strategy)
    with pytest.warns(UserWarning, match="must be finite"):
        model.step(np.full_like(GOOD, bad))
    np.testing.assert_array_equal(model.theta, point)
    np.testing.assert_array_equal(memory_of(strategy), memory)
    assert float(strategy.count) == 2
    model.step(GOOD)
    assert float(strategy.count) == 3


class LateFailure(Slots):
    """The second player's direction is not finite, once."""

    def step(self, game):
        game.assign(self.count, self.count + 1)
        game.apply(game.field(players=["p0"]))
        game.assign(self.memory, game.point)
        bad = keras.ops.where(self.count > 1, np.nan, 1.0)
        game.apply(bad * game.field(players=["p1"]))


def test_what_was_written_before_a_late_failure_is_taken_back(quadratic):
    game = quadratic([2, 1], "float32")
    model = game.compiled(strategy := LateFailure(), "sgd", on_nonfinite="warn")
    game.play(model, 1)
    point, memory = model.get_weights(), memory_of(strategy)
    with pytest.warns(UserWarning, match="must be finite"):
        model.train_on_batch(np.ones((1, 1)))
    for old, new in zip(point, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(memory_of(strategy), memory)
    assert float(strategy.count) == 1


def test_assign_places_the_players_and_the_game_knows(game, probe):
    def place(g):
        theta = g.point
        g.assign(g.variables, 0.5 * theta)
        here = g.losses(g.point)
        g.assign(g.variables, lambda: 2.0 * g.point.only(["p1"]))
        g.assign(g.variables, theta.map(lambda x: x * np.nan), when=False)
        return {"point": list(g.point.flatten()), "losses": list(here.values())}

    found = probe(game, place)
    point = 0.5 * game.start
    np.testing.assert_allclose(found[6:], game.values(point), rtol=1e-12)
    point[2:5] *= 2
    np.testing.assert_allclose(found[:6], point, rtol=1e-15)


def test_assign_keeps_the_constraints_of_parameters():
    x = keras.Input((1,))
    a, b = (
        keras.layers.Dense(1, use_bias=False, kernel_constraint=c)
        for c in (keras.constraints.NonNeg(), None)
    )
    model = adversarial.AdversarialModel(
        keras.Model(x, [a(x), b(x)]), player_params=[a, b]
    )

    class Away(adversarial.AdversarialOptimizer):
        def step(self, game):
            game.assign(game.variables, game.point.map(lambda x: x * 0.0 - 1.0))

    model.compile(Away(), "sgd", "mse")
    model.train_on_batch(np.ones((1, 1)), [np.ones((1, 1))] * 4)
    assert a.kernel.numpy()[0, 0] == 0 and b.kernel.numpy()[0, 0] == -1


def test_a_real_step_can_start_from_the_state_of_a_virtual_one(game, probe):
    """Two steps of Adam on one gradient, the first of them virtual."""

    def step(g):
        theta, xi = g.point, g.field()
        _, state = g.virtual_step(xi)
        g.apply(xi, state)
        g.apply(adversarial.Joint({}), {"p0": g.optimizer_state["p0"]})
        return g.point - theta

    found = probe(game, step, make_each("nadam"))

    def twice(g):
        at, state = g.virtual_step(g.field())
        after, _ = g.virtual_step(g.field(), at, state)
        return after - at

    np.testing.assert_allclose(
        found, probe(game, twice, make_each("nadam")), rtol=1e-9
    )


def test_what_follows_a_switch_is_guarded_by_its_branch(plays_batches):
    class After(Slots):
        def step(self, g):
            g.switch(self.count * 0, [lambda inner: inner.apply(inner.field())])
            g.assign(self.count, self.count + 1)

    model = plays_batches(strategy := After())
    model.step(GOOD)
    with pytest.warns(UserWarning, match="must be finite"):
        model.step(np.full_like(GOOD, np.nan))
    assert float(strategy.count) == 1


class Counted(keras.layers.Layer):
    """Adds how often it was moved, which is a moving statistic of a kind."""

    def build(self, _):
        self.count = self.add_weight(
            shape=(), initializer="zeros", trainable=False
        )
        self.bias = self.add_weight(shape=(), initializer="zeros")

    def call(self, x):
        count = self.count + 1
        self.count.assign(count)
        return x + self.bias + count


@pytest.mark.parametrize("moves", [True, False])
def test_a_move_under_a_condition_takes_the_state_with_it(
    moves, probe_strategy
):
    """Also for what is evaluated later in the step."""
    one = keras.Input((1,))
    sides = {name: Counted() for name in "ab"}
    model = adversarial.AdversarialModel(
        keras.Model(one, sides["b"](sides["a"](one))), player_params=sides
    )
    condition = keras.ops.convert_to_tensor(moves)

    def step(game):
        first = game.losses()["a"]
        game.apply(game.field(players=["a"]), when={"a": condition})
        return [first, game.losses()["a"]]

    strategy = probe_strategy(step)
    sgd = [keras.optimizers.SGD(0.0) for _ in sides]
    model.compile(strategy, sgd, "mae", run_eagerly=True)
    model.train_on_batch(np.zeros((1, 1)), [np.zeros((1, 1))] * 2)
    # The count of a, then that of b, which nobody has moved.
    assert strategy.found == [2.0, 3.0 if moves else 2.0]
    assert float(sides["a"].count.numpy()) == moves
    assert int(model.players["a"].optimizer.iterations) == moves
