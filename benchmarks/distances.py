"""Time and memory of distances for whole data sets, against plain matrix products of the same size.

The peer is ``torch.mm`` of the Pauli vectors of 4 qubits (256 numbers, float32) on the same threads
in the same process, in stripes of 2000 rows and in tiles; the faster counts. Peers alternate and
medians are printed. States are random Bloch vectors of length 0.9 and their Kronecker products;
labels are of four classes. ``a and b`` compares two sets as QUID does, ``a and a`` one with itself.

    python benchmarks/distances.py [--threads 1,2] [--samples 30000] [--many 10000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from bezoar.quantum.distances import class_distances
from bezoar.quantum.states import EncodedStates

QUBITS, MANY_QUBITS, CLASSES = 4, 64, 4


def products(rng: np.random.Generator, n: int, n_qubits: int, length: float) -> EncodedStates:
    vectors = rng.normal(size=(n, n_qubits, 3)).astype(np.float32)
    vectors *= length / np.linalg.norm(vectors, axis=2, keepdims=True)
    return EncodedStates(n_qubits=n_qubits, bloch=vectors, pure=length == 1)


def dense(states: EncodedStates) -> EncodedStates:
    return EncodedStates(n_qubits=states.n_qubits, pauli=states.pauli_vectors(), pure=states.pure)


def plain(a: EncodedStates, b: EncodedStates, height: int, width: int) -> Callable[[], None]:
    left, right = torch.from_numpy(a.pauli_vectors()), torch.from_numpy(b.pauli_vectors())
    buffer = torch.empty(height * width)

    def run() -> None:
        for rows in left.split(height):
            for columns in right.split(width):
                area = len(rows) * len(columns)
                torch.mm(rows, columns.T, out=buffer[:area].view(len(rows), len(columns)))

    return run


def means(
    a: EncodedStates, b: EncodedStates, metric: str, cap: int | None = None
) -> Callable[[], None]:
    labels = np.arange(len(b)) % CLASSES
    rng = np.random.default_rng(0)

    def run() -> None:
        class_distances(a, b, labels, CLASSES, metric, max_references=cap, rng=rng)

    return run


def medians(peers: dict[str, Callable[[], None]], rounds: int) -> dict[str, tuple[float, float]]:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
    for _ in range(rounds):
        for name, run in peers.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: (statistics.median(w for w, _ in found), statistics.median(c for _, c in found))
        for name, found in times.items()
    }


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", default=f"1,{torch.get_num_threads()}")
    parser.add_argument("--samples", type=int, default=30_000)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"peak memory after imports: {peak():.2f} GiB")

    rng = np.random.default_rng(0)
    n, m = options.samples, options.many
    bloch_a, bloch_b = products(rng, n, QUBITS, 0.9), products(rng, n, QUBITS, 0.9)
    a, b = dense(bloch_a), dense(bloch_b)
    pure_a, pure_b = (dense(products(rng, n, QUBITS, 1.0)) for _ in range(2))
    many_a, many_b = (products(rng, m, MANY_QUBITS, 0.9) for _ in range(2))
    part = a.take(slice(1000))
    floors = {
        f"plain product {n} x {n} x 256, stripes": plain(a, b, 2000, n),
        f"plain product {n} x {n} x 256, tiles": plain(a, b, 1024, 512),
    }
    peers = {
        **floors,
        f"frobenius, dense, {n}, a and b": means(a, b, "frobenius"),
        f"frobenius, dense, {n}, a and a": means(a, a, "frobenius"),
        f"frobenius, product form, {n}, a and b": means(bloch_a, bloch_b, "frobenius"),
        f"trace, pure dense, {n}, a and b": means(pure_a, pure_b, "trace"),
        f"bures, pure dense, {n}, a and b": means(pure_a, pure_b, "bures"),
        f"hilbert-schmidt, dense, {n}, a and b": means(a, b, "hilbert-schmidt"),
        f"frobenius, {MANY_QUBITS} qubits, {m}, a and b": means(many_a, many_b, "frobenius"),
        f"bures, {MANY_QUBITS} qubits, {m}, a and b": means(many_a, many_b, "bures"),
        "trace, mixed dense, 1000, a and a": means(part, part, "trace"),
        "trace, mixed dense, 1000, 100 references a class": means(part, part, "trace", 100),
        "fidelity, mixed dense, 1000, 100 references a class": means(part, part, "fidelity", 100),
    }
    for threads in dict.fromkeys(int(text) for text in options.threads.split(",")):
        torch.set_num_threads(threads)
        found = medians(peers, options.rounds)
        wall_floor, cpu_floor = (min(found[name][kind] for name in floors) for kind in (0, 1))
        print(f"\nthreads: {threads}; medians of {options.rounds}")
        print(f"{'':54}{'wall s':>8}{'ratio':>7}{'CPU s':>8}{'ratio':>7}")
        for name, (wall, cpu) in found.items():
            ratios = f"{wall / wall_floor:7.2f}{cpu:8.2f}{cpu / cpu_floor:7.2f}"
            print(f"{name:54}{wall:8.2f}{ratios}")
        print(f"peak memory: {peak():.2f} GiB")


if __name__ == "__main__":
    main()
