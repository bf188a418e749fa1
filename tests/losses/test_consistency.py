import keras
import numpy as np
import pytest
from keras import ops

import adversarial
from adversarial.losses import Consistency, NonSaturating

RNG = np.random.default_rng(3)
OUTPUTS = {
    "a1": RNG.normal(size=(4, 1)),
    "a2": RNG.normal(size=(4, 2, 3, 2)),
    "b1": RNG.normal(size=(4, 1)),
    "b2": RNG.normal(size=(4, 2, 3, 2)),
}
PAIRS = (["a1", "a2"], ["b1", "b2"])
FLOAT32 = 1e-5
"""Relative; sums of a few float32 numbers."""


def formula(reduction):
    def of(a1, a2, b1, b2):
        total = 0.0
        for a, b in ((a1, b1), (a2, b2)):
            flat = ((a - b) ** 2).reshape(len(a), -1)
            total += getattr(flat, reduction)(axis=1).mean()
        return {"discriminator": total}

    return of


each = pytest.mark.parametrize("reduction", ["mean", "sum"])


@each
def test_values_and_gradients_are_those_of_the_formula(reduction, agrees):
    loss = Consistency(*PAIRS, reduction=reduction)
    agrees(loss, OUTPUTS, formula(reduction))


@each
def test_the_other_reduction_is_told_apart(reduction, tells_apart):
    other = {"mean": "sum", "sum": "mean"}[reduction]
    tells_apart(
        Consistency(*PAIRS, reduction=reduction), OUTPUTS, formula(other)
    )


def test_a_detached_copy_is_told_apart(tells_apart):
    """The discriminator moves both scores, not one towards the other."""

    class Detached(Consistency):
        @property
        def roles(self):
            inner = super().roles["player"]

            def half(seen):
                names = self.second
                kept = {
                    n: ops.stop_gradient(seen.read("second", n)) for n in names
                }
                seen._outputs.update(kept)
                return inner(seen)

            return {"player": half}

    tells_apart(Detached(*PAIRS), OUTPUTS, formula("mean"))


def test_outputs_that_agree_cost_nothing(values):
    assert values(Consistency("a2", "a2"), OUTPUTS) == {"discriminator": 0.0}


def test_each_sample_has_its_own_value(values):
    loss = Consistency(*PAIRS)
    assert loss.call(OUTPUTS)["discriminator"].shape == (4,)
    only = np.array([0.0, 0.0, 1.0, 0.0])
    one = {name: x[2:3] for name, x in OUTPUTS.items()}
    found = values(loss, OUTPUTS, sample_weight=only)["discriminator"]
    expected = formula("mean")(**one)["discriminator"] / 4
    assert found == pytest.approx(expected, rel=1e-12)


def test_wrong_arguments_are_refused(values, refused):
    assert "in pairs" in refused(lambda: Consistency(["a", "b"], ["c"]))
    message = refused(lambda: Consistency("a", "b", reduction="summ"))
    assert "did you mean 'sum'?" in message
    message = refused(lambda: values(Consistency("a1", "b2"), OUTPUTS))
    assert "'a1', 'b2'" in message


def shifted(x):
    return ops.roll(x, 1, axis=-1)


def game():
    """A GAN with scores of shifted samples, and of those of near latents."""
    layers = keras.layers
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(3, "tanh"), layers.Dense(3)],
        name="generator",
    )
    discriminator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)],
        name="discriminator",
    )
    x, z = keras.Input((3,), name="x"), keras.Input((2,), name="z")
    xfake, near = generator(z), generator(z + 0.1)
    outputs = {
        "yreal": discriminator(x),
        "real_moved": discriminator(shifted(x)),
        "yfake": discriminator(xfake),
        "fake_moved": discriminator(shifted(xfake)),
        "yfake_near": discriminator(near),
        "xfake": xfake,
        "xfake_near": near,
    }
    model = adversarial.AdversarialModel(
        keras.Model({"x": x, "z": z}, outputs),
        player_params={"generator": generator, "discriminator": discriminator},
    )
    return model, generator, discriminator


CR = 10.0 * Consistency("yreal", "real_moved")
BCR = CR + 5.0 * Consistency("yfake", "fake_moved")
ZCR = 2.0 * Consistency("yfake", "yfake_near") + -0.5 * Consistency(
    "xfake", "xfake_near", player="generator"
)
DATA = {
    "x": RNG.normal(size=(8, 3)).astype("float32"),
    "z": RNG.normal(size=(8, 2)).astype("float32"),
}


def squared(a, b):
    return float(np.mean((np.asarray(a) - np.asarray(b)) ** 2))


def added(name, generator, discriminator):
    """What each term adds to each player's loss, written out."""
    x, z = DATA["x"], DATA["z"]
    fake, near = np.asarray(generator(z)), np.asarray(generator(z + 0.1))
    roll = lambda a: np.roll(a, 1, axis=-1)  # noqa: E731
    real_term = 10.0 * squared(discriminator(x), discriminator(roll(x)))
    fake_term = 5.0 * squared(discriminator(fake), discriminator(roll(fake)))
    near_term = 2.0 * squared(discriminator(fake), discriminator(near))
    return {
        "CR": (0.0, real_term),
        "bCR": (0.0, real_term + fake_term),
        "zCR": (-0.5 * squared(fake, near), near_term),
    }[name]


@pytest.mark.parametrize(
    ("name", "terms"), [("CR", CR), ("bCR", BCR), ("zCR", ZCR)]
)
def test_in_a_game_each_player_has_its_terms(name, terms, tmp_path):
    model, generator, discriminator = game()
    model.compile("simultaneous", "sgd", loss=NonSaturating())
    plain = model.test_on_batch(DATA, return_dict=True)
    model.compile("simultaneous", "sgd", loss=NonSaturating() + terms)
    found = model.test_on_batch(DATA, return_dict=True)
    expected = added(name, generator, discriminator)
    for player, more in zip(
        ("generator", "discriminator"), expected, strict=True
    ):
        key = f"{player}_loss"
        assert found[key] == pytest.approx(plain[key] + more, rel=FLOAT32)
    model.fit(DATA, batch_size=4, verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    again = copy.test_on_batch(DATA, return_dict=True)
    for key, value in model.test_on_batch(DATA, return_dict=True).items():
        assert again[key] == pytest.approx(value, rel=FLOAT32)


def test_the_sign_of_the_generators_term_pushes_samples_apart():
    model, generator, _ = game()

    def apart():
        z = DATA["z"]
        return squared(generator(z), generator(z + 0.1))

    before = apart()
    sgd = [keras.optimizers.SGD(rate) for rate in (0.1, 1e-9)]
    model.compile("simultaneous", sgd, loss=0.0 * NonSaturating() + 99.0 * ZCR)
    for _ in range(3):
        model.train_on_batch(DATA)
    assert apart() > 1.05 * before
