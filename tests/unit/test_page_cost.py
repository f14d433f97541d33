"""Reading every fact of a page costs a part of what BeautifulSoup's parse alone does: measured, as a ratio."""

from collections.abc import Callable
from functools import partial

from bench.bench_page import bs4_lxml_alone, ours, ours_parse
from bench.generated_pages import KINDS, pages
from support.cpu import cpu_seconds

# Seen are 0.31 and 0.19 over all kinds; a page of little but text is dearer than that, one of many elements cheaper.
MOST_OF_A_SOUP = 0.37
MOST_OF_A_SOUP_TO_PARSE = 0.24
# One round of the kinds, as many of each as in the bench.
PAGES = 2 * len(KINDS) - 1


def least_cpu(works: tuple[Callable[[bytes], object], ...], bodies: list[bytes], runs: int) -> list[float]:
    """The least CPU seconds of each for all pages, measured in turns so that a busy moment hits all alike."""
    totals = [0.0] * len(works)
    for body in bodies:
        best = [float("inf")] * len(works)
        for _ in range(runs):
            for number, work in enumerate(works):
                best[number] = min(best[number], cpu_seconds(partial(work, body), 1))
        totals = [total + least for total, least in zip(totals, best, strict=True)]
    return totals


def is_cheap(work: Callable[[bytes], object], most: float, rounds: tuple[int, ...] = (2, 5, 15)) -> bool:
    """Whether it costs less than `most` of a soup. Only what is still dear when it is measured often is dear."""
    bodies = pages(PAGES)
    work(bodies[0])  # the table of software and compiled patterns are paid once in a process
    for runs in rounds:
        mine, soup = least_cpu((work, bs4_lxml_alone), bodies, runs)
        if mine < most * soup:
            return True
    return False


def test_all_facts_of_a_page_cost_a_part_of_a_soup() -> None:
    assert is_cheap(ours, MOST_OF_A_SOUP)


def test_the_parse_costs_a_part_of_a_soup() -> None:
    assert is_cheap(ours_parse, MOST_OF_A_SOUP_TO_PARSE)


def test_the_ratio_tells_what_has_become_twice_as_dear() -> None:
    assert not is_cheap(lambda body: (ours(body), ours(body)), MOST_OF_A_SOUP, rounds=(3,))
