import numpy as np
from engines import array, compiled, slopes, tensor
from keras import ops

from adversarial.losses.rows import cosines, rows, unit

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 2, 3))


def test_samples_become_rows():
    np.testing.assert_array_equal(rows(X), X.reshape(4, 6))
    assert rows(np.ones(4)).shape == (4, 1)


def test_unknown_sizes_are_read_in_the_graph():
    flat = compiled(rows, shapes=[((None, None, 3), "float32")])
    assert flat(X.astype("float32")).shape == (4, 6)


def test_rows_have_length_1_and_zeros_stay():
    x = rows(tensor(X))
    lengths = np.linalg.norm(unit(x), axis=1)
    np.testing.assert_allclose(lengths, 1.0, rtol=1e-12)
    zeros = np.zeros((2, 3))
    assert not np.any(array(unit(tensor(zeros))))
    assert np.all(np.isfinite(slopes(lambda x: ops.sum(unit(x)), zeros)[0]))


def test_cosines_are_those_of_each_pair():
    a, b = X.reshape(4, 6), RNG.normal(size=(3, 6))
    for i in range(4):
        for j in range(3):
            lengths = np.linalg.norm(a[i]) * np.linalg.norm(b[j])
            expected = a[i] @ b[j] / lengths
            found = float(cosines(tensor(a), tensor(b))[i, j])
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_long_rows_keep_their_angles():
    x = tensor(np.array([[1e4, 0.0], [1e4, 1e4]], "float32"))
    found = array(cosines(x, x))
    np.testing.assert_allclose(found[0, 1], np.sqrt(0.5), rtol=1e-6)
