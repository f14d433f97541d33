"""The local alarms ring when CloudWatch's would: the tables of its guide, case by case."""

import pytest

from scrapersky_local.alarms import Rule, State, state

OK, ALARM, NO_DATA = State.OK, State.ALARM, State.INSUFFICIENT_DATA
KEPT = None  # the state that it had
WORDS = ("missing", "ignore", "breaching", "notBreaching")

# CloudWatch User Guide, "How alarm state is evaluated when data is missing": five data points, the oldest first
# (0 does not breach, X does), and the state for each word of TreatMissingData.
THREE_OF_THREE = {
    "0 - X - X": (OK, OK, OK, OK),
    "- - - - 0": (OK, OK, OK, OK),
    "- - - - -": (NO_DATA, KEPT, ALARM, OK),
    "0 X X - X": (ALARM, ALARM, ALARM, ALARM),
    "- - X - -": (ALARM, KEPT, ALARM, OK),
}
TWO_OF_THREE = {
    "0 - X - X": (ALARM, ALARM, ALARM, ALARM),
    "0 0 X 0 X": (ALARM, ALARM, ALARM, ALARM),
    "0 - X - -": (OK, OK, ALARM, OK),
    "- - - - 0": (OK, OK, ALARM, OK),
    "- - - X -": (ALARM, KEPT, ALARM, OK),
}


def rule(missing: str, *, datapoints: int = 3, periods: int = 3, comparison: str = "GreaterThanThreshold") -> Rule:
    return Rule(60, periods, datapoints, comparison, 5, missing)


def values(drawn: str) -> list[float | None]:
    """The newest first, as the rule wants them."""
    return [{"0": 0.0, "X": 9.0, "-": None}[sign] for sign in reversed(drawn.split())]


@pytest.mark.parametrize("before", list(State))
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(
    ("datapoints", "drawn"), [*((3, drawn) for drawn in THREE_OF_THREE), *((2, drawn) for drawn in TWO_OF_THREE)]
)
def test_the_guide_s_tables_hold(datapoints: int, drawn: str, word: str, before: State) -> None:
    told = (THREE_OF_THREE if datapoints == 3 else TWO_OF_THREE)[drawn][WORDS.index(word)]
    assert state(rule(word, datapoints=datapoints), values(drawn), before) == (told or before)


@pytest.mark.parametrize(
    ("comparison", "rings"),
    [
        ("GreaterThanThreshold", (False, False, True)),
        ("GreaterThanOrEqualToThreshold", (False, True, True)),
        ("LessThanThreshold", (True, False, False)),
        ("LessThanOrEqualToThreshold", (True, True, False)),
    ],
)
def test_each_comparison_is_the_one_that_its_name_says(comparison: str, rings: tuple[bool, ...]) -> None:
    one = rule("missing", periods=1, datapoints=1, comparison=comparison)
    assert tuple(state(one, [value], OK) == ALARM for value in (4, 5, 6)) == rings


def test_the_newest_data_points_decide() -> None:
    assert state(rule("missing"), values("X X 0 0 0"), ALARM) == OK
    assert state(rule("missing"), values("0 0 X X X"), OK) == ALARM


def test_a_rule_is_read_off_the_alarm() -> None:
    alarm = {"Period": 60, "EvaluationPeriods": 5, "ComparisonOperator": "GreaterThanThreshold", "Threshold": "300"}
    assert Rule.of(alarm) == Rule(60, 5, 5, "GreaterThanThreshold", 300, "missing")
    assert Rule.of(alarm | {"DatapointsToAlarm": 3, "TreatMissingData": "ignore"}).datapoints == 3


def test_a_band_is_no_threshold() -> None:
    with pytest.raises(ValueError, match="GreaterThanUpperThreshold is no comparison"):
        Rule.of({"Period": 60, "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanUpperThreshold"})
