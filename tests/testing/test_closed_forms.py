"""The formulas against known figures, the matrices, and their own limits."""

import numpy as np
import pytest

from adversarial.testing import LinearGame, bilinear_rate
from adversarial.testing.closed_forms import FORMS
from adversarial.testing.references import MATRICES, STEPS

STEP_SIZES = (0.05, 0.1, 0.3)
# Eigenvalues of matrices with up to 5 rows; a double one costs half the digits.
EIGENVALUES = 1e-7
# Figures of 9 decimals.
TABLE = 6e-10
JUST = 1e-3

# Radii at eta = 0.1, and the limit step size.
KNOWN = [
    ("simultaneous", {}, 1.004987562, None),
    ("simultaneous", {"other": 0.4}, 1.019803903, None),
    ("alternating", {}, 1.0, None),
    ("extra_gradient", {}, 0.995037688, 1.0),
    ("extra_gradient", {"lookahead": 2.0}, 0.985088828, None),
    ("extra_gradient", {"lookahead": 5.0}, 0.955248659, None),
    ("extra_gradient", {"lookahead": 10.0}, 0.905538514, None),
    ("extra_gradient", {"reuse_past": True}, 0.994936153, 3**-0.5),
    ("optimistic", {}, 0.994936153, 3**-0.5),
    ("prediction", {}, 0.994987437, 2 / 3**0.5),
    ("prediction", {"two_sided": True}, 0.990001020, 2 / 3),
    ("competitive_gradient", {}, 0.995037190, np.inf),
    ("policy_prediction", {}, 0.995037688, 1.0),
    ("lola", {}, 0.985088828, 3**0.5 / 2),
    ("lola", {"form": "foerster"}, 0.995037688, 1.0),
    ("sos", {"p": 1.0}, 0.985088828, 3**0.5 / 2),
    ("sos", {"p": 0.0}, 0.995037688, 1.0),
    ("consensus", {"strength": 0.1}, 0.995037688, None),
    ("consensus", {}, 0.905538514, 1.0),
    ("consensus", {"strength": 10.0}, 0.1, None),
    ("jare", {}, 0.905538514, 1.0),
    ("symplectic_gradient_adjustment", {}, 0.905538514, 1.0),
    ("odegan_regularizer", {"strength": 0.5}, 0.953939201, 1.0),
    ("hamiltonian_descent", {}, 0.9, 2.0),
    ("unrolled", {"depth": {0: 1}}, 0.994987437, None),
    ("unrolled", {"depth": {0: 5}}, 0.953939201, None),
    ("unrolled", {"depth": {0: 1}, "through": False}, 1.0, None),
    ("unrolled", {"depth": {0: 5}, "through": False}, 0.979795897, None),
    ("unrolled", {"depth": 1}, 0.985088828, None),
    ("unrolled", {"depth": 5}, 0.905538514, None),
    ("unrolled", {"depth": 1, "through": False}, 0.995037688, None),
    ("unrolled", {"depth": 5, "through": False}, 0.955248659, None),
    ("runge_kutta", {"tableau": "heun"}, 1.000012500, None),
    ("runge_kutta", {}, 0.999999993, 8**0.5),
    ("lead", {"strength": 0.1}, 0.994936153, None),
    ("lead", {"strength": 0.5}, 0.959544002, None),
    ("lookahead", {"inner": "simultaneous"}, 0.981326914, 0.7426),
    ("lookahead", {"inner": "simultaneous", "period": 6}, 0.970118311, None),
    ("lookahead", {"inner": "simultaneous", "period": 20}, 0.573182506, None),
    ("lookahead", {}, 0.968886616, 2.0),
    ("lookahead", {"period": 20}, 0.539951251, 2.0),
    ("lookahead", {"inner": "extra_gradient"}, 0.956606077, None),
    (
        "lookahead",
        {"inner": "extra_gradient", "period": 20},
        0.510915800,
        None,
    ),
    ("averaging", {}, 1.0, None),
    ("momentum_sgd", {}, 0.998517789, 1.0),
    ("momentum_sgd", {"momentum": -0.3}, 0.998632922, None),
    ("momentum_sgd", {"inner": "simultaneous"}, 1.000743033, None),
    (
        "momentum_sgd",
        {"momentum": 0.9, "angle": np.pi / 2, "inner": "simultaneous"},
        0.998788876,
        None,
    ),
    ("momentum_sgd", {"momentum": 0.7, "angle": np.pi / 2}, 0.997033519, None),
]


@pytest.mark.parametrize(("name", "arguments", "radius", "limit"), KNOWN)
def test_the_figures_are_those_that_are_known(name, arguments, radius, limit):
    rate = bilinear_rate(name, 0.1, **arguments)
    assert rate.radius == pytest.approx(radius, abs=TABLE)
    if limit is not None:
        assert rate.limit == pytest.approx(limit, abs=5e-4)


CASES = [
    ("simultaneous", {}),
    ("alternating", {}),
    ("alternating", {"steps": {1: 5}}),
    ("extra_gradient", {}),
    ("extra_gradient", {"lookahead": 0.4}),
    ("extra_gradient", {"lookahead": 2.5}),
    ("extra_gradient", {"fresh_batch": True}),
    ("extra_gradient", {"reuse_past": True}),
    ("extra_gradient", {"reuse_past": True, "lookahead": 0.4}),
    ("extra_gradient", {"reuse_past": True, "lookahead": 2.5}),
    ("optimistic", {"inner": "simultaneous"}),
    ("optimistic", {"inner": "simultaneous", "strength": 2.0}),
    ("optimistic", {"inner": "simultaneous", "strength": 0.0}),
    ("optimistic", {"inner": "alternating"}),
    ("optimistic", {"inner": "alternating", "strength": 0.3}),
    ("prediction", {}),
    ("prediction", {"two_sided": True}),
    ("runge_kutta", {"tableau": "euler"}),
    ("runge_kutta", {"tableau": "midpoint"}),
    ("runge_kutta", {"tableau": "heun"}),
    ("runge_kutta", {"tableau": "rk4"}),
    ("lookahead", {"inner": "simultaneous"}),
    ("lookahead", {"inner": "simultaneous", "period": 2}),
    ("lookahead", {"inner": "simultaneous", "period": 8, "step": 0.7}),
    ("lookahead", {"inner": "alternating"}),
    ("lookahead", {"inner": "alternating", "period": 7, "step": 0.2}),
    ("lookahead", {"inner": "extra_gradient"}),
    ("consensus", {}),
    ("consensus", {"strength": 3.0}),
    ("consensus", {"strength": -0.5}),
    ("jare", {"strength": 0.4}),
    ("symplectic_gradient_adjustment", {}),
    ("symplectic_gradient_adjustment", {"strength": 0.4}),
    ("gradient_norm", {"weights": [[5.0, 0.3], [0.7, 5.0]]}),
    ("gradient_norm", {"weights": [[0.0, 4.0], [0.5, 0.0]]}),
    ("gradient_norm", {"weights": [[0.0, 0.0], [0.0, 0.0]]}),
    ("odegan_regularizer", {}),
    ("odegan_regularizer", {"of": 1, "payer": 0}),
    ("odegan_regularizer", {"strength": 1.5}),
    ("hamiltonian_descent", {}),
    ("policy_prediction", {}),
    ("policy_prediction", {"step": 0.7}),
    ("lola", {}),
    ("lola", {"step": 0.7}),
    ("lola", {"form": "foerster"}),
    ("lola", {"form": "foerster", "step": 2.0}),
    ("sos", {}),
    ("sos", {"p": 0.3}),
    ("sos", {"p": 0.3, "step": 0.5}),
    ("unrolled", {"depth": 0}),
    ("unrolled", {"depth": 1}),
    ("unrolled", {"depth": 4}),
    ("unrolled", {"depth": {0: 1}}),
    ("unrolled", {"depth": {1: 4}}),
    ("unrolled", {"depth": {0: 3, 1: 1}}),
    ("unrolled", {"depth": 1, "through": False}),
    ("unrolled", {"depth": {0: 1}, "through": False}),
    ("unrolled", {"depth": {0: 1, 1: 6}, "through": False}),
    ("competitive_gradient", {}),
    ("stackelberg_gradient", {"leader": 0, "damping": 1.0}),
    ("stackelberg_gradient", {"leader": 1, "damping": 0.3}),
    ("follow_the_ridge", {"leader": 0, "damping": 0.5}),
    ("follow_the_ridge", {"leader": 1}),
    ("lead", {"strength": 0.1}),
    ("lead", {"strength": 0.5}),
    ("lead", {"strength": 1.2}),
]


def matrix(name, eta, arguments):
    game = LinearGame.bilinear(eta)
    arguments = dict(arguments)
    if "inner" in arguments:
        arguments["inner"] = MATRICES[arguments["inner"]](game)
    return MATRICES[name](game, **arguments)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_a_closed_form_is_the_radius_of_the_update_matrix(name, arguments):
    for eta in (*STEP_SIZES, 0.9):
        assert bilinear_rate(name, eta, **arguments).radius == pytest.approx(
            matrix(name, eta, arguments).radius, abs=EIGENVALUES
        )


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_it_contracts_exactly_up_to_the_limit(name, arguments):
    def radius(eta):
        return bilinear_rate(name, eta, **arguments).radius

    limit = bilinear_rate(name, 0.1, **arguments).limit
    if limit is None:
        assert all(radius(eta) >= 1 - 1e-15 for eta in (1e-3, 1e-2))
        return
    end = 5.0 if limit == np.inf else limit
    inside = [radius(x * end) for x in np.linspace(0.01, 1 - JUST, 60)]
    assert max(inside) < 1
    touches = name == "lookahead" and arguments["inner"] == "alternating"
    if limit < np.inf and not touches:
        assert radius((1 + JUST) * limit) > 1


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_where_the_matrix_is_normal_every_step_contracts_alike(name, arguments):
    rate = bilinear_rate(name, 0.3, **arguments)
    update = matrix(name, 0.3, arguments)
    M = update.M
    alike = M.shape == (2, 2) and np.allclose(
        M.T @ M, rate.radius**2 * np.eye(2), rtol=0, atol=1e-12
    )
    memory = arguments.get("strength") == 0.0 and name == "optimistic"
    assert rate.normal == (alike or memory)
    assert not alike or update.normal


def test_the_second_players_step_size_can_be_another():
    for eta, other in [(0.1, 0.4), (0.5, 0.2), (3.0, 2.0)]:
        game = LinearGame.bilinear(eta, other)
        for name in ("simultaneous", "alternating"):
            found = bilinear_rate(name, eta, other=other)
            expected = MATRICES[name](game).radius
            assert found.radius == pytest.approx(expected, abs=EIGENVALUES)
            assert not found.normal


def test_aligned_with_a_negative_epsilon_it_repels():
    rate = bilinear_rate(
        "symplectic_gradient_adjustment", 0.1, align_epsilon=-0.1
    )
    expected = MATRICES["symplectic_gradient_adjustment"](
        LinearGame.bilinear(0.1), sign=-1
    )
    assert rate.radius == pytest.approx(expected.radius, abs=EIGENVALUES)
    assert rate.radius > 1 and rate.limit is None


def test_known_best_step_sizes():
    half = 0.5**0.5
    assert bilinear_rate("extra_gradient", half).radius == pytest.approx(
        3**0.5 / 2
    )
    assert bilinear_rate("optimistic", 0.5).radius == pytest.approx(half)
    assert bilinear_rate("consensus", 0.5).radius == pytest.approx(half)


def test_every_reference_but_five_has_a_closed_form():
    """A schedule and phases have those of their steps, one after another.

    Anderson ends; a mean of the past has a power; who rests is no matter of
    the matrix alone.
    """
    without = {"anderson", "balanced", "historical_averaging"}
    without |= {"phases", "scheduled"}
    assert set(STEPS) - set(FORMS) == without
    assert set(FORMS) - set(STEPS) == {"momentum_sgd"}


def test_figures_are_plain_floats():
    for name in set(FORMS) - {"gradient_norm"}:
        rate = bilinear_rate(name, 0.1)
        assert type(rate.radius) is float
        assert type(rate.limit) in (float, type(None)), name
        assert type(rate.normal) is bool


def test_strategies_without_a_closed_form_are_refused():
    with pytest.raises(ValueError, match="no closed form for 'anderson'"):
        bilinear_rate("anderson", 0.1)
    with pytest.raises(TypeError, match="strenght"):
        bilinear_rate("consensus", 0.1, strenght=1.0)
