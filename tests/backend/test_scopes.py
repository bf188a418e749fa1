import keras

from adversarial.backend.scopes import in_scope, only_shapes


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


def test_what_is_written_goes_into_a_scope_or_into_the_variable():
    v = keras.Variable(1.0)
    assert not in_scope()
    with keras.StatelessScope():
        assert in_scope()
        v.assign(2.0)
    assert float(v.value) == 1.0 and not in_scope()
