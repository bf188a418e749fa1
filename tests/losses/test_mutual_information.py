import numpy as np
import pytest
from keras import ops

from adversarial.losses import MutualInformation

RNG = np.random.default_rng(4)
N, K, D = 5, 3, 2
CODE = np.array([0, 2, 1, 1, 0])
LOGITS = RNG.normal(size=(N, K))
REAL = {
    name: RNG.normal(size=(N, D)) for name in ("code", "mean", "log_variance")
}


def both(value):
    return {"generator": value, "discriminator": value}


def categorical(q):
    p = np.exp(q) / np.exp(q).sum(axis=1, keepdims=True)
    return both(-np.log(p[np.arange(N), CODE]).mean())


def gaussian(code, mean, v):
    density = np.exp(-((code - mean) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v)
    return both(-np.log(density).sum(axis=1).mean())


def of(**names):
    return MutualInformation("code", **names)


@pytest.mark.parametrize(
    "code", [CODE, CODE[:, None], np.eye(K)[CODE], CODE.astype("float64")]
)
def test_a_categorical_code_costs_its_cross_entropy(code, agrees):
    class Constant(MutualInformation):
        """The code is no function of anything, and may be whole numbers."""

        def call(self, outputs, targets=None):
            return super().call({"code": code, **outputs}, targets)

    agrees(Constant("code", logits="q"), {"q": LOGITS}, categorical)


@pytest.mark.parametrize("variance", [None, 0.3])
def test_a_gaussian_code_of_fixed_variance_costs_its_density(variance, agrees):
    outputs = {name: REAL[name] for name in ("code", "mean")}
    v = 1.0 if variance is None else variance
    agrees(
        of(mean="mean", variance=variance),
        outputs,
        lambda code, mean: gaussian(code, mean, v),
    )


def learnt(code, mean, log_variance):
    return gaussian(code, mean, np.exp(log_variance))


LEARNT = of(mean="mean", log_variance="log_variance")


def test_a_gaussian_code_of_read_variance_costs_its_density(agrees):
    agrees(LEARNT, REAL, learnt)


@pytest.mark.parametrize(
    "faulty",
    [
        lambda code, mean, log_variance: gaussian(
            code, mean, np.exp(2 * log_variance)
        ),
        lambda code, mean, log_variance: both(
            -learnt(code, mean, log_variance)["generator"]
        ),
        lambda code, mean, log_variance: both(
            learnt(code, mean, log_variance)["generator"] / D
        ),
        lambda code, mean, log_variance: both(((code - mean) ** 2).mean()),
    ],
    ids=["deviation", "sign", "mean over numbers", "squares"],
)
def test_a_faulty_density_is_told_apart(faulty, tells_apart):
    tells_apart(LEARNT, REAL, faulty)


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_detached_term_is_told_apart(player, tells_apart):
    # What becomes of a list of losses that is made into a new tensor.
    class Detached(MutualInformation):
        @property
        def roles(self):
            inner = super().roles
            detached = lambda seen: ops.stop_gradient(inner[player](seen))  # noqa: E731
            return {**inner, player: detached}

    tells_apart(Detached(**LEARNT.get_config()), REAL, learnt)


def test_the_values_of_the_docstring(values):
    known = {"code": np.eye(K), "q": 50.0 * np.eye(K)}
    loss = of(logits="q")
    assert values(loss, known)["generator"] == pytest.approx(0.0, abs=1e-12)
    nothing = {"code": np.eye(K), "q": np.zeros((K, K))}
    assert values(loss, nothing)["generator"] == pytest.approx(np.log(K))
    same = {"code": REAL["code"], "mean": REAL["code"]}
    expected = D * 0.5 * np.log(2 * np.pi * 0.3)
    found = values(of(mean="mean", variance=0.3), same)["discriminator"]
    assert found == pytest.approx(expected, rel=1e-12)


def test_logits_of_10000_give_a_finite_value(values):
    outputs = {"code": np.eye(2), "q": np.array([[-1e4, 1e4]] * 2)}
    found = values(
        of(logits="q"), {n: x.astype("float32") for n, x in outputs.items()}
    )
    assert found["generator"] == 1e4


def test_the_recogniser_can_be_a_player_of_its_own():
    loss = of(logits="q", discriminator="recogniser")
    outputs = {"code": np.eye(K), "q": np.zeros((K, K))}
    found = loss(["generator", "recogniser"], outputs)
    assert set(found) == {"generator", "recogniser"}


@pytest.mark.parametrize(
    "names",
    [
        {},
        {"logits": "q", "mean": "m"},
        {"logits": "q", "variance": 1.0},
        {"log_variance": "v"},
        {"mean": "m", "log_variance": "v", "variance": 1.0},
    ],
)
def test_a_code_that_is_neither_or_both_is_refused(names, refused):
    assert "categorical or Gaussian" in refused(lambda: of(**names))


@pytest.mark.parametrize("variance", [0.0, -1.0])
def test_a_variance_must_be_positive(variance, refused):
    message = refused(lambda: of(mean="m", variance=variance))
    assert "`variance` is out of range" in message


def test_shapes_that_would_broadcast_are_refused(values, refused):
    outputs = {"code": np.zeros((N, D)), "mean": np.zeros((N, 1))}
    message = refused(lambda: values(of(mean="mean"), outputs))
    assert "'code', 'mean'" in message
    outputs = {"code": np.zeros((N, K + 1)), "q": LOGITS}
    message = refused(lambda: values(of(logits="q"), outputs))
    assert "'code', 'q'" in message


def test_numbers_of_classes_out_of_range_are_refused(values, refused):
    outputs = {"code": CODE + 1, "q": LOGITS}
    message = refused(lambda: values(of(logits="q"), outputs))
    assert "whole numbers from 0 to 2" in message
