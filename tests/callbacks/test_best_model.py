import json

import keras
import numpy as np
import pytest

from adversarial.callbacks.best_model import BestModel


def model_of(number):
    """A model of one weight."""
    made = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False)]
    )
    made.set_weights([np.full((1, 1), number)])
    return made


def saved(path):
    return float(keras.saving.load_model(path).get_weights()[0][0, 0])


def offered(best, values):
    """Offers models whose weight is the value; returns which were kept."""
    return [best.offer(v, model_of(v), step) for step, v in enumerate(values)]


@pytest.mark.parametrize(
    ("direction", "kept", "last"),
    [
        ("min", [True, False, True, False, False], 2.0),
        ("max", [True, True, False, False, False], 4.0),
    ],
)
def test_the_best_is_kept_and_an_equal_one_is_not_better(
    tmp_path, direction, kept, last
):
    path = tmp_path / "new" / "best.keras"
    best = BestModel("d", direction, path)
    assert offered(best, [3.0, 4.0, 2.0, 2.0, 4.0]) == kept
    assert best.value == last == saved(path)
    assert best.step == [3.0, 4.0, 2.0].index(last)
    names = sorted(p.name for p in path.parent.iterdir())
    assert names == ["best.keras", "best.keras.json"]


@pytest.mark.parametrize("direction", ["min", "max"])
def test_nan_is_never_the_best(direction):
    best = BestModel("d", direction)
    assert offered(best, [np.nan, 1.0, np.nan]) == [False, True, False]
    assert (best.value, best.step) == (1.0, 1)


def test_infinity_is_a_number_that_can_be_beaten(tmp_path):
    best = BestModel("d", "min", tmp_path / "best.keras")
    assert offered(best, [np.inf, 5.0]) == [True, True]


def test_an_interrupt_leaves_the_file_before(tmp_path, monkeypatch):
    path = tmp_path / "best.keras"
    best = BestModel("d", "min", path)
    offered(best, [3.0])
    save = keras.Model.save

    def interrupted(self, to):
        save(self, to)
        to.write_bytes(to.read_bytes()[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Sequential, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        offered(best, [2.0])
    assert saved(path) == 3.0
    assert best.value == 3.0
    assert json.loads((tmp_path / "best.keras.json").read_text()) == {
        "monitor": "d",
        "value": 3.0,
        "step": 0,
    }


def test_a_run_that_goes_on_does_not_overwrite_a_better_model(tmp_path):
    path = tmp_path / "best.keras"
    first = BestModel("d", "min", path)
    first.offer(3.0, model_of(3.0), 10)
    again = BestModel("d", "min", path)
    again.resume(20)
    assert (again.value, again.step) == (3.0, 10)
    assert offered(again, [3.5, 2.5]) == [False, True]
    assert saved(path) == 2.5


@pytest.mark.parametrize(
    ("monitor", "step"), [("d", 0), ("d", 9), ("other", 20)]
)
def test_what_another_run_has_left_does_not_count(tmp_path, monitor, step):
    """A new model, one that is not as far, and another measure."""
    path = tmp_path / "best.keras"
    BestModel("d", "min", path).offer(3.0, model_of(3.0), 10)
    again = BestModel(monitor, "min", path)
    again.resume(step)
    assert again.value is None


def test_a_record_without_its_model_does_not_count(tmp_path):
    path = tmp_path / "best.keras"
    BestModel("d", "min", path).offer(3.0, model_of(3.0), 10)
    path.unlink()
    again = BestModel("d", "min", path)
    again.resume(20)
    assert again.value is None


def test_remembered_weights_come_back():
    best = BestModel("d", "max", remember=True)
    model = model_of(1.0)
    best.restore(model)
    assert float(model.get_weights()[0][0, 0]) == 1.0
    best.offer(1.0, model, 0)
    model.set_weights([np.full((1, 1), 9.0)])
    best.offer(0.5, model, 1)
    best.restore(model)
    assert float(model.get_weights()[0][0, 0]) == 1.0


def test_another_kind_of_file_is_refused():
    with pytest.raises(ValueError, match=r"write 'out/best\.keras'"):
        BestModel("d", "min", "out/best.h5")
