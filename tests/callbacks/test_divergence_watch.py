import keras
import numpy as np
import pytest

from adversarial import AdversarialModel, losses
from adversarial.callbacks import DivergenceWatch

NAMES = ("generator", "discriminator")


class Pull(losses.AdversarialLoss):
    """Each player's loss is its number times the batch."""

    def call(self, outputs, targets=None):
        return dict(zip(NAMES, outputs, strict=True))


def model(steps=1):
    """Losses are the two columns of x: weights are 1 and do not move."""
    x = keras.Input((2,))
    layers = [
        keras.layers.Dense(1, use_bias=False, name=name) for name in NAMES
    ]
    outputs = [layer(x) for layer in layers]
    for layer, start in zip(layers, np.eye(2), strict=True):
        layer.set_weights([start[:, None]])
    made = AdversarialModel(
        keras.Model(x, outputs),
        player_params=dict(zip(NAMES, layers, strict=True)),
    )
    made.compile(
        "simultaneous",
        [keras.optimizers.SGD(1e-30) for _ in NAMES],
        Pull(),
        run_eagerly=steps == 1,
        jit_compile=False,
        steps_per_execution=steps,
    )
    return made


def fit(watch, generator, discriminator, *, epochs=1, steps=1):
    """Plays batches of one sample with these losses."""
    x = np.array([generator, discriminator], "float32").T
    made = model(steps)
    made.fit(
        x,
        batch_size=1,
        shuffle=False,
        epochs=epochs,
        verbose=0,
        callbacks=[watch],
    )
    return int(made.optimizer.iterations)


def watch(**kwargs):
    return DivergenceWatch(**{"patience": 3, "window": 4, **kwargs})


def test_a_loss_that_explodes_ends_the_training_with_a_diagnosis():
    """Usual is 2; above 200 from batch 6 on, noticed after 3 of these."""
    seen = watch()
    with pytest.warns(UserWarning, match="has exploded"):
        made = fit(seen, [2, 2, 2, 2, 2, 199, *[201] * 9], [1] * 15)
    assert made == seen.step == 9
    assert seen.culprit == "generator"
    for words in (
        "loss of 'generator' has exploded: it is 201, and its size was 2",
        "after training step 9, in epoch 1",
        "Try: lower learning rates",
    ):
        assert words in seen.diagnosis


def test_losses_explode_downwards_too():
    seen = watch()
    with pytest.warns(UserWarning, match="it is -101"):
        fit(seen, [1] * 9, [0.5] * 5 + [-101] * 4)
    assert seen.culprit == "discriminator"


def test_spikes_and_small_losses_that_grow_are_no_explosion():
    seen = watch()
    spikes = [1, 1, 1, 1, 500, 500, 1, 500, 500, 1, 500]
    assert fit(seen, spikes, [1e-3 * 2**k for k in range(11)]) == 11
    assert seen.diagnosis is None


@pytest.mark.parametrize("epochs", [1, 4])
def test_a_discriminator_that_saturates_ends_the_training(epochs):
    """Means begin anew in each epoch; what is in a row goes on."""
    seen = watch(patience=4)
    low = [1, 1, 1e-4, 0, 0, 0] if epochs == 1 else [5e-4, 0]
    with pytest.warns(UserWarning, match="'discriminator' has saturated"):
        made = fit(seen, [1] * len(low), low, epochs=epochs)
    assert made == (6 if epochs == 1 else 4)
    assert "what 'generator' can learn" in seen.diagnosis
    assert f"in epoch {1 if epochs == 1 else 2}" in seen.diagnosis


@pytest.mark.parametrize(
    ("low", "kwargs"),
    [
        ([1, 0, 0, 1, 0, 0], {}),
        ([-1, 0, 0, 0, 0, 0], {}),
        ([1, 0, 0, 0, 0, 0], {"saturated": None}),
        ([1, 0, 0, 0, 0, 0], {"player": "generator"}),
    ],
)
def test_what_is_no_saturation(low, kwargs):
    """Not in a row, a loss that can be negative, or nobody looks at it."""
    seen = watch(**kwargs)
    assert fit(seen, [1] * 6, low) == 6
    assert seen.diagnosis is None


def test_another_player_can_be_the_one_that_saturates():
    seen = watch(player="generator")
    with pytest.warns(UserWarning, match="'generator' has saturated"):
        fit(seen, [0] * 6, [1] * 6)
    with pytest.raises(ValueError, match="did you mean 'generator'"):
        fit(watch(player="generater"), [0], [1])


def test_with_several_steps_per_execution_executions_are_judged():
    seen = watch(window=2, patience=2)
    with pytest.warns(UserWarning, match="it is 300"):
        made = fit(seen, [1] * 6 + [300] * 6, [1] * 12, steps=2)
    assert made == 10


def test_gradients_are_judged_where_losses_are_as_usual():
    """The loss is a number near 1; its slope is the batch that is looked at."""
    slopes = iter([1.0] * 4 + [500.0] * 9)
    seen = watch(batch=lambda: np.full((1, 2), next(slopes)), every=2)
    with pytest.warns(UserWarning, match="gradient of 'generator' has expl"):
        made = fit(seen, [1] * 20, [1] * 20)
    assert made == 2 * (4 + 3)
    assert "its norm is 707, and was 1.41 at first" in seen.diagnosis
    assert "`clipnorm`" in seen.diagnosis


def test_a_new_fit_begins_anew():
    seen = watch()
    with pytest.warns(UserWarning, match="exploded"):
        fit(seen, [1] * 4 + [101] * 4, [1] * 8)
    assert fit(seen, [1] * 8, [1] * 8) == 8
    assert seen.diagnosis is seen.culprit is seen.step is None


@pytest.mark.parametrize(
    "kwargs",
    [
        {"factor": 1},
        {"factor": np.nan},
        {"patience": 0},
        {"window": 0},
        {"saturated": -1},
        {"every": 0},
    ],
)
def test_numbers_out_of_range_are_refused(kwargs):
    with pytest.raises(ValueError, match=f"`{next(iter(kwargs))}` must"):
        DivergenceWatch(**kwargs)
