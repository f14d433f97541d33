"""The floors that the extractors hold on the labelled pages; `tests/bench/bench_facts.py` lists what is behind them."""

import pytest

from support.corpus import CORPUS, STATED, LabelledPage, Score, measure, pages

# fact -> (least precision, least recall)
FLOORS = {
    "emails": (0.99, 0.95),
    "email class": (0.95, 0.95),
    "phones": (0.98, 0.90),
    "social": (0.98, 0.95),
    "title": (0.98, 0.98),
    "description": (0.98, 0.98),
    "language": (0.98, 0.98),
    "canonical_url": (0.98, 0.98),
    "favicon_url": (0.95, 0.95),
    "logo_url": (0.95, 0.80),
    "organization": (0.95, 0.95),
    "cms": (0.98, 0.95),
    "plugins": (0.98, 0.95),
}


@pytest.fixture(scope="module")
def labelled() -> list[LabelledPage]:
    return list(pages())


@pytest.fixture(scope="module")
def scores(labelled: list[LabelledPage]) -> dict[str, Score]:
    return measure(labelled)


@pytest.mark.parametrize("fact", FLOORS)
def test_floor(fact: str, scores: dict[str, Score]) -> None:
    score, (precision, recall) = scores[fact], FLOORS[fact]
    assert score.precision >= precision, score.false
    assert score.recall >= recall, score.missed


def test_a_miss_and_a_false_find_are_counted() -> None:
    body = b"<p>Tel. +49 30 1234567</p>"
    label = {"url": "https://firma.de/", "phones": {"+49301234568": ""}, "social": {"github": "https://github.com/x"}}
    seen = measure([LabelledPage("control", body, label)])
    assert (seen["phones"].precision, seen["phones"].recall) == (0, 0)
    assert (seen["phones"].missed, seen["phones"].false) == (
        [("control", "+49301234568")],
        [("control", "+49301234567")],
    )
    assert (seen["social"].precision, seen["social"].recall) == (1, 0)


def test_what_a_page_does_not_say_is_found_falsely_and_another_name_is_missed_too() -> None:
    body = (
        b"<html lang=de><title>Firma</title><link rel=icon href=/i.png><link rel=canonical href=/>"
        b'<script type="application/ld+json">{"@type": "Organization", "name": "Firma AG", "logo": "/l.png"}</script>'
    )
    silent = {"url": "https://firma.de/", "facts": dict.fromkeys(STATED, "")}
    seen = measure([LabelledPage("silent", body, silent)])
    assert {fact: [value for _, value in seen[fact].false] for fact in STATED} == {
        "title": ["Firma"],
        "description": [],
        "language": ["de"],
        "canonical_url": ["https://firma.de/"],
        "favicon_url": ["https://firma.de/i.png"],
        "logo_url": ["https://firma.de/l.png"],
        "organization": ["Firma AG"],
    }
    other = {"url": "https://firma.de/", "facts": {"organization": "Firma GmbH"}}
    assert measure([LabelledPage("other", body, other)])["organization"].missed == [("other", "Firma GmbH")]


def test_every_page_has_its_label_and_the_other_way_round(labelled: list[LabelledPage]) -> None:
    assert len(labelled) >= 60
    assert {path.stem for path in CORPUS.glob("*.html")} == {page.name for page in labelled}
    known = {"url", "note", "languages", "countries", "headers", "emails", "phones", "social", "facts", "software"}
    assert {key for page in labelled for key in page.label} <= known
    assert {fact for page in labelled for fact in page.label.get("facts", {})} == set(STATED)
    assert sum(set(STATED) <= page.label.get("facts", {}).keys() for page in labelled) >= 60
