"""The images of a backdoor run: what triggers do, where networks look. JSON values."""

from __future__ import annotations

import base64
from typing import Any

from torch import nn

from bezoar.attacks.backdoors.backdoor import Backdoor
from bezoar.contracts.dataset import Dataset, IntArray
from bezoar.evaluate.backdoors.materials import spread
from bezoar.evaluate.backdoors.measuring import predicted
from bezoar.evaluate.pictures import amplification, heat_sheet, mask_sheet, trigger_sheet
from bezoar.evaluate.saliency import grad_cam, similarity
from bezoar.models.hybrid.network import HybridNetwork

# Of what is stored: which images, and what is made of them.
VERSION = 2
# As many images side by side as a page is wide.
_SHOWN = 8
# Enough for the mean of a similarity.
_COMPARED = 64


def trigger_exhibit(backdoor: Backdoor, test: Dataset) -> dict[str, str]:
    """Test images of several classes: clean, triggered, and the difference made visible."""
    clean = test.take(_one_of_each(backdoor, test)).features
    triggered = backdoor.trigger.apply(clean)
    factor = amplification(clean, triggered)
    times = f", {factor} times amplified" if factor > 1 else ""
    return {
        "title": f"{backdoor.trigger.spec}: clean images, the same with the trigger, and the "
        f"difference{times}",
        "png": _text(trigger_sheet(clean, triggered)),
    }


def saliency(
    clean_network: HybridNetwork, network: HybridNetwork, backdoor: Backdoor, test: Dataset
) -> dict[str, Any]:
    """Grad-CAM maps of both twins on clean and on triggered images, and how alike they are.

    Args:
        clean_network: the clean twin.
        network: the backdoored network.
        backdoor: whose trigger it is.
        test: clean test images.

    Returns:
        ``similarity`` by twin (mean Pearson correlation of the maps of an image without and with
        the trigger, each for the class that the network predicts), ``png`` and ``title``.
    """
    challenged = test.take(spread(backdoor.challenge(test).data, _COMPARED).ids)
    triggered = challenged.with_features(backdoor.trigger.apply(challenged.features))
    found: dict[str, float] = {}
    for twin, each in (("clean", clean_network), ("backdoored", network)):
        maps = [_maps(each, data) for data in (challenged, triggered)]
        found[twin] = float(similarity(*maps).correlation.mean())
    few = test.take(_one_of_each(backdoor, test))
    pair = [few, few.with_features(backdoor.trigger.apply(few.features))]
    sheets = [heat_sheet(data.features, _maps(network, data)) for data in pair]
    return {
        "similarity": found,
        "title": f"{backdoor.trigger.spec}: where the backdoored network looks, on clean images "
        "and on the same with the trigger",
        "png": _text(_stacked(sheets)),
    }


def restored_exhibit(suspicion: Any, class_names: tuple[str, ...], flagged: str) -> dict[str, str]:
    """The triggers that Neural Cleanse restored, one column for each class."""
    names = ", ".join(class_names)
    return {
        "name": "restored_trigger",
        "title": f"Restored triggers: mask, pattern, and both together, for {names}. {flagged}",
        "png": _text(mask_sheet(suspicion.masks, suspicion.patterns)),
    }


def _one_of_each(backdoor: Backdoor, test: Dataset) -> IntArray:
    """Ids of test images that the trigger should move, by turns of each class."""
    challenged = backdoor.challenge(test).data
    by_class = [list(challenged.ids[challenged.labels == c]) for c in range(test.n_classes)]
    turns = [ids[i] for i in range(_SHOWN) for ids in by_class if i < len(ids)]
    return test.take(turns[:_SHOWN]).ids


def _maps(network: HybridNetwork, data: Dataset) -> Any:
    classes = predicted(network, data)
    layer = network.trunk.last_convolution
    assert isinstance(layer, nn.Module)  # noqa: S101 - trunks of images have one
    return grad_cam(network, data.features, classes, layer=layer)


def _stacked(sheets: list[bytes]) -> bytes:
    """PNG images of one width, one below the other."""
    import io

    from PIL import Image

    images = [Image.open(io.BytesIO(sheet)).convert("RGB") for sheet in sheets]
    whole = Image.new("RGB", (max(i.width for i in images), sum(i.height for i in images)), "white")
    top = 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height
    out = io.BytesIO()
    whole.quantize(256).save(out, "PNG", optimize=True)
    return out.getvalue()


def _text(png: bytes) -> str:
    return base64.b64encode(png).decode()
