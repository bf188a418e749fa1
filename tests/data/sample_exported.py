"""Samples exported models where `adversarial` cannot be imported."""

import importlib.abc
import sys
from pathlib import Path


class Blocked(importlib.abc.MetaPathFinder):
    """Refuses the package, wherever it is installed."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "adversarial":
            raise ImportError(f"{name} is blocked here")


sys.meta_path.insert(0, Blocked())

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402


def arrays(path):
    with np.load(path) as file:
        return [file[key] for key in file.files]


root, draws = Path(sys.argv[1]), int(sys.argv[2])
try:
    import adversarial  # noqa: F401
except ImportError:
    pass
else:
    raise SystemExit("adversarial could be imported")
for folder in root.glob("*/model"):
    data = arrays(folder.parent / "data.npz")
    model = tf.saved_model.load(folder)
    samples = model.serve(data if len(data) > 1 else data[0])
    flat = [np.asarray(x) for x in tf.nest.flatten(samples)]
    np.savez(folder.parent / "samples.npz", *flat)
latents = tf.saved_model.load(root / "latents")
two = [latents.serve(np.zeros((draws, 1), "float32")) for _ in range(2)]
np.savez(root / "latents.npz", *map(np.asarray, two))
z, expected = arrays(root / "plain.npz")
plain = keras.saving.load_model(root / "plain.keras")
np.testing.assert_allclose(plain.predict(z, verbose=0), expected, rtol=1e-5)
