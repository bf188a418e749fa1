"""A training that is killed again and again ends as one that is not.

The killed processes run this file as a program. They save after every batch,
so that most of their time is spent on writing, and many kills hit a file that
is half written. `make test-kill`, which sets KILLS=30, kills more often.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np

import adversarial
from adversarial import optimizers
from adversarial.builders import build_gan
from adversarial.callbacks import Backup
from adversarial.layers import NormalLatent

KILLS = int(os.environ.get("KILLS", "4"))
BATCHES = 4
MOST = 6
"""Batches that a process may make before it is killed."""
EPOCHS = (KILLS * MOST) // BATCHES + 1
"""More than can be made before the last kill."""


def gan():
    layers = keras.layers
    generator = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(4),
            layers.BatchNormalization(),
            layers.Dense(2),
        ]
    )
    critic = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(4, "tanh"),
            layers.Dropout(0.2),
            layers.Dense(1),
        ]
    )
    model = adversarial.AdversarialModel(
        build_gan(generator, critic, NormalLatent(2)),
        player_params={"generator": generator, "discriminator": critic},
    )
    model.compile(
        optimizers.Lookahead("alternating", period=3),
        "adam",
        "non_saturating",
        run_eagerly=True,
    )
    return model


class Tell(keras.callbacks.Callback):
    """Prints the number of steps after every batch, before it is saved."""

    def on_train_batch_end(self, batch, logs=None):
        print(int(self.model.optimizer.iterations), flush=True)


def train(folder, backup):
    """The program: it does not know whether it was killed before."""
    keras.utils.set_random_seed(1)
    model = gan()
    x = np.random.default_rng(0).normal(size=(4 * BATCHES, 2))
    keep = [Backup(folder / "backup.keras", every=1)] if backup else []
    history = model.fit(
        x.astype("float32"),
        batch_size=4,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
        callbacks=[Tell(), *keep],
    ).history
    found = {f"{i}": np.asarray(v) for i, v in enumerate(model.whole_state())}
    last = {name: values[-1] for name, values in history.items()}
    np.savez(folder / "end.npz", **found, **last)


def started(folder, backup):
    return subprocess.Popen(
        [sys.executable, __file__, folder, backup],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def ended(folder, backup):
    folder.mkdir(exist_ok=True)
    process = started(folder, backup)
    process.communicate()
    assert process.returncode == 0
    return dict(np.load(folder / "end.npz"))


def killed(folder, dice):
    """Kills a process some batches and some time after it has begun."""
    process = started(folder, "backup")
    for _ in range(dice.randint(1, MOST)):
        assert process.stdout.readline(), "it ended before it was killed"
    time.sleep(dice.uniform(0, 0.1))
    os.kill(process.pid, signal.SIGKILL)
    steps = [int(line) for line in process.communicate()[0].split()]
    assert process.returncode == -signal.SIGKILL
    return steps


def test_the_end_is_that_of_a_run_which_was_never_killed(tmp_path):
    dice = random.Random(0)
    whole = ended(tmp_path / "whole", "")
    folder = tmp_path / "killed"
    folder.mkdir()
    halves = 0
    for _ in range(KILLS):
        killed(folder, dice)
        halves += (folder / ".unfinished.backup.keras").exists()
    print(f"{KILLS} kills, {halves} of them while a file was written")
    found = ended(folder, "backup")
    assert list(found) == list(whole)
    other = [k for k in whole if not np.array_equal(whole[k], found[k])]
    assert not other


if __name__ == "__main__":
    train(Path(sys.argv[1]), bool(sys.argv[2]))
