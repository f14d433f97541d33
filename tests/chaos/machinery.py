"""What goes wrong with the database's side of things: server processes end, the pooler restarts or stands still."""

import signal
import time

from chaos.faults import MACHINERY, Fault, Plan
from conftest import APP_ROLE, TestDatabase

CHANCE = 0.3
FREEZE_SECONDS = (2.0, 11.0)  # both sides of what a client waits for an answer


def break_something(database: TestDatabase, plan: Plan) -> None:
    """Draw a fault and let it happen, from the thread that started the pooler: it is to end with that one."""
    fault = plan.draw(MACHINERY, CHANCE)
    pooler = database.cluster.pooler
    if fault is Fault.TERMINATE_BACKENDS:
        database.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s and datname = %s",
            APP_ROLE,
            database.name,
        )
    elif fault is Fault.RESTART_POOLER:
        pooler.stop()
        pooler.start()
    elif fault is Fault.FREEZE_POOLER:
        process = pooler._process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        time.sleep(plan.uniform(*FREEZE_SECONDS))
        process.send_signal(signal.SIGCONT)
    if fault is not None:
        plan.done(fault)
