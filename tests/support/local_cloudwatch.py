"""The local engine's CloudWatch with a store of its own, and a clock that stands until it is put forward."""

import importlib.util
import json
from types import ModuleType

SPACE = "ScraperSky/test"


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


def own_module() -> ModuleType:
    """The engine's module with a store of its own, so that no test sees another's."""
    found = importlib.util.find_spec("ministack.services.cloudwatch")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def sums(cloudwatch: ModuleType, metric: str, namespace: str = SPACE, **dimensions: str) -> float:
    asked = {
        "Namespace": namespace,
        "MetricName": metric,
        "Period": 60,
        "Statistics": ["Sum"],
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
    }
    told = json.loads(cloudwatch._get_metric_statistics({}, asked, False, True)[2])
    return float(sum(point["Sum"] for point in told["Datapoints"]))
