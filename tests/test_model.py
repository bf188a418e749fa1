import keras
import numpy as np
import pytest
from engines import COMPILES, ENGINE, only
from keras import layers

import adversarial
from adversarial import AdversarialModel
from adversarial.builders import gan_targets

BCE = keras.losses.BinaryCrossentropy(from_logits=True)
LOGS = [
    "loss",
    *(
        f"{player}_{entry}"
        for player in ("generator", "discriminator")
        for entry in ("loss", "yfake_loss", "yreal_loss")
    ),
]


def data(n=48):
    x = np.random.default_rng(0).normal(size=(n, 3)).astype("float32")
    return x, gan_targets(n)


@pytest.fixture
def trained(small_gan):
    model = small_gan()
    model.compile(
        "alternating", [keras.optimizers.Adam(1e-2) for _ in "gd"], BCE
    )
    model.fit(*data(), batch_size=16, epochs=2, verbose=0)
    return model


def shared_networks():
    """Two player models, nested differently, that share a discriminator."""
    generator = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(4),
            layers.BatchNormalization(),
            layers.Dense(3),
        ],
        name="generator",
    )
    discriminator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, activation="tanh"),
            layers.Dropout(0.3),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    x = keras.Input((3,), name="x")
    z = adversarial.layers.NormalLatent(2)(x)
    fake = keras.Model(z, discriminator(generator(z)), name="fake")
    gan_g = keras.Model(x, fake(z), name="gan_g")
    gan_d = keras.Model(
        x, [discriminator(generator(z)), discriminator(x)], name="gan_d"
    )
    return generator, discriminator, gan_g, gan_d


def shared_model():
    generator, discriminator, gan_g, gan_d = shared_networks()
    return AdversarialModel(
        player_models=[gan_g, gan_d],
        player_params=[generator, discriminator],
        player_names=["generator", "discriminator"],
    )


def test_a_one_player_game_is_plain_keras_fit_to_the_last_bit():
    def network():
        keras.utils.set_random_seed(3)
        return keras.Sequential(
            [
                keras.Input((5,)),
                layers.Dense(16, "relu", kernel_regularizer="l2"),
                layers.BatchNormalization(),
                layers.Dropout(0.2),
                layers.Dense(8, activity_regularizer="l1"),
                layers.Dense(1),
            ]
        )

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 5)), rng.normal(size=(100, 1))
    # Elsewhere a plain model draws one more order of the rows, to be built.
    shuffle = ENGINE == "tensorflow"
    # XLA rounds a step as a whole, and this is another one.
    eager = ENGINE == "jax"
    for strategy in ("simultaneous", "alternating"):
        plain, game = network(), network()
        plain.compile("adam", "mse", run_eagerly=eager)
        model = AdversarialModel(game, player_params=[game])
        model.compile(strategy, "adam", "mse", run_eagerly=eager)
        histories = []
        for each in (plain, model):
            keras.utils.set_random_seed(5)
            fitted = each.fit(
                x, y, epochs=3, batch_size=32, shuffle=shuffle, verbose=0
            )
            histories.append(fitted.history)
        for a, b in zip(plain.variables, game.variables, strict=True):
            np.testing.assert_array_equal(a, b)
        assert histories[0]["loss"] == histories[1]["player_0_loss"]


def test_logs_are_named_by_player_and_output_in_player_order(trained):
    assert trained.metrics_names == LOGS
    assert set(trained.history.history) == set(LOGS)
    assert trained.output_names == [
        "generator_yfake",
        "generator_yreal",
        "discriminator_yfake",
        "discriminator_yreal",
    ]
    values = trained.evaluate(*data(), verbose=0)
    logs = trained.evaluate(*data(), batch_size=48, verbose=0, return_dict=True)
    assert len(values) == len(LOGS) and set(logs) == set(LOGS)
    assert logs["generator_loss"] == pytest.approx(
        logs["generator_yfake_loss"] + logs["generator_yreal_loss"], rel=1e-5
    )
    assert logs["loss"] == pytest.approx(
        logs["generator_loss"] + logs["discriminator_loss"], rel=1e-5
    )


def test_metrics_are_per_player_and_output(small_gan):
    model = small_gan()
    accuracy = keras.metrics.BinaryAccuracy("acc", threshold=0.0)
    model.compile(
        "simultaneous",
        "adam",
        BCE,
        metrics={"discriminator": [accuracy, accuracy]},
    )
    x, y = data()
    history = model.fit(x, y, validation_data=(x, y), verbose=0).history
    extra = {"discriminator_yfake_acc", "discriminator_yreal_acc"}
    assert set(history) == {
        *LOGS,
        *extra,
        *(f"val_{k}" for k in (*LOGS, *extra)),
    }


def test_a_single_outputs_metrics_carry_the_players_name():
    x = keras.Input((2,))
    a, b = layers.Dense(1), layers.Dense(1)
    model = AdversarialModel(
        player_models={"a": keras.Model(x, a(x)), "b": keras.Model(x, b(x))},
        player_params={"a": a, "b": b},
    )
    model.compile("simultaneous", "sgd", "mse", metrics=["mae"])
    logs = model.train_on_batch(
        np.ones((4, 2)), [np.ones((4, 1))] * 2, return_dict=True
    )
    assert set(logs) == {"loss", "a_loss", "a_mae", "b_loss", "b_mae"}
    assert model.metrics_names == ["loss", "a_loss", "a_mae", "b_loss", "b_mae"]


def test_saving_and_loading_goes_on_with_identical_losses(trained, tmp_path):
    trained.save(tmp_path / "gan.keras")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    for _ in range(3):
        assert trained.train_on_batch(*data()) == again.train_on_batch(*data())
    for a, b in zip(trained.variables, again.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_players_that_share_a_layer_still_share_it_after_loading(tmp_path):
    model = shared_model()
    model.compile("alternating", "adam", BCE)
    x, y = data(), None
    ones = np.ones((48, 1), "float32")
    y = [ones, 0 * ones, ones]
    model.fit(x[0], y, verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    gan_g, gan_d = (p.network for p in again.players.values())
    inner = gan_g.get_layer("fake").get_layer("discriminator")
    assert inner is gan_d.get_layer("discriminator")
    assert len(again.variables) == len(model.variables)
    for _ in range(3):
        assert model.train_on_batch(x[0], y) == again.train_on_batch(x[0], y)


def test_saving_keeps_how_it_was_compiled(small_gan, tmp_path):
    model = small_gan(name="mine")
    model.compile(
        adversarial.optimizers.Alternating(steps={"discriminator": 2}),
        {
            "generator": {"class_name": "SGD", "config": {"momentum": 0.5}},
            "discriminator": keras.optimizers.RMSprop(0.5),
        },
        {"generator": [BCE, None], "discriminator": BCE},
        loss_weights={"discriminator": [1.0, 2.0]},
        metrics={"generator": [["mae"], None]},
        steps_per_execution=2,
        on_nonfinite="warn",
        update_state={"generator": False},
    )
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert again.name == "mine"
    assert again.get_compile_config() == model.get_compile_config()
    assert again.steps_per_execution == 2
    assert not again.players["generator"].update_state
    rate = again.players["discriminator"].optimizer.learning_rate
    assert float(rate) == 0.5


def test_an_uncompiled_model_saves_and_loads(tmp_path):
    model = shared_model()
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    x = data()[0]
    assert len(again(x)) == 3
    with pytest.raises(ValueError, match="compiled first"):
        again.fit(x)


def datasets(*arrays):
    """The batches as a dataset, where the engine has them."""
    if ENGINE == "tensorflow":
        import tensorflow as tf

        yield {"x": tf.data.Dataset.from_tensor_slices(arrays).batch(16)}


def test_every_kind_of_data_trains_alike(small_gan):
    x, y = data()
    targets = tuple(y)

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            part = slice(16 * i, 16 * (i + 1))
            return x[part], tuple(t[part] for t in targets)

    batches = Batches()
    named = dict(zip(small_gan().output_names, targets, strict=True))
    ends = []
    for given in (
        {"x": x, "y": y, "shuffle": False},
        {"x": x, "y": named, "shuffle": False},
        {
            "x": x,
            "y": {"generator": targets[:2], "discriminator": targets[2:]},
            "shuffle": False,
        },
        *datasets(x, targets),
        {"x": batches, "shuffle": False},
        {"x": (batches[i] for i in range(3)), "steps_per_epoch": 3},
    ):
        model = small_gan()
        keras.utils.set_random_seed(1)
        model.set_weights([np.full(w.shape, 0.1) for w in model.get_weights()])
        model.compile("simultaneous", "adam", BCE)
        if given["x"] is x:
            given["batch_size"] = 16
        model.fit(**given, verbose=0)
        ends.append(np.concatenate([np.ravel(w) for w in model.get_weights()]))
    for end in ends[1:]:
        np.testing.assert_allclose(ends[0], end, rtol=1e-5)


def test_eager_graph_and_several_steps_per_call_agree(small_gan):
    x, y = data()
    ends = []
    for how in (
        {},
        {"run_eagerly": True},
        {"jit_compile": False},
        {"steps_per_execution": 3},
    ):
        model = small_gan()
        model.set_weights([np.full(w.shape, 0.1) for w in model.get_weights()])
        model.compile(
            "alternating", [keras.optimizers.SGD(0.1) for _ in "gd"], BCE, **how
        )
        model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
        assert int(model.optimizer.iterations) == 6
        ends.append(np.concatenate([np.ravel(w) for w in model.get_weights()]))
    for end in ends[1:]:
        np.testing.assert_allclose(ends[0], end, rtol=1e-4, atol=1e-6)


def made(strategy):
    """A strategy by its name, or a new one."""
    return strategy() if callable(strategy) else strategy


STRATEGIES = pytest.mark.parametrize(
    "strategy",
    [
        "simultaneous",
        "alternating",
        lambda: adversarial.optimizers.Scheduled([0, 1]),
    ],
)


@pytest.mark.skipif(ENGINE == "torch", reason="It traces nothing.")
@STRATEGIES
def test_a_step_is_traced_once(small_gan, strategy, monkeypatch):
    traces = []
    original = AdversarialModel.play
    monkeypatch.setattr(
        AdversarialModel,
        "play",
        lambda self, d: traces.append(1) or original(self, d),
    )
    model = small_gan()
    model.compile(made(strategy), "adam", BCE)
    x, y = data()
    model.fit(x, y, batch_size=16, epochs=3, verbose=0)
    assert len(traces) == 1


@only("tensorflow", "Only its graphs have operations of the host.")
@STRATEGIES
def test_a_step_never_leaves_the_device(small_gan, strategy):
    import tensorflow as tf

    model = small_gan()
    model.compile(made(strategy), "adam", BCE)
    x, y = data()
    graph = tf.function(lambda *d: model.play(d)).get_concrete_function(
        tf.constant(x), tuple(map(tf.constant, y))
    )
    kinds = {node.op for node in graph.graph.as_graph_def().node} | {
        node.op
        for f in graph.graph.as_graph_def().library.function
        for node in f.node_def
    }
    assert not [
        k for k in kinds if "PyFunc" in k or "Assert" in k or "Print" in k
    ]


def test_sample_weights_weigh_every_loss_or_one(small_gan):
    x, y = data(4)
    weights = np.array([1.0, 0.0, 0.0, 1.0], "float32")
    model = small_gan()
    model.compile("simultaneous", "sgd", BCE)
    state = model.networks[0].get_layer("normal_latent").seed_generator.state
    before = state.numpy()
    all_of_it = model.test_on_batch(x, y, return_dict=True)
    state.assign(before)
    half = model.test_on_batch(x, y, sample_weight=weights, return_dict=True)
    some = model.networks[0].predict(x[[0, 3]], verbose=0)[1]
    expected = float(BCE(np.ones((2, 1)), some)) / 2
    assert half["discriminator_yreal_loss"] == pytest.approx(expected, rel=1e-4)
    only = [None, None, None, weights]
    state.assign(before)
    one = model.test_on_batch(x, y, sample_weight=only, return_dict=True)
    assert one["discriminator_yreal_loss"] == half["discriminator_yreal_loss"]
    assert one["discriminator_yfake_loss"] == pytest.approx(
        all_of_it["discriminator_yfake_loss"], rel=1e-4
    )


def test_dict_inputs_and_several_inputs_reach_the_networks_that_want_them():
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    one, two = layers.Dense(1), layers.Dense(1)
    both = layers.Concatenate()([a, b])
    model = AdversarialModel(
        player_models={
            "first": keras.Model({"a": a}, one(a)),
            "second": keras.Model({"a": a, "b": b}, two(both)),
        },
        player_params={"first": one, "second": two},
    )
    model.compile("simultaneous", "sgd", "mse")
    x = {"a": np.ones((8, 2)), "b": np.ones((8, 3))}
    model.fit(x, [np.ones((8, 1))] * 2, verbose=0)
    assert [y.shape for y in model.predict(x, verbose=0)] == [(8, 1)] * 2
    listed = AdversarialModel(
        base_model=keras.Model([a, b], [one(a), two(both)]),
        player_params=[one, two],
    )
    listed.compile("alternating", "sgd", "mse")
    listed.fit([x["a"], x["b"]], [np.ones((8, 1))] * 4, verbose=0)


def test_predict_gives_the_outputs_in_the_order_of_the_targets(trained):
    x = data()[0]
    outputs = trained.predict(x, verbose=0)
    assert [y.shape for y in outputs] == [(48, 1)] * 4
    np.testing.assert_array_equal(outputs[0], outputs[2])
    yreal = trained.networks[0].predict(x, verbose=0)[1]
    np.testing.assert_allclose(outputs[3], yreal, rtol=1e-5)


def test_subclassed_networks_of_unknown_outputs_play(tmp_path):
    @keras.saving.register_keras_serializable(package=__name__)
    class Net(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.first, self.second = layers.Dense(1), layers.Dense(1)

        def call(self, x):
            return {"u": self.first(x), "v": self.second(x)}

    net = Net()
    net(np.ones((1, 2)))
    model = AdversarialModel(
        base_model=net, player_params={"a": net.first, "b": net.second}
    )
    model.compile(
        "simultaneous", "sgd", {"a": ["mse", None], "b": [None, "mse"]}
    )
    x, y = np.ones((8, 2)), [np.ones((8, 1))] * 4
    first = model.fit(x, y, epochs=3, verbose=0).history
    assert first["a_loss"][-1] < first["a_loss"][0]
    assert model.output_names == ["a_u", "a_v", "b_u", "b_v"]
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert again.train_on_batch(x, y) == model.train_on_batch(x, y)


def test_added_losses_reach_every_player_and_regularisers_their_owner():
    x = keras.Input((1,))
    a = layers.Dense(1, kernel_regularizer=keras.regularizers.L2(1.0))
    b = layers.Dense(1, kernel_regularizer=keras.regularizers.L2(10.0))
    shift = layers.ActivityRegularization(l1=1.0)
    model = AdversarialModel(
        base_model=keras.Model(x, shift(layers.Add()([a(x), b(x)]))),
        player_params={"a": a, "b": b},
    )
    for layer in (a, b):
        layer.kernel.assign([[2.0]])
    model.compile("simultaneous", "sgd")
    logs = model.train_on_batch(np.ones((1, 1)), return_dict=True)
    assert logs["a_loss"] == pytest.approx(4.0 + 4.0)
    assert logs["b_loss"] == pytest.approx(4.0 + 40.0)


def test_a_player_without_any_loss_is_refused():
    x = keras.Input((1,))
    a = layers.Dense(1)
    model = AdversarialModel(keras.Model(x, a(x)), player_params={"a": a})
    model.compile("simultaneous", "sgd")
    with pytest.raises(ValueError, match="Player 'a' has no loss"):
        model.train_on_batch(np.ones((1, 1)))


def test_mixed_precision_gives_every_player_a_loss_scale():
    def network(name):
        hidden = layers.Dense(8, name=name, dtype="mixed_float16")
        return keras.Model(x, layers.Dense(1, dtype="float32")(hidden(x)))

    x = keras.Input((4,))
    networks = {"a": network("a"), "b": network("b")}
    model = AdversarialModel(player_models=networks, player_params=networks)
    model.compile("alternating", "adam", "mse")
    scaled = [player.optimizer for player in model.players.values()]
    for optimizer in scaled:
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    # Keras' callbacks look through them.
    assert model.optimizer.optimizers == [o.inner_optimizer for o in scaled]
    history = model.fit(
        np.ones((32, 4)), [np.ones((32, 1))] * 2, epochs=20, verbose=0
    ).history
    assert history["a_loss"][-1] < history["a_loss"][0]


def test_the_summary_has_a_table_of_players_and_each_network(trained):
    lines = []
    trained.summary(print_fn=lambda text, **_: lines.append(text))
    text = "\n".join(lines)
    for words in ("discriminator", "Adam", "variables", "yfake"):
        assert words in text


def test_players_are_found_by_name_and_networks_by_layer(trained):
    player = trained.players["generator"]
    assert player.name == "generator" and len(player.variables) == 6
    assert "generator" in repr(player)
    assert list(trained.players) == ["generator", "discriminator"]


def test_adversarial_compile_is_the_old_spelling(small_gan):
    model = small_gan()
    model.adversarial_compile(
        adversarial_optimizer="simultaneous",
        player_optimizers=["sgd", "sgd"],
        loss=BCE,
        player_compile_kwargs=[
            {"loss_weights": [1.0, 0.0]},
            {"metrics": ["mae", "mae"]},
        ],
    )
    logs = model.train_on_batch(*data(), return_dict=True)
    assert logs["generator_loss"] == logs["generator_yfake_loss"]
    assert "discriminator_yreal_mae" in logs
    with pytest.raises(ValueError, match="did you mean 'loss_weights'"):
        small_gan().adversarial_compile(
            "simultaneous", "sgd", BCE, [{"loss_weight": 1}, {}]
        )


def test_evaluating_draws_new_latents_but_changes_no_weights(trained):
    before = trained.get_weights()
    x, y = data(16)
    first = trained.evaluate(x, y, verbose=0)
    second = trained.evaluate(x, y, verbose=0)
    assert first[1] != second[1]
    for a, b in zip(before, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_keras_callbacks_see_the_players_logs(small_gan, tmp_path):
    model = small_gan()
    model.compile("simultaneous", "adam", BCE)
    best = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras",
        monitor="val_discriminator_loss",
        mode="min",
        save_best_only=True,
    )
    stop = keras.callbacks.EarlyStopping(
        "generator_loss", baseline=-1.0, mode="min"
    )
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    x, y = data()
    history = model.fit(
        x,
        y,
        epochs=4,
        validation_data=(x, y),
        callbacks=[best, stop, log],
        verbose=0,
    ).history
    assert len(history["loss"]) < 4
    assert "discriminator_yfake_loss" in (tmp_path / "log.csv").read_text()
    keras.saving.load_model(tmp_path / "best.keras").train_on_batch(x, y)


@pytest.mark.skipif(not COMPILES, reason="This engine compiles no steps.")
def test_xla_plays_the_same_game(quadratic):
    game = quadratic([2, 3])
    ends = []
    for jit in (True, False):
        model = game.compiled("alternating", "adam", jit_compile=jit)
        ends.append(game.play(model, 5)[-1])
    np.testing.assert_allclose(*ends, rtol=1e-6)
