"""What several replicas do is seen in `tests/test_replicas.py`."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from adversarial import backend, games, optimizers as o
from adversarial.backend.replicas import of_one_replica, unsummed, weighed


def test_one_replica_adds_no_operation():
    x = tf.constant(2.0)
    v = keras.Variable(1.0)
    assert backend.replicas() == 1 and not backend.in_replica()
    assert backend.total([x, None])[0] is x
    assert backend.total([x, None])[1] is None
    assert backend.agreed([v], [x], None)[0] is x
    for same in (
        backend.shared(x),
        backend.per_replica(x),
        backend.weighed(x, None),
        backend.apart(x),
    ):
        assert same is x
    assert backend.scope() is contextlib.nullcontext


def test_one_replica_assigns_and_keeps_its_optimizer():
    v = keras.Variable(1.0)
    backend.write(v, tf.constant(3.0))
    assert float(v) == 3
    optimizer = keras.optimizers.SGD(1.0)
    before = dict(vars(optimizer))
    with unsummed(optimizer):
        assert vars(optimizer) == before


@pytest.mark.parametrize(
    "strategy",
    [
        o.Alternating,
        o.Consensus,
        o.ExtraGradient,
        lambda: o.Scheduled(["x", "y"]),
        lambda: o.Unrolled(2),
    ],
)
def test_replicas_on_one_device_change_nothing(strategy):
    found = []
    one = tf.distribute.MirroredStrategy(["CPU:0"])
    for scope in (contextlib.nullcontext(), one.scope()):
        with scope:
            model = games.Bilinear().compiled(strategy())
        model.fit(np.ones((6, 1)), batch_size=2, verbose=0)
        found.append(np.concatenate([np.ravel(w) for w in model.get_weights()]))
    np.testing.assert_allclose(*found, rtol=0, atol=1e-6)


def test_a_mean_counts_by_its_rows_and_one_over_no_rows_adds_nothing():
    part = tf.constant(1.5)
    assert float(weighed(tf.constant(2.0), part)) == 3
    assert float(weighed(tf.constant(np.nan), tf.constant(0.0))) == 0


def test_what_a_strategy_deals_is_seen_as_one_replica_sees_it():
    spec = tf.TensorSpec((None, 2))

    class Dealt:
        _value_specs = (spec, spec)

    assert of_one_replica(Dealt()) is spec
    assert of_one_replica(spec) is spec


def test_tensorflow_keeps_the_specs_of_replicas_where_we_look():
    from tensorflow.python.distribute.values import PerReplicaSpec

    spec = tf.TensorSpec((None, 2))
    assert PerReplicaSpec(spec, spec)._value_specs == (spec, spec)
