import gc
import weakref

import keras
import numpy as np
import pytest

import adversarial
from adversarial import Joint, diagnostics
from adversarial.diagnostics.view import (
    batch_of,
    common_dtype,
    flattened,
    unflattened,
    view_of,
)


def test_a_look_sees_what_the_next_step_sees_and_changes_nothing(
    trained_gan, gan_batch, untouched
):
    """Same latents, same dropout, same weights: the losses it reports.

    `test_small_gan` and `test_gap` look at the other measures likewise.
    """
    x, y = gan_batch
    batch = (
        x,
        dict(zip(trained_gan.output_names, y, strict=True)),
        np.arange(len(x), dtype="float32"),
    )
    with untouched(trained_gan):
        seen = diagnostics.gradient_norms(trained_gan, *batch)
        assert seen == diagnostics.gradient_norms(trained_gan, *batch)
    logs = trained_gan.train_on_batch(*batch, return_dict=True)
    for name, loss in seen.losses.items():
        np.testing.assert_allclose(logs[f"{name}_loss"], loss, rtol=1e-6)
    moved_on = diagnostics.gradient_norms(trained_gan, *batch)
    assert seen.losses != moved_on.losses


class Counting(adversarial.losses.AdversarialLoss):
    """Counts how often it is traced."""

    calls = 0

    def call(self, outputs, targets=None):
        self.calls += 1
        theta = sum(keras.ops.sum(y**2, axis=-1) for y in outputs)
        return [theta, theta]


def test_a_look_is_traced_once_per_signature(quadratic):
    game = quadratic([2, 1], "float32")
    model, loss = game.model(), Counting()
    model.compile("simultaneous", "sgd", loss)
    look = diagnostics.gradient_norms
    look(model, np.ones((4, 1)))
    first = loss.calls
    assert first > 0
    for _ in range(3):
        look(model, np.ones((4, 1)))
    assert loss.calls == first
    look(model, np.ones((5, 1)))
    assert loss.calls > first


def test_compiling_again_looks_anew(quadratic):
    game = quadratic([2, 1], "float32")
    model = game.compiled("simultaneous", "sgd")
    before = diagnostics.gradient_norms(model, np.ones((4, 1)))
    game.matrices = 2 * game.matrices
    game.vectors = 2 * game.vectors
    model.compile("simultaneous", "sgd", game.loss())
    after = diagnostics.gradient_norms(model, np.ones((4, 1)))
    np.testing.assert_allclose(after.total, 2 * before.total, rtol=1e-6)


def test_eager_and_compiled_looks_agree(quadratic, float64):
    game = quadratic([2, 3, 1])
    found = []
    for eager in (True, False):
        model = game.compiled("simultaneous", "sgd", run_eagerly=eager)
        found.append(diagnostics.rotation(model, np.ones((1, 1))))
        assert view_of(model).eager == eager
    np.testing.assert_allclose(
        found[0].antisymmetric, found[1].antisymmetric, rtol=1e-12
    )


def test_a_look_does_not_keep_the_model_alive(quadratic):
    game = quadratic([2, 1], "float32")
    model = game.compiled("simultaneous", "sgd")
    diagnostics.gradient_norms(model, np.ones((4, 1)))
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_other_models_are_refused():
    with pytest.raises(TypeError, match=r"`AdversarialModel`.*\n.*`str`"):
        diagnostics.rotation("model", np.ones((1, 1)))


def test_a_model_must_be_compiled(bilinear):
    with pytest.raises(ValueError, match="compiled first"):
        diagnostics.rotation(bilinear.model(), np.ones((1, 1)))


def test_a_share_of_the_game_is_refused(bilinear, playing, monkeypatch):
    model = playing(bilinear)
    monkeypatch.setattr("adversarial.backend.replicas", lambda: 2)
    with pytest.raises(ValueError, match="scope of a distribution strategy"):
        diagnostics.rotation(model, np.ones((1, 1)))


def test_unknown_players_and_none_are_refused(bilinear, playing):
    view = view_of(playing(bilinear))
    assert view.chosen(["p1", "p0"]) == view.chosen(None) == ("p0", "p1")
    with pytest.raises(ValueError, match="Unknown player: 'p9'"):
        view.chosen(["p9"])
    with pytest.raises(ValueError, match="There must be a player"):
        view.chosen([])


def test_batches_become_tensors_and_none_stays():
    x, y, sample_weight = batch_of({"a": np.ones((2, 1))}, [np.zeros(2), None])
    assert keras.ops.is_tensor(x["a"]) and keras.ops.is_tensor(y[0])
    assert y[1] is None and sample_weight is None


def test_joint_vectors_become_flat_and_back():
    ones, two = keras.ops.ones((2, 3)), keras.ops.full((2,), 2.0)
    like = Joint({"a": [ones, two], "b": [two]})
    flat = flattened(Joint({"a": [None, two]}), like)
    np.testing.assert_array_equal(flat, [0] * 6 + [2, 2, 0, 0])
    back = unflattened(keras.ops.arange(10, dtype="float32"), like)
    np.testing.assert_array_equal(back["a"][0], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(back["a"][1], [6, 7])
    np.testing.assert_array_equal(back["b"][0], [8, 9])


def test_mixed_precisions_meet_in_the_higher_one():
    assert common_dtype(["float16"]) == "float32"
    assert common_dtype(["bfloat16", "float32"]) == "float32"
    assert common_dtype(["float32", "float64"]) == "float64"
    half, double = keras.ops.ones(1, "float16"), keras.ops.ones(1, "float64")
    like = Joint({"a": [half, double]})
    back = unflattened(flattened(like, like), like)
    assert [str(x.dtype.name) for x in back["a"]] == ["float16", "float64"]
