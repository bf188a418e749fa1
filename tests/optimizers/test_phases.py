from functools import partial

import keras
import numpy as np
import pytest
from engines import TRACED

import adversarial
from adversarial import optimizers as o
from adversarial.optimizers import Phases
from adversarial.testing import LinearGame, references
from adversarial.testing.linear_model import numbers
from adversarial.testing.references import STEPS

# Rounding of some steps of numbers near 1.
ROUNDING = 1e-12
EVER = float("inf")
COMPILED = {"run_eagerly": False, "jit_compile": TRACED}


def copied(variables, others):
    """Writes the values of variables into others."""
    for v, other in zip(variables, others, strict=True):
        other.assign(np.array(v))  # JAX uses up what stands in the first.


def numbers_of(model):
    """All weights, random state and the state of the players' optimizers."""
    variables = list(model.variables)
    for optimizer in model.optimizer.optimizers:
        variables += optimizer.variables
    return variables


# Eagerly it takes minutes on JAX.
@pytest.mark.parametrize(
    "how", [COMPILED, *([] if TRACED else [{"run_eagerly": True}])]
)
def test_it_is_its_parts_played_one_after_the_other_bit_for_bit(small_gan, how):
    """A GAN with all that has a state, under Adam."""
    x, y = np.ones((8, 3)), adversarial.builders.gan_targets(8)

    def made(strategy):
        model = small_gan()
        loss = keras.losses.BinaryCrossentropy(True)
        adams = [keras.optimizers.Adam(0.01) for _ in model.players]
        model.compile(strategy, adams, loss, **how)
        return model

    def parts():
        return [
            o.Alternating(steps={"discriminator": 2}, fresh_noise=True),
            o.Optimistic("simultaneous"),
            o.Lookahead("extra_gradient", 2),
        ]

    one, two, three = parts()
    whole = made(Phases([(2, one), (3, two), three]))
    each = [made(part) for part in parts()]
    copied(numbers_of(whole), numbers_of(each[0]))
    logs = [whole.train_on_batch(x, y) for _ in range(9)]
    found = []
    for number, (model, steps) in enumerate(zip(each, (2, 3, 4), strict=True)):
        if number:
            copied(numbers_of(each[number - 1]), numbers_of(model))
        found += [model.train_on_batch(x, y)[1:] for _ in range(steps)]
    for v, other in zip(numbers_of(whole), numbers_of(each[-1]), strict=True):
        np.testing.assert_array_equal(np.array(v), np.array(other), v.path)
    # The first is the mean of the losses since compiling.
    np.testing.assert_array_equal([line[1:] for line in logs], found)


def test_a_strategy_counts_its_own_steps_from_the_beginning_of_its_phase(
    made, begin
):
    """A second pull of a count that had run on would come a step earlier."""
    game = LinearGame.random()
    parts = [o.Lookahead("simultaneous", 3) for _ in range(2)]
    model = made(Phases([(4, parts[0]), parts[1]]), run_eagerly=True)
    found = model.play(game, begin(game), 9)
    step = partial(
        STEPS["lookahead"], inner=STEPS["simultaneous"], period=3, step=0.5
    )
    first = references.play(step, game, found[0], 4)
    second = references.play(step, game, first[-1], 5)
    expected = [*first, *second[1:]]
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)
    strategy = model.strategy
    assert [int(p.iterations.value) for p in strategy.parts] == [4, 5]
    assert int(strategy.iterations.value) == 9


def test_the_number_of_the_phase_can_be_asked_for(made):
    game = LinearGame.random()
    strategy = Phases([(2, "alternating"), (1, "simultaneous"), "optimistic"])
    model = made(strategy, run_eagerly=True)
    seen = []
    for _ in range(5):
        seen.append(strategy.phase)
        model.model.train_on_batch(np.ones((1, 1)), numbers(game))
    assert seen == [0, 0, 1, 2, 2]


def test_a_step_that_is_held_back_belongs_to_no_phase(made):
    game = LinearGame.random()
    strategy = Phases([(2, "alternating"), "simultaneous"])
    model = made(strategy, run_eagerly=True, on_nonfinite="warn")
    good = numbers(game)
    bad = np.full_like(good, np.nan)
    model.model.train_on_batch(np.ones((1, 1)), good)
    for _ in range(2):
        with pytest.warns(UserWarning, match="The step was not made"):
            model.model.train_on_batch(np.ones((1, 1)), bad)
    assert strategy.phase == 0 and int(strategy.parts[0].iterations) == 1
    model.model.train_on_batch(np.ones((1, 1)), good)
    assert strategy.phase == 1


def test_a_phase_of_no_steps_is_left_out(play):
    found = play(Phases([(0, "alternating"), (0, "sos"), "optimistic"]))
    # XLA rounds otherwise where a step is one branch of a condition.
    same = {"rtol": 0, "atol": ROUNDING if TRACED else 0}
    np.testing.assert_allclose(found, play("optimistic"), **same)


def test_it_may_be_within_others_and_others_within_it(play):
    """Also where a switch is within a switch."""
    game = LinearGame.random()
    schedule = o.Scheduled([0, [1, 2]])
    inner = Phases([(1, "alternating"), schedule])
    strategy = o.HistoricalAveraging(Phases([(2, "simultaneous"), inner]), 0.3)
    found = play(strategy, game, 7, run_eagerly=False, jit_compile=TRACED)
    within = [(1, STEPS["alternating"])]
    scheduled = partial(STEPS["scheduled"], schedule=[[0], [1, 2]])
    within.append((EVER, scheduled))
    phases = [
        (2, STEPS["simultaneous"]),
        (EVER, partial(STEPS["phases"], phases=within)),
    ]
    step = partial(
        STEPS["historical_averaging"],
        inner=partial(STEPS["phases"], phases=phases),
        strength=0.3,
    )
    expected = references.play(step, game, found[0], 7)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


def test_its_order_is_the_highest_and_names_and_configs_are_strategies():
    again = keras.saving.serialize_keras_object(o.Consensus())
    strategy = Phases([(3, "alternating"), [2, again], o.Simultaneous()])
    names = [type(p).__name__ for p in strategy.parts]
    assert names == ["Alternating", "Consensus", "Simultaneous"]
    assert strategy.order == 2 and strategy.lengths == (3, 2)


def test_slots_of_all_parts_are_made_and_learning_rates_reach_them(made):
    strategy = Phases([(1, "optimistic"), o.Averaging("optimistic")])
    made(strategy)
    optimistic, averaging = strategy.parts
    memory = [*optimistic.last.values(), *averaging.average.values()]
    kept = {id(v) for v in strategy.variables}
    assert all(id(v) in kept for block in memory for v in block)
    rates = averaging.inner.learning_rates
    assert list(rates) == ["p0", "p1", "p2"]


def test_parts_are_told_to_look(made, begin):
    class Looked(o.Simultaneous):
        looks = 0

        def look(self):
            self.looks += 1

    parts = [Looked(), Looked()]
    game = LinearGame.random()
    model = made(Phases([(1, parts[0]), parts[1]]), run_eagerly=True)
    model.play(game, begin(game), 3)
    assert [part.looks for part in parts] == [3, 3]


@pytest.mark.parametrize(
    "phases",
    [
        [],
        [(3, "alternating")],
        ["alternating", "simultaneous"],
        [(3, "alternating", 4), "simultaneous"],
    ],
)
def test_all_but_the_last_must_have_a_number(phases):
    with pytest.raises(ValueError, match=r"pairs of a number of steps"):
        Phases(phases)


@pytest.mark.parametrize("phases", ["alternating", {"a": 1}, 3])
def test_phases_must_be_a_list(phases):
    with pytest.raises(TypeError, match="`phases` must be a list"):
        Phases(phases)


def test_numbers_of_steps_are_checked():
    with pytest.raises(TypeError, match=r"`phases\[1\]\[0\]` must be a whole"):
        Phases([(1, "sos"), (2.5, "alternating"), "simultaneous"])
    with pytest.raises(ValueError, match=r"`phases\[0\]\[0\]` is out of range"):
        Phases([(-1, "alternating"), "simultaneous"])
    with pytest.raises(ValueError, match="alternating"):
        Phases([(1, "alternatin"), "simultaneous"])


def test_a_part_for_two_players_refuses_three(refused):
    class ForTwo(o.Simultaneous):
        players = 2

    words = refused(Phases([(1, ForTwo()), "sos"]), players=3)
    assert "`ForTwo` is for 2 players" in words


def test_one_object_cannot_play_two_phases(refused):
    part = o.Optimistic()
    assert "belongs to one" in refused(Phases([(1, part), part]))
