"""AWS/SQS: how many messages a queue holds and how old the oldest is, off the engine's own messages.

No clock, no engine. Its API tells how many they are, but not how old: to receive them would tell it, and count.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VISIBLE = "ApproximateNumberOfMessagesVisible"
NOT_VISIBLE = "ApproximateNumberOfMessagesNotVisible"
DELAYED = "ApproximateNumberOfMessagesDelayed"
OLDEST = "ApproximateAgeOfOldestMessage"

# A value that stays is told once a minute, as AWS tells every value: an idle stack is one for days.
REPEAT_SECONDS = 60.0
# From its third receive on a message is not the oldest any more (CloudWatch metrics of SQS), so that one that no worker
# can handle does not hide how the others fare.
POISONED_RECEIVES = 3
_FROM_QUEUE = "DeadLetterQueueSourceArn"  # what a message in a dead-letter queue carries, and no other

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """One value of one queue."""

    queue: str
    metric: str
    value: float
    unit: str


class QueueGauges:
    """Remembers what was told, and since when dead messages are where they are."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], tuple[float, float]] = {}
        self._arrived: dict[str, dict[str, float]] = {}

    def figures(self, queues: Iterable[Mapping[str, Any]], now: float) -> Iterator[Figure]:
        """What is to be told of the engine's queues: new values, and after a minute old ones again.

        A queue is `{name, messages}`, a message `{id, sent_at, visible_at, receive_count, sys}`, times in seconds.
        """
        for queue in queues:
            name = str(queue["name"])
            for figure in self._of_queue(name, list(queue["messages"]), now):
                value, told_at = self._told.get((name, figure.metric), (None, 0.0))
                if figure.value != value or now - told_at >= REPEAT_SECONDS:
                    self._told[name, figure.metric] = (figure.value, now)
                    yield figure

    def _of_queue(self, name: str, messages: Sequence[Message], now: float) -> Iterator[Figure]:
        visible = sum(message["visible_at"] <= now for message in messages)
        delayed = sum(message["visible_at"] > now and not _receives(message) for message in messages)
        yield Figure(name, VISIBLE, visible, "Count")
        yield Figure(name, NOT_VISIBLE, len(messages) - visible - delayed, "Count")
        yield Figure(name, DELAYED, delayed, "Count")
        yield Figure(name, OLDEST, self._oldest(name, messages, now), "Seconds")

    def _oldest(self, name: str, messages: Sequence[Message], now: float) -> float:
        """Whole seconds. A dead message is as old as its stay here (the same page), which began when it was seen."""
        dead = {str(message["id"]) for message in messages if _FROM_QUEUE in (message.get("sys") or ())}
        before = self._arrived.get(name, {})
        arrived = self._arrived[name] = {one: before.get(one, now) for one in dead}
        ages = [
            now - arrived.get(str(message["id"]), float(message.get("sent_at", now)))
            for message in messages
            if str(message["id"]) in arrived or _receives(message) < POISONED_RECEIVES
        ]
        return float(int(max(ages, default=0.0)))


def _receives(message: Message) -> int:
    return int(message.get("receive_count") or 0)
