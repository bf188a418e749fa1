import keras

from adversarial.backend.epochs import begin_at


def test_none_is_what_fit_was_told():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = keras.ops.ones((1, 1))
    begin_at(model, 2)
    begin_at(model, None)
    epochs = model.fit(x, x, epochs=3, initial_epoch=1, verbose=0).epoch
    assert epochs == [1, 2]
