import numpy as np
import pytest
from keras import ops

from adversarial.losses import EnergyBased, PullingAway
from adversarial.losses.seen import per_sample

FEATURES = np.random.default_rng(3).normal(size=(5, 2, 3))
MARGIN = 0.5


def reference(yreal, yfake):
    told = yreal.mean() + np.maximum(0, MARGIN - yfake).mean()
    return {"generator": yfake.mean(), "discriminator": told}


@pytest.mark.parametrize("shape", [(8, 1), (8,), (3, 2, 4, 1)])
def test_values_and_gradients_are_those_of_the_formula(shape, agrees, scores):
    agrees(EnergyBased(MARGIN), scores(*shape), reference)


def test_energies_taken_for_scores_are_told_apart(tells_apart, scores):
    def turned(yreal, yfake):
        return reference(-yreal, -yfake)

    tells_apart(EnergyBased(MARGIN), scores(8, 1), turned)


def test_no_hinge_is_told_apart(tells_apart, scores):
    def linear(yreal, yfake):
        told = yreal.mean() + MARGIN - yfake.mean()
        return {"generator": yfake.mean(), "discriminator": told}

    tells_apart(EnergyBased(MARGIN), scores(20, 1), linear)


@pytest.mark.parametrize("s", [0.0, 2.0, 10.0])
def test_the_optimum_is_that_of_the_docstring(s, values, scores):
    even = {name: np.full((4, 1), s) for name in scores(1)}
    expected = {"generator": s, "discriminator": 10.0}
    assert values(EnergyBased(10.0), even) == expected


def test_energies_of_10000_give_finite_values_and_slopes(extremes):
    found, slopes = extremes(EnergyBased(10.0), 1e4, -1e4)
    assert found == {"generator": -1e4, "discriminator": 20010.0}
    assert slopes["discriminator"] == {"yreal": 1.0, "yfake": -1.0}


@pytest.mark.parametrize("margin", [0, -1.0, float("nan")])
def test_a_margin_must_be_positive(margin, refused):
    assert "`margin` is out of range" in refused(lambda: EnergyBased(margin))


def pull(normalised, power=2, diagonal=False):
    """The term, written as a double loop."""
    n = len(normalised)
    total = 0.0
    for i in range(n):
        for j in range(n):
            if diagonal or i != j:
                total += float(normalised[i] @ normalised[j]) ** power
    return total / (n * (n - 1))


def unit(h, axis):
    return h / np.sqrt(np.sum(h**2, axis=axis, keepdims=True))


def pulling_away(hfake):
    return {"generator": pull(unit(hfake.reshape(len(hfake), -1), 1))}


def test_pulling_away_is_the_mean_squared_cosine_of_pairs(agrees):
    agrees(PullingAway(), {"hfake": FEATURES}, pulling_away)


@pytest.mark.parametrize(
    "faulty",
    [
        lambda h: pull(unit(h, 0)),
        lambda h: pull(unit(h, 1), diagonal=True),
        lambda h: pull(unit(h, 1), power=1),
        lambda h: pull(h),
        lambda h: pull(unit(h, 1)) * (len(h) - 1) / len(h),
    ],
    ids=["over the batch", "diagonal", "no square", "no length", "n^2"],
)
def test_a_faulty_normalisation_is_told_apart(faulty, tells_apart):
    tells_apart(
        PullingAway(),
        {"hfake": FEATURES},
        lambda hfake: {"generator": faulty(hfake.reshape(len(hfake), -1))},
    )


def test_detached_features_are_told_apart(tells_apart):
    class Detached(PullingAway):
        @property
        def roles(self):
            inner = super().roles["generator"]
            return {"generator": lambda seen: ops.stop_gradient(inner(seen))}

    tells_apart(Detached(), {"hfake": FEATURES}, pulling_away)


def test_orthogonal_features_cost_nothing_and_parallel_ones_1(values):
    assert values(PullingAway(), {"hfake": np.eye(4)})["generator"] == 0.0
    same = {"hfake": np.outer([1.0, 2.0, -3.0], [1.0, 0.5])}
    assert values(PullingAway(), same)["generator"] == pytest.approx(1.0)


def test_one_sample_and_features_of_zeros_cost_nothing(values):
    one = {"hfake": FEATURES[:1]}
    assert values(PullingAway(), one)["generator"] == 0.0
    none = {"hfake": np.zeros((4, 3))}
    assert values(PullingAway(), none)["generator"] == 0.0


def test_every_sample_has_its_share():
    shares = PullingAway().call({"hfake": FEATURES})["generator"]
    assert shares.shape == (5,)
    expected = pulling_away(FEATURES)["generator"]
    assert float(ops.mean(shares)) == pytest.approx(expected, rel=1e-12)


def test_the_energy_is_hinged_per_patch(values):
    energies = np.array([[0.0, 4.0]]).reshape(1, 1, 2, 1)
    outputs = {"yreal": np.zeros_like(energies), "yfake": energies}
    hinged = np.maximum(0, 2.0 - energies)
    expected = float(per_sample(hinged)[0])
    assert values(EnergyBased(2.0), outputs)["discriminator"] == expected
