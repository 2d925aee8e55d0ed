"""Hybrid networks, the items about defences: Figures 10 to 12, and all against all."""

from __future__ import annotations

from typing import Any

from bezoar.evaluate.backdoors.plan import DEFENCES, BackdoorPlan
from bezoar.evaluate.studies import hqnn_analysis
from bezoar.evaluate.studies.hqnn_settings import (
    ATTACK,
    BLENDS,
    COLOUR,
    DIGITS,
    PATCHES,
    QCOLOR,
    RECIPE,
    WANET,
    Scale,
    of,
    success,
)
from bezoar.evaluate.study import Item, Line, Pick, Plot, Published, Statement

DATA = ("imagenette", "cifar-10")
# Neural Cleanse takes a minute of CPU for each network of this size.
_CLEANSED = ("imagenette",)
_SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_DEFENDER = (
    "The defender holds 200 clean images apart from training and test, and the network; it sees "
    "neither the truth nor a triggered image, except where a defence judges incoming images."
)


def _plan(scale: Scale, data: str, defence: str) -> BackdoorPlan:
    return scale.plan(data=data, saliency=True, defences=(defence,))


def _run(scale: Scale, data: str) -> str:
    return f"{data}, {scale.trunks[0]}"


def _defence(run: str, metric: str, twin: str = "backdoored", **tags: Any) -> Pick:
    return of(run, metric, "quantum", QCOLOR, 0.1, twin=twin, **tags)


def figure_10(scale: Scale) -> Item:
    """Fine-Pruning."""
    cells = [
        Published(
            row=f"{data}, {100 * share:g} % pruned",
            column=column,
            paper=None,
            pick=_defence(_run(scale, data), metric, layer="trunk", share=share),
        )
        for data in DATA
        for share in _SHARES
        for column, metric in (
            ("BA", "pruned_accuracy"),
            ("ASR", "pruned_attack_success_rate"),
        )
    ]
    for data in DATA:
        run = _run(scale, data)
        cells += [
            Published(row=f"{data}, chosen by the defence and fine-tuned", column=column,
                      paper=None, pick=_defence(run, metric))
            for column, metric in (
                ("BA", "fine_pruning_accuracy"),
                ("ASR", "fine_pruning_attack_success_rate"),
            )
        ]  # fmt: skip
    return Item(
        name="figure-10",
        title="Fine-Pruning against Qcolor",
        source="Figure 10, section 6.3.3",
        question="Does pruning silent units remove Qcolor?",
        setting=(
            *scale.setting,
            RECIPE,
            _DEFENDER,
            (
                "Pruned are channels of the trunk's output, the least active on clean images "
                "first. The published defence then fine-tunes on clean images; the paper's figure "
                "does not."
            ),
        ),
        runs={_run(scale, data): _plan(scale, data, "fine-pruning") for data in DATA},
        table=tuple(cells),
        statements=tuple(
            Statement(
                text=f"pruning {100 * share:g} % leaves attack success above accuracy ({data})",
                source="section 6.3.3, Figure 10",
                quantity="attack success less accuracy",
                pick=of(
                    _run(scale, data),
                    "pruned_attack_success_rate",
                    "quantum",
                    QCOLOR,
                    0.1,
                    less=_defence(_run(scale, data), "pruned_accuracy", layer="trunk", share=share),
                    twin="backdoored",
                    layer="trunk",
                    share=share,
                ),
                kind="positive",
            )
            for data in DATA
            for share in (0.1, 0.3, 0.5, 0.7, 0.9)
        ),
        plots=tuple(
            Plot(
                name=f"fine-pruning-{data}",
                title=f"Accuracy and attack success over the share of pruned channels, {data}",
                kind="lines",
                x_title="pruned channels (%)",
                y_title="share of the test images",
                lines=tuple(
                    Line(
                        name=name,
                        points=tuple(
                            (
                                100 * share,
                                _defence(_run(scale, data), metric, layer="trunk", share=share),
                            )
                            for share in _SHARES
                        ),
                    )
                    for name, metric in (
                        ("BA", "pruned_accuracy"),
                        ("ASR", "pruned_attack_success_rate"),
                    )
                ),
            )
            for data in DATA
        ),
        analysis=hqnn_analysis.FIGURE_10,
    )


def figure_11(scale: Scale) -> Item:
    """Neural Cleanse."""
    cells = [
        Published(
            row=f"{data}, {'Qcolor' if twin == 'backdoored' else 'clean'}",
            column=column,
            paper=None,
            pick=_defence(_run(scale, data), metric, twin),
        )
        for data in _CLEANSED
        for twin in ("clean", "backdoored")
        for column, metric in (
            ("anomaly index", "neural_cleanse_index"),
            ("a class is flagged", "neural_cleanse_flags"),
            ("the target is flagged", "neural_cleanse_finds_target"),
        )
    ]
    return Item(
        name="figure-11",
        title="Neural Cleanse against Qcolor",
        source="Figure 11, section 6.3.3",
        question="Does a search for small triggers find Qcolor?",
        setting=(
            *scale.setting,
            RECIPE,
            _DEFENDER,
            (
                "The anomaly index is by the median absolute deviation over ten classes, which is "
                "unstable: clean networks above 2 are widely reported. So the clean twin stands "
                "beside, and each number is a mean over seeds."
            ),
        ),
        runs={_run(scale, data): _plan(scale, data, "neural-cleanse") for data in _CLEANSED},
        table=tuple(cells),
        statements=tuple(
            Statement(
                text=f"the anomaly index of the {twin} network is below 2 ({data})",
                source="section 6.3.3, Figure 11 (a)",
                quantity="anomaly index",
                pick=_defence(_run(scale, data), "neural_cleanse_index", twin),
                kind="below",
                bound=2.0,
            )
            for data in _CLEANSED
            for twin in ("clean", "backdoored")
        ),
        plots=(
            Plot(
                name="neural-cleanse",
                title="Anomaly index of clean and backdoored networks; above 2 is flagged",
                kind="bars",
                x_title="data set",
                y_title="anomaly index",
                unit="",
                lines=tuple(
                    Line(
                        name=twin,
                        points=tuple(
                            (data, _defence(_run(scale, data), "neural_cleanse_index", twin))
                            for data in _CLEANSED
                        ),
                    )
                    for twin in ("clean", "backdoored")
                ),
            ),
        ),
        shows=("restored_trigger",),
        analysis=hqnn_analysis.FIGURE_11,
    )


def figure_12(scale: Scale) -> Item:
    """STRIP."""
    cells = [
        Published(
            row=f"{data}, {twin} network",
            column=column,
            paper=None,
            pick=_defence(_run(scale, data), metric, twin),
        )
        for data in DATA
        for twin in ("clean", "backdoored")
        for column, metric in (
            ("AUROC", "strip_auroc"),
            ("FRR", "strip_frr"),
            ("FAR", "strip_far"),
        )
    ]
    return Item(
        name="figure-12",
        title="STRIP against Qcolor",
        source="Figure 12, section 6.3.3",
        question="Does the entropy under overlays give Qcolor's images away?",
        setting=(
            *scale.setting,
            RECIPE,
            _DEFENDER,
            (
                "FRR: clean images refused; FAR: triggered images let through, at the threshold "
                "that refuses 5 % of the defender's clean images."
            ),
        ),
        runs={_run(scale, data): _plan(scale, data, "strip") for data in DATA},
        table=tuple(cells),
        statements=tuple(
            statement
            for data in DATA
            for statement in (
                Statement(
                    text=f"the entropies of clean and triggered images can hardly be told apart "
                    f"({data})",
                    source="section 6.3.3, Figure 12",
                    quantity="AUROC of STRIP",
                    pick=_defence(_run(scale, data), "strip_auroc"),
                    kind="below",
                    bound=0.7,
                ),
                Statement(
                    text=f"STRIP lets most of Qcolor's images through ({data})",
                    source="section 6.3.3",
                    quantity="triggered images let through",
                    pick=_defence(_run(scale, data), "strip_far"),
                    kind="above",
                    bound=0.5,
                ),
            )
        ),
        plots=tuple(
            Plot(
                name=f"entropy-{data}",
                title=f"Entropy under overlays, network backdoored by Qcolor, {data}",
                kind="lines",
                x_title="entropy over its maximum, lower edge of the bin",
                y_title="share of the images",
                lines=tuple(
                    Line(
                        name=f"{inputs} images",
                        points=tuple(
                            (
                                edge / 10,
                                _defence(
                                    _run(scale, data),
                                    "strip_entropy_share",
                                    inputs=inputs,
                                    entropy=edge / 10,
                                ),
                            )
                            for edge in range(10)
                        ),
                    )
                    for inputs in ("clean", "triggered")
                ),
            )
            for data in DATA
        ),
        analysis=hqnn_analysis.FIGURE_12,
    )


_TRIGGERS = {
    "patch 3 x 3": PATCHES[3],
    "blend 0.15": BLENDS[0.15],
    "WaNet": WANET,
    "Color": COLOUR,
    "Qcolor": QCOLOR,
    "SIG": "sig:delta=0.1,f=6",
}
_MATRIX: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("ASR", "attack_success_rate", {}),
    ("ASR after Fine-Pruning", "fine_pruning_attack_success_rate", {"twin": "backdoored"}),
    ("BA after Fine-Pruning", "fine_pruning_accuracy", {"twin": "backdoored"}),
    ("Neural Cleanse finds the target", "neural_cleanse_finds_target", {"twin": "backdoored"}),
    ("STRIP AUROC", "strip_auroc", {"twin": "backdoored"}),
    ("Activation Clustering AUROC", "activation_clustering_auroc", {"twin": "backdoored"}),
    ("Spectral Signatures AUROC", "spectral_signatures_auroc", {"twin": "backdoored"}),
)


def extra_defences(scale: Scale) -> Item:
    """Every defence on every trigger."""
    heads = ("quantum",)
    run = "digits-rgb, small"
    plan = BackdoorPlan(
        samples=900,
        test_samples=400,
        validation=200,
        heads=heads,
        triggers=tuple(_TRIGGERS.values()),
        defences=DEFENCES,
        seeds=scale.seeds,
        device=scale.device,
    )
    cells = [
        Published(
            row=f"{name}, {head} head",
            column=column,
            paper=None,
            pick=of(run, metric, head, spec, 0.1, **tags),
        )
        for head in heads
        for name, spec in _TRIGGERS.items()
        for column, metric, tags in _MATRIX
    ]
    statements = [
        Statement(
            text=f"What does Fine-Pruning take from {name}, quantum head?",
            source="",
            quantity="attack success, before less after",
            pick=success(
                run,
                "quantum",
                spec,
                less=of(
                    run, "fine_pruning_attack_success_rate", "quantum", spec, 0.1, twin="backdoored"
                ),
            ),
            kind="question",
        )
        for name, spec in _TRIGGERS.items()
    ]
    return Item(
        name="extra-defences",
        title="Every defence against every trigger",
        source="a question of ours",
        question="Which defence answers which trigger?",
        setting=(
            DIGITS,
            RECIPE,
            ATTACK,
            _DEFENDER,
            (
                "AUROC: the chance that a defence ranks a triggered input (STRIP) or a poisoned "
                "training sample (Activation Clustering, Spectral Signatures) above a clean one; "
                "50 % is blind."
            ),
        ),
        runs={run: plan},
        table=tuple(cells),
        statements=tuple(statements),
        shows=("trigger",),
        analysis=hqnn_analysis.EXTRA_DEFENCES,
    )
