import json
import marshal
import pickle

import keras
import numpy as np
import pytest

import adversarial
from adversarial.backend import graph
from adversarial.saving import (
    all_variables,
    load_random_state,
    players_arguments,
    players_config,
    save_random_state,
)


def test_the_configuration_is_json_and_makes_the_same_players(small_gan):
    model = small_gan()
    config = json.loads(json.dumps(players_config(model.players)))
    arguments = players_arguments(config)
    assert arguments["player_models"] is None
    assert arguments["player_names"] == ["generator", "discriminator"]
    for player, owned in zip(
        model.players.values(), arguments["player_params"], strict=True
    ):
        assert [v.shape for v in player.variables] == [v.shape for v in owned]
        inside = {id(v) for v in arguments["base_model"].variables}
        assert all(id(v) in inside for v in owned)


def test_networks_that_come_back_different_are_refused(small_gan):
    config = players_config(small_gan().players)
    config["variables"][1] = [7, 7]
    with pytest.raises(ValueError, match="remade as they were saved"):
        players_arguments(config)


def test_random_state_goes_through_a_store(small_gan):
    networks = small_gan().networks
    seeds = [v for v in all_variables(networks) if "seed" in v.path]
    assert len(seeds) == 2
    store = {}
    save_random_state(networks, store)
    before = [np.array(v) for v in seeds]
    for v in seeds:
        v.assign(keras.ops.zeros_like(v.value))
    load_random_state(networks, store)
    for v, old in zip(seeds, before, strict=True):
        np.testing.assert_array_equal(v, old)
    with pytest.raises(ValueError, match="random state"):
        load_random_state(networks, {"0": before[0]})


X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")


def trained(model, steps=2):
    model.compile(
        adversarial.optimizers.Lookahead("alternating"),
        "adam",
        "non_saturating",
        run_eagerly=True,
    )
    for _ in range(steps):
        model.train_on_batch(X)
    return model


def state(model):
    return [np.asarray(v) for v in model.whole_state()]


def assert_equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


SAVERS = {
    "gan.keras": lambda model, path: model.save(path),
    "gan.weights.h5": lambda model, path: model.save_weights(path),
}


@pytest.mark.parametrize("name", SAVERS)
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_save_that_fails_leaves_the_good_file(
    small_gan, tmp_path, monkeypatch, name, error
):
    model, save = trained(small_gan()), SAVERS[name]
    save(model, tmp_path / name)
    good = (tmp_path / name).read_bytes()
    layer = model.networks[0].layers[-1]

    def fails(store):
        raise error("No space left on device")

    monkeypatch.setattr(layer, "save_own_variables", fails)
    with pytest.raises(error):
        save(model, tmp_path / name)
    assert (tmp_path / name).read_bytes() == good
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", SAVERS)
def test_the_good_file_is_there_while_the_next_is_written(
    small_gan, tmp_path, monkeypatch, name
):
    model, save = trained(small_gan()), SAVERS[name]
    save(model, tmp_path / name)
    good, seen = (tmp_path / name).read_bytes(), []
    layer = model.networks[0].layers[-1]

    def look(store):
        seen.append((tmp_path / name).read_bytes() == good)

    monkeypatch.setattr(layer, "save_own_variables", look)
    model.train_on_batch(X)
    save(model, tmp_path / name)
    assert seen == [True]
    assert (tmp_path / name).read_bytes() != good


def test_keras_own_ways_to_save_still_work(small_gan, tmp_path):
    model = small_gan()
    model.save(tmp_path / "folder", zipped=False)
    assert (tmp_path / "folder" / "config.json").exists()
    with open(tmp_path / "open.keras", "wb") as file:
        keras.saving.save_model(model, tmp_path / "other.keras")
        model.save(file.name)
    for name in ("open.keras", "other.keras"):
        again = adversarial.load_model(tmp_path / name)
        assert_equal(again.get_weights(), model.get_weights())
    with pytest.raises(ValueError, match=r"`\.keras`"):
        model.save(tmp_path / "model.tf")


def test_an_old_file_is_not_overwritten_without_being_asked(
    small_gan, tmp_path, monkeypatch
):
    path = tmp_path / "gan.keras"
    path.write_text("precious")
    monkeypatch.setattr("builtins.input", lambda _: "n")
    small_gan().save(path, overwrite=False)
    assert path.read_text() == "precious"


def damages(whole):
    """Truncated in several places, and with changed bytes."""
    for part in (0, 1, 10, 50, 90, 99):
        yield f"{part} %", whole[: len(whole) * part // 100]
    for part in (5, 30, 60, 95):
        place = len(whole) * part // 100
        hole = bytes(b ^ 0xFF for b in whole[place : place + 64])
        yield f"hole at {part} %", whole[:place] + hole + whole[place + 64 :]


def test_a_damaged_file_is_told_by_name_and_changes_nothing(
    small_gan, tmp_path
):
    model = trained(small_gan())
    path = tmp_path / "gan.keras"
    model.save(path)
    whole = path.read_bytes()
    model.train_on_batch(X)
    before = state(model)
    for what, data in damages(whole):
        path.write_bytes(data)
        for load in (adversarial.load_model, model.load_weights):
            with pytest.raises(OSError, match="must be whole") as error:
                load(path)
            assert str(path) in str(error.value), what
        with pytest.raises(Exception):  # noqa: B017 (of any kind)
            keras.saving.load_model(path)
        assert_equal(state(model), before)
        assert path.read_bytes() == data


def test_truncated_weights_are_told_by_name_and_change_nothing(
    small_gan, tmp_path
):
    model = trained(small_gan())
    path = tmp_path / "gan.weights.h5"
    model.save_weights(path)
    whole = path.read_bytes()
    model.train_on_batch(X)
    before = state(model)
    for part in (0, 1, 10, 50, 90, 99):
        path.write_bytes(whole[: len(whole) * part // 100])
        with pytest.raises(OSError, match="must be whole") as error:
            model.load_weights(path)
        assert str(path) in str(error.value)
        assert_equal(state(model), before)


def test_weights_of_another_model_change_nothing(small_gan, tmp_path):
    model = trained(small_gan())
    model.save_weights(tmp_path / "gan.weights.h5")
    wider = keras.Sequential([keras.Input((3,)), keras.layers.Dense(9)])
    other = adversarial.AdversarialModel(wider, player_params=[wider])
    before = state(other)
    with pytest.raises(ValueError, match="could not be loaded") as error:
        other.load_weights(tmp_path / "gan.weights.h5")
    assert "nothing was changed" in str(error.value.__notes__)
    assert_equal(state(other), before)


def test_no_file_to_load_is_not_found(small_gan, tmp_path):
    for name in SAVERS:
        with pytest.raises(FileNotFoundError):
            small_gan().load_weights(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        adversarial.load_model(tmp_path / "gan.keras")


def test_python_code_in_a_file_is_refused(tmp_path):
    inputs = keras.Input((2,))
    outputs = keras.layers.Lambda(lambda x: 2 * x)(
        keras.layers.Dense(1)(inputs)
    )
    network = keras.Model(inputs, outputs)
    model = adversarial.AdversarialModel(network, player_params=[network])
    model.save(tmp_path / "m.keras")
    for load in (adversarial.load_model, keras.saving.load_model):
        with pytest.raises(ValueError, match=r"(?i)lambda"):
            load(tmp_path / "m.keras")
    again = adversarial.load_model(tmp_path / "m.keras", safe_mode=False)
    assert_equal(
        again.predict(X[:, :2], verbose=0), model.predict(X[:, :2], verbose=0)
    )


def test_python_code_in_the_arguments_of_compile_is_refused(
    small_gan, tmp_path
):
    model = small_gan()
    model.compile("simultaneous", "adam", loss=lambda y, p: (y - p) ** 2)
    with pytest.warns(UserWarning, match="includes a `lambda`"):
        model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=r"(?i)lambda"):
        adversarial.load_model(tmp_path / "m.keras")


def test_nothing_is_unpickled_and_no_class_is_imported_by_its_path(
    small_gan, tmp_path, monkeypatch
):
    model = trained(small_gan())
    model.save(tmp_path / "gan.keras")

    def never(*args, **kwargs):
        raise AssertionError("something was unpickled")

    for module in (pickle, marshal):
        for name in ("load", "loads"):
            monkeypatch.setattr(module, name, never)
    monkeypatch.setattr(pickle, "Unpickler", never)
    again = adversarial.load_model(tmp_path / "gan.keras")
    assert_equal(state(again), state(model))
    # A class that is not registered with Keras is looked up, not imported.
    record = players_config(model.players)["networks"]
    for entry in record["objects"]:
        if entry["kind"] == "functional":
            entry["class"] = "os>system"
    assert type(graph.replay(record)[0]) is type(model.networks[0])


def test_means_of_metrics_are_loaded_and_forgotten(small_gan, tmp_path):
    model = trained(small_gan())
    model.save_weights(tmp_path / "gan.weights.h5")
    means = model.get_metrics_result()
    again = trained(small_gan(), steps=0)
    again.load_weights(tmp_path / "gan.weights.h5")
    assert again.get_metrics_result() == means
    again.reset_metrics()
    assert again.get_metrics_result()["loss"] == 0
