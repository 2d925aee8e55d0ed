"""NSGA-II against random search over the Qcolor factors, by hypervolume and time.

Both judge the same number of candidates on the same images with the same surrogate and seeds; the
reference point is the one of `SearchResult.hypervolume` and does not depend on what was found.
The surrogate is a small trunk trained on the attacker's images, or a ResNet-18 with given weights.

    python benchmarks/qcolor_search.py [--data cifar-10] [--size 32] [--images 2000] [--seeds 5]
                                       [--generations 15] [--trunk small] [--stages 3]
                                       [--weights FILE] [--precision auto] [--threads 1]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from bezoar.attacks.backdoors.search import (
    SearchResult,
    SearchSettings,
    TrunkSurrogate,
    random_search,
    search_qcolor,
    small_surrogate,
)
from bezoar.contracts.dataset import Dataset
from bezoar.data.images import load_images
from bezoar.models.hybrid.network import NetworkSettings, build_network


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="cifar-10")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--generations", type=int, default=15)
    parser.add_argument("--trunk", choices=("small", "resnet-18"), default="small")
    parser.add_argument("--stages", type=int, default=3)
    parser.add_argument("--weights", default="none")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def surrogate_of(data: Dataset, chosen: argparse.Namespace) -> TrunkSurrogate:
    if chosen.trunk == "small":
        trained = small_surrogate(data)
        return TrunkSurrogate(trunk=trained.trunk, precision=chosen.precision)
    settings = NetworkSettings(
        n_classes=data.n_classes,
        image_size=chosen.size,
        trunk="resnet-18",
        stages=chosen.stages,
        head="linear",
    )
    network = build_network(settings, seed=0, weights=chosen.weights)
    return TrunkSurrogate(trunk=network.trunk, precision=chosen.precision)


def timed(run: Callable[[], SearchResult]) -> tuple[SearchResult, float, float]:
    """The result, CPU seconds and wall seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = run()
    return found, time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    chosen = options()
    torch.set_num_threads(chosen.threads)
    data = load_images(chosen.data, size=chosen.size, n_samples=chosen.images)
    start = time.process_time()
    surrogate = surrogate_of(data, chosen)
    print(f"surrogate: {time.process_time() - start:.1f} CPU s", flush=True)
    print(
        "seed  nsga-ii  random  | nsga-ii CPU s  wall s | gain (ASR - control) at SSIM", flush=True
    )
    differences = []
    for seed in range(chosen.seeds):
        settings = SearchSettings(generations=chosen.generations, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "search.sqlite")
            bred, cpu, wall = timed(
                lambda settings=settings, file=file: search_qcolor(
                    data, settings, storage=file, surrogate=surrogate
                )
            )
        drawn = random_search(data, settings, surrogate=surrogate)
        differences.append(bred.hypervolume - drawn.hypervolume)
        print(
            f"{seed:4d}  {bred.hypervolume:.4f}   {drawn.hypervolume:.4f}  |"
            f" {cpu:8.1f} {wall:12.1f}   | {told(bred)}, random {told(drawn)}",
            flush=True,
        )
    n = SearchSettings(generations=chosen.generations).evaluations
    wins = sum(difference > 0 for difference in differences)
    print(f"{n} evaluations each; NSGA-II is ahead in {wins} of {len(differences)} seeds,")
    spread = np.std(differences, ddof=1) if len(differences) > 1 else float("nan")
    print(f"by {np.mean(differences):.4f} on average (standard deviation {spread:.4f})")


def told(result: SearchResult) -> str:
    best = result.chosen
    if best is None:
        return "none"
    return f"{best.attack_success_rate - result.control.attack_success_rate:.2f} at {best.ssim:.3f}"


if __name__ == "__main__":
    main()
