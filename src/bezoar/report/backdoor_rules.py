"""How the words of a backdoor run follow from its numbers; every page prints it."""

from __future__ import annotations

from bezoar.report.backdoor_results import BackdoorResults
from bezoar.report.wording import points


def rules(results: BackdoorResults) -> tuple[str, ...]:
    """How the words of the page follow from the numbers."""
    return (
        (
            "Clean accuracy (CA) is that of a model trained on the same data without poison, BA "
            "that of the backdoored model, both on clean test images."
        ),
        (
            "Attack success rate (ASR) is the share of triggered test images that the model sends "
            "to the attacker's class. Images whose true class is the target are left out."
        ),
        (
            "Leak is the share of clean test images of other classes that the same model sends to "
            "the target: ordinary errors. The zero-trigger control is a model trained on the same "
            "samples with the same changed labels and no trigger. The clean model on triggered "
            "images shows what the trigger does to a model that has learned nothing of it."
        ),
        (
            "A backdoor works where the low end of the interval of its ASR lies more than "
            f"{points(results.tolerance)} above the largest of these three. With one seed its "
            "value is taken instead. It is not above them where even its mean is not. Between, "
            "the seeds do not tell."
        ),
        "Intervals are 95 % intervals of the mean over seeds (Student).",
        (
            "SSIM compares the clean image with the triggered one; 1 is equal. PSNR is in decibels "
            "and higher is closer. L2 and L-infinity are distances of images with values in [0, 1]."
        ),
        (
            "The matched training loss is the lowest that all heads reach on the training samples "
            "that were left as they are. Each head is read at its first epoch there. A head that "
            "only trains more slowly falls behind over epochs and not there."
        ),
        (
            "Detection AUROC is the chance that a detector ranks a triggered or poisoned input "
            "above a clean one; 0.5 is guessing. STRIP's false acceptance rate (FAR) is the share "
            "of triggered inputs that it lets through, its false rejection rate (FRR) the share of "
            "clean inputs that it refuses."
        ),
        (
            "Neural Cleanse calls a class suspicious from an anomaly index of 2 on. Models without "
            "a backdoor often exceed it, so the clean twin stands beside each index."
        ),
    )
