"""Every state machine's definition is linted, which cfn-lint does not do for a file beside the template."""

import json
from pathlib import Path
from typing import Any

from cfnlint.api import lint  # type: ignore[import-untyped]

from contract.cloudformation import FUNCTIONS, ROOT, written
from contract.state_machines import wrapped


def faults(definition: dict[str, Any]) -> list[str]:
    return [str(match) for match in lint(json.dumps(wrapped(definition)))]


def declared() -> set[Path]:
    return {
        (ROOT / resource["Properties"]["DefinitionUri"]).resolve()
        for resource in written()["Resources"].values()
        if resource["Type"] == "AWS::Serverless::StateMachine"
    }


def test_every_definition_is_deployed_and_sound() -> None:
    definitions = set(FUNCTIONS.glob("*/*.asl.json"))

    assert definitions == declared()
    assert {str(path): found for path in definitions if (found := faults(json.loads(path.read_text())))} == {}


def test_a_sound_definition_passes() -> None:
    assert faults({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}) == []


def test_a_start_that_is_no_state_is_noticed() -> None:
    found = faults({"StartAt": "Nowhere", "States": {"Done": {"Type": "Succeed"}}})

    assert any("Nowhere" in fault for fault in found)
