"""Two processes with half of the batch each are one with the whole batch."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest

import adversarial
from adversarial import registry

PROGRAM = pathlib.Path(__file__).with_name("two_workers.py")
ROUNDING = 1e-5
"""Float32 sums of numbers near 1 in another order, over three steps."""
HALF_ROUNDING = 1e-3
"""The same in float16, whose numbers near 1 are that far apart."""
LOSS = 300
"""Seconds in which a worker must see that the other is lost."""
LONGEST = 1500
"""Seconds after which the workers hang, also on a busy machine."""
COMPARED = [
    "everything",
    "weighted",
    "one row left",
    "held back",
    "rolled back",
    "penalised",
]


def free_ports(count):
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


class Cluster:
    """Two processes; leaving the context kills what is left of them.

    Args:
        program: The program. Its arguments are the number of the worker, and
            those given here.
        folder: Where what the workers print is kept.
    """

    def __init__(self, program, *arguments, folder):
        hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]
        self.logs = [pathlib.Path(folder) / f"worker{i}.txt" for i in range(2)]
        self.workers = []
        for i, log in enumerate(self.logs):
            task = {"type": "worker", "index": i}
            config = {"cluster": {"worker": hosts}, "task": task}
            root = str(pathlib.Path(adversarial.__file__).parents[1])
            with log.open("w") as file:
                self.workers.append(
                    subprocess.Popen(
                        [sys.executable, str(program), str(i), *arguments],
                        env={
                            **os.environ,
                            "TF_CONFIG": json.dumps(config),
                            "CUDA_VISIBLE_DEVICES": "",
                            "PYTHONPATH": root,
                            "TF_CPP_MIN_LOG_LEVEL": "3",
                        },
                        stdout=file,
                        stderr=subprocess.STDOUT,
                    )
                )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for worker in self.workers:
            worker.kill()
            worker.wait()

    def text(self, worker):
        """What a worker has printed until now."""
        return self.logs[worker].read_text()

    def wait(self, seconds):
        """Waits until both have ended well."""
        for i, worker in enumerate(self.workers):
            code = worker.wait(timeout=seconds)
            assert code == 0, f"worker {i}: {self.text(i)[-3000:]}"


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """What the workers find, by case; they play all of them once."""
    with Cluster(PROGRAM, folder=tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.wait(LONGEST)
        return [found_in(cluster.text(i)) for i in range(2)]


def found_in(text):
    lines = [x for x in text.splitlines() if x.startswith("CASE ")]
    found = [json.loads(line.removeprefix("CASE ")) for line in lines]
    return {case["name"]: case for case in found}


def check(cases, name, atol=ROUNDING):
    chief, other = (found[name] for found in cases)
    for case in (chief, other):
        assert "error" not in case, f"{name}: {case['error']}"
    two, one = np.asarray(chief["two"]), np.asarray(chief["one"])
    assert np.isfinite(one).all() and one.size > 10
    np.testing.assert_array_equal(two, other["two"])
    np.testing.assert_allclose(two, one, rtol=0, atol=atol, err_msg=name)


@pytest.mark.parametrize("name", registry.names("optimizers"))
def test_two_workers_train_as_one_process_does(cases, name):
    """Weights, state and logs; clipping, momentum and Adam are at work."""
    check(cases, name)


@pytest.mark.parametrize("name", COMPARED)
def test_fit_evaluate_and_predict_are_those_of_the_whole_batch(cases, name):
    check(cases, name)


def test_loss_scales_work_across_workers(cases):
    check(cases, "half precision", HALF_ROUNDING)


def test_a_bad_loss_in_one_worker_is_raised_in_all(cases):
    for found in cases:
        message = found["reported"]["message"]
        assert "'generator', 'discriminator' at training step 1" in message


def test_workers_draw_numbers_of_their_own_from_one_state(cases):
    one, other = (found["latents"] for found in cases)
    drawn = np.ravel([one["outputs"][0], other["outputs"][0]])
    assert np.unique(drawn).size == drawn.size
    assert one["states"] and one["states"] == other["states"]
    assert all(one["moved"])


def test_fit_of_keras_alone_still_fails(cases):
    """If not, `adversarial.backend.workers` has nothing to mend."""
    for found in cases:
        assert "PerReplica" in found["keras alone"]["message"]


def test_only_the_first_worker_writes_files(cases):
    written = ["backup.keras", "model.keras", "model.weights.h5"]
    assert cases[0]["apart"]["files"] == written
    assert cases[1]["apart"]["files"] == []


def test_all_workers_must_go_on_from_one_backup(cases):
    for found in cases:
        message = found["apart"]["message"]
        assert "All workers must go on from the same backup." in message
        assert "in the order of workers: 3 batches made; no file." in message


def steps_in(text):
    lines = [x.split() for x in text.splitlines() if x.startswith("STEP ")]
    return [int(step) for _, step, _ in lines]


def test_a_lost_worker_ends_the_other_and_the_backup_goes_on(tmp_path):
    """The worker is killed before the fifth step is saved."""
    with Cluster(PROGRAM, str(tmp_path), folder=tmp_path) as cluster:
        first, second = cluster.workers
        assert second.wait(LONGEST) == -signal.SIGKILL, cluster.text(1)
        assert first.wait(LOSS) > 0, cluster.text(0)
        assert steps_in(cluster.text(1)) == [1, 2, 3, 4, 5]
    with Cluster(PROGRAM, str(tmp_path), "on", folder=tmp_path) as cluster:
        cluster.wait(LONGEST)
        for i in range(2):
            assert steps_in(cluster.text(i))[-8:] == [*range(5, 13)]
    ends = [dict(np.load(tmp_path / f"end{i}.npz")) for i in range(2)]
    wholes = [dict(np.load(tmp_path / f"whole{i}.npz")) for i in range(2)]
    assert len(wholes[0]) > 20
    for found in (*ends, wholes[1]):
        assert list(found) == list(wholes[0])
        other = [k for k, x in wholes[0].items() if (found[k] != x).any()]
        assert not other
    assert not list(tmp_path.glob(".unfinished*"))
