import keras
import numpy as np
import pytest

import adversarial
from adversarial.optimizers import Alternating, Scheduled, Simultaneous


class Nothing(adversarial.AdversarialOptimizer):
    def step(self, game):
        game.losses()


class Pair(Nothing):
    players = 2


class Twice(adversarial.AdversarialOptimizer):
    """A wrapper with a slot: the inner strategy, and a memory."""

    def __init__(self, inner):
        super().__init__(inner)

    def build(self, game):
        self.memory = self.add_slots(game, "memory")

    def step(self, game):
        start = game.point
        self.inner(game)
        game.assign(self.memory, start)


def test_steps_are_counted_and_only_step_is_abstract(quadratic):
    game = quadratic([1, 1])
    model = game.compiled(Nothing(), "sgd")
    played = game.play(model, 3)
    assert int(model.optimizer.iterations) == 3
    np.testing.assert_array_equal(played, [game.start] * 4)
    with pytest.raises(TypeError, match="abstract"):
        adversarial.AdversarialOptimizer()


def test_a_rule_for_two_players_refuses_three(quadratic):
    game = quadratic([1, 1, 1])
    with pytest.raises(ValueError, match="`Pair` is for 2 players"):
        game.model().compile(Pair(), "sgd", game.loss())


def test_a_strategy_object_belongs_to_one_model(quadratic):
    game = quadratic([1, 1])
    strategy = Simultaneous()
    game.model().compile(strategy, "sgd", game.loss())
    with pytest.raises(ValueError, match="pass a new `Simultaneous"):
        game.model().compile(strategy, "sgd", game.loss())


def test_the_optimizers_and_all_variables_are_in_sight(quadratic):
    game = quadratic([1, 2])
    adam, sgd = keras.optimizers.Adam(0.1), keras.optimizers.SGD(0.2)
    model = game.compiled(Twice(Simultaneous()), {"p0": adam, "p1": sgd})
    strategy = model.optimizer
    assert strategy.optimizers == [adam, sgd]
    assert dict(strategy.player_optimizers) == {"p0": adam, "p1": sgd}
    seen = {id(v) for v in strategy.variables}
    slots = [v for block in strategy.memory.values() for v in block]
    mine = [strategy.iterations, *slots, *adam.variables]
    mine.append(strategy.inner.iterations)
    assert {id(v) for v in [*mine, *sgd.variables]} <= seen
    assert len(seen) == len(strategy.variables)


def test_the_learning_rate_is_the_first_players_and_sets_everybodys(
    quadratic,
):
    game = quadratic([1, 1])
    rates = [keras.optimizers.SGD(0.5), keras.optimizers.SGD(0.5)]
    model = game.compiled("simultaneous", rates)
    model.optimizer.learning_rate = 0.125
    assert [float(o.learning_rate) for o in rates] == [0.125, 0.125]
    rates[0].learning_rate = 0.25
    assert float(model.optimizer.learning_rate) == 0.25


def test_learning_rates_that_differ_are_not_made_equal_unawares(quadratic):
    game = quadratic([1, 1])
    rates = [keras.optimizers.SGD(0.5), keras.optimizers.SGD(0.25)]
    model = game.compiled("simultaneous", rates)
    first, second = model.players
    with pytest.raises(ValueError, match="rates of their own") as error:
        model.optimizer.learning_rate = 0.125
    assert error.match(f"0.5 for '{first}', 0.25 for '{second}'")
    assert error.match("ForPlayer")
    assert [float(o.learning_rate) for o in rates] == [0.5, 0.25]


def test_keras_learning_rate_callbacks_reach_every_player(quadratic):
    game = quadratic([1, 1])
    rates = [keras.optimizers.SGD(0.5), keras.optimizers.SGD(0.25)]
    model = game.compiled("simultaneous", rates)
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, lr: lr / 2)
    model.fit(np.ones((2, 1)), epochs=2, verbose=0, callbacks=[halve])
    assert [float(o.learning_rate) for o in rates] == [0.125, 0.0625]


def test_a_wrappers_inner_state_and_slots_are_saved(quadratic, tmp_path):
    keras.saving.register_keras_serializable(package=__name__)(Twice)
    game = quadratic([1, 2])
    model = game.compiled(Twice(Scheduled([0, 1])), "adam")
    game.play(model, 3)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert int(again.optimizer.inner.iterations) == 3
    for name in model.players:
        for a, b in zip(
            model.optimizer.memory[name],
            again.optimizer.memory[name],
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(game.play(model, 2), game.play(again, 2))


def test_weights_averaged_by_a_players_optimizer_are_put_in_place(quadratic):
    game = quadratic([1, 1])
    ema = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    model = game.compiled("simultaneous", [ema, keras.optimizers.SGD(0.1)])
    model.fit(np.ones((3, 1)), batch_size=1, verbose=0)
    average = ema._model_variables_moving_average[0]
    np.testing.assert_array_equal(model.players["p0"].variables[0], average)


@pytest.mark.parametrize(
    ("name", "cls"),
    [("simultaneous", Simultaneous), ("alternating", Alternating)],
)
def test_strings_and_configs_make_strategies(name, cls):
    assert type(adversarial.optimizers.get(name)) is cls
    config = keras.saving.serialize_keras_object(cls())
    assert type(adversarial.optimizers.get(config)) is cls


def test_unknown_strategies_get_the_nearest_spelling():
    with pytest.raises(ValueError, match="did you mean 'alternating'"):
        adversarial.optimizers.get("alternate")
    with pytest.raises(TypeError, match="AdversarialOptimizer"):
        adversarial.optimizers.get(keras.optimizers.SGD())
