import keras

from adversarial.backend.scopes import only_shapes


def test_shapes_alone_are_asked_for_where_keras_builds_on_symbols():
    seen = []

    class Looks(keras.layers.Layer):
        def call(self, x):
            seen.append(only_shapes())
            return x

    layer = Looks()
    layer(keras.Input((2,)))
    assert seen and all(seen)
    seen.clear()
    layer(keras.ops.ones((1, 2)))
    assert seen == [False]
    assert not only_shapes()
