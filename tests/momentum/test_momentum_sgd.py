import keras
import numpy as np
import pytest

from adversarial.momentum import MomentumSGD

STEPS = 20
# Rounding of 20 steps on numbers near 1.
ROUNDING = 1e-12
# Rounding of the eigenvalues of a matrix of 6 rows. A double eigenvalue would
# show the root of the machine precision; there is none among the cases.
EIGENVALUES = 1e-12
# The table that the rates are compared with has 6 or 9 decimals.
TABLE = {6: 6e-7, 9: 6e-10}


def gradients(steps=STEPS, size=3, seed=0):
    return np.random.default_rng(seed).normal(size=(steps, size))


def played(optimizer, given, dtype="float64"):
    """The values of one variable, which starts at zero, after each step."""
    variable = keras.Variable(np.zeros(given.shape[1:]), dtype=dtype)
    optimizer.build([variable])
    values = []
    for g in given:
        optimizer.apply([keras.ops.convert_to_tensor(g, dtype)], [variable])
        values.append(keras.ops.convert_to_numpy(variable))
    return np.stack(values)


@pytest.mark.parametrize(
    ("momentum", "angle"),
    [(-0.5, 0.0), (0.9, 0.0), (0.9, np.pi / 2), (-0.7, 0.3), (0.8, np.pi)],
)
def test_it_is_the_rule_of_its_docstring(momentum, angle, float64):
    mu, w, expected = np.zeros(3, complex), np.zeros(3), []
    for g in gradients():
        mu = momentum * np.exp(1j * angle) * mu - g
        w = w + (0.1 * mu).real
        expected.append(w)
    found = played(MomentumSGD(0.1, momentum, angle), gradients())
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


# Keras rounds a momentum to single precision; these are not changed by it.
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.875])
def test_an_ordinary_momentum_is_that_of_keras(momentum, float64):
    np.testing.assert_allclose(
        played(MomentumSGD(0.1, momentum), gradients()),
        played(keras.optimizers.SGD(0.1, momentum), gradients()),
        rtol=0,
        atol=ROUNDING,
    )


def test_half_a_turn_is_a_change_of_sign(float64):
    np.testing.assert_allclose(
        played(MomentumSGD(0.1, 0.6, np.pi), gradients()),
        played(MomentumSGD(0.1, -0.6), gradients()),
        rtol=0,
        atol=ROUNDING,
    )


def test_turning_the_other_way_round_is_the_same(float64):
    np.testing.assert_allclose(
        played(MomentumSGD(0.1, 0.6, 1.0), gradients()),
        played(MomentumSGD(0.1, 0.6, -1.0), gradients()),
        rtol=0,
        atol=ROUNDING,
    )


def test_all_of_the_momentum_moves_at_the_rate_of_the_day(float64):
    optimizer = MomentumSGD(1.0, 0.5)
    variable = keras.Variable([0.0], dtype="float64")
    optimizer.apply([np.array([1.0])], [variable])
    optimizer.learning_rate = 0.1
    optimizer.apply([np.array([0.0])], [variable])
    # Keras' SGD would give -1.5: it keeps gradients times their rates.
    np.testing.assert_allclose(variable, [-1.0 - 0.1 * 0.5], rtol=ROUNDING)


@pytest.mark.parametrize(("angle", "slots"), [(0.0, 1), (1.0, 2)])
def test_only_a_complex_momentum_needs_a_second_slot(angle, slots):
    optimizer = MomentumSGD(0.1, 0.5, angle)
    optimizer.build([keras.Variable(np.zeros((2, 3)))])
    shapes = [v.shape for v in optimizer.variables]
    assert shapes == [(), ()] + [(2, 3)] * slots


def test_a_momentum_of_one_is_refused():
    with pytest.raises(ValueError, match="`momentum` must lie between"):
        MomentumSGD(0.1, momentum=1.0)


def update_matrix(game, strategy, eta, momentum, angle):
    """One step on the parameters and all slots, read off basis vectors."""
    made = [MomentumSGD(eta, momentum, angle) for _ in range(2)]
    model = game.compiled(strategy, made)
    state = [v for p in model.players.values() for v in p.variables]
    state += [v for o in made for v in o.variables[2:]]
    columns = []
    for basis in np.eye(len(state)):
        for variable, x in zip(state, basis, strict=True):
            variable.assign(np.full(variable.shape, x))
        model.train_on_batch(np.ones((1, 1)))
        columns.append([np.ravel(v)[0] for v in state])
    return np.array(columns).T


def radius(matrix):
    return np.abs(np.linalg.eigvals(matrix)).max()


def root(*factors):
    """The largest modulus of the roots of the sum of two products."""
    first, second = (np.array([1.0]), np.array([1.0]))
    for f in factors[0]:
        first = np.polymul(first, f)
    for f in factors[1]:
        second = np.polymul(second, f)
    return np.abs(np.roots(np.polyadd(first, second))).max()


def simultaneous(eta, beta):
    """(r-1)(r-b)(r-b*) + i eta r (r - Re b), or without the angle."""
    if not beta.imag:
        b = beta.real
        return np.abs(np.roots([1, -(1 + b - 1j * eta), b])).max()
    moments = [[1, -beta], [1, -np.conj(beta)]]
    return root(([1, -1], *moments), ([1j * eta], [1, 0], [1, -beta.real]))


def alternating(eta, beta):
    """(r-1)^2 ((r-b)(r-b*))^2 + eta^2 r^3 (r - Re b)^2, or without angle."""
    cube = [1, 0, 0, 0]
    if not beta.imag:
        b = beta.real
        return root(([1, -1],) * 2 + ([1, -b],) * 2, ([eta**2], cube))
    moments = [[1, -beta], [1, -np.conj(beta)]] * 2
    return root(
        ([1, -1], [1, -1], *moments),
        ([eta**2], cube, [1, -beta.real], [1, -beta.real]),
    )


ROOTS = {"simultaneous": simultaneous, "alternating": alternating}
QUARTER, SIXTEENTH = np.pi / 2, np.pi / 8


@pytest.mark.parametrize(
    ("strategy", "momentum", "angle", "known"),
    [
        ("simultaneous", -0.5, 0.0, "1.000743033"),
        ("simultaneous", 0.5, 0.0, "1.045687"),
        ("alternating", -0.5, 0.0, "0.998517789"),
        ("alternating", -0.3, 0.0, "0.998632922"),
        ("alternating", 0.5, 0.0, "1.032297"),
        ("simultaneous", 0.9, QUARTER, "0.998788876"),
        ("simultaneous", 0.7, QUARTER, "0.999285884"),
        ("simultaneous", 0.5, QUARTER, "1.000651"),
        ("simultaneous", 0.9, SIXTEENTH, "1.052984"),
        ("alternating", 0.9, QUARTER, "0.997272051"),
        ("alternating", 0.7, QUARTER, "0.997033519"),
        ("alternating", 0.7, SIXTEENTH, "1.001795"),
    ],
)
def test_on_the_bilinear_game_its_rate_is_the_closed_form(
    bilinear, float64, strategy, momentum, angle, known
):
    beta = complex(momentum * np.exp(1j * angle))
    if not angle:
        beta = complex(momentum)
    for eta in (0.1, 0.05, 0.3):
        matrix = update_matrix(bilinear, strategy, eta, momentum, angle)
        expected = ROOTS[strategy](eta, beta)
        np.testing.assert_allclose(radius(matrix), expected, rtol=EIGENVALUES)
        if eta == 0.1:
            decimals = len(known.split(".")[1])
            np.testing.assert_allclose(
                expected, float(known), rtol=0, atol=TABLE[decimals]
            )


def test_a_negative_momentum_contracts_only_where_players_alternate():
    """The closed forms, which the test above ties to the optimizer."""
    for eta in (0.05, 0.1, 0.3, 0.9):
        assert alternating(eta, complex(-0.5)) < 1.0
        for momentum in np.linspace(-0.99, 0.99, 67):
            assert simultaneous(eta, complex(momentum)) > 1.0


def test_at_a_step_of_one_the_negative_momentum_stops_contracting():
    assert alternating(0.999, complex(-0.5)) < 1.0
    assert alternating(1.001, complex(-0.5)) > 1.0


@pytest.mark.parametrize(
    ("strategy", "momentum", "angle", "closer"),
    [
        ("alternating", -0.5, 0.0, True),
        ("simultaneous", -0.5, 0.0, False),
        ("simultaneous", 0.9, QUARTER, True),
    ],
)
def test_the_players_come_closer_or_do_not(
    bilinear, float64, strategy, momentum, angle, closer
):
    made = [MomentumSGD(0.3, momentum, angle) for _ in range(2)]
    model = bilinear.compiled(strategy, made)
    points = bilinear.play(model, 200)
    ratio = np.linalg.norm(points[-1]) / np.linalg.norm(points[0])
    assert ratio < 0.2 if closer else ratio > 1.2
