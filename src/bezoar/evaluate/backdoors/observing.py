"""What was observed, seed by seed, and the tables and images of a backdoor run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bezoar.contracts.records import Better, Exhibit, Table
from bezoar.evaluate.backdoors.experiment import BackdoorResults
from bezoar.evaluate.backdoors.lessons import Lesson
from bezoar.evaluate.backdoors.materials import data_name
from bezoar.evaluate.backdoors.measuring import at_matched_loss
from bezoar.evaluate.backdoors.theory_observing import theory_observations
from bezoar.evaluate.backdoors.theory_tables import theory_tables
from bezoar.evaluate.observations import Observation

_UNBOUNDED = (float("-inf"), float("inf"))
_POSITIVE = (0.0, float("inf"))
_QUALITIES: Mapping[str, tuple[str, Better, tuple[float, float]]] = {
    "ssim": ("", "lower", (-1.0, 1.0)),
    "psnr": ("dB", "lower", _POSITIVE),
    "l2": ("", "higher", _POSITIVE),
    "linf": ("", "higher", _POSITIVE),
}
# What defences report that is no share of samples.
_DEFENCE_UNITS: Mapping[str, tuple[str, tuple[float, float]]] = {
    "neural_cleanse_index": ("", _POSITIVE),
    "neural_cleanse_norm": ("pixels", _POSITIVE),
}
_LOWER_IS_BETTER = (
    "attack_success_rate",
    "leak",
    "strip_far",
    "strip_frr",
)
# Neither direction is good by itself.
_NEITHER = ("strip_entropy_share", "fine_pruning_share")


def observe(results: BackdoorResults) -> Iterator[Observation]:
    """Every quantity of the results."""
    yield from _of_lessons(results)
    yield from _of_clean_networks(results)
    yield from _of_curves(results)
    yield from _of_qualities(results)
    yield from _of_saliency(results)
    yield from _of_defences(results)
    for head in results.plan.heads:
        yield from theory_observations(results, head, network_tags(results, head))


def tables(results: BackdoorResults) -> Iterator[Table]:
    """The matrices of the results."""
    yield from _gradient_tables(results)
    yield from _strip_tables(results)
    for head in results.plan.heads:
        yield from theory_tables(results, head, network_tags(results, head))


def exhibits(results: BackdoorResults) -> Iterator[Exhibit]:
    """The images of the first seed."""
    for (trigger, seed), cell in results.qualities.items():
        if seed == 0 and "exhibit" in cell:
            tags = {"trigger": trigger}
            yield Exhibit(
                name="trigger",
                title=cell["exhibit"]["title"],
                png=cell["exhibit"]["png"],
                tags=tags,
            )
    for lesson, cell in results.saliency.items():
        if lesson.seed == 0:
            tags = {"head": lesson.head, "trigger": lesson.trigger, "rate": lesson.rate}
            yield Exhibit(name="grad_cam", title=cell["title"], png=cell["png"], tags=tags)
    for (lesson, twin, _), cell in results.defences.items():
        for shown in cell.get("exhibits", ()) if lesson.seed == 0 else ():
            tags = {
                "head": lesson.head,
                "trigger": lesson.trigger,
                "rate": lesson.rate,
                "twin": twin,
            }
            yield Exhibit(name=shown["name"], title=shown["title"], png=shown["png"], tags=tags)


def network_tags(results: BackdoorResults, head: str) -> dict[str, Any]:
    """The tags of a network."""
    return {"dataset": data_name(results.plan), "trunk": results.plan.trunk, "head": head}


def _tags(results: BackdoorResults, lesson: Lesson) -> dict[str, Any]:
    tags = network_tags(results, lesson.head)
    return tags | {"trigger": lesson.trigger, "rate": lesson.rate}


def _by_seed(
    lessons: Mapping[Lesson, Mapping[str, Any]], head: str, role: str, trigger: str, rate: float
) -> dict[int, Mapping[str, Any]]:
    return {
        lesson.seed: cell
        for lesson, cell in lessons.items()
        if (lesson.head, lesson.role, lesson.trigger, lesson.rate) == (head, role, trigger, rate)
    }


def _some(
    metric: str,
    values: Mapping[int, float],
    tags: Mapping[str, Any],
    better: Better = "higher",
    **more: Any,
) -> Iterator[Observation]:
    """The observation where a seed has it."""
    if values:
        yield Observation(metric=metric, values=values, tags=tags, better=better, **more)


def _settings(results: BackdoorResults) -> Iterator[tuple[str, str, float]]:
    plan = results.plan
    for head in plan.heads:
        for trigger in plan.triggers:
            for rate in plan.rates:
                yield head, trigger, rate


def _of_lessons(results: BackdoorResults) -> Iterator[Observation]:
    lessons = results.lessons
    for head in results.plan.heads:
        clean = _by_seed(lessons, head, "clean", "none", 0.0)
        tags = network_tags(results, head)
        yield from _some("clean_accuracy", _each(clean, "accuracy"), tags)
        yield from _some("train_loss", _last_loss(clean), {**tags, "trigger": "none", "rate": 0.0},
                         "lower", unit="nats", bounds=_POSITIVE)  # fmt: skip
        yield from _of_gradients(clean, tags)
    for head, trigger, rate in _settings(results):
        found = _by_seed(lessons, head, "backdoored", trigger, rate)
        control = _by_seed(lessons, head, "control", "none", rate)
        if results.plan.clean_label:
            # Labels are left as they are: the control is the clean network.
            control = {
                lesson.seed: {"attack_success_rate": cell["leak"]}
                for (lesson, of), cell in results.clean_answers.items()
                if lesson.head == head and of == trigger
            }
        tags = {**network_tags(results, head), "trigger": trigger, "rate": rate}
        yield from _some("backdoor_accuracy", _each(found, "accuracy"), tags)
        yield from _some("attack_success_rate", _each(found, "attack_success_rate"), tags, "lower")
        yield from _some("leak", _each(found, "leak"), tags, "lower")
        yield from _some(
            "control_attack_success_rate", _each(control, "attack_success_rate"), tags, "lower"
        )
        yield from _some("train_loss", _last_loss(found), tags, "lower", unit="nats",
                         bounds=_POSITIVE)  # fmt: skip


def _of_clean_networks(results: BackdoorResults) -> Iterator[Observation]:
    for head in results.plan.heads:
        for trigger in results.plan.triggers:
            values = {
                lesson.seed: cell["attack_success_rate"]
                for (lesson, of), cell in results.clean_answers.items()
                if lesson.head == head and of == trigger
            }
            tags = {**network_tags(results, head), "trigger": trigger}
            yield from _some("clean_attack_success_rate", values, tags, "lower")


def _of_curves(results: BackdoorResults) -> Iterator[Observation]:
    if not results.plan.curves:
        return
    names = {
        "accuracy": ("backdoor_accuracy_by_epoch", "higher"),
        "attack_success_rate": ("attack_success_rate_by_epoch", "lower"),
    }
    for head, trigger, rate in _settings(results):
        found = _by_seed(results.lessons, head, "backdoored", trigger, rate)
        tags = {**network_tags(results, head), "trigger": trigger, "rate": rate}
        n_epochs = min((len(cell["curve"]) for cell in found.values()), default=0)
        for i in range(n_epochs):
            epoch = next(int(cell["curve"][i]["epoch"]) for cell in found.values())
            at = {**tags, "epoch": epoch}
            for key, (metric, better) in names.items():
                values = {seed: cell["curve"][i][key] for seed, cell in found.items()}
                yield from _some(metric, values, at, "higher" if better == "higher" else "lower")
            losses = {seed: _curve_losses(cell)[i] for seed, cell in found.items()}
            known = {seed: loss for seed, loss in losses.items() if loss is not None}
            yield from _some("train_loss_by_epoch", known, at, "lower", unit="nats",
                             bounds=_POSITIVE)  # fmt: skip
    yield from _of_matched_losses(results)


def _of_matched_losses(results: BackdoorResults) -> Iterator[Observation]:
    plan = results.plan
    for trigger in plan.triggers:
        for rate in plan.rates:
            matched: dict[str, dict[int, dict[str, float]]] = {head: {} for head in plan.heads}
            for seed in range(plan.seeds):
                cells = {
                    head: _by_seed(results.lessons, head, "backdoored", trigger, rate).get(seed)
                    for head in plan.heads
                }
                known = {head: cell for head, cell in cells.items() if cell is not None}
                entries = at_matched_loss(
                    {head: cell["curve"] for head, cell in known.items()},
                    {head: _curve_losses(cell) for head, cell in known.items()},
                )
                for head, entry in entries.items():
                    matched[head][seed] = entry
            for head, by_seed in matched.items():
                tags = {**network_tags(results, head), "trigger": trigger, "rate": rate}
                for key, metric, unit in (
                    ("attack_success_rate", "attack_success_rate_at_matched_loss", "fraction"),
                    ("matched_loss", "matched_loss", "nats"),
                    ("epoch", "epochs_to_matched_loss", "epochs"),
                ):
                    values = {seed: entry[key] for seed, entry in by_seed.items()}
                    bounds = (0.0, 1.0) if unit == "fraction" else _POSITIVE
                    better: Better = "neither" if unit == "epochs" else "lower"
                    yield from _some(metric, values, tags, better, unit=unit, bounds=bounds)


def _curve_losses(cell: Mapping[str, Any]) -> Sequence[float | None]:
    """The training loss on untouched samples of each epoch that the curve has."""
    clean = cell["losses"]["clean"]
    return [clean[round(entry["epoch"]) - 1] for entry in cell["curve"]]


def _of_qualities(results: BackdoorResults) -> Iterator[Observation]:
    for trigger in results.plan.triggers:
        cells = {seed: c for (of, seed), c in results.qualities.items() if of == trigger}
        tags = {"dataset": data_name(results.plan), "trigger": trigger}
        for name, (unit, better, bounds) in _QUALITIES.items():
            yield from _some(name, _each(cells, name), tags, better, unit=unit, bounds=bounds)


def _of_saliency(results: BackdoorResults) -> Iterator[Observation]:
    for head, trigger, rate in _settings(results):
        cells = _by_seed(results.saliency, head, "backdoored", trigger, rate)
        tags = {**network_tags(results, head), "trigger": trigger, "rate": rate}
        for twin in ("clean", "backdoored"):
            values = {
                seed: cell["similarity"][twin]
                for seed, cell in cells.items()
                if cell["similarity"].get(twin) is not None
            }
            yield from _some("grad_cam_similarity", values, {**tags, "twin": twin}, "neither",
                             unit="", bounds=(-1.0, 1.0))  # fmt: skip


def _of_defences(results: BackdoorResults) -> Iterator[Observation]:
    """The numbers that defences gave, one observation for each name and its own tags."""
    gathered: dict[tuple[Any, ...], dict[int, float]] = {}
    for (lesson, twin, name), cell in results.defences.items():
        for entry in cell["numbers"]:
            own = tuple(sorted(entry.get("tags", {}).items()))
            key = (lesson.head, lesson.trigger, lesson.rate, twin, name, entry["metric"], own)
            gathered.setdefault(key, {})[lesson.seed] = entry["value"]
    for (head, trigger, rate, twin, name, metric, own), values in gathered.items():
        unit, bounds = _DEFENCE_UNITS.get(metric, ("fraction", (0.0, 1.0)))
        tags = network_tags(results, head) | {
            "trigger": trigger,
            "rate": rate,
            "twin": twin,
            "defence": name,
            **dict(own),
        }
        better: Better = "lower" if metric.endswith(_LOWER_IS_BETTER) else "higher"
        if metric in _NEITHER:
            better = "neither"
        ordered = dict(sorted(values.items()))
        yield from _some(metric, ordered, tags, better, unit=unit, bounds=bounds)


def _gradient_tables(results: BackdoorResults) -> Iterator[Table]:
    for head in results.plan.heads:
        cells = _by_seed(results.lessons, head, "clean", "none", 0.0)
        found = [cell["gradients"] for cell in cells.values() if "gradients" in cell]
        if found:
            layers = [layer["layer"] for layer in found[0]["layers"]]
            rows = tuple(
                (
                    float(found[0]["layers"][i]["parameters"]),
                    sum(one["layers"][i]["norm"] for one in found) / len(found),
                )
                for i in range(len(layers))
            )
            yield Table(
                name="gradients",
                row_title="layer",
                column_title="",
                rows=tuple(layers),
                columns=("parameters", "gradient norm"),
                values=rows,
                unit="",
                n=len(found),
                tags=network_tags(results, head),
            )


def _strip_tables(results: BackdoorResults) -> Iterator[Table]:
    for (lesson, twin, _), cell in results.defences.items():
        if lesson.seed == 0 and "entropy" in cell:
            found = cell["entropy"]
            yield Table(
                name="strip_entropy",
                row_title="inputs",
                column_title="entropy of the predictions over its maximum, lower edge",
                rows=("clean inputs", "triggered inputs"),
                columns=tuple(found["edges"]),
                values=(tuple(found["clean"]), tuple(found["triggered"])),
                unit="fraction",
                n=1,
                tags={**_tags(results, lesson), "twin": twin},
            )


def _of_gradients(
    cells: Mapping[int, Mapping[str, Any]], tags: Mapping[str, Any]
) -> Iterator[Observation]:
    found = {seed: cell["gradients"] for seed, cell in cells.items() if "gradients" in cell}
    if not found:
        return
    unlimited: dict[str, Any] = {"unit": "", "bounds": _UNBOUNDED}
    first = next(iter(found.values()))
    for name in first["totals"]:
        values = {seed: each["totals"][name] for seed, each in found.items()}
        yield from _some(f"gradient_{name}", values, tags, "neither", **unlimited)
    for i in range(len(first["layers"])):
        at = {**tags, "layer": i + 1}
        for key, metric in (("parameters", "layer_parameters"), ("norm", "layer_gradient_norm")):
            values = {seed: float(each["layers"][i][key]) for seed, each in found.items()}
            yield from _some(metric, values, at, "neither", **unlimited)


def _last_loss(cells: Mapping[int, Mapping[str, Any]]) -> dict[int, float]:
    losses = {seed: cell["losses"]["clean"][-1] for seed, cell in cells.items()}
    return {seed: loss for seed, loss in losses.items() if loss is not None}


def _each(cells: Mapping[int, Mapping[str, Any]], name: str) -> dict[int, float]:
    return {seed: cell[name] for seed, cell in cells.items() if name in cell}
