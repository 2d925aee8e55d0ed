"""Poisoning a data set for others to look at: files of poisoned data and of the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy.typing as npt

from bezoar.attacks.named import attack_named, attacks_white_box, check_targeted
from bezoar.attacks.poisoning.truth_file import write_truth
from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.seeds import generator
from bezoar.contracts.truth import Poisoned
from bezoar.data import write_npz
from bezoar.evaluate import victim
from bezoar.evaluate.cells import check_replaceable
from bezoar.evaluate.plan import AuditPlan
from bezoar.quantum.state_encoder import StateEncoder
from bezoar.quantum.states import EncodedStates
from bezoar.quantum.tomography import parse_tomography


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEncoder(StateEncoder):
    """State preparation of raw features: the victim's reduction and scaling come first.

    Attributes:
        pipeline: fitted on the data set.
    """

    pipeline: victim.FeaturePipeline

    def encode(self, features: npt.ArrayLike, *, progress: Progress = silent) -> EncodedStates:
        """The state of every sample of raw `features`, ``(sample, feature)`` or images."""
        latent = self.pipeline.transform(features)  # type: ignore[arg-type]
        return StateEncoder.encode(self, latent, progress=progress)


def poison_data(
    plan: AuditPlan, attack: str, *, ratio: float, seed: int, progress: Progress = silent
) -> Poisoned:
    """Poisons the plan's whole data set, in its raw features.

    Args:
        plan: data, reduction, encoding and one noise model; the rest is not used.
        attack: its registered name.
        ratio: share of the samples, in [0, 1).
        seed: of the attack's draws, the same as in an audit's repetition of that seed.
        progress: told while an autoencoder trains.

    Raises:
        UnknownName, InvalidArgument, InvalidData: as `load_data`, the pipeline and the attack say.

    Example:
        >>> plan = AuditPlan(data="iris", noise=("none",))
        >>> poisoned = poison_data(plan, "quid", ratio=0.1, seed=0)
        >>> len(poisoned.truth.poisoned_ids), poisoned.data.features.shape
        (15, (150, 4))
    """
    if len(plan.noise) != 1:
        raise InvalidArgument("noise", wanted="one noise model", got=", ".join(plan.noise))
    if attacks_white_box(attack):
        raise InvalidArgument(
            "attack",
            wanted="one that needs no access to a model",
            got=attack,
            mend="bezoar audit mounts it on the model that its options describe",
        )
    check_targeted(attack, plan.source_classes)
    if seed < 0:
        raise InvalidArgument("seed", wanted="0 or more", got=seed)
    data = victim.load_data(plan)
    pipeline = victim.fit_pipeline(plan, data, seed=seed, progress=progress)
    known = victim.state_encoder(plan, data, plan.noise[0])
    encoder = RawEncoder(
        circuit=known.circuit,
        noise=known.noise,
        tomography=parse_tomography(plan.attacker_states),
        seed=seed,
        pipeline=pipeline,
    )
    chosen = attack_named(
        attack,
        ratio=ratio,
        encoder=encoder,
        metric=plan.metric,
        source_classes=plan.source_classes,
    )
    return chosen.poison(data, rng=generator(seed, "attack"))


def poison_to_files(
    plan: AuditPlan,
    attack: str,
    *,
    ratio: float,
    seed: int,
    out: Path | str,
    truth: Path | str,
    progress: Progress = silent,
) -> Poisoned:
    """`poison_data`, with the data in `out` (npz) and the truth in `truth` (JSON).

    Both files appear, or neither.

    Raises:
        InvalidArgument: the two paths, or one of them and the data, are the same file.
        FileProblem: a file cannot be written.
    """
    out, truth = Path(out), Path(truth)
    if out.suffix != ".npz":
        raise InvalidArgument("out", wanted="a name that ends in .npz", got=str(out))
    if len({p.resolve() for p in (out, truth, Path(plan.data))}) < 3:
        raise InvalidArgument(
            "out, truth", wanted="files apart from each other and from the data", got=str(out)
        )
    check_replaceable(truth)
    check_replaceable(out)
    poisoned = poison_data(plan, attack, ratio=ratio, seed=seed, progress=progress)
    write_truth(truth, poisoned.truth, seed, poisoned.data.class_names)
    try:
        write_npz(out, poisoned.data)
    except BaseException:
        truth.unlink(missing_ok=True)
        raise
    return poisoned
