"""Every strategy goes on in a fresh process as if it had never stopped.

The processes that go on run this file as a program.
"""

import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from engines import TRACED
from keras import layers

import adversarial
from adversarial import AdversarialModel, losses, optimizers as o, registry
from adversarial.augmentation import AdaptiveAugment, augmented
from adversarial.builders import build_gan
from adversarial.layers import NormalLatent, SpectralNormalization
from adversarial.penalties import R1

BEFORE, AFTER = 2, 2
"""Steps before and after the stop; the lazy penalty is due at 0 and 3."""
BATCH = 4
QUICK = {"run_eagerly": not TRACED}
"""What takes least for a few steps: JAX is slow where it does not trace."""
ARGUMENTS = {
    "anderson": lambda: o.Anderson("simultaneous", regularization=1e-3),
    "averaging": lambda: o.Averaging("simultaneous"),
    "balanced": lambda: o.Balanced(
        skip={"discriminator": (1.0, "generator")}, smoothing=0.5
    ),
    "competitive_gradient": lambda: o.CompetitiveGradient(max_iterations=2),
    "follow_the_ridge": lambda: o.FollowTheRidge("generator", max_iterations=2),
    "gradient_norm": lambda: o.GradientNorm(
        {"discriminator": {"generator": 0.1}}
    ),
    "historical_averaging": lambda: o.HistoricalAveraging("simultaneous"),
    "lookahead": lambda: o.Lookahead("alternating", period=3),
    "phases": lambda: o.Phases(
        [(1, "optimistic"), (2, "lookahead"), "alternating"]
    ),
    "scheduled": lambda: o.Scheduled([0, 0, [0, 1]]),
    "stackelberg_gradient": lambda: o.StackelbergGradient(
        "generator", max_iterations=2
    ),
    "unrolled": lambda: o.Unrolled(2),
}
"""Those whose names are not enough, or that are to stop in mid-cycle."""


def strategies():
    names = registry.names("optimizers")
    return {
        name: ARGUMENTS.get(name, lambda n=name: o.get(n)) for name in names
    }


@keras.saving.register_keras_serializable(package="test_resume")
class Jitter(layers.Layer):
    """A layer of the user's: it draws without a seed, and counts.

    JAX wants it to have one.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.count = self.add_weight(
            shape=(), initializer="zeros", trainable=False
        )
        jax = keras.backend.backend() == "jax"
        self.seed = keras.random.SeedGenerator() if jax else None

    def call(self, x, training=False):
        if not training:
            return x
        self.count.assign(self.count + 1)
        return x + 0.1 * keras.random.normal(keras.ops.shape(x), seed=self.seed)


def game(strategy, **kwargs):
    """A GAN of images with all that has a state."""
    generator = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(16),
            layers.BatchNormalization(),
            Jitter(),
            layers.Activation("tanh"),
            layers.Reshape((4, 4, 1)),
        ],
        name="generator",
    )
    discriminator = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Flatten(),
            SpectralNormalization(layers.Dense(4, activation="tanh")),
            layers.Dropout(0.2),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    lazy = R1(discriminator, interval=3)
    critic, ada = discriminator, AdaptiveAugment("x_flip", speed=50, interval=3)
    if strategy.order == 1:  # For the others it is slow.
        critic = augmented(discriminator, ada)
    base = build_gan(generator, critic, NormalLatent(2), penalties=[lazy])
    model = AdversarialModel(
        ada.watch(base) if strategy.order == 1 else base,
        player_params={"generator": generator, "discriminator": discriminator},
    )
    model.compile(
        strategy,
        [keras.optimizers.Adam(1e-2) for _ in "gd"],
        losses.NonSaturating() + 0.1 * losses.Penalty("r1"),
        **kwargs,
    )
    return model


def train(model, first, steps):
    """Trains some steps on batches that are known by their numbers."""
    logs = {}
    for number in range(first, first + steps):
        x = np.random.default_rng(number).normal(size=(BATCH, 4, 4, 1))
        logs = model.train_on_batch(x.astype("float32"), return_dict=True)
    return logs


def everything(model, logs):
    """All variables, by number, and logs."""
    found = {f"variable {i}": v for i, v in enumerate(model.whole_state())}
    return {k: np.asarray(v) for k, v in {**found, **logs}.items()}


def assert_same(whole, resumed):
    assert list(whole) == list(resumed)
    other = [k for k in whole if not np.array_equal(whole[k], resumed[k])]
    assert not other


def go_on(folder):
    """What a fresh process does: loads each model and trains it further."""
    for path in sorted(Path(folder).glob("*.keras")):
        keras.utils.set_random_seed(12345)
        model = adversarial.load_model(path)
        logs = train(model, BEFORE, AFTER)
        np.savez(path.with_suffix(".npz"), **everything(model, logs))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Trains under every strategy, stopped and not: what each has found."""
    folder, whole = tmp_path_factory.mktemp("resume"), {}
    with warnings.catch_warnings():
        # Two rounds of a solver are not enough, and say so.
        warnings.filterwarnings("ignore", "The solver", UserWarning)
        for name, make in strategies().items():
            keras.utils.clear_session(free_memory=False)
            keras.utils.set_random_seed(0)
            model = game(make(), **QUICK)
            train(model, 0, BEFORE)
            model.save(folder / f"{name}.keras")
            whole[name] = everything(model, train(model, BEFORE, AFTER))
    subprocess.run([sys.executable, __file__, folder], check=True)
    return {
        name: (found, dict(np.load(folder / f"{name}.npz")))
        for name, found in whole.items()
    }


@pytest.mark.parametrize("name", registry.names("optimizers"))
def test_a_fresh_process_goes_on_to_the_last_bit(runs, name):
    assert_same(*runs[name])


@pytest.mark.parametrize("name", ["alternating", "lookahead"])
def test_compiled_runs_go_on_to_the_last_bit(tmp_path, name):
    model = game(strategies()[name]())
    train(model, 0, BEFORE)
    model.save(tmp_path / "gan.keras")
    whole = everything(model, train(model, BEFORE, AFTER))
    keras.utils.set_random_seed(12345)
    again = adversarial.load_model(tmp_path / "gan.keras")
    assert_same(whole, everything(again, train(again, BEFORE, AFTER)))


def test_weights_only_restore_all_but_the_architecture(tmp_path):
    """Into a model that is made and compiled as the one that was saved."""
    model = game(o.Lookahead("alternating", period=3), **QUICK)
    train(model, 0, BEFORE)
    model.save_weights(tmp_path / "gan.weights.h5")
    whole = everything(model, train(model, BEFORE, AFTER))
    keras.utils.set_random_seed(12345)
    again = game(o.Lookahead("alternating", period=3), **QUICK)
    again.load_weights(tmp_path / "gan.weights.h5")
    assert_same(whole, everything(again, train(again, BEFORE, AFTER)))


@pytest.mark.parametrize("name", ["gan.keras", "gan.weights.h5"])
def test_what_model_checkpoint_saves_goes_on(tmp_path, name):
    """Epochs 0 and 1, a file after each; 1 again from the file of 0."""
    x = np.random.default_rng(0).normal(size=(8, 4, 4, 1)).astype("float32")
    how = {"batch_size": 4, "shuffle": False, "verbose": 0}
    keep = keras.callbacks.ModelCheckpoint(
        tmp_path / f"{{epoch}}.{name}",
        save_weights_only=name.endswith("h5"),
    )
    model = game(o.Alternating(), **QUICK)
    model.fit(x, epochs=2, callbacks=[keep], **how)
    if name.endswith("h5"):
        again = game(o.Alternating(), **QUICK)
        again.load_weights(tmp_path / f"1.{name}")
    else:
        again = adversarial.load_model(tmp_path / f"1.{name}")
    again.fit(x, epochs=2, initial_epoch=1, **how)
    assert_same(everything(model, {}), everything(again, {}))


def test_backup_and_restore_goes_on_after_an_epoch(tmp_path):
    x = np.random.default_rng(0).normal(size=(8, 4, 4, 1)).astype("float32")
    how = {"batch_size": 4, "shuffle": False, "verbose": 0, "epochs": 3}

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    whole, stopped = (
        game(o.Alternating(), **QUICK),
        game(o.Alternating(), **QUICK),
    )
    start = [np.asarray(v) for v in whole.whole_state()]
    whole.fit(x, **how)
    for v, value in zip(stopped.whole_state(), start, strict=True):
        v.assign(value)
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(x, callbacks=[backup, Stop()], **how)
    again = game(o.Alternating(), **QUICK)
    again.fit(
        x,
        callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "backup")],
        **how,
    )
    assert_same(everything(whole, {}), everything(again, {}))


if __name__ == "__main__":
    go_on(sys.argv[1])
