"""`fit` on data in every form: the same training, or an error in words.

A form of the data that means the same must train the same. One fault in it
must be refused, and leave a model that trains on.
"""

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from bad_input import (
    BCE,
    ROWS,
    compiled,
    examples,
    finite,
    outcome,
    scalars,
    still_trains,
    weights,
    whole,
)
from hypothesis import strategies as st

SAME = {"rtol": 1e-5, "atol": 1e-6}
"""Float32: data that come as float16 or float64 are cast to it without loss."""
DTYPES = ["uint8", "int8", "int16", "int32", "int64", "float16", "float64"]
NAMES = [
    f"{player}_{output}"
    for player in ("generator", "discriminator")
    for output in ("yfake", "yreal")
]


def clean(loss, targets):
    """The weights after a step on the data as they should be."""
    z, x, y = whole()
    model = compiled(loss)
    model.fit([z, x], y if targets else None, batch_size=ROWS, verbose=0)
    return weights(model)


def layouts(x):
    """The same numbers, laid out in other ways."""
    wide = np.zeros((x.shape[0], 2 * x.shape[1]), x.dtype)
    wide[:, ::2] = x
    locked = x.copy()
    locked.flags.writeable = False
    return [x, np.asfortranarray(x), wide[:, ::2], locked, x[::-1][::-1]]


def structures(y):
    """The same targets, in all structures that are understood."""
    return [
        y,
        tuple(y),
        dict(zip(NAMES, y, strict=True)),
        {"generator": y[:2], "discriminator": y[2:]},
        {
            "generator": {"yfake": y[0], "yreal": y[1]},
            "discriminator": tuple(y[2:]),
        },
    ]


def containers(x, y):
    """The same batch, in all containers that Keras takes."""
    parts = (x,) if y is None else (x, y)

    def batches():
        yield parts

    def dataset():
        packed = tuple(
            tuple(part) if isinstance(part, list) else part for part in parts
        )
        return tf.data.Dataset.from_tensor_slices(
            packed if y is not None else (packed[0],)
        ).batch(ROWS)

    def tuples():
        yield tuple(
            tuple(part) if isinstance(part, list) else part for part in parts
        )

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, _):
            return next(tuples())

    return {
        "arrays": lambda: (parts, {"batch_size": ROWS}),
        "tensors": lambda: (
            keras.tree.map_structure(tf.constant, parts),
            {"batch_size": ROWS},
        ),
        "dataset": lambda: ((dataset(),), {}),
        "generator": lambda: ((tuples(),), {"steps_per_epoch": 1}),
        "pydataset": lambda: ((Batches(),), {}),
    }


@pytest.mark.parametrize("targets", [False, True])
def test_data_that_mean_the_same_train_the_same(targets):
    loss = BCE if targets else "non_saturating"
    expected = clean(loss, targets)

    @examples(12)
    @hypothesis.given(
        st.sampled_from(DTYPES),
        st.sampled_from([*DTYPES, "bool"]),
        st.integers(0, 4),
        st.integers(0, 4),
        st.booleans(),
        st.sampled_from(
            ["arrays", "tensors", "dataset", "generator", "pydataset"]
        ),
        st.booleans(),
    )
    def check(dtype, y_dtype, layout, structure, flat, container, ones):
        z, x, y = whole()
        x = layouts(x.astype(dtype))[layout]
        y = [t.astype(y_dtype) for t in y]
        y = [t[:, 0] for t in y] if flat else y
        made = structures(y)[structure] if targets else None
        data, kwargs = containers([z, x], made)[container]()
        if ones and targets and container == "arrays" and structure < 1:
            kwargs["sample_weight"] = np.ones(ROWS, "float32")
        model = compiled(loss)
        model.fit(*data, verbose=0, shuffle=False, **kwargs)
        for a, b in zip(weights(model), expected, strict=True):
            np.testing.assert_allclose(a, b, **SAME)

    check()


def spoil(array, fault, number):
    """One fault in an array."""
    worse = np.array(array)
    if fault in ("nan", "inf"):
        worse[number % ROWS] = float(fault)
    made = {
        "nan": lambda: worse,
        "inf": lambda: worse,
        "none": lambda: None,
        "strings": lambda: worse.astype(str),
        "objects": lambda: worse.astype(object),
        "complex": lambda: worse + 0j,
        "dates": lambda: worse.astype("int64").astype("datetime64[s]"),
        "fewer": lambda: worse[: 1 + number % (ROWS - 1)],
        "more": lambda: np.concatenate([worse, worse]),
        "empty": lambda: worse[:0],
        "wider": lambda: np.concatenate([worse, worse], axis=-1),
        "deeper": lambda: np.stack([worse] * 2, axis=1),
        "scalar": lambda: 1.0,
        "word": lambda: "abc",
        "ragged": lambda: [[1.0] * (i % 3) for i in range(ROWS)],
        "numbers": lambda: list(range(ROWS)),
        "dict": lambda: {"x": worse},
        "nothing": lambda: [],
    }
    return made[fault]()


FAULTS = [
    "nan",
    "inf",
    "none",
    "strings",
    "objects",
    "complex",
    "dates",
    "fewer",
    "more",
    "empty",
    "wider",
    "deeper",
    "scalar",
    "word",
    "ragged",
    "numbers",
    "dict",
    "nothing",
]


@examples(60)
@hypothesis.given(
    st.sampled_from(["z", "x", "y", "weight"]),
    st.sampled_from(FAULTS),
    st.integers(0, 10),
    st.sampled_from(["arrays", "generator", "batch"]),
    st.sampled_from([True] * 9 + [False]),
)
def test_a_fault_in_the_data_is_refused_in_words(
    where, fault, number, how, eager
):
    z, x, y = whole()
    weight = np.ones(ROWS, "float32")
    parts = {"z": z, "x": x, "y": list(y), "weight": weight}
    if where == "y":
        parts["y"][number % 4] = spoil(y[number % 4], fault, number)
    else:
        parts[where] = spoil(parts[where], fault, number)
    if where == "weight" and fault in ("none", "numbers", "nothing"):
        return  # No weights, and a list of weights.
    model = compiled(BCE, run_eagerly=eager)
    before = weights(model)
    inputs = [parts["z"], parts["x"]]

    def train():
        if how == "arrays":
            model.fit(
                inputs,
                parts["y"],
                ROWS,
                1,
                0,
                None,
                sample_weight=parts["weight"],
            )
        elif how == "batch":
            model.train_on_batch(inputs, parts["y"], parts["weight"])
        else:
            batch = (tuple(inputs), tuple(parts["y"]), parts["weight"])
            model.fit(iter([batch]), verbose=0)

    try:
        found = outcome(train)
    except tf.errors.OpError as error:
        # What TensorFlow says of a generator that gives other things later.
        assert how == "generator", error
        found = error
    # What was not refused, such as a dict of one, must have been understood.
    refused = isinstance(found, Exception)
    expected = before if refused else clean(BCE, targets=True)
    for a, b in zip(weights(model), expected, strict=True):
        np.testing.assert_allclose(a, b, err_msg=f"{where} {fault}", **SAME)
    assert still_trains(model, ([z, x], y))


ARGUMENTS = [
    "batch_size",
    "epochs",
    "initial_epoch",
    "steps_per_epoch",
    "validation_split",
    "validation_data",
    "validation_steps",
    "validation_freq",
    "sample_weight",
    "class_weight",
    "shuffle",
    "verbose",
]


@examples(40)
@hypothesis.given(st.sampled_from(ARGUMENTS), scalars())
def test_an_argument_of_fit_is_obeyed_or_refused_in_words(argument, value):
    z, x, y = whole()
    model = compiled(BCE)
    given = {"verbose": 0, argument: value}
    found = outcome(lambda: model.fit([z, x], y, **given))
    assert finite(model)
    if not isinstance(found, Exception) and argument == "epochs":
        assert len(found.epoch) == value
    assert still_trains(model, ([z, x], y))
