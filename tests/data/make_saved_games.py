"""Saves games on the engine that Keras runs on, for the others to go on with.

    KERAS_BACKEND=jax python tests/data/make_saved_games.py

writes `saved_on_jax.tar.xz` beside this file: a `.keras` file of every
strategy, saved after three steps; the backup of a training that was stopped;
and, in `numbers.json`, what each of them gives in the steps after.
"""

import json
import sys
import tarfile
import tempfile
from pathlib import Path

import keras
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))

import small_games  # noqa: E402

from adversarial.callbacks import Backup  # noqa: E402

BEFORE, AFTER, ROWS = 3, 3, 4
STOPPED = "stopped in its second epoch"
EPOCHS, STEPS = 3, 4


def batch(number):
    """The latents and the samples of a step, by its number."""
    x = np.random.default_rng(number).normal(size=(2, ROWS, 2))
    return list(x.astype("float32"))


def begin(model):
    """Gives the players weights that no engine has drawn."""
    rng = np.random.default_rng(0)
    for v in model.trainable_variables:
        v.assign(rng.normal(0.0, 0.4, v.shape))


def game(strategy):
    """The small GAN, compiled, before its first step."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    model = small_games.gan()
    begin(model)
    model.compile(strategy, small_games.optimizers(), loss="non_saturating")
    return model


def numbers_of(model, first=BEFORE):
    """The losses on the next batch, and where some steps lead."""
    # Tracing a graph takes longer than the steps; JAX is slow without.
    model.run_eagerly = keras.backend.backend() == "tensorflow"
    judged = model.test_on_batch(batch(first), return_dict=True)
    for number in range(first, first + AFTER):
        logs = model.train_on_batch(batch(number), return_dict=True)
    # In their order: Keras makes new names for what it has loaded.
    state = map(keras.ops.convert_to_numpy, model.trainable_variables)
    return {
        "judged": {k: float(x) for k, x in judged.items()},
        "logs": {k: float(x) for k, x in logs.items()},
        "state": {str(k): x.ravel().tolist() for k, x in enumerate(state)},
    }


class Power(keras.callbacks.Callback):
    """Fails when that many batches have been seen."""

    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def train(path, *more):
    """Trains to the last epoch, from the backup if there is one."""
    model = game("optimistic")
    columns = zip(*(batch(number) for number in range(STEPS)), strict=True)
    data = [np.concatenate(column) for column in columns]
    model.fit(
        data,
        batch_size=ROWS,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
        callbacks=[Backup(path, every=2), *more],
    )
    return numbers_of(model, 20)


def make(folder):
    """Writes all files; returns the numbers by the name of the file."""
    numbers = {}
    for name, strategy in small_games.strategies().items():
        model = game(strategy())
        for number in range(BEFORE):
            model.train_on_batch(batch(number))
        model.save(folder / f"{name}.keras")
        numbers[name] = numbers_of(model)
    try:
        train(folder / f"{STOPPED}.keras", Power(STEPS + 3))
    except KeyboardInterrupt:
        numbers[STOPPED] = train(folder / "whole.keras")
        (folder / "whole.keras").unlink()
    return numbers


def main():
    """Puts all that is made into one file."""
    target = HERE / f"saved_on_{keras.backend.backend()}.tar.xz"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = json.dumps(make(folder), indent=1)
        (folder / "numbers.json").write_text(f"{text}\n")
        # Files that are much alike take little room together.
        with tarfile.open(target, "w:xz") as archive:
            for path in sorted(folder.iterdir()):
                archive.add(path, path.name)


if __name__ == "__main__":
    main()
