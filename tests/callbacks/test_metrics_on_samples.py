import csv
import json

import keras
import numpy as np
import pytest
from engines import array, recorded

import adversarial
from adversarial import metrics
from adversarial.callbacks import MetricsOnSamples
from adversarial.optimizers import Averaging, Lookahead

layers = keras.layers
LOSS = keras.losses.BinaryCrossentropy(from_logits=True)
ROWS, BATCH = 64, 16
STEPS = ROWS // BATCH
SINGLE = 1e-4
"""Relative: samples through a float32 network, in batches of other sizes."""


def data():
    x = np.random.default_rng(3).normal(size=(ROWS, 3)).astype("float32")
    return x, adversarial.builders.gan_targets(ROWS)


@keras.saving.register_keras_serializable(package=__name__)
class Noise(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.draws = keras.random.SeedGenerator(11)

    def call(self, x):
        shape = keras.ops.shape(x)
        return x + 0.1 * keras.random.normal(shape, seed=self.draws)


def noisy_generator():
    """With noise of its own, also in inference mode."""
    return keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(8, activation="tanh"),
            layers.BatchNormalization(),
            Noise(),
            layers.Dense(3),
        ],
        name="generator",
    )


def gan_of(generator, strategy="alternating", **kwargs):
    discriminator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(8, activation="tanh"),
            layers.Dropout(0.3, seed=5),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    latent = adversarial.layers.NormalLatent(2, seed=7)
    model = adversarial.AdversarialModel(
        adversarial.builders.build_gan(generator, discriminator, latent),
        player_params={"generator": generator, "discriminator": discriminator},
    )
    kwargs = {"jit_compile": False, **kwargs}
    rate = keras.optimizers.Adam(1e-2)
    each = {"generator": rate, "discriminator": keras.optimizers.Adam(1e-2)}
    model.compile(strategy, each, LOSS, **kwargs)
    return model


def generator_in(model):
    return model.players["generator"].network.get_layer("generator")


def played(callbacks, model, epochs=2, **kwargs):
    x, y = data()
    fit = model.fit(
        x,
        y,
        batch_size=BATCH,
        epochs=epochs,
        verbose=0,
        callbacks=callbacks,
        **kwargs,
    )
    return fit.history


@pytest.fixture
def gan():
    return gan_of(noisy_generator())


@pytest.fixture
def plain():
    """A model whose n-th epoch makes samples of mean n."""

    class Counter(keras.callbacks.Callback):
        epoch = 0

        def on_epoch_end(self, epoch, logs=None):
            self.epoch += 1

    class Plain:
        counter = Counter()
        real = np.random.default_rng(1).normal(size=(40, 2))

        def __init__(self):
            self.model = keras.Sequential(
                [keras.Input((1,)), layers.Dense(1, use_bias=False)]
            )
            self.model.compile("sgd", "mse")
            self.path = [5.0, 3.0, 4.0, 1.0, 2.0, 6.0]

        def generate(self, n):
            place = self.path[min(self.counter.epoch, len(self.path)) - 1]
            return self.real[:n] + np.array([place, 0.0])

        def measure(self, **kwargs):
            kwargs = {"samples": 40, **kwargs}
            return MetricsOnSamples(
                "frechet_distance", self.generate, self.real, **kwargs
            )

        def fit(self, *callbacks, epochs=6, **kwargs):
            one = np.ones((4, 1))
            return self.model.fit(
                one,
                one,
                epochs=epochs,
                verbose=0,
                callbacks=[self.counter, *callbacks],
                **kwargs,
            ).history

    return Plain()


EXACT = 1e-9
"""Of the squared mean: shifted samples have the covariance of the real."""


def test_the_values_are_those_of_the_metrics_on_the_same_samples():
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    model = gan_of(generator)
    real = np.random.default_rng(2).normal(size=(70, 3))
    measure = MetricsOnSamples(
        [metrics.FrechetDistance(), metrics.DensityCoverage(k=3)],
        generator,
        real,
        samples=50,
        batch_size=16,
        seed=9,
    )
    history = played([measure], model, epochs=1)
    z = np.random.default_rng(9).normal(size=(50, 2))
    kernel, bias = generator.get_weights()
    fake = z @ kernel + bias
    cr, cf = np.cov(real.T), np.cov(fake.T)
    root = np.sqrt(np.abs(np.linalg.eigvals(cr @ cf))).sum()
    apart = np.sum((real.mean(0) - fake.mean(0)) ** 2)
    distance = apart + np.trace(cr) + np.trace(cf) - 2 * root
    np.testing.assert_allclose(
        history["frechet_distance"], [distance], rtol=SINGLE
    )
    between = np.linalg.norm(real[:, None] - real[None], axis=-1)
    radius = np.sort(between, axis=1)[:, 3]
    inside = np.linalg.norm(fake[:, None] - real[None], axis=-1) <= radius
    assert history["coverage"] == [inside.any(axis=0).mean()]
    np.testing.assert_allclose(history["density"], inside.sum() / 3 / 50)


def test_training_is_the_same_with_and_without_it_bit_for_bit(tmp_path):
    """Weights, moments, moving statistics, random states, shuffling, losses."""
    found = []
    for looks in (False, True):
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(0)
        model = gan_of(noisy_generator(), Averaging("alternating"))
        callbacks = []
        for averaged in (False, True) * looks:
            measure = MetricsOnSamples(
                metrics.FrechetDistance(name=f"averaged_{averaged}"),
                generator_in(model),
                data()[0],
                samples=30,
                averaged=averaged,
                keep_best=tmp_path / f"{averaged}.keras",
            )
            callbacks.append(measure)
        history = played(callbacks, model, validation_data=data())
        state = [*model.variables, *model.optimizer.variables]
        found.append([np.array(v) for v in state])
        found[-1] += [np.array(history["loss"]), np.array(history["val_loss"])]
        found[-1].append(array(keras.random.normal((3,))))
    assert len(found[0]) == len(found[1])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_same_weights_give_the_same_values_whatever_was_drawn(gan):
    measure = MetricsOnSamples(
        "frechet_distance", generator_in(gan), data()[0], samples=30
    )
    played([measure], gan, epochs=1)
    first = measure.measure()
    gan.predict(data()[0], verbose=0)
    keras.random.normal((5,))
    assert measure.measure() == first


def test_another_seed_is_another_draw(gan):
    seen = []
    for seed in (0, 1):
        measure = MetricsOnSamples(
            metrics.FrechetDistance(name=f"seed_{seed}"),
            generator_in(gan),
            data()[0],
            samples=30,
            seed=seed,
        )
        measure.set_model(gan)
        measure.on_train_begin()
        seen += measure.measure().values()
    assert seen[0] != seen[1]


@pytest.mark.parametrize("draw", [keras.random.normal, np.random.normal])
def test_a_function_draws_the_same_each_time(gan, draw):
    def generate(n):
        return (
            draw((n, 3)) if draw is keras.random.normal else draw(0, 1, (n, 3))
        )

    measure = MetricsOnSamples(
        "frechet_distance", generate, data()[0], samples=30
    )
    played([measure], gan, epochs=3)
    assert len(set(measure.history["frechet_distance"])) == 1


def test_real_features_are_computed_once(gan):
    seen = []

    def extractor(x):
        seen.append(len(x))
        return np.asarray(x)[:, :2]

    measure = MetricsOnSamples(
        [
            metrics.FrechetDistance(extractor),
            metrics.PrecisionRecall(extractor),
        ],
        generator_in(gan),
        data()[0],
        samples=30,
    )
    played([measure], gan, epochs=2)
    played([measure], gan, epochs=1)
    assert seen == [ROWS, 30, 30, 30]


def test_epochs_in_between_repeat_the_value(plain):
    measure = plain.measure(every=2)
    history = plain.fit(measure)["frechet_distance"]
    expected = [25.0, 9.0, 9.0, 1.0, 1.0, 36.0]
    np.testing.assert_allclose(history, expected, rtol=EXACT)
    assert measure.steps == [1, 2, 4, 6]
    np.testing.assert_allclose(
        measure.history["frechet_distance"], [25, 9, 1, 36], rtol=EXACT
    )


def test_the_last_epoch_is_measured_in_any_case(plain):
    measure = plain.measure(every=4)
    plain.fit(measure, epochs=3)
    assert measure.steps == [1, 3]


def test_fit_may_be_called_twice_and_from_a_later_epoch(plain):
    measure = plain.measure(every=3)
    plain.fit(measure, epochs=2)
    assert measure.steps == [1, 2]
    history = plain.fit(measure, initial_epoch=2, epochs=5)
    assert measure.steps == [1, 2, 3, 5]
    np.testing.assert_allclose(
        history["frechet_distance"], [16.0, 16.0, 4.0], rtol=EXACT
    )


def test_all_lists_of_the_history_are_equally_long(gan):
    measure = MetricsOnSamples(
        ["frechet_distance", "precision_recall"],
        generator_in(gan),
        data()[0],
        samples=30,
        every=3,
    )
    history = played([measure], gan, epochs=5, validation_data=data())
    assert {len(values) for values in history.values()} == {5}
    assert {"frechet_distance", "precision", "recall", "val_loss"} <= set(
        history
    )


def test_csv_logger_has_a_number_in_every_row(plain, tmp_path):
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    plain.fit(plain.measure(every=4), log)
    with open(tmp_path / "log.csv", newline="") as file:
        found = [float(r["frechet_distance"]) for r in csv.DictReader(file)]
    expected = [25.0, 25.0, 25.0, 1.0, 1.0, 36.0]
    np.testing.assert_allclose(found, expected, rtol=EXACT)


def test_early_stopping_counts_epochs_and_never_misses_the_log(plain):
    stop = keras.callbacks.EarlyStopping(
        "frechet_distance", mode="min", patience=2
    )
    plain.path = [5.0, 3.0, 4.0, 4.0, 4.0, 0.0]
    history = plain.fit(plain.measure(every=2), stop)
    # Best after epoch 2; 3 repeats it, and 4 is worse.
    assert len(history["loss"]) == 4


def test_reduce_lr_and_checkpoints_read_the_log(plain, tmp_path):
    monitor = {"monitor": "frechet_distance", "mode": "min"}
    reduce = keras.callbacks.ReduceLROnPlateau(
        **monitor, patience=1, factor=0.5
    )
    best = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "{epoch}.keras"), save_best_only=True, **monitor
    )
    plain.fit(plain.measure(), reduce, best)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "1.keras",
        "2.keras",
        "4.keras",
    ]
    # Epochs 3, 5 and 6 were no better than the best before.
    rate = float(
        keras.ops.convert_to_numpy(plain.model.optimizer.learning_rate)
    )
    np.testing.assert_allclose(rate, 0.01 / 8, rtol=1e-6)


def test_measurements_are_written_for_tensorboard(plain, tmp_path):
    measure = plain.measure(every=2, log_dir=tmp_path)
    plain.fit(measure, epochs=4)
    found = {
        (value.tag, event.step): float(number)
        for event, value, number in recorded(tmp_path / "samples")
    }
    expected = zip(
        measure.steps, measure.history["frechet_distance"], strict=True
    )
    assert found == {
        ("frechet_distance", step): np.float32(value)
        for step, value in expected
    }


def test_several_steps_per_execution_are_counted():
    model = gan_of(noisy_generator(), steps_per_execution=2)
    measure = MetricsOnSamples(
        "frechet_distance", generator_in(model), data()[0], samples=30
    )
    played([measure], model)
    assert measure.steps == [STEPS, 2 * STEPS]


@pytest.mark.parametrize(
    "strategy",
    [
        lambda: Averaging("simultaneous", kind="uniform"),
        lambda: Lookahead(Averaging("simultaneous", kind="uniform"), period=50),
    ],
    ids=["outside", "inside"],
)
def test_the_averaged_generator_is_measured_and_saved(tmp_path, strategy):
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(3)], name="generator"
    )
    model = gan_of(generator, strategy())
    points = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: points.append(
            generator.get_weights()
        )
    )
    measure = MetricsOnSamples(
        "frechet_distance",
        generator,
        data()[0],
        samples=40,
        averaged=True,
        keep_best=tmp_path / "best.keras",
    )
    history = played([note, measure], model, epochs=1)
    kernel, bias = (np.mean(w, axis=0) for w in zip(*points, strict=True))
    metric = metrics.FrechetDistance()
    z = np.random.default_rng(0).normal(size=(40, 2))
    metric.update_state(data()[0], z @ kernel + bias)
    np.testing.assert_allclose(
        history["frechet_distance"], [metric.result()], rtol=SINGLE
    )
    for now, last in zip(generator.get_weights(), points[-1], strict=True):
        np.testing.assert_array_equal(now, last)
    loaded = keras.saving.load_model(tmp_path / "best.keras")
    saved = loaded.players["generator"].variables
    # Running means in float32.
    np.testing.assert_allclose(saved[0], kernel, atol=1e-6)
    np.testing.assert_allclose(saved[1], bias, atol=1e-6)


def test_a_saved_model_has_the_random_state_of_the_training(gan, tmp_path):
    """Not the one that was fixed to draw the samples."""
    measure = MetricsOnSamples(
        "frechet_distance",
        generator_in(gan),
        data()[0],
        samples=30,
        keep_best=tmp_path / "best.keras",
    )
    played([measure], gan, epochs=1)
    loaded = keras.saving.load_model(tmp_path / "best.keras")
    pairs = zip(gan.variables, loaded.variables, strict=True)
    states = [(a, b) for a, b in pairs if a.name == "seed_generator_state"]
    assert len(states) >= 3, "latents, noise and dropout"
    for now, then in states:
        np.testing.assert_array_equal(now, then)


def test_the_best_model_is_kept_and_a_resumed_run_compares(plain, tmp_path):
    path = tmp_path / "best.keras"
    measure = plain.measure(keep_best=path)
    plain.fit(measure, epochs=3)
    np.testing.assert_allclose(measure.best, 9.0, rtol=EXACT)
    assert measure.best_step == 2
    written = path.read_bytes()
    again = plain.measure(keep_best=path)
    plain.path = [9.0] * 3 + [4.0, 2.0]
    plain.fit(again, initial_epoch=3, epochs=4)
    assert path.read_bytes() == written
    np.testing.assert_allclose(again.best, 9.0, rtol=EXACT)
    plain.fit(again, initial_epoch=4, epochs=5)
    assert path.read_bytes() != written
    assert json.loads((tmp_path / "best.keras.json").read_text())["step"] == 5


def test_a_state_that_another_callback_restores_counts_as_resumed(
    plain, tmp_path
):
    """`BackupAndRestore` may stand behind: it restores before the epoch."""
    path = tmp_path / "best.keras"
    backup = str(tmp_path / "backup")

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plain.fit(
            plain.measure(keep_best=path),
            keras.callbacks.BackupAndRestore(backup),
            Stop(),
        )
    plain.path = [7.0] * 6
    fresh = keras.Sequential(
        [keras.Input((1,)), layers.Dense(1, use_bias=False)]
    )
    fresh.compile("sgd", "mse")
    plain.model = fresh
    again = plain.measure(keep_best=path)
    plain.fit(again, keras.callbacks.BackupAndRestore(backup))
    assert again.steps[0] == 4
    np.testing.assert_allclose(again.best, 9.0, rtol=EXACT)


def test_the_best_weights_come_back_at_the_end(plain):
    weights = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: weights.append(
            plain.model.get_weights()[0].copy()
        )
    )
    measure = plain.measure(restore_best=True)
    plain.fit(measure, note)
    assert measure.best_step == 4
    np.testing.assert_array_equal(plain.model.get_weights()[0], weights[3])
    assert (weights[5] != weights[3]).all()


def test_without_a_monitor_there_is_no_best(plain):
    measure = plain.measure()
    plain.fit(measure, epochs=1)
    assert measure.best is None and measure.best_step is None
    watched = plain.measure(monitor="frechet_distance")
    plain.fit(watched, epochs=1)
    assert watched.best is not None


def test_a_log_that_is_there_already_is_not_overwritten(plain):
    with pytest.raises(ValueError, match="'frechet_distance', which the logs"):
        plain.fit(plain.measure(), plain.measure(), epochs=1)
    named = MetricsOnSamples(
        metrics.FrechetDistance(name="loss"),
        plain.generate,
        plain.real,
        samples=40,
    )
    with pytest.raises(ValueError, match="names of their own"):
        plain.fit(named, epochs=1)


class Untouched(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        raise AssertionError("a step was made before the error")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"generate": lambda n: np.zeros((n, 5))}, "shape of the real ones"),
        ({"generate": lambda n: np.zeros((n + 1, 3))}, "as many samples"),
        ({"generate": lambda n: np.full((n, 3), np.nan)}, "must be finite"),
        ({"real": None}, "needs more real samples"),
        ({"real": np.zeros((1, 3))}, "needs more real samples"),
        ({"real": np.full((9, 3), np.inf)}, "must be finite"),
        ({"averaged": True}, "keeps averages"),
    ],
    ids=["shape", "count", "nan", "none", "few", "infinite", "averaged"],
)
def test_what_cannot_work_is_refused_before_the_first_step(
    gan, arguments, message
):
    given = {
        "metrics": "frechet_distance",
        "generate": generator_in(gan),
        "real": data()[0],
        "samples": 30,
    }
    measure = MetricsOnSamples(**{**given, **arguments})
    with pytest.raises(ValueError, match=message):
        played([measure, Untouched()], gan)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 1}, "needs more generated samples"),
        ({"samples": 0}, "`samples` must be 1 or more"),
        ({"every": 0}, "`every` must be 1 or more"),
        ({"batch_size": 0}, "`batch_size` must be 1 or more"),
        ({"monitor": "frechet_distanse"}, "did you mean 'frechet_distance'"),
        ({"mode": "least"}, "Unknown `mode`"),
        ({"keep_best": "best.h5"}, r"a `.keras` file"),
    ],
)
def test_arguments_are_checked_at_once(gan, arguments, message):
    with pytest.raises(ValueError, match=message):
        MetricsOnSamples("frechet_distance", generator_in(gan), **arguments)


def test_a_generator_of_another_model_is_a_warning(gan):
    measure = MetricsOnSamples(
        "frechet_distance", noisy_generator(), data()[0], samples=30
    )
    with pytest.warns(UserWarning, match="No weight of 'generator'"):
        played([measure], gan, epochs=1)


def test_a_generator_that_diverges_is_named_when_it_does(plain):
    plain.path = [1.0, np.nan]
    with pytest.raises(ValueError, match="40 of 40 samples of batch 0"):
        plain.fit(plain.measure())
