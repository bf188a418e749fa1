import keras
import numpy as np
import pytest
from engines import JITS

import adversarial


@pytest.fixture
def game(quadratic, float64):
    return quadratic([2, 3, 1])


@pytest.mark.parametrize("jit_compile", JITS)
@pytest.mark.parametrize("method", ["repeat", "unroll"])
def test_a_loop_equals_the_same_steps_one_by_one(game, method, jit_compile):
    class Steps(adversarial.AdversarialOptimizer):
        def step(self, g):
            def body(at, state, k):
                at, state = g.virtual_step(g.field(at), at, state)
                return at, state, k + 1

            start = (g.point, g.optimizer_state, keras.ops.zeros((), "int32"))
            at, _, k = getattr(g, method)(body, start, 3)
            g.assign(g.variables, at)
            self.rounds.assign(k)

        def build(self, g):
            self.rounds = self.add_variable((), dtype="int32", name="rounds")

    ends = []
    for strategy, steps in ((Steps(), 1), ("simultaneous", 3)):
        model = game.compiled(
            strategy,
            [keras.optimizers.Adam(0.1) for _ in range(3)],
            jit_compile=jit_compile,
        )
        ends.append(game.play(model, steps)[-1])
        if steps == 1:
            assert int(strategy.rounds) == 3
    np.testing.assert_allclose(*ends, rtol=1e-12)


def test_a_loop_ends_when_it_is_told_to(game, probe):
    def halve(g):
        point, k = g.repeat(
            lambda x, k: (0.5 * x, k + 1),
            (g.point, keras.ops.zeros((), "int32")),
            100,
            until=lambda x, k: x.norm() < 1e-3,
        )
        return {"k": [k], "norm": [point.norm()]}

    k, norm = probe(game, halve)
    assert 5e-4 <= norm < 1e-3
    assert k == np.ceil(np.log2(np.linalg.norm(game.start) / 1e-3))


@pytest.mark.parametrize("rematerialize", [False, True])
def test_an_unrolled_loop_can_be_differentiated(game, rematerialize):
    """theta -> (I - 0.1 J)^4 theta, against a fixed vector."""

    class Through(adversarial.AdversarialOptimizer):
        def step(self, g):
            def end(theta):
                (at,) = g.unroll(
                    lambda x: (x - 0.1 * g.field(x),),
                    (theta,),
                    4,
                    rematerialize=rematerialize,
                )
                return at.dot(theta.map(keras.ops.ones_like))

            g.apply(g.gradient(end))

    model = game.compiled(Through(), 1.0)
    step = np.eye(6) - 0.1 * game.jacobian(game.start)
    expected = game.start - np.linalg.matrix_power(step, 4).T @ np.ones(6)
    np.testing.assert_allclose(game.play(model, 1)[-1], expected, rtol=1e-12)


def test_inside_a_loop_everything_is_evaluated_at_a_given_point(game, probe):
    with pytest.raises(ValueError, match="Inside a loop"):
        probe(game, lambda g: g.repeat(lambda x: (g.field(),), (g.point,), 2))
