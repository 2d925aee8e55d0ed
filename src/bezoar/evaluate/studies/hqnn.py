"""Backdoor attacks against hybrid classical-quantum neural networks (arXiv 2407.16273)."""

from __future__ import annotations

from bezoar.evaluate.studies.hqnn_defences import extra_defences, figure_10, figure_11, figure_12
from bezoar.evaluate.studies.hqnn_qcolor import (
    figure_6,
    figure_7,
    figure_8,
    figure_9,
    table_5,
    table_6,
    table_7,
    table_8,
)
from bezoar.evaluate.studies.hqnn_robustness import (
    extra_epochs,
    figure_5,
    table_1,
    table_2,
    table_3,
    table_4,
)
from bezoar.evaluate.studies.hqnn_settings import Scale
from bezoar.evaluate.studies.hqnn_theory import extra_theory
from bezoar.evaluate.study import Study

_ITEMS = (
    *(table_1, table_2, table_3, table_4, table_5, table_6, table_7, table_8),
    *(figure_5, figure_6, figure_7, figure_8, figure_9, figure_10, figure_11, figure_12),
    *(extra_epochs, extra_defences, extra_theory),
)


def hqnn_study(scale: Scale) -> Study:
    """The study at one of its scales."""
    return Study(
        name="hqnn",
        paper="Backdoor Attacks against Hybrid Classical-Quantum Neural Networks, arXiv 2407.16273",
        items=tuple(make(scale) for make in _ITEMS),
        scale=scale.name,
        analysed_seeds=3,
    )
