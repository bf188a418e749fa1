import numpy as np
import pytest
from keras import ops

from adversarial.losses import RelativisticAverage, RelativisticPaired
from adversarial.losses.relativistic import CONTRASTS

F = {
    "logistic": lambda t: np.logaddexp(0.0, -t),
    "least_squares": lambda t: (t - 1) ** 2,
    "hinge": lambda t: np.maximum(0.0, 1 - t),
}
AT_ZERO = {"logistic": np.log(2), "least_squares": 1.0, "hinge": 1.0}
each = pytest.mark.parametrize("contrast", list(F))
shapes = pytest.mark.parametrize("shape", [(6, 1), (6,), (3, 2, 2, 1)])
BOTH = [RelativisticPaired, RelativisticAverage]


def paired(f):
    def reference(yreal, yfake):
        return {
            "generator": f(yfake - yreal).mean(),
            "discriminator": f(yreal - yfake).mean(),
        }

    return reference


def average(f):
    def reference(yreal, yfake):
        r, s = yreal.mean(), yfake.mean()
        return {
            "generator": f(yfake - r).mean() + f(s - yreal).mean(),
            "discriminator": f(yreal - s).mean() + f(r - yfake).mean(),
        }

    return reference


FORMULAS = [(RelativisticPaired, paired), (RelativisticAverage, average)]
both = pytest.mark.parametrize(("cls", "formula"), FORMULAS)


def test_every_contrast_has_its_formula():
    assert set(F) == set(CONTRASTS)


@both
@each
@shapes
def test_values_and_gradients_are_those_of_the_formula(
    cls, formula, contrast, shape, agrees, scores
):
    agrees(cls(contrast), scores(*shape), formula(F[contrast]))


@both
def test_the_default_is_logistic(cls, formula, agrees, scores):
    agrees(cls(), scores(6, 1), formula(F["logistic"]))


@each
def test_each_form_is_told_from_the_other(contrast, tells_apart, scores):
    f, outputs = F[contrast], scores(6, 1)
    tells_apart(RelativisticPaired(contrast), outputs, average(f))
    tells_apart(RelativisticAverage(contrast), outputs, paired(f))


@each
@pytest.mark.parametrize("axis", [1, -1])
def test_a_mean_over_the_wrong_axis_is_told_apart(
    contrast, axis, tells_apart, scores
):
    f = F[contrast]

    def faulty(yreal, yfake):
        r = yreal.mean(axis, keepdims=True)
        s = yfake.mean(axis, keepdims=True)
        return {
            "generator": (f(yfake - r) + f(s - yreal)).mean(),
            "discriminator": (f(yreal - s) + f(r - yfake)).mean(),
        }

    tells_apart(RelativisticAverage(contrast), scores(6, 1), faulty)


@each
def test_a_mean_of_the_own_kind_is_told_apart(contrast, tells_apart, scores):
    f = F[contrast]

    def faulty(yreal, yfake):
        r, s = yreal.mean(), yfake.mean()
        return {
            "generator": f(yfake - s).mean() + f(r - yreal).mean(),
            "discriminator": f(yreal - r).mean() + f(s - yfake).mean(),
        }

    tells_apart(RelativisticAverage(contrast), scores(6, 1), faulty)


@each
def test_a_detached_mean_is_told_apart(contrast, tells_apart, scores):
    f = CONTRASTS[contrast]

    class Detached(RelativisticAverage):
        def prefer(self, high, low):
            above = f(high - ops.stop_gradient(ops.mean(low)))
            below = f(ops.stop_gradient(ops.mean(high)) - low)
            return ops.mean(above + below, axis=1)

    outputs = scores(6, 1)
    tells_apart(Detached(contrast), outputs, average(F[contrast]))


@pytest.mark.parametrize("cls", BOTH)
@each
def test_real_scores_have_a_part_in_the_generators_loss(
    cls, contrast, tells_apart, scores
):
    f = F[contrast]

    def without(yreal, yfake):
        found = dict(FORMULAS)[cls](f)(yreal, yfake)
        return found | {"generator": f(yfake - yreal.mean()).mean()}

    tells_apart(cls(contrast), scores(6, 1), without)


@each
def test_pairs_of_every_real_with_every_fake_are_told_apart(
    contrast, tells_apart, scores
):
    # What (batch, 1) less (batch,) becomes when it is broadcast.
    f = F[contrast]

    def crossed(yreal, yfake):
        return {
            "generator": f(yfake - yreal.T).mean(),
            "discriminator": f(yreal - yfake.T).mean(),
        }

    tells_apart(RelativisticPaired(contrast), scores(6, 1), crossed)


@pytest.mark.parametrize("cls", BOTH)
def test_scores_that_would_broadcast_are_refused(cls, values, refused):
    outputs = {"yreal": np.zeros((4, 1)), "yfake": np.zeros(4)}
    message = refused(lambda: values(cls(), outputs))
    assert "'yreal', 'yfake' sample by sample" in message
    assert "shape (4, 1) and shape (4)" in message


@pytest.mark.parametrize("cls", BOTH)
@each
def test_the_optimum_is_that_of_the_docstring(cls, contrast, values, scores):
    even = {name: np.full((4, 1), 2.5) for name in scores(1)}
    terms = 1 if cls is RelativisticPaired else 2
    optimum = terms * AT_ZERO[contrast]
    expected = {"generator": optimum, "discriminator": optimum}
    assert values(cls(contrast), even) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("cls", BOTH)
def test_only_differences_of_scores_matter(cls, values, scores):
    outputs = scores(6, 1)
    moved = {name: x + 7.0 for name, x in outputs.items()}
    expected = values(cls(), outputs)
    assert values(cls(), moved) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("cls", BOTH)
def test_scores_of_10000_give_finite_values_and_slopes(cls, extremes):
    terms = 1 if cls is RelativisticPaired else 2
    found, slopes = extremes(cls(), -1e4, 1e4)
    assert found == {"generator": 0.0, "discriminator": terms * 2e4}
    told = {"yreal": -float(terms), "yfake": float(terms)}
    assert slopes["discriminator"] == told
    assert slopes["generator"] == {"yreal": 0.0, "yfake": 0.0}


def test_an_unknown_contrast_is_refused(refused):
    message = refused(lambda: RelativisticPaired("logistics"))
    assert "did you mean 'logistic'?" in message


@pytest.mark.parametrize("cls", BOTH)
def test_there_is_no_loss_per_output(cls, refused):
    message = refused(lambda: cls().per_output("generator"))
    assert "every term compares a real score with a fake one" in message
    assert f"`loss={cls.__name__}()`" in message
