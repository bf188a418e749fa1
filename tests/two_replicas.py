"""Plays the cases of `test_replicas.py` with two replicas and with one.

TensorFlow must be told of its devices before it starts, so this is a program
of its own. Its arguments are the number of a part and that of all parts; it
writes one line of JSON for each case of its part.
"""

import sys

import tensorflow as tf

HALVES = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], HALVES
)

from replica_cases import Comparison, run  # noqa: E402


def main(part: int, parts: int) -> None:
    """Plays one case of so many."""
    two = Comparison(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    cases = [
        *((name, case, "") for name, case in two.cases().items()),
        *((name, case, "") for name, case in two.of_strategies().items()),
        *((name, case, "variant") for name, case in two.of_variants().items()),
    ]
    for name, case, kind in cases[part::parts]:
        run(name, case, kind)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
