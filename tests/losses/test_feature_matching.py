import numpy as np
import pytest
from keras import ops

from adversarial.losses import FeatureMatching

RNG = np.random.default_rng(7)
OUTPUTS = {
    "r1": RNG.normal(size=(4, 3)),
    "r2": RNG.normal(size=(4, 2, 2)),
    "f1": RNG.normal(size=(4, 3)),
    "f2": RNG.normal(size=(4, 2, 2)),
}
LAYERS = (["r1", "r2"], ["f1", "f2"])


def means(r1, r2, f1, f2):
    total = 0.0
    for real, fake in ((r1, f1), (r2, f2)):
        total += np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2)
    return {"generator": total}


def pairs(r1, r2, f1, f2):
    total = np.abs(r1 - f1).mean() + np.abs(r2 - f2).mean()
    return {"generator": total}


FORMULAS = {"means": means, "pairs": pairs}
each = pytest.mark.parametrize("match", list(FORMULAS))


@each
def test_values_and_gradients_are_those_of_the_formula(match, agrees):
    agrees(FeatureMatching(*LAYERS, match=match), OUTPUTS, FORMULAS[match])


def squares_before_means(r1, r2, f1, f2):
    total = ((r1 - f1) ** 2).sum(1).mean()
    return {"generator": total + ((r2 - f2) ** 2).sum((1, 2)).mean()}


def means_over_features(r1, r2, f1, f2):
    total = np.sum((r1.mean(1) - f1.mean(1)) ** 2)
    return {
        "generator": total + np.sum((r2.mean((1, 2)) - f2.mean((1, 2))) ** 2)
    }


@pytest.mark.parametrize(
    "faulty", [squares_before_means, means_over_features, pairs]
)
def test_a_faulty_mean_is_told_apart(faulty, tells_apart):
    tells_apart(FeatureMatching(*LAYERS), OUTPUTS, faulty)


@each
def test_detached_features_are_told_apart(match, tells_apart):
    class Detached(FeatureMatching):
        @property
        def roles(self):
            inner = super().roles["generator"]
            return {"generator": lambda seen: ops.stop_gradient(inner(seen))}

    loss = Detached(*LAYERS, match=match)
    tells_apart(loss, OUTPUTS, FORMULAS[match])


@each
def test_features_that_agree_cost_nothing(match, values):
    loss = FeatureMatching("r1", "r1", match=match)
    assert values(loss, OUTPUTS) == {"generator": 0.0}


def test_pairs_have_a_loss_per_sample_and_means_have_not():
    shares = FeatureMatching(*LAYERS, match="pairs").call(OUTPUTS)
    assert shares["generator"].shape == (4,)
    assert FeatureMatching(*LAYERS).call(OUTPUTS)["generator"].shape == ()


def test_means_take_no_sample_weights(values, refused):
    loss, weight = FeatureMatching(*LAYERS), np.ones(4)
    message = refused(lambda: values(loss, OUTPUTS, sample_weight=weight))
    assert "`sample_weight` needs a loss per sample" in message


def test_wrong_arguments_are_refused(values, refused):
    assert "in pairs" in refused(lambda: FeatureMatching(["a", "b"], ["c"]))
    message = refused(lambda: FeatureMatching(match="mean"))
    assert "did you mean 'means'?" in message
    message = refused(lambda: values(FeatureMatching("r1", "f2"), OUTPUTS))
    assert "'r1', 'f2'" in message
