"""What Keras takes without a word, or stumbles over."""

import keras
import numpy as np
import pytest
from engines import ENGINE, JITS, array, only

from adversarial.builders import gan_targets
from adversarial.fit_arguments import check_fit_arguments
from adversarial.losses import AdversarialLoss
from adversarial.objective import Objective

BCE = keras.losses.BinaryCrossentropy(from_logits=True)
X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = gan_targets(8)


@pytest.fixture
def compiled(small_gan):
    def make(loss="non_saturating", **kwargs):
        keras.utils.set_random_seed(0)
        model = small_gan()
        given = {"run_eagerly": True, **kwargs}
        model.compile("simultaneous", "sgd", loss, **given)
        return model

    return make


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"batch_size": 0}, "`batch_size` is out of range"),
        ({"batch_size": 2.5}, "`batch_size` must be a whole number"),
        ({"epochs": None}, "`epochs` must be a whole number"),
        ({"epochs": -1}, "`epochs` is out of range"),
        ({"steps_per_epoch": 0}, "`steps_per_epoch` is out of range"),
        ({"validation_split": 1.0}, "`validation_split` is out of range"),
        ({"validation_split": -0.5}, "`validation_split` is out of range"),
        ({"validation_data": 3}, "`validation_data` must be data"),
        ({"class_weight": {0: 1.0}}, "`class_weight` needs one target"),
        ({"callbacks": "abc"}, "`callbacks` must be a list"),
        ({"callbacks": [None]}, "`callbacks` must be a list"),
        ({"sample_weight": np.array(["a"])}, "`sample_weight` must hold real"),
    ],
)
def test_fit_refuses_what_it_would_misread(kwargs, words):
    with pytest.raises((TypeError, ValueError), match=words):
        check_fit_arguments(X, None, kwargs, 4)


def test_fit_takes_what_it_understands():
    check_fit_arguments(X, Y[0], {"class_weight": {0: 1.0}}, 1)
    check_fit_arguments(
        X, None, {"validation_freq": [1, 3], "batch_size": np.int64(4)}, None
    )


@pytest.mark.parametrize("dtype", ["U3", "O", "complex64", "M8[s]", "S2"])
def test_arrays_that_hold_no_numbers_are_refused(compiled, dtype):
    x = np.ones((8, 3)).astype("int64").astype(dtype)
    for call in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        with pytest.raises(ValueError, match="must hold real numbers"):
            getattr(compiled(), call)(x)


def test_missing_inputs_and_empty_data_are_refused(compiled):
    model = compiled()
    with pytest.raises(ValueError, match="`x` must be given"):
        model.fit()
    with pytest.raises(ValueError, match="at least one sample"):
        model.train_on_batch(X[:0])


@only("tensorflow", "Datasets that say nothing of their size are its own.")
def test_an_empty_dataset_is_refused(compiled):
    import tensorflow as tf

    model = compiled()
    empty = tf.data.Dataset.from_tensor_slices(X).batch(4).take(0)
    for call, words in (("fit", "train on"), ("evaluate", "evaluate")):
        with (
            pytest.warns(UserWarning, match="ran out of data"),
            pytest.raises(ValueError, match=f"a batch to {words}"),
        ):
            getattr(model, call)(empty, verbose=0)


@pytest.mark.parametrize("jit", JITS)
@pytest.mark.parametrize("what", ["y", "weight"])
def test_one_row_is_not_broadcast_over_a_batch(compiled, what, jit):
    y = [t[:1] for t in Y] if what == "y" else Y
    weight = np.ones(1 if what == "weight" else 8, "float32")
    model = compiled(BCE, run_eagerly=False, jit_compile=jit)
    batches = ((X, tuple(y), weight) for _ in range(2))
    error = (ValueError, ArithmeticError)
    with pytest.raises(error, match=r"rows|same number|one per sample"):
        model.fit(batches, verbose=0, steps_per_epoch=1)
    with pytest.raises(ValueError, match="of 1 rows where the batch has 8"):
        model.train_on_batch(X, y, weight)


def test_one_weight_is_not_broadcast_by_the_loss_of_a_game(compiled):
    model = compiled(run_eagerly=False)
    batches = ((X, X, np.ones(1, "float32")) for _ in range(2))
    # Some engines know the number of rows before the step runs.
    error = (ValueError, ArithmeticError)
    with pytest.raises(error, match=r"fewer rows|loss per sample"):
        model.fit(batches, verbose=0, steps_per_epoch=1)


def test_a_square_of_weights_is_not_broadcast(compiled):
    with pytest.raises(ValueError, match="must be one per sample"):
        compiled(BCE).train_on_batch(X, Y, sample_weight=np.ones((8, 8)))


def test_weights_per_sample_weigh_images_by_sample():
    """With as many columns as samples, Keras itself weighs the columns."""
    y, p = np.random.default_rng(0).normal(size=(2, 4, 4, 4, 1))
    weight = np.arange(4.0)
    objective = Objective("p", ["image"], loss=["mean_squared_error"])
    found = objective.loss_of(
        *([keras.ops.array(a, "float32")] for a in (y, p, weight))
    )
    by_sample = ((y - p) ** 2).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(found, (by_sample * weight).mean(), rtol=1e-5)


@pytest.mark.parametrize("eager", [True, False])
def test_labels_out_of_range_are_refused_in_words(compiled, eager):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = compiled(loss, run_eagerly=eager)
    error, words = ValueError, "Labels must be numbers of classes"
    if ENGINE == "jax" and not eager:  # What is compiled there cannot raise.
        error, words = ArithmeticError, "labels that number no class"
    before = [array(v) for v in model.trainable_variables]
    with pytest.raises(error, match=words):
        model.fit(X, [np.full(8, 5)] * 4, verbose=0)
    for v, x in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(array(v), x)


def test_losses_without_numbers_are_refused_in_words(compiled):
    with pytest.raises(ValueError, match="'nothing' must return numbers"):

        def nothing(y, y_pred):
            return None

        compiled(nothing).train_on_batch(X, Y)

    class Complex(AdversarialLoss):
        def call(self, outputs, targets=None):
            return [keras.ops.cast(y, "complex64") for y in outputs]

    with pytest.raises(TypeError, match="must return real numbers"):
        compiled(Complex()).train_on_batch(X)


def test_a_target_of_none_is_refused_by_name(compiled):
    with pytest.raises(ValueError, match="'discriminator_yreal' has a loss"):
        compiled(BCE).train_on_batch(X, [*Y[:3], None])


def test_frozen_parameters_are_refused_not_moved(small_gan):
    model = small_gan()
    model.networks[0].get_layer("generator").trainable = False
    with pytest.raises(ValueError, match="must be trainable"):
        model.compile("simultaneous", "sgd", "non_saturating")


class Interrupt(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize("eager", [True, False])
def test_training_goes_on_after_an_interrupt(compiled, eager):
    """As if what came before the interrupt were a training of its own."""
    cut, whole = compiled(run_eagerly=eager), compiled(run_eagerly=eager)
    with pytest.raises(KeyboardInterrupt):
        cut.fit(
            X, batch_size=2, shuffle=False, verbose=0, callbacks=Interrupt()
        )
    whole.fit(X[:4], batch_size=2, shuffle=False, verbose=0)
    for model in (cut, whole):
        model.fit(X, batch_size=4, shuffle=False, verbose=0)
    for a, b in zip(cut.variables, whole.variables, strict=True):
        np.testing.assert_array_equal(np.array(a), np.array(b), err_msg=a.path)


def test_a_generator_that_raises_leaves_a_model_that_trains(compiled):
    def broken():
        yield (X,)
        raise RuntimeError("the disk is gone")

    model = compiled()
    # TensorFlow makes an error of its own of it.
    with pytest.raises(Exception, match="the disk is gone"):
        model.fit(broken(), verbose=0)
    history = model.fit(X, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("run_eagerly", "yes"),
        ("jit_compile", "yes"),
        ("auto_scale_loss", None),
        ("update_state", [True, False]),
        ("steps_per_execution", 0),
        ("loss_weights", float("nan")),
        ("on_nonfinite", np.ones(2)),
    ],
)
def test_compile_refuses_nonsense_by_name(compiled, argument, value):
    with pytest.raises((TypeError, ValueError), match=f"`{argument}`"):
        compiled(BCE, **{argument: value})
