"""Would you see the backdoor? What images, detectors and inspections say."""

from __future__ import annotations

from bezoar.contracts.records import Measurement
from bezoar.report.backdoor_results import BackdoorResults, Cell
from bezoar.report.story import Statement
from bezoar.report.wording import interval, listed, number, percent, seeds, value_of

#: Detectors whose quality is an area under a curve, and what they are called.
DETECTORS = (
    ("strip_auroc", "STRIP"),
    ("activation_clustering_auroc", "Activation Clustering"),
    ("spectral_signatures_auroc", "Spectral Signatures"),
)
#: From this anomaly index on, Neural Cleanse calls a class suspicious.
CLEANSE_THRESHOLD = 2.0


def sight(results: BackdoorResults, cell: Cell | None) -> Statement | None:
    """What would show the backdoor of `cell`."""
    if cell is None:
        return None
    said = (_in_the_image(results, cell), _in_the_samples(results, cell), _cleanse(results, cell))
    text = " ".join(part for part in said if part)
    return Statement(topic="Would you see it?", text=text) if text else None


def _in_the_image(results: BackdoorResults, cell: Cell) -> str:
    ssim = results.at("ssim", cell, ignoring=("head", "rate"))
    if ssim is None:
        return ""
    value = number(ssim.value) or 0.0
    if value >= 0.99:
        words = "hardly differs from the clean one"
    elif value >= 0.9:
        words = "differs a little from the clean one"
    else:
        words = "visibly differs from the clean one"
    return f"A triggered image {words} (SSIM {value:.3f})."


def _in_the_samples(results: BackdoorResults, cell: Cell) -> str:
    found = [
        (name, m)
        for metric, name in DETECTORS
        if (m := results.twin(metric, cell, "backdoored")) is not None
    ]
    if not found:
        return ""
    name, best = max(found, key=lambda pair: number(pair[1].value) or 0.0)
    value, low = number(best.value) or 0.0, number(best.low)
    if value < 0.6 or (low is not None and low <= 0.5):
        answer = f"No detector does better than guessing; the best is {name}"
    elif value < 0.9:
        answer = f"{name} sees some of it, at the price of false alarms"
    else:
        answer = f"{name} sees it"
    text = f"{answer} (AUROC {value_of(best)}{_behind(best)})."
    far = results.twin("strip_far", cell, "backdoored")
    frr = results.twin("strip_frr", cell, "backdoored")
    if far is not None and frr is not None:
        text += (
            f" STRIP lets {value_of(far, 0)} of triggered inputs through and refuses "
            f"{value_of(frr, 0)} of clean ones."
        )
    return text


def _cleanse(results: BackdoorResults, cell: Cell) -> str:
    mine = results.twin("neural_cleanse_index", cell, "backdoored")
    if mine is None:
        return ""
    clean = results.twin("neural_cleanse_index", cell, "clean")
    index = number(mine.value) or 0.0
    text = f"Neural Cleanse gives the backdoored model an index of {index:.1f}"
    if clean is not None:
        text += f" and its clean twin {number(clean.value) or 0.0:.1f}"
    text += f" (suspicious from {CLEANSE_THRESHOLD:g} on)"
    finds = results.twin("neural_cleanse_finds_target", cell, "backdoored")
    if finds is not None:
        text += f", and finds the target in {percent(number(finds.value) or 0.0)} of the seeds"
    return f"{text}."


def _behind(measurement: Measurement) -> str:
    parts = [interval(measurement), seeds(measurement.n)]
    return f", {listed([part for part in parts if part])}".replace(" and ", ", ")
