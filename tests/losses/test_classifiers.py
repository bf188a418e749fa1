import numpy as np
import pytest
from keras import ops

from adversarial.losses import (
    AuxiliaryClassifier,
    AuxiliaryDiscriminativeClassifier,
    TwinAuxiliaryClassifier,
)

K = 3
RNG = np.random.default_rng(2)
LABELS = np.array([0, 1, 2, 2, 0])
ROWS = np.arange(5)
CLASSES = {name: RNG.normal(size=(5, K)) for name in ("creal", "cfake")}
TWICE = {name: RNG.normal(size=(5, 2 * K)) for name in ("creal", "cfake")}
TWIN = {"tfake": RNG.normal(size=(5, K))}


def surprise(logits, labels):
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return -np.log(p[ROWS, labels]).mean()


def auxiliary(creal, cfake):
    g = surprise(cfake, LABELS)
    return {"generator": g, "discriminator": surprise(creal, LABELS) + g}


def twin(tfake):
    told = surprise(tfake, LABELS)
    return {"generator": -told, "discriminator": told}


def discriminative(creal, cfake):
    g = surprise(cfake, LABELS) - surprise(cfake, LABELS + K)
    told = surprise(creal, LABELS) + surprise(cfake, LABELS + K)
    return {"generator": g, "discriminator": told}


CASES = {
    "auxiliary": (AuxiliaryClassifier(K), CLASSES, auxiliary),
    "twin": (TwinAuxiliaryClassifier(K), TWIN, twin),
    "discriminative": (
        AuxiliaryDiscriminativeClassifier(K),
        TWICE,
        discriminative,
    ),
}
each = pytest.mark.parametrize(
    ("loss", "outputs", "reference"), CASES.values(), ids=list(CASES)
)


@each
def test_values_and_gradients_are_those_of_the_formula(
    loss, outputs, reference, agrees
):
    agrees(loss, outputs, reference, LABELS)


@each
def test_a_wrong_sign_is_told_apart(loss, outputs, reference, tells_apart):
    def turned(**outputs):
        found = reference(**outputs)
        return found | {"generator": -found["generator"]}

    tells_apart(loss, outputs, turned, LABELS)


@each
def test_a_detached_generator_is_told_apart(
    loss, outputs, reference, tells_apart
):
    class Detached(type(loss)):
        @property
        def roles(self):
            inner = super().roles
            detached = lambda seen: ops.stop_gradient(inner["generator"](seen))  # noqa: E731
            return {**inner, "generator": detached}

    tells_apart(Detached(K), outputs, reference, LABELS)


@each
def test_the_generator_has_a_part_on_fakes_only(loss, outputs, reference):
    with_other_reals = {
        name: x + 1.0 if name == "creal" else x for name, x in outputs.items()
    }
    found, other = (
        np.asarray(loss.call(x, LABELS)["generator"])
        for x in (outputs, with_other_reals)
    )
    np.testing.assert_array_equal(found, other)


def test_a_discriminator_that_skips_fakes_is_told_apart(tells_apart):
    def only_reals(creal, cfake):
        found = auxiliary(creal, cfake)
        return found | {"discriminator": surprise(creal, LABELS)}

    tells_apart(AuxiliaryClassifier(K), CLASSES, only_reals, LABELS)


def test_exchanged_halves_are_told_apart(tells_apart):
    def exchanged(creal, cfake):
        halves = (np.roll(x, K, axis=1) for x in (creal, cfake))
        return discriminative(*halves)

    loss = AuxiliaryDiscriminativeClassifier(K)
    tells_apart(loss, TWICE, exchanged, LABELS)


def test_a_generator_with_only_one_of_two_terms_is_told_apart(tells_apart):
    def only_real(creal, cfake):
        found = discriminative(creal, cfake)
        return found | {"generator": surprise(cfake, LABELS)}

    loss = AuxiliaryDiscriminativeClassifier(K)
    tells_apart(loss, TWICE, only_real, LABELS)


@pytest.mark.parametrize(
    ("name", "generator", "discriminator"),
    [
        ("auxiliary", np.log(K), 2 * np.log(K)),
        ("twin", -np.log(K), np.log(K)),
        ("discriminative", 0.0, 2 * np.log(2) + 2 * np.log(K)),
    ],
)
def test_the_optimum_is_that_of_the_docstring(
    name, generator, discriminator, values
):
    loss, outputs, _ = CASES[name]
    even = {key: np.zeros_like(x) for key, x in outputs.items()}
    found = values(loss, even, LABELS)
    assert found["generator"] == pytest.approx(generator, abs=1e-12)
    assert found["discriminator"] == pytest.approx(discriminator, rel=1e-12)


@each
@pytest.mark.parametrize("big", [1e4, -1e4])
def test_logits_of_10000_give_finite_values(
    loss, outputs, reference, big, values
):
    even = {key: np.zeros(x.shape, "float32") for key, x in outputs.items()}
    for x in even.values():
        x[:, 0] = big
    found = values(loss, even, np.zeros(5, "int32"))
    assert all(np.isfinite(x) for x in found.values())


@each
def test_labels_out_of_range_are_refused(
    loss, outputs, reference, values, refused
):
    message = refused(lambda: values(loss, outputs, LABELS + 1))
    assert "whole numbers from 0 to 2 (`classes=3`)" in message
    assert "Received: 3." in message


@each
def test_a_wrong_number_of_classes_is_refused(
    loss, outputs, reference, values, refused
):
    more = type(loss)(K + 1)
    message = refused(lambda: values(more, outputs, LABELS))
    assert "scores per sample" in message
    assert "class" in message


@each
def test_labels_are_needed(loss, outputs, reference, values, refused):
    message = refused(lambda: values(loss, outputs))
    assert "needs labels of classes" in message


def test_the_twin_can_be_a_player_of_its_own():
    loss = TwinAuxiliaryClassifier(K, twin="spy", generator="forger")
    found = loss(["spy", "forger"], TWIN, LABELS)
    assert float(found["spy"]) == -float(found["forger"]) > 0
