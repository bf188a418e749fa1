"""A conditional GAN with heads of its discriminator for every loss."""

import keras
import numpy as np

import adversarial
from adversarial import losses

K = 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 4)).astype("float32")
LABELS = RNG.integers(K, size=12).astype("int32")
HEADS = {
    "y": lambda: keras.layers.Dense(1, use_bias=False),
    "c": lambda: keras.layers.Dense(K, use_bias=False),
    "m": lambda: keras.layers.Dense(K + 1, use_bias=False),
    "a": lambda: keras.layers.Dense(2 * K, use_bias=False),
    "t": lambda: keras.layers.Dense(K, use_bias=False),
    "h": lambda: keras.layers.Dense(5, use_bias=False),
    "patch": lambda: keras.layers.Reshape((3, 2, 1)),
    "energy": lambda: keras.layers.Dense(1, "softplus", use_bias=False),
}


def game(heads, proxies=False):
    """A conditional GAN whose discriminator has these heads.

    The outputs are `{head}real` and `{head}fake`, the same of the hidden
    layer below the heads, the label, the sample and an image of it.
    """
    layers = keras.layers
    x, label = keras.Input((4,), name="x"), keras.Input((), name="label")
    code = x[:, 2:]
    one_hot = layers.CategoryEncoding(K, output_mode="one_hot")(label)
    body = layers.Dense(4, "tanh", name="make")
    made = body(layers.Concatenate()([code, one_hot]))
    again = body(layers.Concatenate()([made[:, :2], one_hot]))
    hidden = layers.Dense(6, "tanh", name="look")
    outputs = {"label": label, "x": x, "again": again, "balance": x[:, :1]}
    outputs |= {"bodyreal": hidden(x), "bodyfake": hidden(made)}
    own = [hidden]
    for head in heads:
        layer = HEADS[head]()
        outputs[f"{head}real"] = layer(hidden(x))
        outputs[f"{head}fake"] = layer(hidden(made))
        own.append(layer)
    if proxies:
        layer = layers.Embedding(K, 5)
        own.append(layer)
        outputs["preal"] = outputs["pfake"] = layer(label)
    model = keras.Model({"x": x, "label": label}, outputs)
    variables = [v for layer in own for v in layer.trainable_variables]
    return adversarial.AdversarialModel(
        model,
        player_params={"generator": body, "discriminator": variables},
    )


CRITIC = losses.NonSaturating()
CASES = {
    "Minimax": (losses.Minimax(smooth_real=0.1), "y"),
    "NonSaturating": (losses.NonSaturating(smooth_fake=0.1), "y"),
    "LeastSquares": (losses.LeastSquares(-1.0, 1.0, 0.0), "y"),
    "Hinge": (losses.Hinge(real="patchreal", fake="patchfake"), ["patch"]),
    "Wasserstein": (losses.Wasserstein(), "y"),
    "RelativisticAverage": (losses.RelativisticAverage("hinge"), "y"),
    "RelativisticPaired": (losses.RelativisticPaired("least_squares"), "y"),
    "EnergyBased": (
        losses.EnergyBased(1.0, real="energyreal", fake="energyfake"),
        ["energy"],
    ),
    "BoundaryEquilibrium": (
        losses.BoundaryEquilibrium(real="energyreal", fake="energyfake"),
        ["energy"],
    ),
    "PullingAway": (CRITIC + 0.1 * losses.PullingAway("bodyfake"), "y"),
    "MultiClassHinge": (
        losses.MultiClassHinge(K, real="mreal", fake="mfake", labels="label"),
        "m",
    ),
    "AuxiliaryClassifier": (CRITIC + losses.AuxiliaryClassifier(K), "yc"),
    "TwinAuxiliaryClassifier": (
        CRITIC + 0.5 * losses.TwinAuxiliaryClassifier(K, labels="label"),
        "yt",
    ),
    "AuxiliaryDiscriminativeClassifier": (
        CRITIC
        + losses.AuxiliaryDiscriminativeClassifier(
            K, real="areal", fake="afake", fake_labels="label"
        ),
        "ya",
    ),
    "ConditionalContrastive": (
        losses.Hinge() + losses.ConditionalContrastive(temperature=0.5),
        "yh",
    ),
    "DataToDataCrossEntropy": (
        losses.Hinge()
        + 0.5 * losses.DataToDataCrossEntropy(negative_margin=0.1),
        "yh",
    ),
    "MutualInformation": (
        CRITIC + losses.MutualInformation("label", logits="cfake"),
        "yc",
    ),
    "Penalty": (CRITIC + 0.1 * losses.Penalty("energyreal"), ["y", "energy"]),
    "Consistency": (
        CRITIC
        + 2.0 * losses.Consistency("yreal", "yfake")
        + -0.1 * losses.Consistency("x", "again", player="generator"),
        "y",
    ),
    "CycleConsistency": (
        CRITIC + 10.0 * losses.CycleConsistency("x", "again", distance="l2"),
        "y",
    ),
    "Identity": (CRITIC + 0.5 * losses.Identity(["x"], ["again"]), "y"),
    "FeatureMatching": (
        CRITIC + losses.FeatureMatching("bodyreal", "bodyfake", match="pairs"),
        "y",
    ),
}


CONTRASTIVE = ("ConditionalContrastive", "DataToDataCrossEntropy")
