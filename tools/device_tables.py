"""Writes the tables of the devices that come with Bezoar, from the fake backends of IBM.

Run it where Bezoar, its extra ``qiskit`` and ``qiskit-ibm-runtime`` are installed (an environment
of its own will do; Bezoar itself does not need that package): ``python tools/device_tables.py``.
"""

import sys
from pathlib import Path

from bezoar.quantum.devices.backends import device_from_backend
from bezoar.quantum.devices.tables import write_device

FOLDER = Path(__file__).resolve().parent.parent / "src" / "bezoar" / "quantum" / "devices"


def main() -> int:
    """Writes both; returns an exit code."""
    try:
        # Not among what Bezoar needs, so a type checker does not find it.
        from qiskit_ibm_runtime import fake_provider  # pyright: ignore[reportMissingImports]
    except ImportError:
        sys.stderr.write("This needs qiskit-ibm-runtime: pip install qiskit-ibm-runtime\n")
        return 2
    for name in ("Kyiv", "Brisbane"):
        backend = getattr(fake_provider, f"Fake{name}")()
        device = device_from_backend(backend, name=f"ibm-{name.lower()}")
        path = write_device(FOLDER / f"ibm_{name.lower()}.json", device)
        sys.stdout.write(f"{path.name}: {device.source}, calibrated {device.calibrated}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
