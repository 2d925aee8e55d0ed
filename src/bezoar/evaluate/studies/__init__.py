"""Reproduced papers: for each a plan and the published numbers, no logic."""

from bezoar.evaluate.studies.quid import QUID_STUDY
from bezoar.evaluate.study import Study

STUDIES: dict[str, Study] = {QUID_STUDY.name: QUID_STUDY}
