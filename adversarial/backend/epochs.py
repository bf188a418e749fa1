"""Where `fit` begins.

Private parts of Keras: `Trainer._initial_epoch`, which `fit` reads once after
`on_train_begin`, and which Keras' own `BackupAndRestore` sets.
"""

import keras


def begin_at(model: keras.Model, epoch: int | None) -> None:
    """Lets the `fit` that has just called `on_train_begin` begin later.

    Args:
        model: The model that is trained.
        epoch: The number of its first epoch; `None` for what `fit` was told,
            to be set before the next `fit`.
    """
    model._initial_epoch = epoch
