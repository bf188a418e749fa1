import keras
import numpy as np
import pytest
from engines import array, compiled, dtype_of, tensor

from adversarial.augmentation import AdaptiveAugment

RNG = np.random.default_rng(0)
FLOAT32 = 1e-6
"""Absolute; a few float32 operations on numbers of the order of 1."""


class Reference:
    """The rule of the docstring, in NumPy."""

    def __init__(self, target=0.6, speed=500_000, interval=4, p=0.0):
        self.target, self.speed, self.interval = target, speed, interval
        self.p, self.r, self.batches = p, 0.0, []

    def see(self, real, fake=None):
        scores = real if fake is None else real - fake.mean()
        self.batches.append(np.sign(scores))
        if len(self.batches) == self.interval:
            images = sum(len(b) for b in self.batches)
            total = sum(len(b) * b.mean() for b in self.batches)
            self.r = total / images
            move = np.sign(self.r - self.target) * images / self.speed
            self.p = min(1.0, max(0.0, self.p + move))
            self.batches = []


@pytest.mark.parametrize("fake", [False, True])
@pytest.mark.parametrize("interval", [1, 4])
@pytest.mark.parametrize("shape", [(1,), (), (3, 2, 1)])
def test_the_probability_follows_the_rule(fake, interval, shape):
    # About the mean sign, so that the probability goes both ways.
    target = 0.02 if fake else 0.35
    kwargs = {"target": target, "speed": 100, "interval": interval}
    layer = AdaptiveAugment(start=0.5, **kwargs)
    rule = Reference(p=0.5, **kwargs)
    seen = set()
    for _ in range(32):
        rows = int(RNG.integers(1, 8))
        pair = RNG.normal(0.5, 1.0, (2, rows, *shape)).astype("float32")
        found = layer([*pair] if fake else pair[0], observe=True, training=True)
        np.testing.assert_array_equal(found, pair[0])
        rule.see(*(pair if fake else pair[:1]))
        assert float(layer.p) == pytest.approx(rule.p, abs=FLOAT32)
        assert float(layer.overfitting) == pytest.approx(rule.r, abs=FLOAT32)
        seen.add(np.sign(rule.r - target))
    assert {-1.0, 1.0} <= seen


def test_the_probability_rises_above_the_target_and_falls_below_it():
    layer = AdaptiveAugment(speed=80, interval=1)
    for _ in range(3):
        layer(np.ones((8, 1)), observe=True, training=True)
    assert float(layer.p) == pytest.approx(0.3, abs=FLOAT32)
    # 6 of 8 are positive: r = 0.5 is below 0.6.
    scores = np.array([[1.0]] * 6 + [[-1.0]] * 2)
    layer(scores, observe=True, training=True)
    assert float(layer.p) == pytest.approx(0.2, abs=FLOAT32)


def test_the_probability_stays_from_0_to_1():
    layer = AdaptiveAugment(speed=3, interval=1)
    for score, end in ((-1.0, 0.0), (1.0, 1.0), (-1.0, 0.0)):
        for _ in range(3):
            layer(np.full((2, 1), score), observe=True, training=True)
        assert float(layer.p) == end


def test_at_the_target_the_probability_rests():
    layer = AdaptiveAugment(target=0.5, speed=80, interval=1, start=0.3)
    scores = np.array([[1.0]] * 6 + [[-1.0]] * 2)
    layer(scores, observe=True, training=True)
    assert float(layer.p) == pytest.approx(0.3, abs=FLOAT32)


def test_scores_are_not_counted_outside_of_training():
    layer = AdaptiveAugment(speed=8, interval=1)
    scores = np.ones((8, 1), "float32")
    np.testing.assert_array_equal(layer(scores, observe=True), scores)
    assert [float(v) for v in layer.weights[:5]] == [0.0] * 5


def test_differences_do_not_mind_a_constant():
    # Relativistic losses leave the level of scores free: their signs alone
    # say nothing.
    real, fake = RNG.normal(size=(2, 6, 1)).astype("float32")
    found = []
    for level in (0.0, 100.0):
        layer = AdaptiveAugment(speed=60, interval=1, start=0.5)
        layer([real + level, fake + level], observe=True, training=True)
        found.append(float(layer.overfitting))
    assert found[0] == pytest.approx(found[1], abs=FLOAT32)
    assert found[0] == pytest.approx(np.sign(real - fake.mean()).mean(), 1e-5)


def test_images_pass_bit_for_bit_while_the_probability_is_0():
    layer = AdaptiveAugment(ALL, target=None, seed=1)
    images = RNG.uniform(-1, 1, (4, 6, 5, 3)).astype("float32")
    np.testing.assert_array_equal(layer(images, training=True), images)
    layer.p.assign(1.0)
    np.testing.assert_array_equal(layer(images), images)
    found = array(layer(images, training=True))
    assert (found != images).any(axis=(1, 2, 3)).all()


ALL = ("blit", "geometry", "color", "corruption")


def test_a_draw_follows_the_variable():
    layer = AdaptiveAugment("brightness", target=None, seed=1)
    zeros = np.zeros((10_000, 1, 1, 1), "float32")
    for p in (0.25, 0.75):
        layer.p.assign(p)
        drawn = np.asarray(layer.draw(zeros)["brightness"])
        # Five standard errors of a frequency.
        assert abs((drawn != 0).mean() - p) < 5 * np.sqrt(p * (1 - p) / 10_000)


def test_only_the_transforms_that_were_asked_for_are_drawn():
    layer = AdaptiveAugment(["color", "x_flip"], target=None, start=1.0)
    drawn = layer.draw(np.zeros((2, 4, 4, 1), "float32"))
    names = ["x_flip", "brightness", "contrast", "luma_flip"]
    assert list(drawn) == [*names, "hue", "saturation"]


def test_a_call_is_a_draw_and_its_application():
    kwargs = {"target": None, "start": 0.8, "seed": 3, "value_range": (0, 1)}
    layer, same = AdaptiveAugment(ALL, **kwargs), AdaptiveAugment(ALL, **kwargs)
    images = RNG.uniform(0, 1, (6, 6, 5, 3)).astype("float32")
    found = layer(images, training=True)
    drawn = same.draw(images)
    np.testing.assert_array_equal(found, same.apply(images, drawn))
    # In the range from -1 to 1 the same is drawn and done.
    wide = AdaptiveAugment(ALL, target=None).apply(images * 2 - 1, drawn)
    np.testing.assert_allclose(found * 2 - 1, wide, atol=1e-5)


def test_nothing_that_moves_it_is_a_warning_once():
    layer = AdaptiveAugment(name="ada")
    images = np.zeros((2, 4, 4, 1), "float32")
    layer(images)
    with pytest.warns(UserWarning, match="Nothing moves .* 'ada'.*layer.watch"):
        layer(images, training=True)
    layer(images, training=True)


def test_a_fixed_probability_needs_no_scores():
    layer = AdaptiveAugment(target=None, start=0.5, name="ada")
    layer(np.zeros((2, 4, 4, 1), "float32"), training=True)
    with pytest.raises(ValueError, match=r"'ada' has no `target`: .* at 0\.5"):
        layer(np.zeros((2, 1)), observe=True)
    with pytest.raises(ValueError, match="has no `target`"):
        layer.watch(keras.Sequential())


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "float16"])
def test_its_state_is_in_single_precision_whatever_the_policy(policy):
    layer = AdaptiveAugment(dtype=policy, interval=1)
    assert {v.dtype for v in layer.weights[:5]} == {"float32"}
    scores = keras.ops.ones((8, 1), "float16")
    assert dtype_of(layer(scores, observe=True, training=True)) == "float16"
    # In float16 this would be rounded by 1 in 1000.
    assert float(layer.p) == pytest.approx(8 / 500_000, rel=1e-6)


def test_it_has_no_trainable_variables():
    layer = AdaptiveAugment()
    assert not layer.trainable_variables
    names = [v.name for v in layer.weights]
    assert names[:5] == ["p", "overfitting", "signs", "images", "steps"]


def test_it_runs_compiled():
    few = ("rotation", "brightness", "noise")
    layer = AdaptiveAugment(few, speed=16, interval=1, seed=1)

    def seen(images, scores):
        layer(scores, observe=True, training=True)
        return layer(images, training=True)

    call = compiled(seen, True, writes=layer.variables)
    images = RNG.uniform(-1, 1, (4, 6, 5, 3)).astype("float32")
    found = array(call(tensor(images), keras.ops.ones((16, 1))))
    assert float(layer.p) == 1.0
    assert np.isfinite(found).all() and not np.array_equal(found, images)


def test_a_config_remakes_the_layer(remade):
    copy = remade(
        AdaptiveAugment(
            ("color", "rotation"),
            target=0.3,
            speed=1000,
            interval=2,
            start=0.1,
            value_range=(0, 1),
            seed=5,
        )
    )
    assert copy.transforms == ("color", "rotation")
    assert (copy.target, copy.speed, copy.interval) == (0.3, 1000.0, 2)
    assert (copy.start, float(copy.p)) == (0.1, pytest.approx(0.1))
    assert remade(AdaptiveAugment("hue", target=None)).target is None


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("target", [1.0, -1.0, "0.6", float("nan")]),
        ("speed", [0, -1, float("inf"), None]),
        ("interval", [0, 1.5, True]),
        ("start", [-0.1, 1.1, None]),
    ],
)
def test_numbers_out_of_range_are_refused(name, wrong):
    for value in wrong:
        with pytest.raises(ValueError, match=f"`{name}` must be") as error:
            AdaptiveAugment(**{name: value})
        assert repr(value) in str(error.value)


def test_unknown_transforms_are_refused():
    with pytest.raises(ValueError, match="did you mean 'color'"):
        AdaptiveAugment(["blit", "colour"])


def test_three_kinds_of_scores_are_refused():
    with pytest.raises(ValueError, match="Received: a list of 3"):
        AdaptiveAugment()([np.ones((2, 1))] * 3, observe=True)
