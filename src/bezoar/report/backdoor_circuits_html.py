"""What the page of circuit-level backdoors prints."""

from __future__ import annotations

from typing import Any

from bezoar.report.backdoor_circuits import (
    DETAIL_HEADS,
    RULES,
    CircuitStory,
    circuit_row,
    detail_row,
)
from bezoar.report.backdoor_images import images_of
from bezoar.report.backdoor_wording import circuit_attack_label, metric_label
from bezoar.report.html_blocks import glance_row, shell
from bezoar.report.wording import sentence

#: The states that stand beside the verdict; others are in the table.
_SHOWN = ("untouched", "dormant", "armed", "")


def view(story: CircuitStory) -> dict[str, Any]:
    """What the template prints."""
    attacks = list(dict.fromkeys(attack for attack, _ in story.rows))
    return shell(story) | {
        "glance": [
            {
                "title": f"{circuit_attack_label(attack)}: {metric_label(metric)}",
                "rows": [
                    glance_row(
                        sentence(state) or "Measured", m, 1 if state.startswith("armed") else 0
                    )
                    for other, state in story.rows
                    if other == attack
                    and state in _SHOWN
                    and (m := story.at(attack, state, metric)) is not None
                ],
            }
            for attack in attacks
            for metric in ("accuracy", "attack_success_rate")
            if any(story.at(attack, state, metric) for state in _SHOWN)
        ],
        "heads": ["attack", "state", *(metric_label(m) for m in story.metrics), "seeds"],
        "rows": [circuit_row(story, attack, state) for attack, state in story.rows],
        "detail_heads": DETAIL_HEADS,
        "details": [detail_row(m) for m in story.details],
        "images": images_of(story.record.exhibits),
        "rules": RULES,
        "meanings": [],
        "absent": [] if story.rows else ["No table: no circuit was measured."],
    }


def _colour(state: str) -> int:
    return 1 if state.startswith("armed") else 0
