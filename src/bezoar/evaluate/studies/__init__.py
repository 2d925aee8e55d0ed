"""Reproduced papers: for each a plan and the published numbers, no logic."""

from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.evaluate.studies.hqnn import hqnn_study
from bezoar.evaluate.studies.hqnn_settings import CPU_SMALL, SCALES
from bezoar.evaluate.studies.quid import QUID_STUDY
from bezoar.evaluate.study import Study

# Where a paper has several scales, the one that is taken where none is named.
STUDIES: dict[str, Study] = {study.name: study for study in (QUID_STUDY, hqnn_study(CPU_SMALL))}


def study_named(name: str, scale: str | None = None) -> Study:
    """A paper, at one of its scales.

    Raises:
        UnknownName: no such paper or scale.
        InvalidArgument: a scale of a paper that has one size.

    Example:
        >>> study_named("hqnn", "cpu").scale
        'cpu'
    """
    if name not in STUDIES:
        raise UnknownName("study", name, list(STUDIES))
    study = STUDIES[name]
    if scale is None:
        return study
    if not study.scale:
        raise InvalidArgument("scale", wanted=f"none, as {name} has one size", got=scale)
    if scale not in SCALES:
        raise UnknownName("scale", scale, list(SCALES))
    return hqnn_study(SCALES[scale])
