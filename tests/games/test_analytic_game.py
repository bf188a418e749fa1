import contextlib
import inspect
import itertools
import json
from typing import ClassVar

import keras
import numpy as np
import pytest
from engines import ENGINE, JITS
from keras import ops

from adversarial import games, registry
from adversarial.games import AnalyticGame, Equilibrium

ROUNDING = 1e-12
"""Float64 sums over up to a hundred numbers near 1."""
DIFFERENCES = 2e-8
"""Central differences of 1e-5: cubic terms near 1e-10, rounding near 1e-10,
both times third derivatives and values up to a hundred."""
SINGLE = 1e-5
"""Float32 sums over up to a hundred numbers near 1."""

GAMES = {
    "bilinear": games.Bilinear([[1.0, -2.0], [0.5, 3.0], [0.1, 0.7]], 0.3),
    "bilinear_bump": games.BilinearBump(),
    "cournot": games.Cournot(2.0),
    "cyclic": games.Cyclic(),
    "dirac_minimax": games.DiracGAN(),
    "dirac_non_saturating": games.DiracGAN("non_saturating", r1=0.3),
    "dirac_wasserstein": games.DiracGAN("wasserstein", r2=0.2, clip=1.0),
    "dirac_least_squares": games.DiracGAN("least_squares"),
    "dirac_hinge": games.DiracGAN("hinge", gradient_penalty=0.7),
    "dirac_noisy": games.DiracGAN(noise=0.8),
    "dirac_noisy_hinge": games.DiracGAN("hinge", noise=0.8, r1=0.1),
    "hamiltonian": games.Hamiltonian(5, 0.1),
    "iterated_prisoners_dilemma": games.IteratedPrisonersDilemma(
        (-1.5, -3.0, 0.5, -2.0), 0.9, per_round=False
    ),
    "matching_pennies": games.MatchingPennies(),
    "matrix_game": games.MatrixGame(
        [[0.0, -1.0, 2.0], [1.0, -9.0, 0.5]],
        [[0.0, 1.0, 0.3], [-1.0, -9.0, 2.0]],
    ),
    "quadratic": games.random_quadratic([2, 3, 1], curvature=2.0),
    "quadratic_zero_sum": games.QuadraticZeroSum(1.0, 2.0, -3.0),
    "relabelled": games.Relabelled(
        games.random_quadratic([1, 2, 3], seed=1), ["p1", "p2", "p0"], "abc"
    ),
    "ridge_g1": games.RidgeG1(),
    "ridge_g2": games.RidgeG2(),
    "ridge_g3": games.RidgeG3(),
    "rock_paper_scissors": games.RockPaperScissors(),
    "tandem": games.Tandem(),
}
EACH = pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)


def differences(function, theta, step=1e-5):
    return np.stack(
        [
            (function(theta + step * e) - function(theta - step * e)) / 2 / step
            for e in np.eye(len(theta))
        ],
        axis=-1,
    )


def elsewhere(game):
    return np.random.default_rng(7).normal(size=sum(game.blocks))


def own_blocks(game, slopes):
    """Each player's part of the derivatives of its own loss."""
    return np.concatenate([game.split(s)[i] for i, s in enumerate(slopes)])


def test_every_public_game_is_in_the_table_and_registered():
    public = {
        cls
        for name in games.__all__
        if inspect.isclass(cls := getattr(games, name))
        and issubclass(cls, AnalyticGame)
        and cls is not AnalyticGame
    }
    assert public == {type(game) for game in GAMES.values()}
    assert registry.names("games") == sorted(
        registry.snake_case(cls.__name__) for cls in public
    )


@EACH
def test_the_formulas_say_what_the_model_plays(game, as_played, float64):
    theta = elsewhere(game)
    v = np.random.default_rng(8).normal(size=theta.size)
    losses, field, turned = as_played(game, theta, v)
    jacobian = game.jacobian(theta)
    close = {"rtol": ROUNDING, "atol": ROUNDING * np.abs(jacobian).max()}
    np.testing.assert_allclose(game.values(theta), losses, **close)
    np.testing.assert_allclose(game.field(theta), field, **close)
    np.testing.assert_allclose(jacobian @ v, turned, **close)


@EACH
def test_the_formulas_are_derivatives_of_one_another(game):
    theta = elsewhere(game)
    field = own_blocks(game, differences(game.values, theta))
    np.testing.assert_allclose(game.field(theta), field, atol=DIFFERENCES)
    np.testing.assert_allclose(
        game.jacobian(theta),
        differences(game.field, theta),
        atol=DIFFERENCES,
    )
    for i, block in enumerate(game.split(field)):
        np.testing.assert_allclose(
            game.gradient(i, theta), block, atol=DIFFERENCES
        )


@contextlib.contextmanager
def no_operations():
    """Raises if the engine computes anything."""
    if ENGINE == "tensorflow":
        import tensorflow as tf

        with tf.Graph().as_default() as graph:
            yield
        assert not graph.get_operations()
    elif ENGINE == "jax":
        import jax

        with jax.transfer_guard("disallow_explicit"):
            yield
    else:
        from torch.overrides import TorchFunctionMode

        class Refused(TorchFunctionMode):
            def __torch_function__(self, function, *args, **kwargs):
                raise AssertionError(function)

        with Refused():
            yield


@EACH
def test_the_formulas_are_numpy_alone(game):
    with no_operations():
        found = [
            game.values(game.start),
            game.field(game.start),
            game.jacobian(game.start),
        ]
    assert all(isinstance(x, np.ndarray) for x in found)
    assert all(x.dtype == "float64" for x in found)


@EACH
def test_the_field_is_zero_at_the_equilibria(game):
    for equilibrium in game.equilibria:
        assert isinstance(equilibrium, Equilibrium)
        shapes = {
            player: [x.shape for x in block]
            for player, block in equilibrium.point.items()
        }
        assert shapes == game.shapes
        field = game.field(equilibrium.theta)
        np.testing.assert_allclose(field, 0, atol=1e-14)


@EACH
def test_only_at_nash_equilibria_nobody_gains(game):
    try:
        gain = game.exploitability(elsewhere(game))
    except NotImplementedError as error:
        assert type(game).__name__ in str(error)
        return
    assert gain > 1e-3
    for equilibrium in game.equilibria:
        found = game.exploitability(equilibrium.theta)
        if equilibrium.kind == "nash":
            assert abs(found) < ROUNDING
        else:
            assert found == np.inf


@EACH
def test_the_equilibria_are_of_their_kinds(game):
    for equilibrium in game.equilibria:
        assert equilibrium.kind in ("nash", "minimax", "stationary")
        jacobian = game.jacobian(equilibrium.theta)
        edges = game.edges
        curved = [
            np.linalg.eigvalsh(jacobian[a:b, a:b])[0] > -ROUNDING
            for a, b in itertools.pairwise(edges)
        ]
        assert all(curved) == (equilibrium.kind == "nash")
        if equilibrium.kind == "minimax":
            a, b, c = jacobian[0, 0], jacobian[0, 1], -jacobian[1, 1]
            assert a < 0 and c < 0 and a - b**2 / c > 0


@EACH
def test_a_game_comes_back_from_its_configuration(game):
    config = json.loads(
        json.dumps(keras.saving.serialize_keras_object(game.loss()))
    )
    again = keras.saving.deserialize_keras_object(config).game
    theta = elsewhere(game)
    assert type(again) is type(game)
    assert (again.shapes, again.bounds) == (game.shapes, game.bounds)
    np.testing.assert_array_equal(again.start, game.start)
    np.testing.assert_array_equal(again.values(theta), game.values(theta))
    np.testing.assert_array_equal(again.field(theta), game.field(theta))


def test_a_saved_model_goes_on_as_if_it_had_never_stopped(tmp_path):
    game = GAMES["relabelled"]
    kept = game.compiled("alternating", "adam", split=True)
    model = game.compiled("alternating", "adam", split=True)
    points = game.play(kept, 5)
    game.play(model, 2)
    model.save(tmp_path / "game.keras")
    again = keras.saving.load_model(tmp_path / "game.keras")
    np.testing.assert_array_equal(game.play(again, 3), points[2:])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_simultaneous_steps_follow_the_field(dtype):
    game = GAMES["iterated_prisoners_dilemma"]
    model = game.compiled("simultaneous", 0.25, dtype=dtype)
    assert {v.dtype for v in model.trainable_variables} == {dtype}
    theta = game.start
    expected = [theta]
    for _ in range(3):
        theta = theta - 0.25 * game.field(theta)
        expected.append(theta)
    found = game.play(model, 3)
    assert found.dtype == "float64"
    exact = {"float32": SINGLE, "float64": ROUNDING}[dtype]
    np.testing.assert_allclose(found, expected, rtol=exact, atol=exact)


def test_the_batch_says_nothing():
    game = games.Bilinear()
    model = game.compiled("simultaneous", 0.5)
    expected = game.play(model, 1)[1]
    game.place(model, game.start)
    batch = np.random.default_rng(0).normal(size=(7, 1))
    logs = model.train_on_batch(batch, return_dict=True)
    np.testing.assert_array_equal(game.point(model), expected)
    assert [logs["x_loss"], logs["y_loss"]] == list(game.values(game.start))


class Several(AnalyticGame):
    """A game of players with several tensors, of several ranks."""

    spread: ClassVar[float] = 2.0

    def __init__(self, scale=1.0):
        self.scale = scale
        super().__init__({"a": [(2, 3), ()], "b": [(3,), (1, 2)]})

    def losses(self, theta):
        (m, s), (u, v) = theta["a"], theta["b"]
        value = self.scale * ops.sum(v @ m * u) + s * ops.sum(u)
        return [value + s**2, ops.sum(u**2) - value]

    def values(self, theta):
        (m, s), (u, v) = self.tensors(theta).values()
        value = self.scale * np.sum(v @ m * u) + s * np.sum(u)
        return np.array([value + s**2, np.sum(u**2) - value])

    def field(self, theta):
        (m, s), (u, v) = self.tensors(theta).values()
        parts = [
            self.scale * v.T * u,
            np.sum(u) + 2 * s,
            2 * u - self.scale * (v @ m)[0] - s,
            -self.scale * (m @ u),
        ]
        return np.concatenate([np.ravel(x) for x in parts])

    def best_values(self, theta):
        return np.full(2, -np.inf)

    @property
    def equilibria(self):
        return []


def test_players_may_hold_several_tensors(as_played, float64):
    game = Several(0.5)
    assert (game.players, game.blocks) == (("a", "b"), [7, 5])
    losses, field, turned = as_played(game, game.start, np.arange(12.0))
    np.testing.assert_allclose(game.values(game.start), losses, rtol=ROUNDING)
    np.testing.assert_allclose(game.field(game.start), field, rtol=ROUNDING)
    np.testing.assert_allclose(
        game.jacobian(game.start) @ np.arange(12.0), turned, rtol=ROUNDING
    )
    assert game.exploitability(game.start) == np.inf


def test_points_can_be_shaped_split_and_placed():
    game = Several()
    theta = np.arange(12.0)
    tensors = game.tensors(theta)
    np.testing.assert_array_equal(tensors["a"][0], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(tensors["a"][1], 6)
    np.testing.assert_array_equal(tensors["b"][1], [[10, 11]])
    assert [len(block) for block in game.split(theta)] == [7, 5]
    for split in (False, True):
        model = game.model(split=split)
        shapes = [tuple(v.shape) for v in model.players["a"].variables]
        assert shapes == ([(3,), (3,), ()] if split else [(2, 3), ()])
        np.testing.assert_allclose(game.point(model), game.start, rtol=SINGLE)
        game.place(model, theta)
        np.testing.assert_array_equal(game.point(model), theta)


def test_splitting_a_tensor_in_two_changes_nothing():
    game = Several()
    paths = [
        game.play(game.compiled("alternating", "adam", split=split), 4)
        for split in (False, True)
    ]
    np.testing.assert_array_equal(*paths)
    assert np.all(paths[0][-1] != paths[0][0])


def test_a_random_start_is_that_of_its_seed():
    game = Several()
    np.testing.assert_array_equal(game.start, game.random_start(0))
    assert np.any(game.random_start(1) != game.start)
    many = np.concatenate([game.random_start(seed) for seed in range(500)])
    # The deviation of 6000 numbers is known to 1 in 100, at one sigma.
    assert abs(many.std() / 2.0 - 1) < 0.04


def test_a_model_starts_where_it_is_told():
    game = games.Bilinear()
    np.testing.assert_array_equal(game.point(game.model()), [3, 4])
    np.testing.assert_array_equal(game.point(game.model([1, 2])), [1, 2])
    model = game.compiled(start=[5, 6])
    points = game.play(model, 2)
    assert points.shape == (3, 2)
    np.testing.assert_array_equal(points[0], [5, 6])


def test_the_model_may_be_told_how_to_move():
    game = games.Bilinear()
    model = game.compiled("alternating", {"y": 0.4, "x": "adam"})
    assert type(model.optimizer).__name__ == "Alternating"
    x, y = (model.players[name].optimizer for name in "xy")
    assert isinstance(x, keras.optimizers.Adam)
    assert isinstance(y, keras.optimizers.SGD)
    assert float(y.learning_rate) == np.float32(0.4)
    model = game.compiled(player_optimizers=[0.1, keras.optimizers.SGD(0.2)])
    rates = [float(o.learning_rate) for o in model.optimizer.optimizers]
    np.testing.assert_allclose(rates, [0.1, 0.2], rtol=SINGLE)
    assert game.compiled(run_eagerly=True).run_eagerly


def test_points_of_another_size_are_refused():
    game = games.Bilinear()
    model = game.model()
    for use in (
        lambda x: game.place(model, x),
        game.model,
        game.split,
        lambda x: games.Bilinear(start=x),
    ):
        with pytest.raises(ValueError, match=r"2 numbers.\n.*shape \(3,\)"):
            use([1.0, 2.0, 3.0])


@pytest.mark.parametrize("jit", JITS)
def test_the_exact_value_can_be_compiled_by_xla(jit, float64):
    game = GAMES["iterated_prisoners_dilemma"]
    model = game.compiled("simultaneous", 1.0, jit_compile=jit)
    step = game.play(model, 1)
    np.testing.assert_allclose(
        step[1], game.start - game.field(game.start), rtol=ROUNDING
    )
