"""Plays as one of two workers; the cluster is in `TF_CONFIG`.

    two_workers.py WORKER             the cases of `test_workers.py`
    two_workers.py WORKER FOLDER      a training, without and with a backup,
                                      in which the second worker is killed
    two_workers.py WORKER FOLDER on   the training with the backup once more

In the cases the first worker also trains alone. A line of JSON for each case
says what it has found.
"""

import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf

WORKERS = tf.distribute.MultiWorkerMirroredStrategy()

import keras  # noqa: E402
import numpy as np  # noqa: E402
from replica_cases import ROWS, Comparison, gan, optimizers, run  # noqa: E402

from adversarial.callbacks import Backup  # noqa: E402
from adversarial.optimizers import Lookahead  # noqa: E402

KILLED_AFTER = 5
"""Steps; the epochs have three each."""


def keras_alone() -> dict[str, Any]:
    """What Keras' own `fit` does: it is mended as long as it fails."""
    with WORKERS.scope():
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
    try:
        model.fit(ROWS[0], ROWS[1, :, :1], batch_size=8, verbose=0)
    except ValueError as error:
        return {"message": str(error)}
    return {"message": ""}


def apart() -> dict[str, Any]:
    """Workers with folders of their own: only that of the chief has files."""
    with WORKERS.scope():
        model = gan()
        model.compile("simultaneous", "sgd", "non_saturating")
    fit = {"batch_size": 8, "verbose": 0}
    with tempfile.TemporaryDirectory() as name:
        keep = [Backup(Path(name) / "backup.keras")]
        model.fit([*ROWS], callbacks=keep, **fit)
        model.save(Path(name) / "model.keras")
        model.save_weights(Path(name) / "model.weights.h5")
        found = sorted(os.listdir(name))
        try:
            model.fit([*ROWS], epochs=2, callbacks=keep, **fit)
        except ValueError as error:
            return {"files": found, "message": str(error)}
    return {"files": found, "message": ""}


def play(worker: int) -> None:
    """Plays all cases, in the same order in all workers."""
    both = Comparison(WORKERS, alone=worker == 0)
    run("keras alone", keras_alone)
    run("apart", apart)
    for name, case in {**both.cases(), **both.of_strategies()}.items():
        run(name, case)


class Tell(keras.callbacks.Callback):
    """Prints the number of each step before it is saved, and may die."""

    def __init__(self, last: int | None) -> None:
        super().__init__()
        self.last = last

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Tells and dies."""
        step = int(self.model.optimizer.iterations.numpy())
        print("STEP", step, logs["loss"] > 0, flush=True)
        if step == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


def train(path: Path, callbacks: Any) -> None:
    """Trains for 12 steps and writes all there is at the end."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)
    with WORKERS.scope():
        model = gan(latent=2)
        strategy = Lookahead("alternating", period=3)
        model.compile(strategy, optimizers(), "non_saturating")
    logs = model.fit(
        ROWS[0],
        batch_size=8,
        epochs=4,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    ).history
    found = {f"{i}": np.asarray(v) for i, v in enumerate(model.whole_state())}
    last = {name: values[-1] for name, values in logs.items()}
    np.savez(path, **found, **last)


def main(worker: int, folder: Path, again: bool) -> None:
    """Trains without a backup, if this is the first time, and with one."""
    backup = Backup(folder / "backup.keras", every=1)
    if again:
        train(folder / f"end{worker}.npz", [Tell(None), backup])
    else:
        train(folder / f"whole{worker}.npz", [])
        train(folder, [Tell(KILLED_AFTER if worker else None), backup])


if __name__ == "__main__":
    if len(sys.argv) == 2:
        play(int(sys.argv[1]))
    else:
        main(int(sys.argv[1]), Path(sys.argv[2]), len(sys.argv) > 3)
