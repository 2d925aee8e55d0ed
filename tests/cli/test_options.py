"""A plan is the same on the command line, in help texts and in the command that repeats it."""

from __future__ import annotations

import argparse
import dataclasses
import re
from pathlib import Path

import pytest

from bezoar.cli import audit, poison
from bezoar.cli.main import make_parser
from bezoar.cli.options import PLAN_OPTIONS, add_options, given_settings
from bezoar.evaluate.plan import AuditPlan

DEFAULTS = {field.name: field.default for field in dataclasses.fields(AuditPlan)}
#: What the help says instead of None.
NOTHING_GIVEN = {
    "label": "label, target, class, y",
    "classes": "all",
    "samples": "all",
    "features": "8, or all of fewer",
    "qubits": "as few as hold the features",
    "shots": "exact expectations",
    "source_classes": "all",
    "distances": "those of the QUID paper",
    "device_qubits": "the transpiler's choice",
    "attacker_noise": "the victim's",
}


def parsed(words: list[str]) -> AuditPlan:
    """The plan that the audit command makes of its arguments."""
    return audit._plan(make_parser().parse_args(words))


def test_every_field_is_an_option_and_every_option_a_field() -> None:
    fields = set(DEFAULTS) - {"data"}
    assert {option.field for option in PLAN_OPTIONS} == fields
    assert len(PLAN_OPTIONS) == len(fields)
    flags = {
        flag
        for action in _plan_group()._group_actions
        for flag in action.option_strings
        if not flag.startswith("--no-")
    }
    assert flags == {f"--{name.replace('_', '-')}" for name in fields}


def _plan_group() -> argparse._ArgumentGroup:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser._action_groups[-1]


@pytest.mark.parametrize("option", PLAN_OPTIONS, ids=lambda option: option.field)
def test_the_defaults_in_the_help_are_those_of_the_plan(option: object) -> None:
    field, text = option.field, option.help  # type: ignore[attr-defined]
    told = re.search(r"\(default: ([^()]*)\)$", text)
    assert told, f"{field} does not say its default"
    default = DEFAULTS[field]
    if default is None or default == ():
        assert told[1] == NOTHING_GIVEN[field]
    elif isinstance(default, bool):
        assert told[1] == ("yes" if default else "no")
    else:
        # What the help says, given on the command line, is what is there without it.
        plan = parsed(["audit", "iris", f"--{field.replace('_', '-')}", told[1]])
        assert plan == AuditPlan(data="iris")


def test_nothing_given_is_the_plan_of_defaults_on_the_first_data() -> None:
    assert parsed(["audit"]) == AuditPlan(data="digits", classes=("0", "1", "2", "3"))
    assert parsed(["audit", "wine"]) == AuditPlan(data="wine")


def test_lists_may_be_empty_spaced_and_quoted() -> None:
    def classes(text: str) -> object:
        return parsed(["audit", "x.csv", "--classes", text]).classes

    assert classes("a, b ,c") == ("a", "b", "c")
    assert classes('"a,b",c') == ("a,b", "c")
    assert parsed(["audit", "iris", "--attacks", ""]).attacks == ()
    assert parsed(["audit", "iris", "--ratios", ""]).ratios == ()
    assert parsed(["audit", "iris", "--detectors", ""]).detectors == ()


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--attacks", "a,,b"),
        ("--attacks", ","),
        ("--classes", 'a,"b'),
        ("--classes", "a\nb"),
        ("--ratios", "0.1,"),
        ("--ratios", "x"),
    ],
)
def test_lists_with_gaps_are_refused(
    option: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parsed(["audit", "iris", option, text])
    assert caught.value.code == 4
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "wanted n" in error


def test_a_plan_file_is_the_same_as_options_and_options_win(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('data = "wine"\nbatch-size = 8\nseeds = 3\nnoise = "none"\n', encoding="utf-8")
    from_file = parsed(["audit", "--plan", str(path)])
    assert from_file == AuditPlan(data="wine", batch_size=8, seeds=3, noise=("none",))
    both = parsed(["audit", "iris", "--plan", str(path), "--seeds", "4", "--batch-size", "2"])
    assert both == AuditPlan(data="iris", batch_size=2, seeds=4, noise=("none",))


@pytest.mark.parametrize("content", ["", "seeds = 5\n"])
def test_a_plan_file_without_data_is_about_the_first_data(tmp_path: Path, content: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(content, encoding="utf-8")
    assert parsed(["audit", "--plan", str(path)]) == parsed(["audit"])


def test_options_that_were_not_given_are_not_settings() -> None:
    assert given_settings(make_parser().parse_args(["audit"])) == {}
    given_ones = make_parser().parse_args(["audit", "--seeds", "3", "--no-spsa-shared"])
    assert given_settings(given_ones) == {"seeds": 3, "spsa_shared": False}


def test_poison_has_the_options_of_audit_that_concern_the_data() -> None:
    parser = argparse.ArgumentParser()
    poison.add_arguments(parser)
    flags = {flag for action in parser._actions for flag in action.option_strings}
    wanted = (
        "label classes samples features reduce encoding axes qubits noise noise-on-encoding metric"
    )
    assert {f"--{name}" for name in wanted.split()} <= flags
    assert not {"--seeds", "--epochs", "--ansatz", "--ratios"} & flags


def test_the_noise_that_poison_reckons_with_is_what_its_help_says() -> None:
    parser = argparse.ArgumentParser()
    poison.add_arguments(parser)
    action = next(a for a in parser._actions if "--noise" in a.option_strings)
    assert action.help is not None
    assert action.help.endswith(f"(default: {action.default})")


def test_no_option_may_be_shortened() -> None:
    # A shortened option would change its meaning with the next option that starts alike.
    with pytest.raises(SystemExit):
        make_parser().parse_args(["audit", "--seed", "3"])
