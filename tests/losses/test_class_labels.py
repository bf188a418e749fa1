import numpy as np
import pytest
from engines import array, compiled, tensor, without
from keras import ops

from adversarial.losses.class_labels import (
    class_scores,
    cross_entropy,
    one_hot_labels,
    raw_labels,
)
from adversarial.losses.seen import Seen


def seen(targets=None, **outputs):
    return Seen("Loss", "generator", outputs, targets)


def rows_of(targets, classes=3):
    return np.asarray(one_hot_labels(seen(targets), "labels", None, classes))


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32"])
@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_labels_become_rows(dtype, shape):
    labels = np.array([2, 0, 1], dtype).reshape(shape)
    np.testing.assert_array_equal(rows_of(labels), np.eye(3)[[2, 0, 1]])


def test_labels_can_be_an_output():
    view = seen(c=np.array([1, 0]))
    found = one_hot_labels(view, "labels", "c", 2)
    np.testing.assert_array_equal(found, np.eye(2)[[1, 0]])


@pytest.mark.parametrize("labels", [[0, 3], [-1, 2], [0.5, 1.0], [np.nan, 0.0]])
def test_labels_out_of_range_are_refused_where_they_are_known(labels, refused):
    message = refused(lambda: rows_of(np.array(labels)))
    assert "Labels of `Loss` must be numbers of classes" in message
    assert "whole numbers from 0 to 2 (`classes=3`)" in message


def test_the_labels_that_are_wrong_are_named(refused):
    message = refused(lambda: rows_of(np.array([0, 7, 1, -2, 7])))
    assert "Received: -2, 7." in message


@without("torch", "nothing is compiled, and they are refused")
@pytest.mark.parametrize("jit", [False, True])
def test_labels_out_of_range_are_nan_in_a_compiled_step(jit):
    rows = compiled(
        lambda labels: one_hot_labels(seen(labels), "labels", None, 3), jit
    )
    found = array(rows(tensor([2, 3, -1, 0])))
    np.testing.assert_array_equal(found[[0, 3]], np.eye(3)[[2, 0]])
    assert np.isnan(found[[1, 2]]).all()


def test_missing_labels_are_refused(refused):
    message = refused(lambda: raw_labels(seen(), "fake_labels", None))
    assert "`Loss` needs labels of classes" in message
    assert "`fit(x, labels)`, or `fake_labels=`" in message


@pytest.mark.parametrize("targets", [[np.zeros(2)], {"y": np.zeros(2)}])
def test_targets_by_output_are_refused(targets, refused):
    message = refused(lambda: raw_labels(seen(targets), "labels", None))
    assert "must be one array of labels" in message


def test_one_hot_labels_are_refused(refused):
    message = refused(lambda: raw_labels(seen(np.eye(3)), "labels", None))
    assert "the targets of shape (batch,) or (batch, 1)" in message
    assert "`labels.argmax(axis=-1)`" in message


def test_a_wrong_number_of_scores_is_refused(refused):
    view = seen(y=np.zeros((4, 10)))
    assert class_scores(view, "real", "y", 10, "why").shape == (4, 10)
    message = refused(lambda: class_scores(view, "real", "y", 11, "fakes too"))
    assert "`Loss` needs 11 scores per sample: fakes too" in message
    assert "an output 'y' of shape (batch, 11)" in message
    assert "Received: shape (4, 10)." in message


@pytest.mark.parametrize("shape", [(4,), (4, 2, 10)])
def test_scores_of_a_wrong_rank_are_refused(shape, refused):
    view = seen(y=np.zeros(shape))
    message = refused(lambda: class_scores(view, "real", "y", 10, "why"))
    assert f"shape ({', '.join(map(str, shape))})" in message


def test_the_cross_entropy_is_that_of_the_softmax():
    scores = np.random.default_rng(0).normal(size=(5, 4))
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    labels = np.array([0, 3, 1, 1, 2])
    found = cross_entropy(ops.convert_to_tensor(np.eye(4)[labels]), scores)
    expected = -np.log(p[np.arange(5), labels])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_logits_of_10000_give_a_finite_cross_entropy():
    scores = np.array([[1e4, -1e4], [-1e4, 1e4]], "float32")
    found = cross_entropy(np.eye(2, dtype="float32")[[0, 0]], scores)
    np.testing.assert_array_equal(found, [0.0, 2e4])
