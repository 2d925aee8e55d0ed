"""The front of a search as a picture: every candidate, the front, and thumbnails on it."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bezoar.contracts.reproduction import Figure, Series
from bezoar.report.backdoor_images import images_of
from bezoar.report.backdoor_search import Candidate, factors_text
from bezoar.report.charts import marker_path, tag
from bezoar.report.reproduction_axes import Axes, axes_of
from bezoar.report.wording import percent

#: How many thumbnails stand side by side above the plot, and their height and the room above it.
SHOWN = 7
_THUMB = 62
_ROOM = 88


def chosen_for_picture(front: Sequence[Candidate]) -> list[Candidate]:
    """Up to `SHOWN` candidates that have an image, spread evenly along the front."""
    found = [c for c in front if c.ssim is not None and images_of(c.exhibits)]
    if len(found) <= SHOWN:
        return found
    return [found[round(i * (len(found) - 1) / (SHOWN - 1))] for i in range(SHOWN)]


def front_chart(
    candidates: Sequence[Candidate],
    front: Sequence[Candidate],
    verified: tuple[float, float] | None,
) -> Markup:
    """ASR over SSIM of every candidate, with thumbnails that thin lines tie to the front.

    Args:
        candidates: all that have both numbers; others are left out.
        front: those on the front, by rising SSIM.
        verified: SSIM and ASR of the choice after full training.

    Returns:
        The chart; "" where fewer than two candidates can be drawn.
    """
    drawn = [(c, c.ssim, c.success) for c in candidates]
    known = [(c, x, y) for c, x, y in drawn if x is not None and y is not None]
    if len(known) < 2:
        return Markup()
    xs, ys = [x for _, x, _ in known], [y for _, _, y in known]
    if verified is not None:
        xs, ys = [*xs, verified[0]], [*ys, verified[1]]
    axes = axes_of(_canvas(xs, ys))
    parts = [axes.drawn()]
    numbered = {c.trial: i + 1 for i, c in enumerate(chosen_for_picture(front))}
    for c, x, y in sorted(known, key=lambda one: one[0].on_front):
        style = "mark c0" if c.on_front else "mark c6 faint"
        path = marker_path(0, axes.x(x), axes.y(y), 4.4 if c.on_front else 3.0)
        parts.append(tag("path", tag("title", _label(c, x, y)), class_=style, d=path))
    if verified is not None:
        path = marker_path(3, axes.x(verified[0]), axes.y(verified[1]), 6.5)
        label = f"chosen, after full training: ASR {percent(verified[1])}, SSIM {verified[0]:.4f}"
        parts.append(tag("path", tag("title", label), class_="mark c1", d=path))
    pictures = _thumbnails([c for c, _, _ in known if c.trial in numbered], numbered, axes)
    height = axes.height + (_ROOM if pictures else 0)
    top = _ROOM if pictures else 0
    return tag(
        "svg",
        tag("g", *pictures),
        tag("g", *parts, transform=f"translate(0 {top})"),
        class_="chart front",
        viewBox=f"0 0 {axes.width} {height}",
        role="img",
        aria_label=(
            f"Attack success over SSIM of {len(known)} candidates, {len(front)} on the front"
        ),
    )


def _canvas(xs: Sequence[float], ys: Sequence[float]) -> Figure:
    corners = Series(name="", of="ours", x=tuple(xs), y=tuple(ys), low=(), high=())
    return Figure(
        name="",
        title="",
        kind="lines",
        x_title="SSIM of triggered and clean images",
        y_title="attack success rate on the surrogate",
        unit="fraction",
        series=(corners,),
    )


def _label(candidate: Candidate, ssim: float, success: float) -> str:
    text = f"trial {candidate.trial}: ASR {percent(success)}, SSIM {ssim:.4f}"
    if candidate.factors:
        text += f", factors {factors_text(candidate.factors)}"
    return text


def _thumbnails(
    candidates: Sequence[Candidate], numbered: dict[int, int], axes: Axes
) -> list[Markup]:
    """A row of numbered images above the plot, each tied to its point by a thin line."""
    order = sorted(candidates, key=lambda c: numbered[c.trial])
    share = (axes.right - axes.left) / max(1, len(order))
    parts = []
    for i, candidate in enumerate(order):
        image = images_of(candidate.exhibits)[0]
        middle = axes.left + share * (i + 0.5)
        x, y = axes.x(candidate.ssim or 0.0), axes.y(candidate.success or 0.0) + _ROOM
        side = min(_THUMB, share - 6)
        parts += [
            tag("path", class_="leader c0", d=f"M{middle:.1f} {_THUMB + 16}L{x:.1f} {y:.1f}"),
            tag(
                "image",
                tag("title", f"{numbered[candidate.trial]}: {image.title}"),
                href=image.address,
                x=f"{middle - side / 2:.1f}",
                y=15,
                width=f"{side:.1f}",
                height=f"{side:.1f}",
                class_="pixels" if image.small else "",
            ),
            tag(
                "text",
                str(numbered[candidate.trial]),
                class_="middle name c0",
                x=f"{middle:.1f}",
                y=11,
            ),
        ]
    return parts
