"""Half precision where the processor computes in it, and only there."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal, get_args

import torch

from bezoar.contracts.errors import InvalidArgument, UnknownName

Precision = Literal["auto", "float32", "bfloat16"]

_CPU_INFO = Path("/proc/cpuinfo")


def check_precision(precision: str) -> None:
    """Refuses what is no precision.

    Raises:
        UnknownName: it is none of auto, float32, bfloat16.
    """
    if precision not in get_args(Precision):
        raise UnknownName("precision", precision, get_args(Precision))


def device_named(name: str) -> torch.device:
    """The torch device of that name, if it computes.

    Raises:
        InvalidArgument: torch has none such here.

    Example:
        >>> device_named("cpu")
        device(type='cpu')
    """
    try:
        device = torch.device(name)
        # A number there and back: `meta` is a device too, but computes nothing.
        torch.zeros((), device=device).item()
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        raise InvalidArgument(
            "device", wanted="a device of this torch, for example cpu", got=repr(name)
        ) from error
    return device


def computing_dtype(precision: str, device: torch.device) -> torch.dtype:
    """What a trunk computes in.

    ``auto`` is bfloat16 where the processor has instructions for it (AVX512-BF16, AMX) or the
    device is a GPU that has it; elsewhere bfloat16 is emulated and slower than float32.
    """
    half = precision == "bfloat16" or (precision == "auto" and _has_bfloat16(device.type))
    return torch.bfloat16 if half else torch.float32


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """The context in which a trunk runs; a head computes in float32 outside it."""
    dtype = computing_dtype(precision, device)
    half = dtype == torch.bfloat16
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=half)


@cache
def _has_bfloat16(device_type: str) -> bool:
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device_type == "cpu" and bool({"avx512_bf16", "amx_bf16"} & _cpu_flags())


def _cpu_flags() -> set[str]:
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()  # not Linux
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())
