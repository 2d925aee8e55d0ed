"""What the page of a search for trigger factors prints."""

from __future__ import annotations

from typing import Any

from bezoar.report.backdoor_front import chosen_for_picture, front_chart
from bezoar.report.backdoor_images import images_of
from bezoar.report.backdoor_search import (
    RULES,
    VALUES,
    Candidate,
    SearchStory,
    factors_of,
    factors_text,
)
from bezoar.report.backdoor_wording import metric_label
from bezoar.report.html_blocks import glance_row, shell
from bezoar.report.wording import number, percent, quantity, with_interval

#: The metrics of the verification that are shown with a line from 0 to 100 %.
_GLANCE = (
    "backdoor_accuracy",
    "attack_success_rate",
    "leak",
    "control_attack_success_rate",
    "clean_attack_success_rate",
)

#: What candidates have in per cent.
_SHARES = ("candidate_attack_success_rate", "candidate_leak", "candidate_clean_accuracy")


def view(story: SearchStory) -> dict[str, Any]:
    """What the template prints."""
    success, ssim = story.chosen("attack_success_rate"), story.chosen("ssim")
    verified = None
    if success is not None and ssim is not None:
        verified = (number(ssim.value) or 0.0, number(success.value) or 0.0)
    return shell(story) | {
        "glance": [
            glance_row(metric_label(metric), m, 0 if metric == "attack_success_rate" else 6)
            for metric in _GLANCE
            if (m := story.chosen(metric)) is not None and m.unit == "fraction"
        ],
        "factors": factors_text(factors_of(story.verified)),
        "chart": front_chart(story.candidates, story.front, verified),
        "is_verified": verified is not None,
        "thumbnails": [
            {
                "number": i + 1,
                "image": images_of(candidate.exhibits)[0],
                "text": _caption(candidate),
            }
            for i, candidate in enumerate(chosen_for_picture(story.front))
        ],
        "heads": candidate_heads(story),
        "front": [candidate_row(story, c) for c in story.front],
        "others": [candidate_row(story, c) for c in story.candidates if not c.on_front],
        "verified": [[metric_label(m.metric), with_interval(m)] for m in story.verified],
        "rules": RULES,
        "meanings": [],
        "absent": [] if story.verified else ["No verification: no candidate was trained in full."],
    }


def candidate_heads(story: SearchStory) -> list[str]:
    """The columns of `candidate_row`: what at least one candidate has."""
    return ["trial", "factors (red, green, blue)", *(words for _, words in _columns(story))]


def candidate_row(story: SearchStory, candidate: Candidate) -> list[str]:
    """A candidate as a row of a table."""
    return [
        f"{candidate.trial}, chosen" if candidate.chosen else str(candidate.trial),
        factors_text(candidate.factors) or "not recorded",
        *(_value(candidate, metric) for metric, _ in _columns(story)),
    ]


def _columns(story: SearchStory) -> list[tuple[str, str]]:
    return [(m, words) for m, words in VALUES if any(m in c.values for c in story.candidates)]


def _value(candidate: Candidate, metric: str) -> str:
    value = candidate.values.get(metric)
    if value is None:
        return "not measured"
    if metric in _SHARES:
        return percent(value, 1)
    return f"{value:.4f}" if metric == "candidate_ssim" else quantity(value)


def _caption(candidate: Candidate) -> str:
    parts = ["chosen"] if candidate.chosen else []
    if candidate.success is not None:
        parts.append(f"ASR {percent(candidate.success)}")
    if candidate.ssim is not None:
        parts.append(f"SSIM {candidate.ssim:.3f}")
    if candidate.factors:
        parts.append(factors_text(candidate.factors))
    return "; ".join(parts)
