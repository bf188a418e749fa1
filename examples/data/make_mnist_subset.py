"""Make `mnist_subset.npz`: a small, balanced part of MNIST.

    python make_mnist_subset.py path/to/mnist.npz

The full file is in the layout of `keras.datasets.mnist`: uint8 arrays
`x_train`, `y_train`, `x_test`, `y_test`. The subset has the same layout, with
10,000 training and 2,000 test digits, as many of each class, drawn without
replacement and shuffled. The same file and seed give the same arrays.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np

CLASSES = 10
SEED = 0
SIZES = {"train": 10_000, "test": 2_000}
OUT = Path(__file__).with_name("mnist_subset.npz")


def draw(labels, size, random):
    """Indices of `size` shuffled digits, `size / CLASSES` of each class."""
    if size % CLASSES:
        raise ValueError(
            f"The size must be a multiple of {CLASSES}.\n  Received: {size}."
        )
    each = size // CLASSES
    counts = np.bincount(labels, minlength=CLASSES)
    if counts.min() < each:
        raise ValueError(
            f"The full file must hold {each} digits of each class.\n"
            f"  Received: {counts.tolist()}, for classes 0 to {CLASSES - 1}."
        )
    drawn = [
        random.choice(np.flatnonzero(labels == c), each, replace=False)
        for c in range(CLASSES)
    ]
    return random.permutation(np.concatenate(drawn))


def make_subset(full, sizes=SIZES, seed=SEED):
    """The subset of `full`, a mapping of Keras' four MNIST arrays."""
    # RandomState, because NumPy promises that its stream never changes.
    random = np.random.RandomState(seed)
    subset = {}
    for split, size in sizes.items():
        index = draw(full[f"y_{split}"], size, random)
        for key in (f"x_{split}", f"y_{split}"):
            subset[key] = full[key][index].astype(np.uint8, casting="safe")
    return subset


def main(argv=None):
    parser = argparse.ArgumentParser(
        description="Make a small, balanced part of MNIST."
    )
    parser.add_argument("full", type=Path, help="mnist.npz in Keras' layout")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seed", type=int, default=SEED)
    for split, size in SIZES.items():
        parser.add_argument(f"--{split}", type=int, default=size)
    args = parser.parse_args(argv)

    sizes = {split: getattr(args, split) for split in SIZES}
    with np.load(args.full) as full:
        subset = make_subset(full, sizes, args.seed)
    with args.out.open("wb") as file:
        np.savez_compressed(file, **subset)
    sha256 = hashlib.sha256(args.out.read_bytes()).hexdigest()
    print(f"{sha256}  {args.out}")
    return {"sha256": sha256}


if __name__ == "__main__":
    main()
