"""Wraps a state machine's definition in a template, because cfn-lint looks into it only there.

As a program: `state_machines.py DEFINITION.asl.json` writes the template, as JSON, to standard output.
"""

import json
import sys
from pathlib import Path
from typing import Any


def wrapped(definition: dict[str, Any]) -> dict[str, Any]:
    """A template that holds nothing but this definition, with `${...}` substitutions standing as they are."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "StateMachine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": "arn:aws:iam::123456789012:role/state-machine",
                    "Definition": definition,
                },
            }
        },
    }


if __name__ == "__main__":
    json.dump(wrapped(json.loads(Path(sys.argv[1]).read_text())), sys.stdout)
