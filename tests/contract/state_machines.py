"""State machines as the contract tests look at them, and what each engine that runs them makes of the language.

As a program: `state_machines.py DEFINITION.asl.json` writes a template around the definition, as JSON, to standard
output, because cfn-lint looks into a definition only there.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Definition = dict[str, Any]

# What the local engine (ministack 1.5.33, JSONPath) reads of each thing in a definition. Whatever is not named here it
# ignores without a word, and a definition that relies on it would behave in one way on AWS and in another one here.
_COMMON = {"Type", "InputPath", "OutputPath"}
_ENDING = {"Next", "End"}
_FAILING = {"Retry", "Catch"}
READ = {
    "definition": {"StartAt", "States"},
    "Task": _COMMON | _ENDING | _FAILING | {"Resource", "Parameters", "ResultSelector", "ResultPath", "TimeoutSeconds"},
    "Map": _COMMON
    | _ENDING
    | _FAILING
    | {"ItemProcessor", "ItemReader", "ItemsPath", "ItemSelector", "Label"}
    | {"MaxConcurrency", "ToleratedFailurePercentage", "ToleratedFailureCount", "ResultSelector", "ResultPath"},
    "Choice": _COMMON | {"Choices", "Default"},
    "Wait": _COMMON | _ENDING | {"Seconds", "SecondsPath", "Timestamp", "TimestampPath"},
    "Pass": _COMMON | _ENDING | {"Parameters", "Result", "ResultPath"},
    "Succeed": _COMMON,
    "Fail": _COMMON | {"Error", "ErrorPath", "Cause", "CausePath"},
    "Parallel": _COMMON | _ENDING | _FAILING | {"Branches", "Parameters", "ResultSelector", "ResultPath"},
    "processor": {"ProcessorConfig", "StartAt", "States"},
    "ProcessorConfig": {"Mode"},
    "ItemReader": {"Resource", "Parameters", "ReaderConfig"},
    "ReaderConfig": {"InputType", "MaxItems", "MaxItemsPath", "CSVDelimiter", "CSVHeaderLocation", "CSVHeaders"},
    "retrier": {"ErrorEquals", "IntervalSeconds", "BackoffRate", "MaxAttempts"},
    "catcher": {"ErrorEquals", "ResultPath", "Next"},
}
# What it ignores and may: the outcome is the same here.
HARMLESS = {
    ("retrier", "MaxDelaySeconds"),  # it waits a minute at most, whatever is asked for
    ("retrier", "JitterStrategy"),  # there is no crowd of clients to spread out
    ("ProcessorConfig", "ExecutionType"),  # its children are neither limited to five minutes nor billed
}
# What `scrapersky_local.engine` teaches it.
TAUGHT = {("Map", "MaxConcurrencyPath")}


def wrapped(definition: Definition) -> dict[str, Any]:
    """A template that holds nothing but this definition.

    `${Partition}` is filled in, since cfn-lint wants the ARNs of integrations whole; other substitutions stand.
    """
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "StateMachine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": "arn:aws:iam::123456789012:role/state-machine",
                    "Definition": json.loads(json.dumps(definition).replace("${Partition}", "aws")),
                },
            }
        },
    }


def states(definition: Definition) -> Iterator[tuple[str, Definition]]:
    """Every state by its name, those inside of maps included."""
    for name, state in definition["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from states(state["ItemProcessor"])


def unread(definition: Definition) -> set[str]:
    """What the local engine would ignore, as `Scan.ItemBatcher`."""
    used = [("definition", "", definition)]
    for name, state in states(definition):
        used.append((state["Type"], name, state))
        used += [("retrier", f"{name}.Retry", retrier) for retrier in state.get("Retry", ())]
        used += [("catcher", f"{name}.Catch", catcher) for catcher in state.get("Catch", ())]
        if processor := state.get("ItemProcessor"):
            used.append(("processor", f"{name}.ItemProcessor", processor))
            used.append(("ProcessorConfig", f"{name}.ProcessorConfig", processor.get("ProcessorConfig", {})))
        if reader := state.get("ItemReader"):
            used.append(("ItemReader", f"{name}.ItemReader", reader))
            used.append(("ReaderConfig", f"{name}.ReaderConfig", reader.get("ReaderConfig", {})))
    return {
        f"{name}.{field}".removeprefix(".")
        for kind, name, fields in used
        for field in fields
        if field != "Comment" and field not in READ[kind] and (kind, field) not in HARMLESS | TAUGHT
    }


def for_moto(text: str) -> str:
    """A definition as moto's grammar takes it: it knows neither EXPRESS nor a whole number of percent."""
    text = text.replace("${Partition}", "aws")
    text = re.sub(r"\$\{(\w+)Arn\}", r"arn:aws:lambda:us-east-1:123456789012:function:\1", text)
    text = text.replace('"ExecutionType": "EXPRESS"', '"ExecutionType": "STANDARD"')
    return re.sub(r'("ToleratedFailurePercentage": \d+)(?=[,\s}])', r"\1.0", text)


if __name__ == "__main__":
    json.dump(wrapped(json.loads(Path(sys.argv[1]).read_text())), sys.stdout)
