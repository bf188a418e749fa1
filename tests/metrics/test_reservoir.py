import keras
import numpy as np
import pytest
from engines import compiled, tensor

from adversarial.metrics.reservoir import Reservoir

ROOM = 20
MANY = 4000
"""Seeds over which inclusions are counted."""


def reservoir(seed=0, room=ROOM):
    made = Reservoir(
        keras.metrics.Mean().add_variable,
        "fake",
        "float64",
        room=room,
        seed=seed,
    )
    made.build(1)
    return made


def kept(sizes, seed=0, jit=None):
    store = reservoir(seed)
    add = store.add
    if jit is not None:
        add = compiled(add, jit, writes=store._zeros)
    n = sum(sizes)
    rows = np.arange(n, dtype="float64")[:, None]
    for part in np.split(rows, np.cumsum(sizes)[:-1]):
        add(tensor(part))
    return store.read()[:, 0]


def by_numpy(n, seed, room):
    """Algorithm R, one sample at a time, with the hash in 32-bit words."""
    places = list(range(min(n, room)))
    for t in range(room, n):
        word = np.uint32((t + seed * 0x9E3779B9) % 2**32)
        word ^= word >> np.uint32(16)
        word = np.uint32(int(word) * 0x85EBCA6B % 2**32)
        word ^= word >> np.uint32(13)
        word = np.uint32(int(word) * 0xC2B2AE35 % 2**32)
        word ^= word >> np.uint32(16)
        place = int(int(word) / 2**32 * (t + 1))
        if place < room:
            places[place] = t
    return places


def test_everything_is_kept_in_order_while_there_is_room():
    np.testing.assert_array_equal(kept([3, 0, 7, ROOM - 10]), np.arange(ROOM))


@pytest.mark.parametrize("seed", [0, 1, 12345, 2**40])
def test_it_is_algorithm_r(seed):
    assert kept([500], seed).tolist() == by_numpy(500, seed, ROOM)


@pytest.mark.parametrize("sizes", [[1] * 100, [50, 50], [7, 33, 0, 60]])
def test_batches_do_not_matter(sizes):
    np.testing.assert_array_equal(kept(sizes), kept([100]))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_updates_keep_the_same_samples(jit_compile):
    found = kept([33, 33, 34], jit=jit_compile)
    np.testing.assert_array_equal(found, kept([100]))


def test_the_last_of_several_rows_for_one_place_wins(monkeypatch):
    # On accelerators a scatter writes in any order.
    scatter = keras.ops.scatter_update
    monkeypatch.setattr(
        keras.ops,
        "scatter_update",
        lambda x, places, rows: scatter(
            x, keras.ops.flip(places, 0), keras.ops.flip(rows, 0)
        ),
    )
    assert kept([500]).tolist() == by_numpy(500, 0, ROOM)


def test_seeds_keep_different_samples():
    assert set(kept([200], 0)) != set(kept([200], 1))


def test_every_sample_is_kept_as_often():
    n, room = 60, 6
    counts = np.zeros(n)
    for seed in range(MANY):
        counts[by_numpy(n, seed, room)] += 1
    expected = MANY * room / n
    chi_squared = np.sum((counts - expected) ** 2) / (expected * (1 - room / n))
    # About n - 1 degrees of freedom: mean 59, deviation 11.
    assert 59 - 4 * 11 < chi_squared < 59 + 4 * 11


def test_a_reset_starts_anew():
    store = reservoir()
    for start in (0.0, 100.0):
        store.reset()
        store.add(tensor(np.arange(start, start + 5)[:, None]))
    np.testing.assert_array_equal(store.read()[:, 0], np.arange(100, 105))
