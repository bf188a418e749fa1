import keras

from adversarial.optimizers.names import looked_through, name_after_players

K = keras.optimizers


@keras.saving.register_keras_serializable(package=__name__)
class SlowSGD(K.SGD):
    pass


def test_a_loss_scale_is_looked_through():
    inner = K.SGD()
    assert looked_through(inner) is inner
    assert looked_through(K.LossScaleOptimizer(inner)) is inner


def test_names_that_keras_made_up_become_the_players():
    made = {"a": K.Adam(), "b": K.Adam(), "c": SlowSGD()}
    made["d"] = K.LossScaleOptimizer(K.Adam())
    assert made["b"].name != made["a"].name
    name_after_players(made)
    found = {name: looked_through(o).name for name, o in made.items()}
    assert found == {name: name for name in "abcd"}


def test_names_that_were_given_stay():
    made = {"a": K.Adam(name="fast"), "b": K.Adam(name="adam_slow")}
    name_after_players(made)
    assert [o.name for o in made.values()] == ["fast", "adam_slow"]


def test_the_names_are_those_of_the_players_in_a_model(small_gan, tmp_path):
    model = small_gan()
    model.compile("alternating", "adam", "non_saturating")
    names = [o.name for o in model.optimizer.optimizers]
    assert names == ["generator", "discriminator"]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert [o.name for o in again.optimizer.optimizers] == names
