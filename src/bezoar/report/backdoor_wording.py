"""Heads, triggers, metrics and defences of a backdoor run in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

_HEADS = {
    "quantum": "quantum head",
    "linear": "linear head (the classical twin)",
    "tanh": "tanh bottleneck (the classical control)",
}
_HEAD_LABELS = {"quantum": "quantum", "linear": "linear", "tanh": "tanh"}
_TRIGGERS = {
    "patch": "patch",
    "blend": "blend",
    "wanet": "WaNet",
    "colour": "colour shift",
    "qcolor": "Qcolor",
    "sig": "SIG",
    "feature": "feature trigger",
    "none": "no trigger",
}
_METRICS = {
    "clean_accuracy": "clean accuracy (CA)",
    "backdoor_accuracy": "accuracy with the backdoor (BA)",
    "attack_success_rate": "attack success rate (ASR)",
    "leak": "leak",
    "control_attack_success_rate": "zero-trigger control",
    "clean_attack_success_rate": "clean model, triggered images",
    "ssim": "SSIM",
    "psnr": "PSNR",
    "l2": "L2 distance",
    "linf": "L-infinity distance",
    "lpips": "LPIPS",
    "grad_cam_similarity": "Grad-CAM similarity",
    "attack_success_rate_at_matched_loss": "ASR at matched training loss",
    "train_loss": "training loss",
    "accuracy": "accuracy",
    "triggered_accuracy": "accuracy on triggered samples",
    "circuit_distance": "circuit distance",
    "detection": "detection",
}
_DEFENCES = {
    "fine-pruning": "Fine-Pruning",
    "neural-cleanse": "Neural Cleanse",
    "strip": "STRIP",
    "activation-clustering": "Activation Clustering",
    "spectral-signatures": "Spectral Signatures",
}
#: Where there is little room.
_SHORTER = (
    ("Fine-Pruning", "Pruning"),
    ("Neural Cleanse", "Cleanse"),
    ("Activation Clustering", "Act. Clust."),
    ("Spectral Signatures", "Spec. Sig."),
    (": target found", ": found"),
)
_CIRCUIT_ATTACKS = {"qtrojan": "QTrojan", "qdoor": "QDoor"}


def head_name(head: str) -> str:
    """What a head is called in a sentence; names that are not ours stay as they are."""
    return _HEADS.get(head, head)


def head_label(head: str) -> str:
    """What a head is called in a table or beside a curve."""
    return _HEAD_LABELS.get(head, head)


def metric_label(metric: str) -> str:
    """What a metric is called at the head of a column.

    Example:
        >>> metric_label("leak"), metric_label("my_own_metric")
        ('leak', 'my own metric')
    """
    return _METRICS.get(metric, metric.replace("_", " "))


def defence_label(name: str) -> str:
    """What a defence is called."""
    return _DEFENCES.get(name.replace("_", "-"), name)


def short_defence_label(name: str) -> str:
    """What a defence, and what is said of it, is called above a narrow column.

    Example:
        >>> short_defence_label("strip"), short_defence_label("Activation Clustering: AUROC")
        ('STRIP', 'Act. Clust.: AUROC')
    """
    label = defence_label(name)
    for long, short in _SHORTER:
        label = label.replace(long, short)
    return label


def circuit_attack_label(name: str) -> str:
    """What an attack on a circuit is called."""
    return _CIRCUIT_ATTACKS.get(name, name)


def trigger_labels(specs: Sequence[str]) -> Mapping[str, str]:
    """What each trigger is called: as short as tells it from the others.

    Example:
        >>> list(trigger_labels(["qcolor:1.2,1,0.8", "wanet:k=4,s=0.5", "blend:0.1"]).values())
        ['Qcolor (1.2, 1, 0.8)', 'WaNet', 'blend 0.1']
        >>> list(trigger_labels(["wanet:k=4", "wanet:k=8"]).values())
        ['WaNet (k=4)', 'WaNet (k=8)']
        >>> list(trigger_labels(["sig", "sig:f=8"]).values())
        ['SIG', 'SIG (f=8)']
    """
    labels = {spec: _short(spec) for spec in specs}
    for longer in (_with_settings, str):
        shared = Counter(labels.values())
        labels = {spec: _or(label, longer, spec, shared) for spec, label in labels.items()}
    return labels


def _or(label: str, longer: Callable[[str], str], spec: str, shared: Counter[str]) -> str:
    """The label, or a longer one where others have it too."""
    return label if shared[label] == 1 else longer(spec)


def _short(spec: str) -> str:
    name, _, text = spec.partition(":")
    plain = [part.strip() for part in text.split(",") if part.strip() and "=" not in part]
    label = _TRIGGERS.get(name, name)
    if name == "patch" and len(plain) == 1:
        return f"{plain[0]}\N{MULTIPLICATION SIGN}{plain[0]} patch"
    if not plain:
        return label
    return f"{label} {plain[0]}" if len(plain) == 1 else f"{label} ({', '.join(plain)})"


def _with_settings(spec: str) -> str:
    _, _, text = spec.partition(":")
    named = [part.strip() for part in text.split(",") if "=" in part]
    return f"{_short(spec)} ({', '.join(named)})" if named else _short(spec)
