"""What is exported samples in a process that cannot import this package."""

import inspect
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from engines import COMPILES, ENGINE, array, only

from adversarial import (
    AdversarialModel,
    augmentation,
    layers as ours,
    optimizers,
    penalties,
)
from adversarial.builders import build_gan
from adversarial.exporting import input_signature

SAMPLER = Path(__file__).parent / "data" / "sample_exported.py"
SAME = {"rtol": 1e-5, "atol": 1e-6}
"""Float32: `predict` and the export fuse operations differently."""
HALF = {"rtol": 2e-3, "atol": 2e-3}
"""A few roundings of float16."""
SAVED_MODEL = only("tensorflow", "A SavedModel is a graph of TensorFlow.")
FORMAT = "torch" if ENGINE == "torch" else "tf_saved_model"
FILE = "model.pt2" if ENGINE == "torch" else "model"
DRAWS = 4000
FAR = 5 / DRAWS**0.5
"""Five standard errors of the mean of so many normal numbers."""
NUMBERS = np.random.default_rng(0)
Z = NUMBERS.normal(size=(6, 4)).astype("float32")
X = NUMBERS.normal(size=(6, 2)).astype("float32")
IMAGES = NUMBERS.normal(size=(6, 8, 8, 3)).astype("float32")
LABELS = np.arange(6, dtype="int32") % 3


def on(data, *layers):
    return keras.Sequential([keras.Input(data.shape[1:]), *layers]), [data]


def on_labels(layer):
    x, labels = keras.Input((4,)), keras.Input((), dtype="int32")
    return keras.Model([x, labels], layer([x, labels])), [Z, LABELS]


OURS = {
    "ConditionalBatchNormalization": lambda: on_labels(
        ours.ConditionalBatchNormalization(3)
    ),
    "EqualizedLearningRate": lambda: on(
        Z, ours.EqualizedLearningRate(keras.layers.Dense(3))
    ),
    "GradientReversal": lambda: on(Z, ours.GradientReversal()),
    "MinibatchDiscrimination": lambda: on(
        Z, ours.MinibatchDiscrimination(3, 2)
    ),
    "MinibatchStandardDeviation": lambda: on(
        IMAGES, ours.MinibatchStandardDeviation(2)
    ),
    "PixelNormalization": lambda: on(Z, ours.PixelNormalization()),
    "ProjectionHead": lambda: on_labels(ours.ProjectionHead(3)),
    "SelfAttention2D": lambda: on(IMAGES, ours.SelfAttention2D(reduction=1)),
    "SpectralNormalization": lambda: on(
        Z, ours.SpectralNormalization(keras.layers.Dense(3))
    ),
    "AdaptiveAugment": lambda: on(IMAGES, augmentation.AdaptiveAugment()),
    "DiffAugment": lambda: on(IMAGES, augmentation.DiffAugment()),
}
"""A model of every layer that draws nothing at inference."""
RANDOM = {"NormalLatent", "UniformLatent", "Latent", "Reparametrized"}
"""Layers that draw, and base classes."""


def networks():
    layers = keras.layers
    generator = keras.Sequential(
        [
            keras.Input((4,)),
            ours.SpectralNormalization(layers.Dense(8)),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Dense(2, dtype="float32"),
        ],
        name="generator",
    )
    critic = keras.Sequential(
        [keras.Input((2,)), layers.Dense(8, "tanh"), layers.Dense(1)]
    )
    return generator, critic


def trained(strategy="alternating", *, penalty=False, latent=False, **compiled):
    generator, critic = networks()
    penalized = [penalties.R1(critic)] if penalty else []
    base = build_gan(generator, critic, latent, penalties=penalized)
    model = AdversarialModel(
        base, player_params={"generator": generator, "discriminator": critic}
    )
    model.compile(strategy, "adam", "non_saturating", **compiled)
    model.fit([Z, X] if latent is False else X, verbose=0)
    return model, generator


def generator_of(*args, **kwargs):
    return trained(*args, **kwargs)[1], [Z]


def in_half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return generator_of()
    finally:
        keras.config.set_dtype_policy("float32")


PENALIZED = "whole_game_with_a_penalty"
GAMES = {
    "generator": lambda: generator_of(run_eagerly=True),
    "generator_after_xla": lambda: generator_of(jit_compile=COMPILES),
    "generator_beside_a_penalty": lambda: generator_of(penalty=True),
    "generator_in_half_precision": in_half_precision,
    "whole_game": lambda: (trained(run_eagerly=True)[0], [Z, X]),
    PENALIZED: lambda: (
        trained(penalty=True, run_eagerly=True)[0],
        [Z, X],
    ),
    "base_model": lambda: (trained(run_eagerly=True)[0].networks[0], [Z, X]),
}


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """Exports everything, and samples all of it in one other process."""
    root = tmp_path_factory.mktemp("exported")
    wanted = {}

    def export(name, model, data):
        folder = root / name
        folder.mkdir()
        data = data if len(data) > 1 else data[0]
        wanted[name] = keras.tree.flatten(model.predict(data, verbose=0))
        model.export(folder / "model", verbose=False)
        np.savez(folder / "data.npz", *keras.tree.flatten(data))

    for name, make in {**OURS, **GAMES}.items():
        keras.utils.set_random_seed(0)
        export(name, *make())
    model, generator = trained(optimizers.Averaging(decay=0.5))
    raw = generator.predict(Z, verbose=0)
    with model.optimizer.averaged():
        export("averaged", generator, [Z])
    assert np.abs(raw - wanted["averaged"][0]).max() > 1e-3
    latents = keras.Sequential([keras.Input((1,)), ours.NormalLatent(2)])
    latents.export(root / "latents", verbose=False)
    model, generator = trained(run_eagerly=True)
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    keras.saving.save_model(plain, root / "plain.keras")
    np.savez(root / "plain.npz", Z, plain.predict(Z, verbose=0))
    done = subprocess.run(
        [sys.executable, str(SAMPLER), str(root), str(DRAWS)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = {}
    for name in wanted:
        with np.load(root / name / "samples.npz") as file:
            found[name] = [file[key] for key in file.files]
    with np.load(root / "latents.npz") as file:
        draws = [file[key] for key in file.files]
    return wanted, found, draws


@SAVED_MODEL
@pytest.mark.parametrize("name", [*OURS, *GAMES, "averaged"])
def test_an_export_gives_the_numbers_of_predict_without_this_package(
    sampled, name
):
    wanted, found, _ = sampled
    assert len(wanted[name]) == len(found[name])
    bound = HALF if name == "generator_in_half_precision" else SAME
    for a, b in zip(wanted[name], found[name], strict=True):
        np.testing.assert_allclose(b, a, **bound)


def test_every_layer_is_exported_here():
    public = {
        name
        for module in (ours, augmentation)
        for name, x in vars(module).items()
        if inspect.isclass(x) and issubclass(x, keras.Layer)
    }
    assert public - RANDOM - {"ImageAugmentation", "Augmented"} == set(OURS)


@SAVED_MODEL
def test_exported_latents_are_normal_and_new_in_every_call(sampled):
    first, second = sampled[2]
    assert first.shape == (DRAWS, 2)
    assert np.abs(first - second).max() > 0.1
    for draw in (first, second):
        assert np.abs(draw.mean(axis=0)).max() < FAR
        assert np.abs(draw.std(axis=0) - 1).max() < FAR


def test_networks_of_other_inputs_are_exported_with_all_of_them():
    def network(name):
        x = keras.Input((2,), name=name)
        return keras.Model({name: x}, keras.layers.Dense(1)(x))

    a, b = network("a"), network("b")
    model = AdversarialModel(
        player_models={"p": a, "q": b}, player_params={"p": a, "q": b}
    )
    (signature,) = input_signature(model.players)
    assert {n: s.shape for n, s in signature.items()} == {
        "a": (None, 2),
        "b": (None, 2),
    }


class Called(keras.Model):
    """A network that is no graph of layers."""

    def __init__(self):
        super().__init__()
        self.layer = keras.layers.Dense(1)

    def call(self, x):
        return self.layer(x)


def test_a_network_without_known_inputs_asks_for_their_shapes(tmp_path):
    network = Called()
    network(X)
    model = AdversarialModel(network, player_params={"p": network})
    with pytest.raises(ValueError, match="Fix: pass `input_signature="):
        model.export(tmp_path / FILE, format=FORMAT)
    if ENGINE == "jax":  # What it would write is a graph of TensorFlow.
        return
    model.export(
        tmp_path / FILE,
        format=FORMAT,
        verbose=False,
        input_signature=[keras.InputSpec(shape=(None, 2), dtype="float32")],
    )


@only("torch", "The format is its own.")
# PyTorch traces no slopes, of which a penalty is made.
@pytest.mark.parametrize("name", sorted({*OURS, *GAMES} - {PENALIZED}))
def test_a_program_of_pytorch_gives_the_numbers_of_predict(tmp_path, name):
    import torch

    model, data = {**OURS, **GAMES}[name]()
    given = data if len(data) > 1 else data[0]
    wanted = keras.tree.flatten(model.predict(given, verbose=0))
    path = tmp_path / FILE
    rows = keras.tree.map_structure(
        lambda x: keras.InputSpec(shape=x.shape, dtype=str(x.dtype)), [given]
    )
    model.export(path, format=FORMAT, verbose=False, input_signature=rows)
    program = torch.export.load(path).module()
    found = program(keras.tree.map_structure(torch.tensor, given))
    for a, b in zip(wanted, keras.tree.flatten(found), strict=True):
        np.testing.assert_allclose(array(b), a, **SAME)


@pytest.mark.parametrize(
    ("format", "what"),
    [("onnx", "An ONNX file"), ("torch", "A program of PyTorch")],
)
def test_a_file_that_could_not_draw_latents_is_not_written(
    tmp_path, format, what
):
    model, _ = trained(latent=None, run_eagerly=True)
    with pytest.raises(ValueError, match=f"{what}(.|\n)*export the generator"):
        model.export(tmp_path / "model", format=format)
    assert not list(tmp_path.iterdir())


# tf2onnx asks for `np.object`, which newer NumPy warns of.
@pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")
@pytest.mark.parametrize("name", [*OURS, "generator", "whole_game"])
def test_an_onnx_file_gives_the_numbers_of_predict(tmp_path, name):
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    model, data = {**OURS, **GAMES}[name]()
    wanted = model.predict(data if len(data) > 1 else data[0], verbose=0)
    path = tmp_path / "model.onnx"
    model.export(path, format="onnx", verbose=False)
    session = runtime.InferenceSession(str(path))
    names = [x.name for x in session.get_inputs()]
    found = session.run(None, dict(zip(names, data, strict=True)))
    for a, b in zip(keras.tree.flatten(wanted), found, strict=True):
        np.testing.assert_allclose(b, a, **SAME)
