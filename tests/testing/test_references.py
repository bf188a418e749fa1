"""The transcriptions against the update matrices, on random games."""

import ast
import inspect
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import adversarial.testing
from adversarial.testing import LinearGame, references
from adversarial.testing.references import DIRECTIONS, MATRICES, STEPS, play

SEEDS = (0, 1, 2)
STEPS_PLAYED = 20
# Rounding of 20 steps through solves of well-conditioned systems.
ROUNDING = 1e-11

WEIGHTS = [[0.3, 0.0, 0.7], [-0.2, 0.5, 0.1], [0.0, 0.4, 0.2]]
RALSTON = ([[0, 0, 0], [0.5, 0, 0], [0, 0.75, 0]], [2 / 9, 1 / 3, 4 / 9])
LEADERS = [
    {"leader": leader, "damping": damping}
    for leader in (0, 1, 2)
    for damping in (0.0, 0.5)
]

CASES = {
    "simultaneous": [{}],
    "alternating": [
        {},
        {"order": [2, 0, 1]},
        {"steps": {1: 3}},
        {"order": [1, 2, 0], "steps": {0: 2, 2: 2}},
    ],
    "scheduled": [
        {"schedule": [[0], [0], [1, 2]]},
        {"schedule": [[2, 0], [1]]},
        {"schedule": [[0, 1, 2]]},
    ],
    "extra_gradient": [
        {},
        {"lookahead": 2.5},
        {"lookahead": 0.5, "optimizer_state": "discard"},
        {"lookahead": 0.5, "optimizer_state": "plain"},
        {"reuse_past": True},
        {"reuse_past": True, "lookahead": 1.5, "optimizer_state": "discard"},
        {"reuse_past": True, "lookahead": 0.3, "optimizer_state": "plain"},
        {"fresh_batch": True, "lookahead": 1.5},
        {"inner": ("jare", {"strength": 0.5})},
        {"inner": ("lola", {}), "reuse_past": True},
        {"inner": ("lola", {}), "fresh_batch": True},
    ],
    "optimistic": [
        {"inner": ("simultaneous", {})},
        {"inner": ("simultaneous", {}), "strength": 0.4},
        {"inner": ("alternating", {}), "strength": 1.5},
        {"inner": ("consensus", {"strength": 0.5})},
        {"inner": ("lead", {"strength": 0.2}), "strength": 0.7},
    ],
    "prediction": [
        {},
        {"order": [1, 2, 0]},
        {"two_sided": True},
        {"order": [2, 0, 1], "two_sided": True},
    ],
    "runge_kutta": [
        {"tableau": "euler"},
        {"tableau": "midpoint"},
        {"tableau": "heun"},
        {"tableau": "rk4"},
        {"tableau": RALSTON},
        {"inner": ("consensus", {"strength": 0.5})},
        {"inner": ("lola", {}), "tableau": "heun"},
    ],
    "lookahead": [
        {"inner": ("alternating", {})},
        {"inner": ("simultaneous", {}), "period": 4, "step": 0.8},
        {
            "inner": (
                "extra_gradient",
                {"reuse_past": True, "optimizer_state": "plain"},
            ),
            "period": 3,
        },
        {"inner": ("jare", {"strength": 0.5}), "period": 2, "step": 0.3},
        {"inner": ("extra_gradient", {"reuse_past": True}), "period": 3},
    ],
    "averaging": [
        {"inner": ("alternating", {}), "decay": 0.9},
        {"inner": ("extra_gradient", {}), "decay": 0.5},
    ],
    "gradient_norm": [{"weights": WEIGHTS}, {"weights": np.eye(3).tolist()}],
    "consensus": [{}, {"strength": 0.3}, {"strength": -0.2}],
    "jare": [{}, {"strength": 0.3}],
    "hamiltonian_descent": [{}],
    "odegan_regularizer": [
        {},
        {"strength": 1.0},
        {"strength": 0.5, "of": 2, "payer": 0},
    ],
    "symplectic_gradient_adjustment": [
        {"align": None},
        {"align": None, "strength": 0.4},
    ],
    "policy_prediction": [{}, {"step": 0.5}, {"step": [0.1, 0.2, 0.4]}],
    "lola": [
        {},
        {"step": 0.5},
        {"step": [0.1, 0.2, 0.4]},
        {"form": "foerster"},
        {"form": "foerster", "step": [0.3, 0.1, 0.2]},
    ],
    "unrolled": [
        {"depth": 0},
        {"depth": 1},
        {"depth": 4},
        {"depth": {0: 3, 2: 1}},
        {"depth": 1, "through": False},
        {"depth": {1: 5, 2: 2}, "through": False},
    ],
    "competitive_gradient": [{}],
    "stackelberg_gradient": LEADERS,
    "follow_the_ridge": LEADERS,
    "lead": [{}, {"strength": 0.1}, {"strength": -0.3}],
}
# What these have as `inner` is a direction, not a step.
OF_DIRECTIONS = {"extra_gradient", "runge_kutta"}
ROWS = [(name, args) for name, rows in CASES.items() for args in rows]


def resolved(value, table, game=None):
    """Replaces (name, arguments) by the function or by the matrix."""
    name, arguments = value
    made = partial(table[name], **arguments)
    return made if game is None else made(game)


def pair(game, name, arguments):
    """The step and the update matrix of a case."""
    for_step, for_matrix = dict(arguments), dict(arguments)
    if "inner" in arguments:
        table = DIRECTIONS if name in OF_DIRECTIONS else STEPS
        for_step["inner"] = resolved(arguments["inner"], table)
        for_matrix["inner"] = resolved(arguments["inner"], MATRICES, game)
    for_matrix.pop("align", None)
    step = partial(STEPS[name], **for_step)
    return step, MATRICES[name](game, **for_matrix)


def starts(matrix):
    """Points that span the space, and one more."""
    size = len(matrix.fixed_point)
    extra = np.random.default_rng(7).normal(size=size)
    return [matrix.fixed_point + z for z in (*np.eye(size), extra)]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("name", "arguments"), ROWS)
def test_the_steps_are_those_of_the_update_matrix(name, arguments, seed):
    game = LinearGame.random((2, 3, 1), seed)
    step, matrix = pair(game, name, arguments)
    for theta in starts(matrix):
        points = play(step, game, theta, STEPS_PLAYED)
        scale = 1 + np.abs(points - matrix.fixed_point).max()
        for times in range(STEPS_PLAYED // matrix.steps + 1):
            np.testing.assert_allclose(
                points[times * matrix.steps],
                matrix.after(theta, times),
                rtol=0,
                atol=ROUNDING * (scale + np.abs(matrix.fixed_point).max()),
            )


@pytest.mark.parametrize(("name", "arguments"), ROWS)
def test_the_players_do_move(name, arguments):
    game = LinearGame.random((2, 3, 1), 0)
    step, matrix = pair(game, name, arguments)
    points = play(step, game, matrix.fixed_point + np.ones(6), 3)
    assert np.abs(points[-1] - points[0]).max() > 0.01


def test_every_reference_has_its_matrix_but_four():
    """Two are not linear, and two have another matrix as time goes on."""
    without = {"anderson", "balanced", "historical_averaging", "phases"}
    assert set(STEPS) - set(MATRICES) == without
    assert set(MATRICES) <= set(STEPS)
    assert set(DIRECTIONS) <= set(STEPS)


def test_every_matrix_but_that_of_sos_is_compared_here():
    assert set(MATRICES) - set(CASES) == {"sos"}


def test_every_matrix_of_the_modules_is_in_the_table():
    modules = (references.direction_matrices, references.update_matrices)
    written = {
        name.removeprefix("matrix_of_")
        for module in modules
        for name in vars(module)
        if name.startswith("matrix_of_")
    }
    assert written == set(MATRICES)


@pytest.mark.parametrize("name", sorted(STEPS))
def test_every_reference_says_what_it_is(name):
    assert STEPS[name].__doc__


def test_play_starts_anew_and_keeps_the_start():
    game = LinearGame.random((1, 1), 0)
    step = partial(STEPS["extra_gradient"], reuse_past=True)
    theta = np.array([1.0, 2.0])
    points = play(step, game, theta, 4)
    assert points.shape == (5, 2)
    np.testing.assert_array_equal(points[0], theta)
    np.testing.assert_array_equal(play(step, game, theta, 4), points)


REDUCED = [
    ("extra_gradient", {"lookahead": 0.0}, "simultaneous", {}),
    (
        "extra_gradient",
        {"lookahead": 0.0, "reuse_past": True},
        "simultaneous",
        {},
    ),
    ("optimistic", {"strength": 0.0}, "simultaneous", {}),
    ("consensus", {"strength": 0.0}, "simultaneous", {}),
    ("jare", {"strength": 0.0}, "simultaneous", {}),
    ("symplectic_gradient_adjustment", {"strength": 0.0}, "simultaneous", {}),
    ("odegan_regularizer", {"strength": 0.0}, "simultaneous", {}),
    ("unrolled", {"depth": 0}, "simultaneous", {}),
    ("policy_prediction", {"step": 0.0}, "simultaneous", {}),
    ("lola", {"step": 0.0}, "simultaneous", {}),
    ("lola", {"step": 0.0, "form": "foerster"}, "simultaneous", {}),
    ("sos", {"step": 0.0}, "simultaneous", {}),
    ("runge_kutta", {"tableau": "euler"}, "simultaneous", {}),
    ("lead", {"strength": 0.0}, "simultaneous", {}),
    ("lookahead", {"period": 1, "step": 1.0}, "alternating", {}),
    ("averaging", {}, "alternating", {}),
    ("anderson", {"memory": 0}, "alternating", {}),
    ("scheduled", {"schedule": [[0, 1, 2]]}, "simultaneous", {}),
    ("unrolled", {"depth": 1, "through": False}, "policy_prediction", {}),
    (
        "gradient_norm",
        {"weights": [[0.5] * 3] * 3},
        "consensus",
        {"strength": 0.5},
    ),
]


@pytest.mark.parametrize(("name", "arguments", "to", "others"), REDUCED)
def test_special_cases_reduce_to_other_strategies(name, arguments, to, others):
    game = LinearGame.random((2, 3, 1), 4)
    theta = np.random.default_rng(1).normal(size=6)
    np.testing.assert_allclose(
        play(partial(STEPS[name], **arguments), game, theta, 10),
        play(partial(STEPS[to], **others), game, theta, 10),
        rtol=0,
        atol=ROUNDING,
    )


def test_the_references_share_no_code_with_the_package():
    folder = Path(adversarial.testing.__file__).parent
    waiting, seen = (
        [
            "adversarial.testing.references",
            "adversarial.testing.closed_forms",
            "adversarial.testing.adam_references",
        ],
        set(),
    )
    while waiting:
        module = waiting.pop()
        seen.add(module)
        tree = ast.parse(inspect.getsource(sys.modules[module]))
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
                if node.module == "adversarial.testing":
                    names = [f"{node.module}.{a.name}" for a in node.names]
            for name in names:
                first = name.split(".")[0]
                # Keras says how it rounds the numbers of Adam.
                engine = module == "adversarial.testing.adam_references"
                assert first in {
                    "numpy",
                    "adversarial",
                    *(["keras"] if engine else []),
                    *sys.stdlib_module_names,
                }
                if first == "adversarial":
                    assert name.startswith("adversarial.testing."), name
                    assert (folder / f"{name.split('.')[2]}.py").is_file()
                    waiting += [name] if name not in seen else []
    assert len(seen) == 10
