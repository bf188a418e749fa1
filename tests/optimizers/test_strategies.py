"""Every strategy, with several arguments, through all proofs.

A row says what is claimed of a strategy: the NumPy reference that it equals,
its update matrix, its rate on the bilinear game, whether it sees the field
only. The first row of each strategy is checked by every proof there is; the
others, with two players, by those that the arguments can matter to.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest

from adversarial import optimizers as o, registry
from adversarial.testing import bilinear_rate, check_strategy
from adversarial.testing.references import DIRECTIONS, MATRICES, STEPS

RULE = ("config", "formula", "matrix", "rate", "evaluations", "order")
# Systems are solved to 1e-14, of condition numbers up to about 100.
SOLVED = 1e-10
EXACT = {"tolerance": 1e-14, "max_iterations": 8}
# The reference solves least squares, the strategy normal equations.
MIXED = 1e-8
RALSTON = ([[], [2 / 3]], [1 / 4, 3 / 4])
RALSTON_FULL = ([[0, 0], [2 / 3, 0]], [1 / 4, 3 / 4])
WEIGHTS = {"p0": {"p1": 0.5}, "p1": {"p0": 0.25, "p1": 0.1}}


@dataclass
class Row:
    """A strategy and what is claimed of it.

    Args:
        strategy: The strategy.
        like: The name of its reference, matrix and rate.
        arguments: Their arguments.
        without: Which of "reference", "matrix" and "rate" there is not.
        proofs: Which proofs are made; `None` is all.
        claims: What else is claimed.
    """

    strategy: Any
    like: str
    arguments: dict[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    proofs: tuple[str, ...] | None = RULE
    claims: dict[str, Any] = field(default_factory=dict)


def row(strategy, like, arguments=None, *, without=(), proofs=RULE, **claims):
    if proofs is not None:
        claims = {"players": [2], **claims}
    return Row(strategy, like, arguments or {}, without, proofs, claims)


def every(*args, **claims):
    """A row that is checked by all proofs."""
    return row(*args, proofs=None, **claims)


def kin(*args, **claims):
    """The same, but for networks, which a relative of the strategy trains."""
    return every(*args, skip=("precisions", "slots", "training"), **claims)


def in_turn(game, theta, state, *, direction):
    """Alternating steps along a direction."""
    for part, rate in zip(game.slices, game.rates, strict=True):
        g = direction(game, theta)
        theta = theta.copy()
        theta[part] -= rate * g[part]
    return theta, state


def looking_ahead(game, theta, state, *, direction, lookahead):
    """Extragradient steps along a direction."""
    rates = np.diag(game.D)
    half = theta - lookahead * rates * direction(game, theta)
    return theta - rates * direction(game, half), state


def half_points(game, half, state, *, lookahead=1.0, policy="shared"):
    """Popov's rule as the players see it, who stand at the half points.

    The other policies look ahead along the last gradient rather than the last
    move, which is the same with plain steps.
    """
    theta = state.get("theta", half)
    u = -game.D @ game.field(half)
    theta = theta + u
    return theta + lookahead * u, {"theta": theta}


def ode_gan(game, theta, state, *, strength):
    """Runge-Kutta steps, and the slope of |xi_0|^2 for the second player."""
    stepped, _ = STEPS["runge_kutta"](game, theta, {})
    mine = game.slices[1]
    penalty = 2 * game.hessian(0, 0, 1).T @ game.gradient(0, theta)
    stepped[mine] -= game.rates[1] * strength * penalty
    return stepped, state


def weights_of(game):
    table = [[0.0, 0.5, 0.0], [0.25, 0.1, 0.0], [0.0, 0.0, 0.0]]
    n = len(game.blocks)
    return [line[:n] for line in table[:n]]


def by_weights(function):
    return lambda game, *rest: function(game, *rest, weights=weights_of(game))


def cg_game():
    return {"players": [2], "zero_sum": True, "tolerance": SOLVED}


def nested(game, theta, state):
    pair = partial(STEPS["lookahead"], inner=STEPS["simultaneous"])
    inner = partial(pair, period=2, step=0.5)
    return STEPS["lookahead"](
        game, theta, state, inner=inner, period=6, step=0.7
    )


def phased(*phases):
    """The reference of phases, the last of which is for ever."""
    *before, (last, arguments) = phases
    known = {**STEPS, "half_points": half_points}
    pairs = [(n, partial(known[like], **given)) for n, like, given in before]
    ever = (float("inf"), partial(STEPS[last], **arguments))
    return partial(STEPS["phases"], phases=[*pairs, ever])


CONSENSUS = partial(DIRECTIONS["consensus"], strength=1.0)
HALF_POINTS = ("reference", "matrix")

TABLE: dict[str, list[Row]] = {
    "simultaneous": [
        every(
            o.Simultaneous(),
            "simultaneous",
            field_only=True,
            alone_as_fit=True,
        ),
    ],
    "alternating": [
        every(
            o.Alternating(),
            "alternating",
            symmetric=False,
            field_only=True,
            alone_as_fit=True,
        ),
        row(
            o.Alternating(["p2", "p0", "p1"], {"p0": 2}),
            "alternating",
            {"order": [2, 0, 1], "steps": {0: 2}},
            players=[3],
        ),
        row(
            o.Alternating(steps={"p1": 3}),
            "alternating",
            {"steps": {1: 3}},
            players=[2, 3],
        ),
        row(
            o.Alternating(inner=o.Consensus(1.0)),
            "alternating",
            without=("matrix", "rate"),
            reference=partial(in_turn, direction=CONSENSUS),
        ),
    ],
    "scheduled": [
        every(
            o.Scheduled([0, 0, 1]),
            "scheduled",
            {"schedule": [[0], [0], [1]]},
            without=("rate",),
            players=[2, 3],
            symmetric=False,
            field_only=True,
        ),
        row(
            o.Scheduled([["p2", "p0"], "p1"]),
            "scheduled",
            {"schedule": [[2, 0], [1]]},
            without=("rate",),
            players=[3],
        ),
    ],
    "extra_gradient": [
        every(
            o.ExtraGradient(2.0),
            "extra_gradient",
            {"lookahead": 2.0},
            field_only=True,
        ),
        row(
            o.ExtraGradient(0.5, optimizer_state="discard"),
            "extra_gradient",
            {"lookahead": 0.5},
        ),
        row(
            o.ExtraGradient(0.5, optimizer_state="plain"),
            "extra_gradient",
            {"lookahead": 0.5},
        ),
        row(
            o.ExtraGradient(1.5, fresh_batch=True),
            "extra_gradient",
            {"lookahead": 1.5, "fresh_batch": True},
            proofs=None,
            field_only=True,
        ),
        row(
            o.ExtraGradient(reuse_past=True),
            "extra_gradient",
            {"reuse_past": True},
            without=HALF_POINTS,
            reference=half_points,
            proofs=None,
            field_only=True,
        ),
        row(
            o.ExtraGradient(1.5, True, "discard"),
            "extra_gradient",
            {"reuse_past": True, "lookahead": 1.5},
            without=HALF_POINTS,
            reference=partial(half_points, lookahead=1.5),
        ),
        row(
            o.ExtraGradient(0.7, True, "plain"),
            "extra_gradient",
            {"reuse_past": True, "lookahead": 0.7},
            without=HALF_POINTS,
            reference=partial(half_points, lookahead=0.7),
        ),
        row(
            o.ExtraGradient(inner=o.Consensus(1.0)),
            "extra_gradient",
            without=("matrix", "rate"),
            reference=partial(looking_ahead, direction=CONSENSUS, lookahead=1),
        ),
    ],
    "optimistic": [
        every(
            o.Optimistic(),
            "optimistic",
            {"inner": ("simultaneous", {})},
            field_only=True,
        ),
        row(
            o.Optimistic("alternating", 0.4),
            "optimistic",
            {"inner": ("alternating", {}), "strength": 0.4},
        ),
        row(
            o.Optimistic(o.Consensus(1.0)),
            "optimistic",
            {"inner": ("consensus", {"strength": 1.0})},
            without=("rate",),
        ),
    ],
    "prediction": [
        every(
            o.Prediction(),
            "prediction",
            symmetric=False,
            field_only=True,
            alone_as_fit=True,
        ),
        row(o.Prediction(two_sided=True), "prediction", {"two_sided": True}),
        row(
            o.Prediction(["p1", "p2", "p0"], two_sided=True),
            "prediction",
            {"order": [1, 2, 0], "two_sided": True},
            players=[3],
        ),
        row(
            o.Prediction(["p2", "p1", "p0"]),
            "prediction",
            {"order": [2, 1, 0]},
            players=[3],
        ),
    ],
    "runge_kutta": [
        every(o.RungeKutta(), "runge_kutta", field_only=True),
        row(o.RungeKutta("euler"), "runge_kutta", {"tableau": "euler"}),
        row(o.RungeKutta("midpoint"), "runge_kutta", {"tableau": "midpoint"}),
        row(o.RungeKutta("heun"), "runge_kutta", {"tableau": "heun"}),
        row(
            o.RungeKutta(RALSTON),
            "runge_kutta",
            {"tableau": RALSTON_FULL},
            without=("rate",),
        ),
        row(
            o.RungeKutta("heun", o.Consensus(1.0)),
            "runge_kutta",
            {"tableau": "heun", "inner": ("consensus", {"strength": 1.0})},
            without=("rate",),
        ),
    ],
    "lookahead": [
        every(
            o.Lookahead(o.Alternating(), period=5, step=0.5),
            "lookahead",
            {"inner": ("alternating", {}), "period": 5, "step": 0.5},
            symmetric=False,
            field_only=True,
        ),
        row(
            o.Lookahead("simultaneous", 3, 0.4),
            "lookahead",
            {"inner": ("simultaneous", {}), "period": 3, "step": 0.4},
        ),
        row(
            o.Lookahead(o.Scheduled([0, 1]), period=2),
            "lookahead",
            {"inner": ("scheduled", {"schedule": [[0], [1]]}), "period": 2},
            without=("rate", "matrix"),
            players=[2, 3],
        ),
        row(
            o.Lookahead(o.Lookahead("simultaneous", 2, 0.5), 6, 0.7),
            "lookahead",
            without=("rate", "matrix"),
            reference=nested,
        ),
        row(
            o.Lookahead(
                o.Phases([(3, o.Lookahead("simultaneous", 2)), "alternating"]),
                6,
                0.7,
            ),
            "lookahead",
            without=("reference", "rate", "matrix"),
            reference=partial(
                STEPS["lookahead"],
                inner=phased(
                    (
                        3,
                        "lookahead",
                        {"inner": STEPS["simultaneous"], "period": 2},
                    ),
                    ("alternating", {}),
                ),
                period=6,
                step=0.7,
            ),
        ),
    ],
    "balanced": [
        every(
            o.Balanced(
                "simultaneous", skip={"p0": 0.2, "p1": -0.5}, smoothing=0.6
            ),
            "balanced",
            {
                "inner": ("simultaneous", {}),
                "skip": {0: 0.2, 1: -0.5},
                "smoothing": 0.6,
            },
            without=("matrix", "rate"),
            players=[2, 3],
        ),
        row(
            o.Balanced("alternating", skip={"p0": (0.9, "p1")}),
            "balanced",
            {"inner": ("alternating", {}), "skip": {0: (0.9, 1)}},
            without=("matrix", "rate"),
            players=[2, 3],
        ),
        row(
            o.Balanced(o.Scheduled([0, [0, 1]]), skip={"p0": 0.2}),
            "balanced",
            {
                "inner": ("scheduled", {"schedule": [[0], [0, 1]]}),
                "skip": {0: 0.2},
            },
            without=("matrix", "rate"),
            proofs=(*RULE, "eager", "xla", "nonfinite", "saving"),
        ),
    ],
    "phases": [
        every(
            o.Phases(
                [
                    (1, o.Alternating(steps={"p0": 3})),
                    (2, o.Lookahead("simultaneous", 2)),
                    "extra_gradient",
                ]
            ),
            "phases",
            without=("reference", "rate"),
            reference=phased(
                (1, "alternating", {"steps": {0: 3}}),
                (2, "lookahead", {"inner": STEPS["simultaneous"], "period": 2}),
                ("extra_gradient", {}),
            ),
            symmetric=False,
            field_only=True,
        ),
        row(
            o.Phases([(6, o.ExtraGradient(reuse_past=True)), o.Consensus(0.7)]),
            "phases",
            without=("reference", "rate"),
            reference=phased(
                (6, "half_points", {}), ("consensus", {"strength": 0.7})
            ),
            proofs=("config", "formula", "eager", "xla", "saving"),
            players=[2, 3],
        ),
    ],
    "averaging": [
        every(
            o.Averaging(o.ExtraGradient()),
            "averaging",
            {"inner": ("extra_gradient", {})},
            without=("rate",),
            field_only=True,
        ),
        row(
            o.Averaging("alternating", "uniform"),
            "averaging",
            {"inner": ("alternating", {}), "kind": "uniform"},
            without=("matrix",),
        ),
    ],
    "historical_averaging": [
        every(
            o.HistoricalAveraging("simultaneous", 0.3),
            "historical_averaging",
            {"inner": ("simultaneous", {}), "strength": 0.3},
            without=("matrix", "rate"),
            field_only=True,
        ),
        row(
            o.HistoricalAveraging(),
            "historical_averaging",
            without=("matrix", "rate"),
            players=[2, 3],
        ),
        row(
            o.HistoricalAveraging(o.ExtraGradient(2.0), 1.5),
            "historical_averaging",
            {"inner": ("extra_gradient", {"lookahead": 2.0}), "strength": 1.5},
            without=("matrix", "rate"),
        ),
        row(
            o.HistoricalAveraging(o.Scheduled([0, 0, 1]), 0.5),
            "historical_averaging",
            {
                "inner": ("scheduled", {"schedule": [[0], [0], [1]]}),
                "strength": 0.5,
            },
            without=("matrix", "rate"),
            proofs=(*RULE, "eager", "xla", "nonfinite", "saving"),
        ),
        row(
            o.HistoricalAveraging(o.Lookahead("simultaneous", 2, 0.5), 0.7),
            "historical_averaging",
            {
                "inner": (
                    "lookahead",
                    {"inner": STEPS["simultaneous"], "period": 2, "step": 0.5},
                ),
                "strength": 0.7,
            },
            without=("matrix", "rate"),
        ),
    ],
    "anderson": [
        every(
            o.Anderson("alternating", 2, 1e-6),
            "anderson",
            {"inner": ("alternating", {}), "regularization": 1e-6},
            without=("matrix", "rate"),
            symmetric=False,
            field_only=True,
            tolerance=MIXED,
        ),
        row(
            o.Anderson("simultaneous", 3, 1e-4),
            "anderson",
            {
                "inner": ("simultaneous", {}),
                "memory": 3,
                "regularization": 1e-4,
            },
            without=("matrix", "rate"),
            tolerance=MIXED,
        ),
    ],
    "unrolled": [
        every(
            o.Unrolled(2),
            "unrolled",
            {"depth": 2},
            field_only=False,
            alone_as_fit=True,
        ),
        row(
            o.Unrolled(3, through=False),
            "unrolled",
            {"depth": 3, "through": False},
        ),
        row(
            o.Unrolled({"p0": 3, "p1": 1}),
            "unrolled",
            {"depth": {0: 3, 1: 1}},
            players=[2, 3],
        ),
        row(o.Unrolled(2, rematerialize=True), "unrolled", {"depth": 2}),
    ],
    "gradient_norm": [
        kin(
            o.GradientNorm(WEIGHTS),
            "gradient_norm",
            without=("reference", "matrix", "rate"),
            reference=by_weights(STEPS["gradient_norm"]),
            matrix=by_weights(MATRICES["gradient_norm"]),
            rate=partial(
                bilinear_rate, "gradient_norm", weights=[[0, 0.5], [0.25, 0.1]]
            ),
            players=[2, 3],
            field_only=True,
        ),
    ],
    "consensus": [
        every(
            o.Consensus(0.7), "consensus", {"strength": 0.7}, field_only=True
        ),
        row(
            o.Consensus(0.7, "jare"),
            "gradient_norm",
            without=("reference", "matrix", "rate"),
            reference=lambda game, theta, state: STEPS["gradient_norm"](
                game,
                theta,
                state,
                weights=1.7 - np.eye(len(game.blocks)),
            ),
        ),
    ],
    "jare": [
        kin(o.JARE(0.7), "jare", {"strength": 0.7}, field_only=True),
    ],
    "hamiltonian_descent": [
        kin(o.HamiltonianDescent(), "hamiltonian_descent", field_only=True),
    ],
    "odegan_regularizer": [
        kin(
            o.ODEGANRegularizer(0.3, of="p0", payer="p1"),
            "odegan_regularizer",
            {"strength": 0.3},
            players=[2, 3],
            field_only=True,
        ),
        row(
            o.ODEGANRegularizer(0.3, "p0", "p1", inner=o.RungeKutta()),
            "odegan_regularizer",
            without=("matrix", "rate"),
            reference=partial(ode_gan, strength=0.3),
            players=[2, 3],
        ),
    ],
    "symplectic_gradient_adjustment": [
        every(
            o.SymplecticGradientAdjustment(0.7),
            "symplectic_gradient_adjustment",
            {"strength": 0.7},
            without=("matrix",),
            field_only=True,
            alone_as_fit=True,
        ),
        row(
            o.SymplecticGradientAdjustment(0.7, None),
            "symplectic_gradient_adjustment",
            {"strength": 0.7, "align": None},
            without=("matrix",),
            matrix=partial(
                MATRICES["symplectic_gradient_adjustment"], strength=0.7
            ),
        ),
        row(
            o.SymplecticGradientAdjustment(0.7, "cosine", -0.1),
            "symplectic_gradient_adjustment",
            {"strength": 0.7, "align": "cosine", "align_epsilon": -0.1},
            without=("matrix",),
        ),
    ],
    "policy_prediction": [
        kin(
            o.PolicyPrediction(0.3),
            "policy_prediction",
            {"step": 0.3},
            field_only=True,
            alone_as_fit=True,
        ),
        row(o.PolicyPrediction(), "policy_prediction"),
    ],
    "lola": [
        kin(
            o.LOLA(0.3),
            "lola",
            {"step": 0.3},
            field_only=False,
            alone_as_fit=True,
        ),
        row(o.LOLA(), "lola"),
        row(o.LOLA(0.5, "foerster"), "lola", {"step": 0.5, "form": "foerster"}),
    ],
    "sos": [
        every(
            o.SOS(0.5),
            "sos",
            {"step": 0.5},
            without=("matrix",),
            field_only=False,
            alone_as_fit=True,
        ),
        row(
            o.SOS(a=0.2, b=0.9),
            "sos",
            {"a": 0.2, "b": 0.9},
            without=("matrix", "rate"),
        ),
    ],
    "competitive_gradient": [
        every(
            o.CompetitiveGradient(**EXACT),
            "competitive_gradient",
            tolerance=SOLVED,
            field_only=True,
            alone_as_fit=False,
        ),
        row(
            o.CompetitiveGradient("cg", **EXACT),
            "competitive_gradient",
            proofs=(*RULE, "eager", "xla", "nonfinite", "saving"),
            **cg_game(),
        ),
        row(
            o.CompetitiveGradient(
                "neumann", tolerance=1e-14, max_iterations=60
            ),
            "competitive_gradient",
            proofs=("config", "formula", "matrix"),
            without=("rate",),
            tolerance=SOLVED,
        ),
        row(
            o.CompetitiveGradient(
                adaptive=True, beta_2=0.9, epsilon=0.5, **EXACT
            ),
            "competitive_gradient",
            {"adaptive": True, "beta_2": 0.9, "epsilon": 0.5},
            without=("matrix", "rate"),
            tolerance=SOLVED,
        ),
        row(
            o.CompetitiveGradient("cg", adaptive=True, epsilon=0.5, **EXACT),
            "competitive_gradient",
            {"adaptive": True, "epsilon": 0.5},
            without=("matrix", "rate"),
            **cg_game(),
        ),
    ],
    "stackelberg_gradient": [
        every(
            o.StackelbergGradient("p0", 2.0, **EXACT),
            "stackelberg_gradient",
            {"leader": 0, "damping": 2.0},
            tolerance=SOLVED,
            field_only=False,
            alone_as_fit=True,
        ),
        row(
            o.StackelbergGradient("p1", 2.0, warm_start=False, **EXACT),
            "stackelberg_gradient",
            {"leader": 1, "damping": 2.0},
            players=[2, 3],
            tolerance=SOLVED,
        ),
        row(
            o.StackelbergGradient("p0", 3.0, solver="cg", **EXACT),
            "stackelberg_gradient",
            {"leader": 0, "damping": 3.0},
            players=[2],
            tolerance=SOLVED,
        ),
    ],
    "follow_the_ridge": [
        every(
            o.FollowTheRidge("p0", **EXACT),
            "follow_the_ridge",
            {"leader": 0, "damping": 1.0},
            tolerance=SOLVED,
            field_only=True,
            alone_as_fit=True,
        ),
        row(
            o.FollowTheRidge("p1", 0.5, warm_start=False, **EXACT),
            "follow_the_ridge",
            {"leader": 1, "damping": 0.5},
            players=[2, 3],
            tolerance=SOLVED,
        ),
    ],
    "lead": [
        every(
            o.LEAD(0.05),
            "lead",
            {"strength": 0.05},
            field_only=True,
            alone_as_fit=True,
        ),
    ],
}
ROWS = [
    pytest.param(each, id=f"{name}-{number}")
    for name, rows in TABLE.items()
    for number, each in enumerate(rows)
]


def step_of(like: str, arguments: dict[str, Any]) -> Callable[..., Any]:
    inside = DIRECTIONS if like == "runge_kutta" else STEPS
    return partial(STEPS[like], **with_inner(arguments, inside))


def matrix_of(like: str, arguments: dict[str, Any]) -> Callable[..., Any]:
    def of(game):
        inside = with_inner(arguments, MATRICES)
        if "inner" in inside:
            inside["inner"] = inside["inner"](game)
        return MATRICES[like](game, **inside)

    return of


def rate_of(like: str, arguments: dict[str, Any]) -> Callable[..., Any]:
    known = {k: v for k, v in arguments.items() if k != "kind"}
    if "inner" in known:
        known["inner"] = known["inner"][0]
    return partial(bilinear_rate, like, **known)


def with_inner(arguments, functions):
    """The arguments, with a function for an inner name and its arguments."""
    if "inner" not in arguments:
        return dict(arguments)
    like, given = arguments["inner"]
    return {**arguments, "inner": partial(functions[like], **given)}


@pytest.mark.parametrize("each", ROWS)
def test_a_strategy_passes_its_proofs(each):
    makers = {"reference": step_of, "matrix": matrix_of, "rate": rate_of}
    claims = {
        name: make(each.like, each.arguments)
        for name, make in makers.items()
        if name not in each.without
        and (name != "matrix" or each.like in MATRICES)
    }
    claims |= each.claims
    check_strategy(each.strategy, only=each.proofs, **claims)


def test_the_table_holds_every_strategy_that_is_registered():
    assert sorted(TABLE) == registry.names("optimizers")
    for name, rows in TABLE.items():
        assert all(type(r.strategy) is type(rows[0].strategy) for r in rows)
        assert registry.snake_case(type(rows[0].strategy).__name__) == name
