import zipfile

import keras
import numpy as np
import pytest
from engines import ENGINE

import adversarial
from adversarial import optimizers
from adversarial.callbacks import Backup

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
BATCHES = 3


class Stopped(Exception):
    """Stands for a kill: nothing after it is called."""


class StopAt(keras.callbacks.Callback):
    """Stops in an epoch after a batch."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.place = epoch, batch

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.place:
            raise Stopped


def compiled(small_gan, **kwargs):
    keras.utils.set_random_seed(1)
    model = small_gan()
    strategy = optimizers.Lookahead("alternating", period=3)
    kwargs = {"run_eagerly": True, **kwargs}
    model.compile(strategy, "adam", "non_saturating", **kwargs)
    return model


def arrays():
    return {"x": X, "batch_size": 4, "shuffle": False}


def dataset():
    """A dataset of the engine; JAX has none, and takes one in order."""
    if ENGINE == "tensorflow":
        import tensorflow as tf

        return {"x": tf.data.Dataset.from_tensor_slices(X).batch(4)}
    if ENGINE == "torch":
        import torch

        x = torch.utils.data.TensorDataset(torch.from_numpy(X))
        return {"x": torch.utils.data.DataLoader(x, batch_size=4)}
    return py_dataset()


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return BATCHES

    def __getitem__(self, i):
        return (X[4 * i : 4 * i + 4],)


def py_dataset():
    return {"x": Batches(), "shuffle": False}


def state(model):
    return [np.asarray(v) for v in model.whole_state()]


def assert_same(model, found):
    """Global random state is that of the process, and these are in one."""
    for a, b in zip(state(model)[:-1], found[:-1], strict=True):
        np.testing.assert_array_equal(a, b)


def fit(model, data, *callbacks, epochs=2, **kwargs):
    return model.fit(
        **data(), epochs=epochs, callbacks=callbacks, verbose=0, **kwargs
    ).history


@pytest.mark.parametrize(
    ("data", "place"),
    [(arrays, (0, 1)), (dataset, (1, 0)), (py_dataset, (1, 1))],
)
def test_a_run_goes_on_at_the_batch_where_it_was_stopped(
    small_gan, tmp_path, data, place
):
    whole = compiled(small_gan)
    logs = fit(whole, data)
    expected = state(whole)
    path = tmp_path / "backup.keras"
    with pytest.raises(Stopped):
        fit(compiled(small_gan), data, Backup(path, every=1), StopAt(*place))
    again = compiled(small_gan)
    found = fit(again, data, Backup(path, every=1))
    assert_same(again, expected)
    for name, values in found.items():
        assert values == logs[name][place[0] :], name


@pytest.mark.parametrize("every", ["epoch", 2, 4])
def test_what_was_not_saved_is_made_again(small_gan, tmp_path, every):
    whole = compiled(small_gan)
    fit(whole, arrays)
    path = tmp_path / "new folder" / "backup.keras"
    for place in ((0, 2), (1, 1), (1, 2)):
        with pytest.raises(Stopped):
            fit(
                compiled(small_gan),
                arrays,
                Backup(path, every=every),
                StopAt(*place),
            )
    again = compiled(small_gan)
    fit(again, arrays, Backup(path, every=every))
    assert_same(again, state(whole))


def test_several_steps_per_execution_are_passed_over_together(
    small_gan, tmp_path
):
    how = {"run_eagerly": False, "jit_compile": False, "steps_per_execution": 2}
    whole = compiled(small_gan, **how)
    fit(whole, dataset)
    path = tmp_path / "backup.keras"
    with pytest.raises(Stopped):
        fit(
            compiled(small_gan, **how),
            dataset,
            Backup(path, every=2),
            StopAt(1, 1),
        )
    again = compiled(small_gan, **how)
    fit(again, dataset, Backup(path, every=2))
    assert int(again.optimizer.iterations) == 2 * BATCHES
    assert_same(again, state(whole))


def test_endless_data_are_passed_over_from_their_beginning(small_gan, tmp_path):
    def endless():
        batches = (
            (X[[i % 12, (7 * i) % 12, (3 * i + 1) % 12]],) for i in range(10**9)
        )
        return {"x": batches, "steps_per_epoch": 2}

    whole = compiled(small_gan)
    fit(whole, endless)
    for place in ((1, 0), (1, 1)):
        path = tmp_path / f"{place}.keras"
        with pytest.raises(Stopped):
            fit(
                compiled(small_gan),
                endless,
                Backup(path, every=1, endless=True),
                StopAt(*place),
            )
        again = compiled(small_gan)
        fit(again, endless, Backup(path, every=1, endless=True))
        assert_same(again, state(whole))


def test_a_complete_run_stays_and_is_told(small_gan, tmp_path):
    path = tmp_path / "backup.keras"
    model = compiled(small_gan)
    fit(model, arrays, Backup(path), epochs=2)
    again = compiled(small_gan)
    with pytest.warns(UserWarning, match="complete: it has 2 epochs"):
        fit(again, arrays, Backup(path), epochs=2)
    assert_same(again, state(model))
    fit(again, arrays, Backup(path), epochs=3)
    assert int(again.optimizer.iterations) == 3 * BATCHES
    # Nothing is left behind in the model for a `fit` without a backup.
    fit(again, arrays, epochs=1)
    assert int(again.optimizer.iterations) == 4 * BATCHES


def test_a_run_that_a_callback_has_ended_stays_ended(small_gan, tmp_path):
    path = tmp_path / "backup.keras"

    class Enough(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    model = compiled(small_gan)
    fit(model, arrays, Backup(path), Enough(), epochs=9)
    again = compiled(small_gan)
    with pytest.warns(UserWarning, match="and a callback ended it"):
        fit(again, arrays, Backup(path), Enough(), epochs=9)
    assert_same(again, state(model))


def test_a_fit_that_fails_while_it_passes_over_can_be_tried_again(
    small_gan, tmp_path
):
    path = tmp_path / "backup.keras"
    with pytest.raises(Stopped):
        fit(compiled(small_gan), arrays, Backup(path, every=1), StopAt(1, 1))
    model = compiled(small_gan)
    for _ in range(2):
        with pytest.raises(Stopped):
            fit(model, arrays, Backup(path, every=1), StopAt(1, 0))
    fit(model, arrays, Backup(path, every=1))
    assert int(model.optimizer.iterations) == 2 * BATCHES


def test_a_backup_is_a_model_that_loads(small_gan, tmp_path):
    path = tmp_path / "backup.keras"
    model = compiled(small_gan)
    fit(model, arrays, Backup(path))
    assert_same(adversarial.load_model(path), state(model))


def test_a_damaged_backup_is_told_and_changes_nothing(small_gan, tmp_path):
    path = tmp_path / "backup.keras"
    fit(compiled(small_gan), arrays, Backup(path))
    path.write_bytes(path.read_bytes()[:-100])
    model = compiled(small_gan)
    before = state(model)
    with pytest.raises(OSError, match=r"backup\.keras"):
        fit(model, arrays, Backup(path))
    assert_same(model, before)


def test_a_model_that_something_else_saved_is_no_backup(small_gan, tmp_path):
    path = tmp_path / "model.keras"
    model = compiled(small_gan)
    model.save(path)
    with pytest.raises(ValueError, match="must say where the training is"):
        fit(model, arrays, Backup(path))


def test_nothing_is_saved_while_batches_are_passed_over(small_gan, tmp_path):
    path = tmp_path / "backup.keras"
    with pytest.raises(Stopped):
        fit(compiled(small_gan), arrays, Backup(path, every=1), StopAt(1, 2))
    before = path.read_bytes()
    with pytest.raises(Stopped):
        fit(compiled(small_gan), arrays, Backup(path, every=1), StopAt(1, 1))
    assert path.read_bytes() == before
    with zipfile.ZipFile(path) as archive:
        assert archive.read("training.json").startswith(b'{"epoch": 1')


@pytest.mark.parametrize("every", [0, -1, 2.5, "batch", True, None])
def test_every_is_epoch_or_a_whole_number(every):
    with pytest.raises(ValueError, match="whole number above 0"):
        Backup("a.keras", every=every)


def test_the_file_must_be_one_of_keras():
    with pytest.raises(ValueError, match=r"a\.keras"):
        Backup("a.h5")
