import numpy as np
import pytest
from keras import ops

from adversarial.losses import CycleConsistency, Identity

RNG = np.random.default_rng(6)
OUTPUTS = {
    name: RNG.normal(size=(3, 2, 2))
    for name in ("x", "x_again", "y", "y_again")
}
COST = {"l1": np.abs, "l2": np.square}
KINDS = [CycleConsistency, Identity]
each = pytest.mark.parametrize("cls", KINDS)


def formula(distance):
    def reference(x, x_again, y, y_again):
        cost = COST[distance]
        total = cost(x - x_again).mean() + cost(y - y_again).mean()
        return {"generator": total}

    return reference


def pairs(cls, **kwargs):
    return cls(["x", "y"], ["x_again", "y_again"], **kwargs)


@each
@pytest.mark.parametrize("distance", ["l1", "l2"])
def test_values_and_gradients_are_those_of_the_formula(cls, distance, agrees):
    agrees(pairs(cls, distance=distance), OUTPUTS, formula(distance))


@each
def test_distances_are_told_apart(cls, tells_apart):
    tells_apart(pairs(cls), OUTPUTS, formula("l2"))


@each
def test_one_pair_needs_no_list(cls, values):
    found = values(cls("x", "x_again"), OUTPUTS)["generator"]
    expected = np.abs(OUTPUTS["x"] - OUTPUTS["x_again"]).mean()
    assert found == pytest.approx(expected, rel=1e-12)


@each
def test_a_detached_image_is_told_apart(cls, tells_apart):
    class Detached(cls):
        @property
        def roles(self):
            inner = super().roles["generator"]
            return {"generator": lambda seen: ops.stop_gradient(inner(seen))}

    tells_apart(pairs(Detached), OUTPUTS, formula("l1"))


@each
def test_all_generators_minimise_the_sum(cls):
    loss = pairs(cls, generator=["G", "F"])
    found = loss(["F", "G"], OUTPUTS)
    expected = formula("l1")(**OUTPUTS)["generator"]
    for player in ("G", "F"):
        assert float(found[player]) == pytest.approx(expected, rel=1e-12)


@each
def test_what_comes_back_costs_nothing(cls, values):
    assert values(cls("x", "x"), OUTPUTS) == {"generator": 0.0}


@each
def test_every_sample_has_its_share(cls):
    shares = pairs(cls).call(OUTPUTS)["generator"]
    assert shares.shape == (3,)


@each
def test_wrong_pairs_are_refused(cls, values, refused):
    assert "in pairs" in refused(lambda: cls(["x", "y"], "x_again"))
    assert "did you mean 'l1'?" in refused(
        lambda: cls("x", "x_again", distance="L1")
    )
    outputs = OUTPUTS | {"x_again": np.zeros((3, 4))}
    message = refused(lambda: values(cls("x", "x_again"), outputs))
    assert "shape (3, 2, 2) and shape (3, 4)" in message
