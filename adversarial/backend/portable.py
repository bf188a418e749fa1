"""Configurations that do not depend on the engine.

Keras on PyTorch puts subclasses of its own in the place of its optimizers, and
saves them by the names of those, which no other engine has.

Private parts of Keras: that such classes lie below `keras.src.backend`, and
have the names of the public ones.
"""

from typing import Any

import keras

ENGINES = "keras.src.backend."


def portable(config: Any) -> Any:
    """Names optimizers in a configuration as every engine knows them.

    Args:
        config: What `keras.saving.serialize_keras_object` returns.

    Returns:
        The same with other names, for `deserialize_keras_object`.
    """
    if isinstance(config, list):
        return [portable(part) for part in config]
    if not isinstance(config, dict):
        return config
    config = {key: portable(part) for key, part in config.items()}
    name = config.get("class_name")
    if str(config.get("module")).startswith(ENGINES) and hasattr(
        keras.optimizers, str(name)
    ):
        return {**config, "module": "keras.optimizers", "registered_name": None}
    return config
