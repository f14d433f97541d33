"""A database whose answers are lost on the way: what the transactions on it say must hold when they run again."""

from collections.abc import Callable
from typing import TypeVar

import psycopg

from scrapersky.db.connection import Database

T = TypeVar("T")


class LosesAnswers(Database):
    """Carries every transaction out, loses the answer to its commit, and so carries it out a second time.

    `lost` is how many answers that were.
    """

    lost = 0

    def _retried(self, transaction: Callable[[], T]) -> T:
        carried_out = False

        def lost_once() -> T:
            nonlocal carried_out
            answer = transaction()
            if not carried_out:
                carried_out = True
                self.lost += 1
                raise psycopg.OperationalError("the connection was lost")
            return answer

        return super()._retried(lost_once)
