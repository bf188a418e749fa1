"""A long training takes no more memory than a short one."""

import gc
import mmap
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from engines import ENGINE

from adversarial import games, optimizers as o
from adversarial.callbacks import DivergenceWatch

STEPS = 2_000
"""Measured, after a warm-up of a quarter as many."""
OBJECTS = 300
"""Live Python objects more; one that is kept in each step gives 2,000."""
MEGABYTES = 24
"""Resident more: what allocators keep. 16 kilobytes a step would give 32."""
EAGER_STEPS = 200
SLOW = {"unrolled": 500, "balanced": 500} if ENGINE == "torch" else {}
"""Steps of strategies whose steps take long where none is compiled."""
STRATEGIES = {
    "alternating": o.Alternating,
    "scheduled": lambda: o.Scheduled(["x", "y"]),
    "lookahead": lambda: o.Lookahead("optimistic"),
    "phases": lambda: o.Phases([(700, "simultaneous"), "alternating"]),
    "balanced": lambda: o.Balanced(skip={"x": 0.0}),
    "unrolled": lambda: o.Unrolled(2),
}
"""One for each way to keep something or to decide in a step.

That is nothing, a switch, slots, both, conditions, and loops with derivatives;
a compiled step of the others is built of the same.
"""
JIT = ENGINE == "jax"
"""What compiles a step in the least time; JAX has no other way."""
QUIET = {"batch_size": 1, "shuffle": False, "verbose": 0}


def resident():
    """Megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def grown(train):
    """Objects and megabytes more after training longer."""
    found = []
    for part in (1, 4):
        train(part)
        gc.collect()
        found.append((len(gc.get_objects()), resident()))
    (objects, size), (more, larger) = found
    return more - objects, larger - size


def check(train, objects=OBJECTS):
    more, larger = grown(train)
    assert more < objects
    assert larger < MEGABYTES


def of_game(strategy, **kwargs):
    return games.Bilinear(start=[1.0, 1.0]).compiled(strategy, 1e-3, **kwargs)


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="sizes are read from /proc"
)


@needs_proc
@pytest.mark.parametrize("name", STRATEGIES)
def test_fit_does_not_grow_with_the_steps(name):
    model = of_game(STRATEGIES[name](), jit_compile=JIT)
    steps = SLOW.get(name, STEPS)
    x = np.ones((steps // 4, 1))
    check(
        lambda times: model.fit(x, epochs=times, **QUIET),
        min(OBJECTS, steps // 2),
    )


@needs_proc
def test_one_epoch_with_a_callback_does_not_grow_with_its_length():
    model = of_game("alternating", jit_compile=JIT)

    def train(times):
        x = np.ones((times * STEPS // 4, 1))
        model.fit(x, callbacks=[DivergenceWatch()], **QUIET)

    check(train)


@needs_proc
def test_train_on_batch_does_not_grow():
    model = of_game("lookahead", jit_compile=JIT)
    x = np.ones((1, 1))

    def train(times):
        for _ in range(times * STEPS // 4):
            model.train_on_batch(x)

    check(train)


@needs_proc
def test_eager_steps_do_not_grow():
    model = of_game(o.Balanced(skip={"x": 0.0}), run_eagerly=True)
    x = np.ones((1, 1))

    def train(times):
        for _ in range(times * EAGER_STEPS // 4):
            model.train_on_batch(x)

    check(train, objects=EAGER_STEPS // 2)


@needs_proc
def test_what_is_kept_in_each_step_is_seen():
    """Else the others would show nothing."""
    model, kept = of_game("alternating", jit_compile=JIT), []
    x = np.ones((1, 1))

    def train(times):
        for _ in range(times * 100):
            model.train_on_batch(x)
            # Not from what an allocator has free: pages of its own.
            pages = mmap.mmap(-1, 2**16)
            pages.write(bytes(2**16))
            kept.append([pages])

    more, larger = grown(train)
    assert more > OBJECTS
    assert larger > 0.75 * MEGABYTES


def peak(depth, rematerialize):
    """Megabytes that a step takes, in a process of its own."""
    program = Path(__file__).with_name("peak_memory.py")
    command = [sys.executable, str(program), str(depth), str(rematerialize)]
    return float(subprocess.check_output(command, text=True))


def can_set_back():
    """Whether the highest resident size is in /proc, and can be set back."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return "VmHWM" in Path("/proc/self/status").read_text()
    except OSError:
        return False


@pytest.mark.skipif(not can_set_back(), reason="sizes are set back in /proc")
def test_rematerialised_rounds_remember_no_activations():
    """A round has some 60 megabytes of them, and 50 kilobytes of weights."""
    more = {again: peak(8, again) - peak(2, again) for again in (0, 1)}
    assert more[0] > 200
    assert more[1] < more[0] / 4
