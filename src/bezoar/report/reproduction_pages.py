"""Writes the pages of a reproduction beside its records."""

from __future__ import annotations

from pathlib import Path

from bezoar.contracts.files import write_text
from bezoar.contracts.reproduction import ItemRecord, read_item
from bezoar.report.reproduction_figure import figure_svg
from bezoar.report.reproduction_html import study_html
from bezoar.report.reproduction_markdown import item_markdown, study_index


def write_pages(folder: Path | str, names: tuple[str, ...]) -> Path:
    """Writes a page and the figures of each item, an index and one HTML report of all.

    Args:
        folder: where ``ITEM/result.json`` are.
        names: the items in their order; those without a result are left out.

    Returns:
        The path of the HTML report.

    Raises:
        FileProblem: a result cannot be read, or a page cannot be written.
    """
    folder = Path(folder)
    items = [read_item(folder / n) for n in names if (folder / n / "result.json").is_file()]
    for item in items:
        write_text(folder / item.item / "README.md", item_markdown(item))
        for figure in item.figures:
            write_text(folder / item.item / f"{figure.name}.svg", figure_svg(figure))
    write_text(folder / "README.md", study_index(items))
    report = folder / "report.html"
    write_text(report, study_html(items, pictures=_pictures(folder, items)))
    return report


def _pictures(folder: Path, items: list[ItemRecord]) -> dict[str, bytes]:
    """The bytes of the pictures that are there, by ``item/file``."""
    found = {}
    for item in items:
        for picture in item.pictures:
            path = folder / item.item / picture.file
            if path.is_file():
                found[f"{item.item}/{picture.file}"] = path.read_bytes()
    return found
