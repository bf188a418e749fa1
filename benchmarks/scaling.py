"""Step times of replicas and workers that share one batch on one machine.

    python benchmarks/scaling.py [--networks dense dcgan] [--rounds 15]

Each way to play a batch of 128 runs in a process of its own, or two; all are
started at once and then wait. They make their steps in turn, round after
round, so that a slow moment of the machine meets them all and one never runs
beside another. Ratios are formed within a round, then the median is taken.
The result is printed and written as JSON, with the environment and the commit.

What two replicas can gain here is a second core, which one process uses, too.
So this shows what meeting costs, and not what a second GPU brings.
"""

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from step_time import BATCH, HERE, environment

PARTS = 4
"""Small batches that are accumulated to one."""
STEPS = {"dense": 8, "dcgan": 1}
"""Whole batches per process and round."""
WAYS = {
    "one process": "one process, both cores",
    "one core": "one process, one core",
    "two replicas": "two replicas in one process",
    "two workers": "two processes, one core each",
    "accumulated": f"one process, {PARTS} batches of {BATCH // PARTS}",
}
BASE = "one process"


def make_step(way: str, network: str) -> Callable[[], Any]:
    """Returns a function that plays a whole batch, in this process."""
    import tensorflow as tf

    if way == "two replicas":
        halves = [tf.config.LogicalDeviceConfiguration()] * 2
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, halves)
        scope = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    elif way == "two workers":
        scope = tf.distribute.MultiWorkerMirroredStrategy()
    else:
        scope = tf.distribute.get_strategy()

    import keras
    import numpy as np
    from networks import NETWORKS

    import adversarial

    keras.utils.set_random_seed(0)
    parts = PARTS if way == "accumulated" else 1
    steps = parts if parts > 1 else None

    def adam() -> keras.optimizers.Optimizer:
        return keras.optimizers.Adam(
            2e-4, beta_1=0.5, gradient_accumulation_steps=steps
        )

    with scope.scope():
        g, d = NETWORKS[network]()
        players = [adam(), adam()]
        model = adversarial.AdversarialModel(
            adversarial.builders.build_gan(g, d),
            player_params={"generator": g, "discriminator": d},
        )
        model.compile("simultaneous", players, "non_saturating")
    shape = (BATCH, 28, 28, 1)
    images = np.random.default_rng(0).uniform(size=shape).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((images,)).repeat()
    data = data.batch(BATCH // parts, drop_remainder=True)
    batches = iter(scope.experimental_distribute_dataset(data))
    model.make_train_function()

    def step() -> None:
        for _ in range(parts):
            logs = model.train_function(batches)
        tf.nest.map_structure(np.asarray, logs)

    return step


def play(way: str, network: str, core: int | None) -> None:
    """Plays whenever told to, and prints the seconds of a whole batch."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    step = make_step(way, network)
    step()
    print("READY", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        for _ in range(STEPS[network]):
            step()
        seconds = (time.perf_counter() - start) / STEPS[network]
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print("TIME", seconds, memory, flush=True)


class Player:
    """The processes of one way to play."""

    def __init__(self, way: str, network: str) -> None:
        count = 2 if way == "two workers" else 1
        cores = sorted(os.sched_getaffinity(0))
        pinned = way in ("one core", "two workers")
        hosts = [f"127.0.0.1:{port}" for port in free_ports(count)]
        self.processes = []
        for i in range(count):
            env = dict(os.environ)
            if count > 1:
                task = {"type": "worker", "index": i}
                cluster = {"worker": hosts}
                env["TF_CONFIG"] = json.dumps(
                    {"cluster": cluster, "task": task}
                )
            core = [str(cores[i])] if pinned else []
            command = [sys.executable, __file__, "--play", way, network, *core]
            self.processes.append(
                subprocess.Popen(
                    command,
                    env=env,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )

    def wait_for(self, word: str) -> list[list[float]]:
        """The numbers behind a word that every process must print."""
        found = []
        for process in self.processes:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(word):
                    found.append([float(x) for x in line.split()[1:]])
                    break
            else:
                raise RuntimeError(f"{process.args} ended early.")
        return found

    def time(self) -> tuple[float, float]:
        """The seconds of a batch, and the memory of the largest process."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        found = self.wait_for("TIME")
        return max(s for s, _ in found), max(m for _, m in found)

    def end(self) -> None:
        """Ends the processes."""
        for process in self.processes:
            process.kill()
            process.wait()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def measure(network: str, rounds: int) -> dict[str, Any]:
    """Plays all rounds on a network, prints and returns what was found."""
    players = {}
    try:
        for way in WAYS:
            players[way] = Player(way, network)
            players[way].wait_for("READY")
        times: dict[str, list[float]] = {way: [] for way in WAYS}
        memory = {}
        for number in range(rounds):
            ways = list(WAYS)[:: 1 if number % 2 else -1]
            for way in ways:
                seconds, memory[way] = players[way].time()
                times[way].append(seconds)
    finally:
        for player in players.values():
            player.end()
    found = {}
    print(f"\n{network}, batch {BATCH}: in steps of one process (quartiles)")
    for way, values in times.items():
        pairs = zip(values, times[BASE], strict=True)
        low, middle, high = statistics.quantiles([a / b for a, b in pairs])
        milliseconds = 1e3 * statistics.median(values)
        found[way] = {
            "ratio": round(middle, 2),
            "quartiles": [round(low, 2), round(high, 2)],
            "ms": round(milliseconds, 1),
            "peak_mib": round(memory[way]),
        }
        print(
            f"  {WAYS[way]:32} {middle:6.2f} ({low:.2f} to {high:.2f}) "
            f"{milliseconds:8.1f} ms {memory[way]:6.0f} MiB"
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["dense", "dcgan"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--play", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument(
        "--out", type=Path, default=HERE / "results" / "scaling.json"
    )
    args = parser.parse_args()
    if args.play:
        way, network, *core = args.play
        play(way, network, int(core[0]) if core else None)
        return
    found = {name: measure(name, args.rounds) for name in args.networks}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "environment": environment(),
        "batch": BATCH,
        "accumulated": PARTS,
        "rounds": args.rounds,
        "networks": found,
    }
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nWritten to {args.out}")


if __name__ == "__main__":
    main()
