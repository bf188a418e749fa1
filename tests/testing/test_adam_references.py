"""The transcriptions against Keras' own Adam, and against differences."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from adversarial import backend
from adversarial.backend.functional_optimizer import FunctionalOptimizer
from adversarial.testing import LinearGame, adam_references as ar
from adversarial.testing.adam_references import Adam

STEPS = 20
# Rounding of 20 steps of 0.1, each a quotient of numbers near 1.
ROUNDING = 1e-12
# Central differences of width 1e-5.
DIFFERENCES = 1e-8
BLOCKS = (2, 1)
COUPLING = np.array([[0.0, 1.0, -0.7], [0.4, 0.3, 0.9], [-1.0, 0.8, 0.2]])
ADAM = Adam(0.1, 0.5, 0.9, 1e-3)
ADAMS = [ADAM, Adam(0.05, 0.9, 0.999), Adam(0.05, 0.0, 0.99, 1e-8)]


def gradients(theta):
    """Of l_0 = sum sin(C theta), l_1 = sum cos(C' theta) + |theta|^2 / 4."""
    return np.stack(
        [
            np.cos(COUPLING @ theta) @ COUPLING,
            -np.sin(COUPLING.T @ theta) @ COUPLING.T + theta / 2,
        ]
    )


def losses(theta):
    return np.array(
        [
            np.sin(COUPLING @ theta).sum(),
            np.cos(COUPLING.T @ theta).sum() + theta @ theta / 4,
        ]
    )


def field(theta):
    rows = gradients(theta)
    return np.concatenate([rows[0][:2], rows[1][2:]])


def jacobian(theta):
    first = -COUPLING.T @ np.diag(np.sin(COUPLING @ theta)) @ COUPLING
    second = (
        -COUPLING @ np.diag(np.cos(COUPLING.T @ theta)) @ COUPLING.T
        + np.eye(3) / 2
    )
    return np.concatenate([first[:2], second[2:]])


START = np.array([0.3, -0.8, 0.5])


class Keras:
    """Keras' Adam on one variable, from which displacements are read."""

    def __init__(self, adam):
        self.optimizer = keras.optimizers.Adam(
            adam.rate, adam.beta_1, adam.beta_2, adam.epsilon
        )
        self.variable = keras.Variable(START, dtype="float64")
        self.optimizer.build([self.variable])

    def move(self, theta, g, keep=True):
        state = [v.numpy() for v in self.optimizer.variables]
        self.variable.assign(theta)
        self.optimizer.apply([ops.convert_to_tensor(g)], [self.variable])
        if not keep:
            for v, old in zip(self.optimizer.variables, state, strict=True):
                v.assign(old)
        return np.array(self.variable) - theta


@pytest.mark.parametrize("adam", ADAMS)
def test_adam_is_that_of_keras(adam, float64):
    theta, other, points = START, Keras(adam), [START]
    for _ in range(STEPS):
        theta = theta + other.move(theta, field(theta))
        points.append(theta)
    np.testing.assert_allclose(
        ar.simultaneous_adam(field, START, STEPS, adam=adam),
        points,
        rtol=0,
        atol=ROUNDING,
    )


def test_every_parameter_can_have_its_own_numbers():
    rates, betas = np.array([0.1, 0.1, 0.02]), np.array([0.5, 0.5, 0.9])
    both = Adam(rates, betas, 0.9)
    points = ar.simultaneous_adam(field, START, 5, adam=both)
    state = [a.start(START[:1]) for a in (ADAM,) * 3]
    alone = [Adam(r, b, 0.9) for r, b in zip(rates, betas, strict=True)]
    for before, after in itertools.pairwise(points):
        g = field(before)
        for k in range(3):
            u, state[k] = alone[k].step(g[k : k + 1], state[k])
            assert after[k] == pytest.approx(before[k] + u[0], abs=1e-14)


@pytest.mark.parametrize("adam", ADAMS)
@pytest.mark.parametrize("lookahead", [1.0, 2.5])
@pytest.mark.parametrize("kind", ["shared", "discard", "plain"])
def test_extra_adam_is_keras_adam_stepped_by_hand(
    adam, lookahead, kind, float64
):
    theta, other, points = START, Keras(adam), [START]
    for _ in range(STEPS):
        g = field(theta)
        if kind == "plain":
            half = theta - lookahead * adam.rate * g
        else:
            u = other.move(theta, g, keep=kind == "shared")
            half = theta + lookahead * u
        theta = theta + other.move(theta, field(half))
        points.append(theta)
    found = ar.extra_adam(
        field,
        START,
        STEPS,
        adam=adam,
        lookahead=lookahead,
        optimizer_state=kind,
    )
    np.testing.assert_allclose(found, points, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("adam", ADAMS)
@pytest.mark.parametrize("lookahead", [1.0, 0.6])
@pytest.mark.parametrize("kind", ["shared", "discard", "plain"])
def test_past_extra_adam_is_keras_adam_stepped_by_hand(
    adam, lookahead, kind, float64
):
    theta, other, points, halves = START, Keras(adam), [START], []
    past = None
    for t in range(STEPS + 1):
        half = theta
        if t and kind == "shared":
            half = theta + lookahead * (theta - points[-2])
        elif t and kind == "discard":
            half = theta + lookahead * other.move(theta, past, keep=False)
        elif t:
            half = theta - lookahead * adam.rate * past
        halves.append(half)
        past = field(half)
        theta = theta + other.move(theta, past)
        points.append(theta)
    for wanted, expected in ((False, points[:-1]), (True, halves)):
        found = ar.past_extra_adam(
            field,
            START,
            STEPS,
            adam=adam,
            lookahead=lookahead,
            optimizer_state=kind,
            halves=wanted,
        )
        np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("adam", ADAMS)
@pytest.mark.parametrize("strength", [1.0, 0.3])
def test_optimistic_adam_is_keras_adam_stepped_by_hand(adam, strength, float64):
    theta, other, points, before = START, Keras(adam), [START], None
    for _ in range(STEPS):
        u = other.move(theta, field(theta))
        last = u if before is None else before
        theta, before = theta + u + strength * (u - last), u
        points.append(theta)
    found = ar.optimistic_adam(
        field, START, STEPS, adam=adam, strength=strength
    )
    np.testing.assert_allclose(found, points, rtol=0, atol=ROUNDING)


def test_the_slope_of_adam_is_that_of_its_step():
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(3, 3, 2))  # of g, m and v, by two variables
    base = rng.normal(size=(3, 3))
    base[2] = 1 + base[2] ** 2

    def stepped(x):
        g, m, v = base + np.tensordot(direction, x, axes=1)
        u, (m, v, _) = ADAM.step(g, ar.Moments(m, v, 4))
        return np.stack([u, m, v])

    du, dstate = ADAM.slope(
        base[0],
        direction[0],
        ar.Moments(base[1], base[2], 4),
        ar.Moments(direction[1], direction[2], 4),
    )
    h = 1e-5
    for k, e in enumerate(np.eye(2)):
        expected = (stepped(h * e) - stepped(-h * e)) / (2 * h)
        found = np.stack([du[:, k], dstate.m[:, k], dstate.v[:, k]])
        np.testing.assert_allclose(found, expected, rtol=0, atol=DIFFERENCES)


def test_where_all_gradients_were_zero_the_slope_is_finite():
    zero, slope = np.zeros(3), np.ones((3, 2))
    at_rest = ar.Moments(np.zeros((3, 2)), np.zeros((3, 2)), 0)
    du, _ = ADAM.slope(zero, slope, ADAM.start(zero), at_rest)
    # alpha (1 - beta_1) / epsilon, at the first step.
    expected = -0.1 * np.sqrt(1 - np.float32(0.9)) / 1e-3
    np.testing.assert_allclose(du, np.full((3, 2), expected), rtol=1e-6)


def test_the_derivatives_of_the_test_game_are_right():
    h = 1e-5
    for k, e in enumerate(np.eye(3)):
        ahead, behind = START + h * e, START - h * e
        slope = (losses(ahead) - losses(behind)) / (2 * h)
        np.testing.assert_allclose(
            gradients(START)[:, k], slope, rtol=0, atol=DIFFERENCES
        )
        slope = (field(ahead) - field(behind)) / (2 * h)
        np.testing.assert_allclose(
            jacobian(START)[:, k], slope, rtol=0, atol=DIFFERENCES
        )


def unrolled(steps=1, start=START, **arguments):
    return ar.unrolled_adam(
        gradients, jacobian, start, steps, blocks=BLOCKS, **arguments
    )


def losses_of_tensors(theta):
    coupling = ops.convert_to_tensor(COUPLING)
    first = ops.sin(ops.matmul(coupling, theta))
    second = ops.cos(ops.matmul(theta, coupling))
    return [ops.sum(first), ops.sum(second) + ops.sum(theta**2) / 4]


class Differentiated:
    """The unrolled players with Keras' Adam, differentiated by the engine."""

    def __init__(self, adam):
        self.optimizers, self.variables = [], []
        for size in BLOCKS:
            optimizer = keras.optimizers.Adam(
                adam.rate, adam.beta_1, adam.beta_2, adam.epsilon
            )
            variable = keras.Variable(np.zeros(size), dtype="float64")
            optimizer.build([variable])
            self.optimizers.append(optimizer)
            self.variables.append(variable)

    def direction(self, i, blocks, depth, through):
        """The gradient of l_i by its block, the other one moving ahead."""
        other = 1 - i
        twin = FunctionalOptimizer(self.optimizers[other])
        start = ops.convert_to_tensor(blocks[other])

        def loss(player, mine, phi):
            pair = (mine, phi) if i == 0 else (phi, mine)
            return losses_of_tensors(ops.concatenate(pair))[player]

        def ahead(mine):
            state = [backend.read(v) for v in twin.variables]
            phi = start
            for _ in range(depth):
                slopes = backend.gradient(lambda x: loss(other, mine, x), [phi])
                (phi,), state = twin.step(state, slopes, [phi])
            return loss(i, mine, phi if through else ops.stop_gradient(phi))

        return backend.gradient(ahead, [ops.convert_to_tensor(blocks[i])])[0]

    def step(self, theta, depths, through):
        blocks = np.split(theta, [BLOCKS[0]])
        found = [self.direction(i, blocks, depths[i], through) for i in (0, 1)]
        for i, g in enumerate(found):
            self.variables[i].assign(blocks[i])
            self.optimizers[i].apply([g], [self.variables[i]])
        return np.concatenate([np.array(v) for v in self.variables])


@pytest.mark.parametrize("through", [True, False])
@pytest.mark.parametrize(
    ("adam", "depths"),
    [(ADAMS[0], {0: 3, 1: 3}), (ADAMS[1], {0: 4}), (ADAMS[2], {0: 1, 1: 2})],
)
def test_unrolled_adam_is_keras_adam_under_a_tape(
    adam, through, depths, float64
):
    theta, other, points = START, Differentiated(adam), [START]
    each = [depths.get(i, 0) for i in (0, 1)]
    for _ in range(STEPS):
        theta = other.step(theta, each, through)
        points.append(theta)
    found = unrolled(STEPS, adam=adam, depth=depths, through=through)
    np.testing.assert_allclose(found, points, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("through", [True, False])
def test_unrolled_by_nothing_it_is_simultaneous(through):
    np.testing.assert_allclose(
        unrolled(STEPS, adam=ADAM, depth=0, through=through),
        ar.simultaneous_adam(field, START, STEPS, adam=ADAM),
        rtol=0,
        atol=ROUNDING,
    )


def test_unrolling_more_players_lets_all_opponents_move():
    game = LinearGame.random((2, 3, 1), 0)
    theta = np.random.default_rng(0).normal(size=6)
    blunt = Adam(0.1, 0.5, 0.9, 1.0)  # whose first step is not just a sign

    def end(block):
        """l_1 where the two others are two steps of Adam ahead."""
        x = theta.copy()
        x[game.slices[1]] = block
        state = blunt.start(x)
        for _ in range(2):
            u, state = blunt.step(game.field(x), state)
            x = np.concatenate([x[:2] + u[:2], block, x[5:] + u[5:]])
        return game.losses(x)[1]

    h, part = 1e-5, game.slices[1]
    slope = [
        (end(theta[part] + h * e) - end(theta[part] - h * e)) / (2 * h)
        for e in np.eye(3)
    ]
    found = ar.unrolled_adam(
        lambda x: game.matrices @ x + game.vectors,
        lambda x: game.J,
        theta,
        1,
        blocks=game.blocks,
        adam=blunt,
        depth=2,
    )
    first, _ = blunt.step(np.array(slope), blunt.start(np.zeros(3)))
    np.testing.assert_allclose(
        (found[1] - found[0])[part], first, rtol=0, atol=DIFFERENCES
    )


@pytest.mark.parametrize("rule", [ar.extra_adam, ar.past_extra_adam])
def test_unknown_policies_are_refused(rule):
    with pytest.raises(KeyError, match="other"):
        rule(field, START, 2, adam=ADAM, optimizer_state="other")
