import keras
import numpy as np
import pytest

from adversarial.optimizers import Scheduled, Simultaneous

STEPS = 20
STEP_SIZE = 0.1
# Rounding of 20 steps of sums over up to 8 numbers near 1.
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}


def loop(game, schedule, steps):
    """The schedule in NumPy: entry t mod length moves at one point."""
    points = [game.start]
    for t in range(steps):
        theta = points[-1].copy()
        for i in schedule[t % len(schedule)]:
            part = slice(game.edges[i], game.edges[i + 1])
            theta[part] -= STEP_SIZE * game.gradient(i, points[-1])
        points.append(theta)
    return np.array(points)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("blocks", "schedule", "numbers"),
    [
        ([2, 3], ["p1", "p1", "p0"], [[1], [1], [0]]),
        ([2, 3, 1], [["p0", "p2"], 1], [[0, 2], [1]]),
        ([1, 2, 3, 2], [3, ["p0", 1, 2]], [[3], [0, 1, 2]]),
    ],
)
def test_it_equals_a_numpy_loop(
    quadratic, blocks, schedule, numbers, dtype, request
):
    if dtype == "float64":
        request.getfixturevalue("float64")
    game = quadratic(blocks, dtype)
    model = game.compiled(Scheduled(schedule), STEP_SIZE)
    expected = loop(game, numbers, STEPS)
    np.testing.assert_allclose(
        game.play(model, STEPS),
        expected,
        rtol=0,
        atol=TOLERANCE[dtype] * np.abs(expected).max(),
    )


def test_the_first_batch_plays_entry_0_and_the_counter_is_saved(
    quadratic, tmp_path
):
    game = quadratic([1, 1])
    model = game.compiled(Scheduled(["p0", "p1", "p1"]), STEP_SIZE)
    played = game.play(model, 2)
    moved = played[1:] != played[:-1]
    assert moved.tolist() == [[True, False], [False, True]]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert int(again.optimizer.iterations) == 2
    played = game.play(again, 2)
    moved = played[1:] != played[:-1]
    assert moved.tolist() == [[False, True], [True, False]]


def test_the_reported_losses_are_those_of_all_players_before_the_step(
    quadratic,
):
    game = quadratic([2, 1])
    model = game.compiled(Scheduled(["p1"]), STEP_SIZE)
    logs = model.train_on_batch(np.ones((1, 1)), return_dict=True)
    np.testing.assert_allclose(
        [logs["p0_loss"], logs["p1_loss"]], game.values(game.start), rtol=1e-6
    )


def test_several_steps_in_one_execution_go_on_in_the_schedule(quadratic):
    game = quadratic([1, 1])
    ends = []
    for steps in (1, 3):
        model = game.compiled(
            Scheduled([0, 1]), STEP_SIZE, steps_per_execution=steps
        )
        model.fit(np.ones((7, 1)), batch_size=1, verbose=0)
        ends.append(model.get_weights())
    np.testing.assert_array_equal(*ends)


def test_its_configuration_makes_it_again():
    strategy = Scheduled(["a", ["b", 0]])
    config = keras.saving.serialize_keras_object(strategy)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == {
        "schedule": [["a"], ["b", 0]],
        "inner": keras.saving.serialize_keras_object(Simultaneous()),
    }


@pytest.mark.parametrize("schedule", [[], "generator", ["a", []]])
def test_empty_schedules_and_entries_are_refused(schedule):
    with pytest.raises(ValueError, match="at least one"):
        Scheduled(schedule)


@pytest.mark.parametrize("player", ["p2", 2, -1])
def test_unknown_players_are_refused(quadratic, player):
    game = quadratic([1, 1])
    with pytest.raises(ValueError, match="Unknown player in `schedule`"):
        game.model().compile(Scheduled([0, player]), "sgd", game.loss())
