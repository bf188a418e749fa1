"""What one process can see of it; `tests/test_workers.py` has two."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from adversarial.backend import workers
from adversarial.backend.workers import (
    GameModel,
    distributes,
    is_chief,
    said_by_all,
    several_workers,
)


class Cluster:
    """As much of a strategy of several machines as is asked for."""

    num_replicas_in_sync = 2

    def __init__(self, here, kind="worker", number=0, jobs=("worker",)):
        self.extended = types.SimpleNamespace(worker_devices=["CPU:0"] * here)
        self.cluster_resolver = types.SimpleNamespace(
            task_type=kind,
            task_id=number,
            cluster_spec=lambda: types.SimpleNamespace(jobs=list(jobs)),
        )


class Model(GameModel):
    """A model of one layer, which steps and is not trained."""

    loose_variables = ()

    def __init__(self):
        super().__init__()
        self.layer = keras.layers.Dense(1)

    def call(self, x):
        return self.layer(x)

    def play(self, data):
        return self.judge(data)

    def judge(self, data):
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        return {"loss": keras.ops.mean((self(x) - y) ** 2)}


def test_one_process_is_all_there_is():
    assert not several_workers()
    assert not several_workers(tf.distribute.MirroredStrategy(["CPU:0"]))
    assert not several_workers(Cluster(here=2))
    assert is_chief(tf.distribute.get_strategy())
    assert said_by_all(tf.distribute.get_strategy(), [3, 1]) == [[3, 1]]


def test_one_device_is_dealt_to_as_several_are():
    assert distributes(tf.distribute.MirroredStrategy(["CPU:0"]))
    assert not distributes(tf.distribute.get_strategy())


def test_replicas_elsewhere_are_other_workers():
    assert several_workers(Cluster(here=1))


@pytest.mark.parametrize(
    "cluster, chief",
    [
        (Cluster(1, "worker", 0), True),
        (Cluster(1, "worker", 1), False),
        (Cluster(1, "chief", 0, ("chief", "worker")), True),
        (Cluster(1, "worker", 0, ("chief", "worker")), False),
    ],
)
def test_one_worker_is_the_chief(cluster, chief):
    assert is_chief(cluster) is chief


def test_logs_are_vectors_for_keras_and_scalars_for_callbacks(monkeypatch):
    monkeypatch.setattr(workers, "several_workers", lambda _: True)
    model, shapes = Model(), []
    model.compile("sgd", "mse", run_eagerly=True)
    make = keras.Model._make_function

    def noted(self, step):
        def wrapped(data):
            logs = step(data)
            shapes.extend(x.shape for x in logs.values())
            return logs

        return make(self, wrapped)

    monkeypatch.setattr(keras.Model, "_make_function", noted)
    x = np.ones((4, 2))
    logs = model.train_on_batch(x, x[:, :1], return_dict=True)
    assert shapes == [(1,)] and np.shape(logs["loss"]) == ()


def test_alone_it_is_a_model_of_keras():
    model = Model()
    model.compile("sgd", "mse")
    x = np.ones((4, 2))
    assert np.isfinite(model.fit(x, x[:, :1], verbose=0).history["loss"]).all()
