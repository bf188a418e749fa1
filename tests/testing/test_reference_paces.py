import numpy as np

from adversarial.testing import LinearGame
from adversarial.testing.reference_paces import balanced, phases
from adversarial.testing.reference_steps import lookahead, simultaneous

GAME = LinearGame.bilinear(0.5)
"""The losses are x y and -x y; the gradients y and -x."""


def test_phases_forget_what_the_one_before_remembered():
    def counting(game, theta, state):
        t = state.get("t", 0) + 1
        return theta + t, {"t": t}

    theta, state, seen = np.zeros(2), {}, []
    for _ in range(5):
        rest = [(2, counting), (0, lookahead), (float("inf"), counting)]
        theta, state = phases(GAME, theta, state, phases=rest)
        seen.append(theta[0])
    assert seen == [1, 3, 4, 6, 9]


def test_who_is_winning_rests_unless_all_are():
    theta = np.array([1.0, 2.0])  # The losses are 2 and -2.
    for skip, expected in (
        ({1: -1.9}, [0.0, 2.0]),
        ({1: -2.1}, [0.0, 2.5]),
        ({0: 3.0, 1: 3.0}, [0.0, 2.5]),
        ({0: (-1.1, 1)}, [1.0, 2.5]),
        ({0: (-0.9, 1)}, [0.0, 2.5]),
    ):
        found, state = balanced(GAME, theta, {}, inner=simultaneous, skip=skip)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(state["level"], [2.0, -2.0])


def test_levels_are_smoothed_from_the_first_loss_on():
    theta, state = np.array([1.0, 2.0]), {}
    for _ in range(2):
        theta, state = balanced(
            GAME, theta, state, inner=simultaneous, skip={0: 3.0}, smoothing=0.5
        )
    # x rests twice; y goes to 2.5 with the loss 2.5 before the second step.
    np.testing.assert_array_equal(theta, [1.0, 3.0])
    np.testing.assert_array_equal(state["level"], [2.25, -2.25])
    np.testing.assert_array_equal(state["rested"], [2, 0])
