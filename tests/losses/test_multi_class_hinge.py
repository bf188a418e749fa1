import numpy as np
import pytest

from adversarial.losses import MultiClassHinge

K = 3
RNG = np.random.default_rng(1)
OUTPUTS = {name: RNG.normal(size=(6, K + 1)) for name in ("yreal", "yfake")}
LABELS = np.array([0, 1, 2, 2, 0, 1])
FAKE = np.full(6, K)


def crammer_singer(scores, labels):
    total = 0.0
    for row, y in zip(scores, labels, strict=True):
        wrong = max(s for k, s in enumerate(row) if k != y)
        total += max(0.0, 1 - row[y] + wrong)
    return total / len(scores)


def reference(yreal, yfake):
    told = crammer_singer(yreal, LABELS) + crammer_singer(yfake, FAKE)
    return {"generator": crammer_singer(yfake, LABELS), "discriminator": told}


def test_values_and_gradients_are_those_of_the_formula(agrees):
    agrees(MultiClassHinge(K), OUTPUTS, reference, LABELS)


def test_labels_of_the_fakes_can_be_their_own(agrees):
    other = LABELS[::-1].copy()
    loss = MultiClassHinge(K, fake_labels="c")

    def formula(yreal, yfake, c):
        found = reference(yreal, yfake)
        return found | {"generator": crammer_singer(yfake, other)}

    outputs = OUTPUTS | {"c": other.astype("float64")}
    found = loss(["generator", "discriminator"], outputs, LABELS)
    for name, expected in formula(**outputs).items():
        assert float(found[name]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "faulty",
    [
        lambda yfake: -crammer_singer(yfake, FAKE),
        lambda yfake: crammer_singer(yfake, FAKE),
        lambda yfake: -yfake[np.arange(6), LABELS].mean(),
    ],
    ids=["minimax", "wrong class", "no hinge"],
)
def test_a_faulty_generator_is_told_apart(faulty, tells_apart):
    def formula(yreal, yfake):
        return reference(yreal, yfake) | {"generator": faulty(yfake)}

    tells_apart(MultiClassHinge(K), OUTPUTS, formula, LABELS)


def test_fakes_taken_for_a_real_class_are_told_apart(tells_apart):
    def formula(yreal, yfake):
        told = crammer_singer(yreal, LABELS) + crammer_singer(yfake, FAKE - 1)
        return reference(yreal, yfake) | {"discriminator": told}

    tells_apart(MultiClassHinge(K), OUTPUTS, formula, LABELS)


def test_the_optimum_is_that_of_the_docstring(values):
    even = {name: np.full((6, K + 1), 2.0) for name in OUTPUTS}
    found = values(MultiClassHinge(K), even, LABELS)
    assert found == {"generator": 1.0, "discriminator": 2.0}


@pytest.mark.parametrize("big", [1e4, -1e4])
def test_scores_of_10000_give_finite_values(big, values):
    even = {n: np.full((6, K + 1), big, "float32") for n in OUTPUTS}
    for x in even.values():
        x[:, 0] = -big
    found = values(MultiClassHinge(K), even, np.zeros(6, "int32"))
    g = 1 + 2e4 if big > 0 else 0.0
    f = 1.0 if big > 0 else 1 + 2e4
    assert found == {"generator": g, "discriminator": g + f}


def test_a_critic_without_the_fake_class_is_refused(values, refused):
    short = {name: x[:, :K] for name, x in OUTPUTS.items()}
    message = refused(lambda: values(MultiClassHinge(K), short, LABELS))
    assert "needs 4 scores per sample: one for each of 3 classes" in message


def test_labels_of_the_fake_class_are_refused(values, refused):
    message = refused(lambda: values(MultiClassHinge(K), OUTPUTS, FAKE))
    assert "whole numbers from 0 to 2" in message
