"""QUID (arXiv 2411.14412): its tables and figures, and what it leaves to ask."""

from __future__ import annotations

from bezoar.evaluate.studies.quid_extras import (
    HUNDRED,
    KERNEL,
    NOISE,
    PROTECTED,
    SPSA_STEP,
    TABLE_1,
    TARGETED,
    TOMOGRAPHY,
)
from bezoar.evaluate.studies.quid_states import FIGURE_3, FIGURE_4, TABLE_2
from bezoar.evaluate.studies.quid_tables import (
    FIGURE_5,
    TABLE_3,
    TABLE_4,
    TABLE_5,
    TABLE_6,
    TABLE_7,
)
from bezoar.evaluate.study import Study

QUID_STUDY = Study(
    name="quid",
    paper="Kundu and Ghosh, Adversarial Data Poisoning Attacks on Quantum Machine Learning in the "
    "NISQ Era, arXiv 2411.14412",
    items=(
        TABLE_1,
        TABLE_2,
        TABLE_3,
        TABLE_4,
        TABLE_5,
        TABLE_6,
        TABLE_7,
        FIGURE_3,
        FIGURE_4,
        FIGURE_5,
        TARGETED,
        PROTECTED,
        TOMOGRAPHY,
        HUNDRED,
        SPSA_STEP,
        NOISE,
        KERNEL,
    ),
)
