"""What one engine has saved, every other loads and goes on with."""

import json
import runpy
import tarfile
from pathlib import Path

import numpy as np
import pytest

import adversarial
from adversarial import registry

DATA = Path(__file__).with_name("data")
MAKE = runpy.run_path(str(DATA / "make_saved_games.py"))
ENGINES = ("tensorflow", "jax", "torch")
STRATEGIES = registry.names("optimizers")
AGREEMENT = {"rtol": 1e-5, "atol": 1e-5}
"""Float32, three steps or ten, of numbers of order 1."""
pytestmark = [
    pytest.mark.filterwarnings("ignore:The solver"),  # One iteration.
    pytest.mark.filterwarnings("ignore:jax.nn.one_hot:DeprecationWarning"),
]


@pytest.fixture(scope="module", params=ENGINES)
def saved(request, tmp_path_factory):
    """The folder of what an engine has saved, and its numbers."""
    folder = tmp_path_factory.mktemp(request.param)
    with tarfile.open(DATA / f"saved_on_{request.param}.tar.xz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            (folder / member.name).write_bytes(content.read())
    return folder, json.loads((folder / "numbers.json").read_text())


def assert_same(found, expected):
    assert set(found) == set(expected) == {"judged", "logs", "state"}
    for part, numbers in expected.items():
        assert list(found[part]) == list(numbers)
        for name, number in numbers.items():
            np.testing.assert_allclose(
                found[part][name], number, **AGREEMENT, err_msg=name
            )


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_game_that_any_engine_has_saved_goes_on(saved, name):
    folder, numbers = saved
    model = adversarial.load_model(folder / f"{name}.keras")
    assert int(model.optimizer.iterations) == MAKE["BEFORE"]
    assert_same(MAKE["numbers_of"](model), numbers[name])


def test_training_goes_on_from_the_backup_of_any_engine(saved, tmp_path):
    folder, numbers = saved
    name = MAKE["STOPPED"]
    backup = tmp_path / "backup.keras"
    backup.write_bytes((folder / f"{name}.keras").read_bytes())
    assert_same(MAKE["train"](backup), numbers[name])


def test_every_strategy_is_among_the_saved_games(saved):
    assert set(saved[1]) == {*STRATEGIES, MAKE["STOPPED"]}
