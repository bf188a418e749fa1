"""Augmentations inside of games: who sees what, and what moves when."""

import keras
import numpy as np
import pytest
from engines import COMPILES, array

import adversarial
from adversarial.augmentation import AdaptiveAugment, DiffAugment, augmented
from adversarial.optimizers import Scheduled

STRATEGIES = ["simultaneous", "alternating", "extra_gradient", "unrolled"]
each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)
FLOAT32 = 1e-6
"""Absolute; a few float32 operations on numbers of the order of 1."""
FEW = ("x_flip", "rotation", "brightness", "hue", "cutout")
"""Some of each group: XLA takes its time over all of them."""
KINDS = {
    "diff_augment": lambda: DiffAugment(seed=3),
    "adaptive_augment": lambda: AdaptiveAugment(
        FEW, seed=3, start=0.7, speed=100, interval=2
    ),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def still(n=2):
    """Optimizers whose players do not move."""
    return [keras.optimizers.SGD(1e-30) for _ in range(n)]


def watch(kind):
    return {} if kind == "adaptive_augment" else None


@pytest.fixture
def seen(monkeypatch):
    """Notes all that an augmentation made, eagerly."""

    def note(layer):
        images = []
        apply = layer.apply

        def spy(x, parameters):
            found = apply(x, parameters)
            images.append((array(x), array(found)))
            return found

        monkeypatch.setattr(layer, "apply", spy)
        return images

    return note


@each_kind
@each_strategy
def test_all_evaluations_of_a_step_see_the_same_draws(
    kind, strategy, gan, real, seen
):
    layer = KINDS[kind]()
    model = gan(layer, watch(kind))
    model.compile(strategy, still(), "non_saturating", run_eagerly=True)
    images = seen(layer)
    steps = []
    for _ in range(2):
        images.clear()
        model.train_on_batch(real)
        # Each evaluation scores real images and generated ones.
        assert len(images) % 2 == 0
        assert (len(images) > 2) == (strategy != "simultaneous")
        kinds = {True: [], False: []}
        for before, after in images:
            kinds[np.array_equal(before, real)].append((before, after))
        for pairs in kinds.values():
            assert len(pairs) == len(images) // 2
            for before, after in pairs:
                np.testing.assert_array_equal(before, pairs[0][0])
                np.testing.assert_array_equal(after, pairs[0][1])
        steps.append(kinds[True][0][1])
        assert not np.array_equal(steps[-1], real)
    assert not np.array_equal(*steps)


def test_generated_and_real_images_get_draws_of_their_own(
    gan, real, monkeypatch
):
    layer = DiffAugment("color", seed=3)
    model = gan(layer)
    draws = []
    draw = layer.draw

    def spy(images):
        draws.append(draw(images))
        return draws[-1]

    monkeypatch.setattr(layer, "draw", spy)
    model.compile("simultaneous", still(), "non_saturating", run_eagerly=True)
    model.train_on_batch(real)
    fake, of_real = (array(d["brightness"]) for d in draws)
    assert not np.intersect1d(fake, of_real).size


def test_networks_of_their_own_start_from_the_same_draw(networks, real, seen):
    layer = DiffAugment(seed=3)
    generator, discriminator = networks()
    critic = augmented(discriminator, layer)
    x = keras.Input(real.shape[1:])
    made = generator(adversarial.layers.NormalLatent(2, seed=1)(x))
    model = adversarial.AdversarialModel(
        player_models={
            "generator": keras.Model(x, {"yfake": critic(made)}, name="one"),
            "discriminator": keras.Model(
                x, {"yfake": critic(made)}, name="two"
            ),
        },
        player_params={"generator": generator, "discriminator": discriminator},
    )
    model.compile(
        "simultaneous",
        still(),
        {"generator": "mse", "discriminator": "mae"},
        run_eagerly=True,
    )
    images = seen(layer)
    ones = np.ones((len(real), 1), "float32")
    model.train_on_batch(real, [ones, ones])
    assert len(images) == 2
    np.testing.assert_array_equal(images[0][0], images[1][0])
    np.testing.assert_array_equal(images[0][1], images[1][1])


@each_kind
def test_images_pass_when_a_model_is_evaluated_or_predicts(
    kind, gan, real, seen
):
    layer = KINDS[kind]()
    model = gan(layer, watch(kind))
    model.compile("simultaneous", still(), "non_saturating", run_eagerly=True)
    images = seen(layer)
    model.evaluate(real, verbose=0)
    model.predict(real, verbose=0)
    assert not images


def test_the_generator_learns_through_the_augmentation(gan, real, monkeypatch):
    # Images that are shifted out of sight teach nothing.
    for shift, moves in ((0.0, True), (9.0, False)):
        layer = DiffAugment("translation")
        drawn = {"translation": np.full((len(real), 2), shift)}
        monkeypatch.setattr(layer, "draw", lambda x, drawn=drawn: drawn)
        model = gan(layer)
        kernel = model.players["generator"].variables[0]
        before = np.array(kernel)
        model.compile("simultaneous", "sgd", "non_saturating", run_eagerly=True)
        model.train_on_batch(real)
        assert np.array_equal(before, kernel) != moves


def state_of(layer):
    names = ("p", "overfitting", "_signs", "_images", "_steps")
    return [getattr(layer, name) for name in names]


@pytest.mark.parametrize("owner", ["critic", None])
def test_the_probability_belongs_to_the_discriminator(owner, gan):
    layer = AdaptiveAugment(seed=3)
    model = gan(layer, {}, owner)
    state = model.players["discriminator"].state
    assert {id(v) for v in state} == {id(v) for v in state_of(layer)}
    assert not model.players["generator"].state


@pytest.mark.parametrize("strategy", STRATEGIES[:3])
def test_the_probability_moves_once_per_step(strategy, gan, real):
    layer = AdaptiveAugment(FEW, seed=3, start=0.5, speed=100, interval=2)
    # All scores are 1: r is 1, and p rises by 16 / 100 every other step.
    model = gan(layer, {}, kernel="zeros", bias=1.0)
    model.compile(strategy, still(), "non_saturating")
    found = []
    for _ in range(4):
        model.train_on_batch(real)
        found.append(float(layer.p))
    np.testing.assert_allclose(found, [0.5, 0.66, 0.66, 0.82], atol=FLOAT32)
    assert float(layer.overfitting) == 1.0


def test_a_move_of_the_generator_leaves_the_probability(gan, real):
    layer = AdaptiveAugment(FEW, seed=3, start=0.5, speed=100, interval=1)
    model = gan(layer, {}, kernel="zeros", bias=1.0)
    turns = Scheduled(["generator", "discriminator", "generator"])
    model.compile(turns, still(), "non_saturating")
    found = []
    for _ in range(3):
        model.train_on_batch(real)
        found.append(float(layer.p))
    np.testing.assert_allclose(found, [0.5, 0.58, 0.58], atol=FLOAT32)


def test_a_score_below_0_lowers_the_probability_and_the_last_batch_counts(
    gan, real
):
    layer = AdaptiveAugment(FEW, seed=3, start=0.5, speed=100, interval=2)
    model = gan(layer, {}, kernel="zeros", bias=-1.0)
    model.compile("simultaneous", still(), "non_saturating")
    model.fit(real, batch_size=5, verbose=0)
    # Batches of 5 and 3.
    assert float(layer.p) == pytest.approx(0.42, abs=FLOAT32)


def trained(model, real, **kwargs):
    rates = [keras.optimizers.SGD(0.05) for _ in model.players]
    model.compile("simultaneous", rates, "non_saturating", **kwargs)
    logs = model.fit(real, batch_size=2, epochs=1, shuffle=False, verbose=0)
    return [values[0] for values in logs.history.values()]


@each_kind
def test_it_trains_in_every_mode(kind, gan, real):
    found = []
    for mode in (
        {"run_eagerly": True},
        {"jit_compile": False, "steps_per_execution": 2},
        *([{"jit_compile": True}] if COMPILES else []),
    ):
        keras.utils.set_random_seed(0)
        layer = KINDS[kind]()
        model = gan(layer, watch(kind), bias=3.0)
        losses = trained(model, real, **mode)
        assert np.isfinite(losses).all()
        found.append(losses)
        if kind == "adaptive_augment":
            # Four batches of two images with scores above 0.
            assert float(layer.p) == pytest.approx(0.78, abs=FLOAT32)
    # XLA may draw other numbers.
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


@each_kind
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_it_trains_in_mixed_precision(kind, policy, gan, real):
    keras.config.set_dtype_policy(policy)
    try:
        layer = KINDS[kind]()
        model = gan(layer, watch(kind), bias=3.0)
        losses = trained(model, real)
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(losses).all()
    if kind == "adaptive_augment":
        assert float(layer.p) == pytest.approx(0.78, abs=FLOAT32)


def augmentation_in(model):
    """The one augmentation of a model, wherever it is."""
    found = {}

    def visit(layer):
        if isinstance(layer, DiffAugment | AdaptiveAugment):
            found[id(layer)] = layer
        for child in getattr(layer, "layers", ()):
            visit(child)

    visit(model.players["discriminator"].network)
    (layer,) = found.values()
    return layer


@each_kind
def test_a_saved_game_goes_on(kind, gan, real, tmp_path):
    model = gan(KINDS[kind](), watch(kind))
    model.compile("alternating", "adam", "non_saturating")
    for _ in range(3):
        model.train_on_batch(real)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    layers = [augmentation_in(m) for m in (model, copy)]
    assert layers[0].get_config() == layers[1].get_config()
    for _ in range(3):
        model.reset_metrics()
        assert copy.train_on_batch(real) == model.train_on_batch(real)
    for a, b in zip(*(m.weights for m in layers), strict=True):
        np.testing.assert_array_equal(a, b)
    if kind == "adaptive_augment":
        assert float(layers[1].p) not in (0.0, 0.7, 1.0)


def test_a_loaded_game_shares_its_layers(gan, real, tmp_path):
    model = gan(KINDS["adaptive_augment"](), {})
    model.compile("simultaneous", "adam", "non_saturating")
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert len(copy.weights) == len(model.weights)
    layer = augmentation_in(copy)
    state = copy.players["discriminator"].state
    assert {id(v) for v in state} == {id(v) for v in state_of(layer)}
    # Real and generated images meet the same layers.
    fake, of_real = copy.predict(np.zeros_like(real), verbose=0)[:2]
    assert fake.shape == of_real.shape == (8, 1)
