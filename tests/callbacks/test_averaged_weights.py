import keras
import numpy as np
import pytest
from engines import without

import adversarial
from adversarial.callbacks import AveragedWeights, Backup, MetricsOnSamples
from adversarial.callbacks.averaged_weights import averages_of
from adversarial.optimizers import Averaging, Lookahead

LOSS = keras.losses.BinaryCrossentropy(from_logits=True)


def test_averages_are_found_in_a_strategy_and_inside_others(small_gan):
    for strategy, place in (
        (Averaging("simultaneous"), lambda s: s),
        (Lookahead(Averaging("simultaneous")), lambda s: s.inner),
        (Averaging(Lookahead(Averaging())), lambda s: s),
    ):
        model = small_gan()
        model.compile(strategy, "sgd", LOSS)
        assert averages_of(model) is place(model.optimizer)


@pytest.mark.parametrize(
    ("strategy", "named"),
    [
        ("simultaneous", r"Received: Simultaneous\."),
        (Lookahead("simultaneous"), r"Lookahead around Simultaneous\."),
    ],
)
def test_a_strategy_without_averages_is_named(small_gan, strategy, named):
    model = small_gan()
    model.compile(strategy, "sgd", LOSS)
    with pytest.raises(ValueError, match="keeps averages") as error:
        averages_of(model)
    assert error.match(named)
    assert error.match("Averaging")


def test_a_model_with_a_keras_optimizer_has_none():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    with pytest.raises(ValueError, match=r"Received: Adam\."):
        averages_of(model)


def test_the_averages_take_the_place_of_the_weights(small_gan):
    model = small_gan()
    model.compile(Averaging("simultaneous", kind="uniform"), "sgd", LOSS)
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    y = [np.ones((8, 1))] * 4
    variable = model.players["generator"].variables[0]
    points = []
    for _ in range(3):
        model.train_on_batch(x, y)
        points.append(np.array(variable))
    with averages_of(model).averaged():
        # Rounding of a running mean in float32.
        np.testing.assert_allclose(variable, np.mean(points, 0), atol=1e-6)
    np.testing.assert_array_equal(variable, points[-1])


ROWS, BATCH = 16, 4
ROUNDING = 1e-6
"""Of a running mean of numbers of order 1 in float32."""


def rows():
    return np.random.default_rng(0).normal(size=(ROWS, 3)).astype("float32")


def weights(model):
    return [np.array(v) for v in model.trainable_variables]


def averaging(small_gan, strategy=None):
    """The same GAN each time, whose averages are means of all points."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)
    model = small_gan()
    strategy = strategy or Averaging("alternating", kind="uniform")
    model.compile(strategy, "adam", "non_saturating", run_eagerly=True)
    return model


def fit(model, callbacks, epochs=2, **kwargs):
    return model.fit(
        rows(),
        batch_size=BATCH,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
        **kwargs,
    ).history


class Seen(keras.callbacks.Callback):
    """Notes the weights at batches, tests, and ends of epochs."""

    def __init__(self):
        super().__init__()
        self.points, self.tested, self.ended = [], [], []

    def on_train_batch_end(self, batch, logs=None):
        self.points.append(weights(self.model))

    def on_test_batch_begin(self, batch, logs=None):
        self.tested.append(weights(self.model))

    def on_epoch_end(self, epoch, logs=None):
        self.ended.append(weights(self.model))

    def mean(self):
        """The uniform average of all points so far, in float64."""
        return [
            np.mean(p, 0, "float64") for p in zip(*self.points, strict=True)
        ]


def assert_equal(got, want):
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


def assert_close(got, want):
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, atol=ROUNDING)


def test_the_averages_are_evaluated_and_training_is_unchanged(small_gan):
    model, other, seen = averaging(small_gan), None, Seen()
    data = {"validation_data": (rows()[:BATCH],)}
    found = fit(model, [AveragedWeights(), seen], **data)
    assert len(seen.tested) == 2
    assert_close(seen.tested[1], seen.mean())
    assert np.any(seen.tested[1][0] != seen.points[-1][0])
    assert_equal(seen.ended[1], seen.points[-1])
    state = [np.array(v) for v in model.whole_state()]
    other = averaging(small_gan)
    want = fit(other, [], **data)
    for v, value in zip(other.whole_state(), state, strict=True):
        # The means of the metrics are of the last validation.
        if "discriminator_objective" not in v.path and "loss" not in v.path:
            same = np.array_equal(v, value)
            assert same or v.path.startswith(("mean", "total")), v.path
    for player in model.players:
        assert found[f"{player}_loss"] == want[f"{player}_loss"]
        name = f"val_{player}_loss"
        assert found[name] != want[name]


def test_the_losses_are_those_of_the_averages(small_gan):
    model = averaging(small_gan)
    x = rows()[:BATCH]
    fit(model, [])
    with averages_of(model).averaged():
        # Latents of the generator are drawn anew at each call.
        keras.utils.set_random_seed(4)
        state = [np.array(v) for v in model.non_trainable_variables]
        want = model.evaluate(x, return_dict=True, verbose=0)
    for v, value in zip(model.non_trainable_variables, state, strict=True):
        v.assign(value)
    keras.utils.set_random_seed(4)
    found = model.evaluate(
        x, return_dict=True, verbose=0, callbacks=[AveragedWeights()]
    )
    assert found == want
    for v, value in zip(model.non_trainable_variables, state, strict=True):
        v.assign(value)
    keras.utils.set_random_seed(4)
    assert model.evaluate(x, return_dict=True, verbose=0) != want


@without("jax", "Keras shows no weights there while it predicts.")
def test_predictions_are_those_of_the_averages(small_gan):
    model, seen = averaging(small_gan), []
    fit(model, [])
    before = weights(model)
    note = keras.callbacks.LambdaCallback(
        on_predict_batch_end=lambda batch, logs: seen.append(weights(model))
    )
    model.predict(rows(), verbose=0, callbacks=[AveragedWeights(), note])
    with averages_of(model).averaged():
        assert_equal(seen[0], weights(model))
    assert_equal(weights(model), before)


def test_callbacks_behind_it_may_see_the_averages_at_the_end_of_an_epoch(
    small_gan, tmp_path
):
    model, seen = averaging(small_gan), Seen()
    keep = AveragedWeights(at_epoch_end=True)
    best = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    fit(model, [keep, best, seen])
    assert_close(seen.ended[1], seen.mean())
    assert_equal(weights(model), seen.points[-1])
    saved = adversarial.load_model(tmp_path / "2.keras")
    assert_equal(weights(saved), seen.ended[1])
    other, plain = averaging(small_gan), Seen()
    fit(other, [plain])
    assert_equal(seen.points[-1], plain.points[-1])


def test_a_backup_before_it_goes_on_with_the_weights(small_gan, tmp_path):
    def callbacks():
        return [
            Backup(tmp_path / "b.keras"),
            AveragedWeights(at_epoch_end=True),
        ]

    fit(averaging(small_gan), callbacks(), epochs=1)
    resumed = averaging(small_gan)
    fit(resumed, callbacks(), epochs=2)
    whole = averaging(small_gan)
    fit(whole, [], epochs=2)
    assert_equal(weights(resumed), weights(whole))


def test_the_averages_are_saved_when_training_ends(small_gan, tmp_path):
    model, seen = averaging(small_gan), Seen()
    path = tmp_path / "new" / "averages.keras"
    fit(model, [AveragedWeights(save=path), seen])
    assert_equal(weights(model), seen.points[-1])
    saved = adversarial.load_model(path)
    assert_close(weights(saved), seen.mean())


def test_the_averages_are_left_in_place_when_training_ends(small_gan):
    model, seen = averaging(small_gan), Seen()
    keep = AveragedWeights(leave=True)
    fit(model, [keep, seen], validation_data=(rows()[:BATCH],))
    assert_close(weights(model), seen.mean())
    # Once left, they are the weights: nothing is put back later.
    left = weights(model)
    keep.set_model(model)
    assert_equal(weights(model), left)


def test_an_interrupt_leaves_the_weights_to_be_put_back(small_gan):
    model, keep, seen = averaging(small_gan), AveragedWeights(), Seen()

    def stop(batch, logs):
        raise KeyboardInterrupt

    broken = keras.callbacks.LambdaCallback()
    broken.on_test_batch_begin = stop
    x = rows()[:BATCH]
    with pytest.raises(KeyboardInterrupt):
        fit(model, [keep, seen, broken], validation_data=(x,))
    assert np.any(weights(model)[0] != seen.points[-1][0])
    averages = weights(model)
    model.evaluate(x, verbose=0, callbacks=[keep])
    assert_equal(weights(model), seen.points[-1])
    # A broken-off evaluation, and then other weights: these stay.
    with pytest.raises(KeyboardInterrupt):
        model.evaluate(x, verbose=0, callbacks=[keep, broken])
    assert_equal(weights(model), averages)
    other = [np.ones_like(w) for w in averages]
    for v, value in zip(model.trainable_variables, other, strict=True):
        v.assign(value)
    model.evaluate(x, verbose=0, callbacks=[keep])
    assert_equal(weights(model), other)


def test_metrics_on_samples_measure_the_same_averages(small_gan):
    model, found = averaging(small_gan), []

    def generate(n):
        found.append(weights(model))
        return np.zeros((n, 2))

    measure = MetricsOnSamples(
        "density_coverage",
        generate,
        np.random.default_rng(0).normal(size=(20, 2)),
        samples=20,
        averaged=True,
    )
    seen = Seen()
    fit(
        model,
        [AveragedWeights(), measure, seen],
        epochs=1,
        validation_data=(rows()[:BATCH],),
    )
    assert_equal(found[-1], seen.tested[-1])


def test_a_strategy_without_averages_is_an_error_when_training_begins(
    small_gan,
):
    model = averaging(small_gan, "alternating")
    with pytest.raises(ValueError, match="`AveragedWeights` needs") as error:
        fit(model, [AveragedWeights()])
    assert error.match("Received: Alternating")
    assert int(model.optimizer.iterations) == 0


def test_there_are_no_averages_before_the_first_step(small_gan):
    model = averaging(small_gan)
    with pytest.raises(ValueError, match="before the first step"):
        model.evaluate(rows(), verbose=0, callbacks=[AveragedWeights()])


def test_another_kind_of_file_is_an_error():
    with pytest.raises(ValueError, match=r"\.keras") as error:
        AveragedWeights(save="model.h5")
    assert error.match(r"model\.keras")
