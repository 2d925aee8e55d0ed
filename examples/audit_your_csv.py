"""What would poisoned labels do to a quantum classifier of your table?

python examples/audit_your_csv.py flowers.csv --label species
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bezoar.data import load
from bezoar.evaluate.audit import run_audit
from bezoar.evaluate.plan import AuditPlan
from bezoar.report import render


def main() -> None:
    """Audits two label attacks at two ratios, without noise, and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", help="a CSV file with a header line")
    parser.add_argument("--label", help="its label column")
    parser.add_argument("--out", default="bezoar-audit-table", help="folder of the results")
    options = parser.parse_args()

    data = load(Path(options.table), label=options.label)
    print(f"{len(data)} samples, {data.n_features} features, classes {', '.join(data.class_names)}")
    plan = AuditPlan(
        data=str(Path(options.table).resolve()),
        label=options.label,
        noise=("none",),
        attacks=("random", "quid"),
        ratios=(0.1, 0.3),
        learning_rate=0.1,  # a small table has few batches, so each step should do more
    )
    record = run_audit(plan, options.out)

    for m in record.select("accuracy"):
        attack, ratio = m.tags["attack"], float(m.tags["ratio"])
        print(f"{attack:6} {ratio:4.0%}  accuracy {m.value:.2f} ({m.low:.2f} to {m.high:.2f})")
    for finding in record.findings:
        print(f"{finding.severity}: {finding.message}")
    report = Path(options.out) / "report.html"
    report.write_text(render(record, "html"), encoding="utf-8")
    print(f"report: {report}")


if __name__ == "__main__":
    main()
