"""What holds for every loss of the catalogue: names, saving, training."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from engines import compiled as compiled_function, tensor, without
from keras import ops
from loss_games import CASES, CONTRASTIVE, LABELS, RNG, K, X, game

import adversarial
from adversarial import losses, registry

PLAYERS = ["generator", "discriminator"]
BASES = {
    "AdversarialLoss",
    "EquilibriumBalance",
    "GANLoss",
    "LossSum",
    "ScoreLoss",
    "SeparableLoss",
    "Weighted",
}
"""What is public, and no loss of a game by name."""
SAVED = 1e-5
"""Relative; the same step, compiled anew."""


def compiled(name, strategy="simultaneous", **kwargs):
    loss, heads = CASES[name]
    model = game(heads, name in CONTRASTIVE)
    model.compile(strategy, "sgd", loss=loss, **kwargs)
    return model


def data():
    return {"x": X, "label": LABELS.astype("float32")}, LABELS


def test_every_loss_is_registered_under_its_name():
    public = set(losses.__all__) - BASES
    assert registry.names("losses") == sorted(map(registry.snake_case, public))


def test_every_loss_is_trained_here():
    assert set(CASES) == set(losses.__all__) - BASES


@pytest.mark.parametrize("name", CASES)
def test_it_trains_under_every_strategy_and_in_every_mode(name, conforms):
    loss, heads = CASES[name]
    x, y = data()
    conforms(
        lambda: game(heads, name in CONTRASTIVE), {"loss": loss}, [x, y], 4
    )


@pytest.mark.parametrize("name", CASES)
def test_a_model_is_saved_with_it(name, tmp_path):
    model = compiled(name, run_eagerly=True)
    x, y = data()
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    a, b = (m._compiled_with["loss"] for m in (model, copy))
    assert a.get_config() == b.get_config()
    expected = model.train_on_batch(x, y)
    np.testing.assert_allclose(copy.train_on_batch(x, y), expected, rtol=SAVED)


@pytest.mark.parametrize("name", CASES)
def test_all_arguments_are_in_its_config(name):
    loss = CASES[name][0]
    for _, part in losses.LossSum.parts_of(loss):
        config = keras.saving.serialize_keras_object(part)
        copy = keras.saving.deserialize_keras_object(config)
        assert type(copy) is type(part)
        assert copy.get_config() == part.get_config()
        assert vars(copy) == vars(part)


STRINGS = ["minimax", "non_saturating", "least_squares", "wasserstein"]
STRINGS += ["relativistic_average", "relativistic_paired"]


@pytest.mark.parametrize("name", STRINGS)
def test_its_name_is_enough_to_compile(name, small_gan, tmp_path):
    model = small_gan()
    model.compile("simultaneous", "sgd", loss=name)
    x = RNG.normal(size=(8, 3)).astype("float32")
    model.fit(x, batch_size=4, verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        copy.evaluate(x, verbose=0), model.evaluate(x, verbose=0), rtol=SAVED
    )


def test_the_name_means_the_loss(small_gan):
    x = RNG.normal(size=(8, 3)).astype("float32")
    found = []
    for loss in ("least_squares", losses.LeastSquares()):
        keras.utils.set_random_seed(0)
        model = small_gan()
        model.compile("simultaneous", "sgd", loss=loss, run_eagerly=True)
        found.append(model.train_on_batch(x))
    assert found[0] == found[1]


def test_a_name_that_keras_knows_keeps_its_meaning(small_gan):
    model = small_gan()
    model.compile("simultaneous", "sgd", loss="hinge")
    with pytest.raises(ValueError, match="need targets"):
        model.train_on_batch(np.zeros((4, 3)))
    ones = [np.ones((4, 1))] * 4
    logs = model.train_on_batch(np.zeros((4, 3)), ones, return_dict=True)
    assert np.isfinite(logs["generator_loss"])


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ("non_saturatng", "did you mean 'non_saturating'?"),
        ({"generator": "non_saturating"}, "a `NonSaturating` for one player"),
        ("energy_based", "needs arguments"),
        (losses.Hinge(generator="maker"), "Unknown player in `Hinge(gen"),
    ],
)
def test_a_wrong_loss_is_refused_when_the_model_is_compiled(
    loss, said, small_gan
):
    with pytest.raises((ValueError, TypeError)) as caught:
        small_gan().compile("simultaneous", "sgd", loss=loss)
    assert said in str(caught.value)


def test_a_misspelt_output_is_refused_at_the_first_batch(small_gan):
    model = small_gan()
    loss = losses.Hinge(fake="y_fake")
    model.compile("simultaneous", "sgd", loss=loss, run_eagerly=True)
    with pytest.raises(ValueError, match="did you mean 'yfake'"):
        model.train_on_batch(np.zeros((4, 3)))


@without("torch", "nothing is compiled, and labels are refused")
@pytest.mark.parametrize("jit", [False, True])
def test_a_compiled_step_on_wrong_labels_is_refused(jit):
    model = compiled("AuxiliaryClassifier", jit_compile=jit)
    before = [np.asarray(v) for v in model.trainable_variables]
    x, y = data()
    with pytest.raises(adversarial.GameDivergedError):
        model.fit(x, y + 1, batch_size=12, verbose=0)
    for old, new in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new)


@without("torch", "nothing is compiled, and labels are refused")
@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "MultiClassHinge",
        "AuxiliaryDiscriminativeClassifier",
        "TwinAuxiliaryClassifier",
        "MutualInformation",
    ],
)
def test_wrong_labels_in_a_compiled_step_give_nan(name, jit):
    (_, loss) = losses.LossSum.parts_of(CASES[name][0])[-1]
    sizes = {"m": K + 1, "a": 2 * K, "t": K, "c": K}
    outputs = {
        f"{head}{kind}": np.zeros((4, size), "float32")
        for head, size in sizes.items()
        for kind in ("real", "fake")
    }

    def losses_of(labels):
        seen = outputs | {"label": labels}
        return loss(PLAYERS, seen, labels)

    step = compiled_function(losses_of, jit)
    right = tensor(LABELS[:4])
    assert not np.isnan([float(x) for x in step(right).values()]).any()
    wrong = tensor(np.full(4, K, "int32"))
    assert np.isnan([float(x) for x in step(wrong).values()]).all()


def test_players_with_a_network_each_read_their_own_outputs():
    layers = keras.layers
    x = keras.Input((3,))
    g = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    d = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    z = adversarial.layers.NormalLatent(2, seed=1)(x)
    model = adversarial.AdversarialModel(
        player_models={
            "generator": keras.Model(x, {"yfake": d(g(z))}),
            "discriminator": keras.Model(x, {"yfake": d(g(z)), "yreal": d(x)}),
        },
        player_params={"generator": g, "discriminator": d},
    )
    model.compile("simultaneous", "sgd", loss="relativistic_paired")
    logs = model.fit(np.ones((8, 3)), batch_size=4, verbose=0).history
    assert np.isfinite(logs["generator_loss"][0])


def test_sample_weights_reach_the_loss(small_gan):
    x = RNG.normal(size=(8, 3)).astype("float32")
    model = small_gan()
    model.compile("simultaneous", "sgd", loss="wasserstein", run_eagerly=True)
    logs = model.test_on_batch(
        x, sample_weight=np.zeros(8, "float32"), return_dict=True
    )
    assert logs["generator_loss"] == logs["discriminator_loss"] == 0.0


def test_scores_of_10000_train_without_nan(small_gan):
    model = small_gan()
    for variable in model.trainable_variables:
        variable.assign(ops.ones_like(variable) * 1e3)
    model.compile("simultaneous", "sgd", loss="non_saturating")
    model.fit(np.ones((8, 3), "float32"), batch_size=4, verbose=0)


PAGE = Path(__file__).parents[2] / "docs" / "losses.md"


def test_the_page_has_a_line_for_every_loss():
    listed = re.findall(
        r"\| \{py:class\}`~adversarial\.losses\.(\w+)`", PAGE.read_text()
    )
    assert sorted(listed) == sorted(set(losses.__all__) - BASES)


def test_the_tests_that_the_page_names_exist():
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))
    tests = "".join(p.read_text() for p in Path(__file__).parent.glob("*.py"))
    assert named
    assert not [name for name in named if f"def {name}(" not in tests]
