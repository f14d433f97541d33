"""The local AWS: one child process for all services, and clients that talk to it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import httpx

from scrapersky_local.clients import ACCESS_KEY, local_client
from scrapersky_local.engine import OPEN
from scrapersky_local.lambda_host import ENGINE_SETTINGS
from scrapersky_local.processes import StackError, require_free, spawn, stop, tail

REGION = "us-east-1"
START_SECONDS = 30.0
_CALL_SECONDS = 900  # the longest call is an invocation, and the longest invocation that of the migrations

# Passed on from our own environment: where programs and certificates are, and nothing that could change what a function
# does (an AWS profile, a database address, PYTHONPATH).
_INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "VIRTUAL_ENV")


@dataclass(frozen=True, slots=True)
class FunctionOutput:
    """A line that a function wrote: the function's service name and the text."""

    function: str
    line: str


class Aws:
    """The services at `endpoint_url`, and the HTTP API at the root of `api_port`.

    `variables` are those by which functions reach what is on this machine alone (FETCH_*, PLACES_API_URL …).
    `on_output` is called, from a thread of its own, with everything that functions write.
    """

    def __init__(
        self,
        home: Path,
        *,
        port: int,
        api_port: int,
        variables: Mapping[str, str],
        on_output: Callable[[FunctionOutput], None],
    ) -> None:
        self.port = port
        self.endpoint_url = f"http://127.0.0.1:{port}"
        self.log = home / "aws.log"
        self._home = home
        self._api_port = api_port
        self._variables = variables
        self._on_output = on_output
        self._clients: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> Self:
        """Start the process; `wait_ready` waits for it."""
        require_free(self._api_port, "the API")
        require_free(self.port, "the AWS services")
        shutil.rmtree(self._home, ignore_errors=True)
        temporary = self._home / "tmp"
        self._home.mkdir(mode=0o700)
        temporary.mkdir(mode=0o700)
        self._process = spawn(
            [sys.executable, "-P", "-m", "scrapersky_local.engine", str(self._api_port)],
            log=self.log,
            env=self._environment(temporary),
            read_output=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        return self

    def wait_ready(self) -> None:
        """Wait until the services answer. StackError says why they do not."""
        if self._process is None:
            raise StackError("the AWS services were not started")
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self._process.poll() is not None:
                raise StackError(f"the AWS services ended while starting: {tail(self.log)}")
            try:
                httpx.get(f"{self.endpoint_url}/_ministack/health", timeout=2, trust_env=False).raise_for_status()
                return
            except httpx.HTTPError as error:
                if time.monotonic() > deadline:
                    raise StackError(f"the AWS services do not answer: {error} ({tail(self.log)})") from error
                time.sleep(0.05)

    def stop(self) -> None:
        """End the services and every function's process. Nothing happens when they do not run.

        Without ado: what they hold is not kept, and an orderly end would wait for running functions.
        """
        if self._process is None:
            return
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        stop(self._process, first=signal.SIGKILL)
        if self._reader is not None:
            self._reader.join(5)
        self._process = None
        shutil.rmtree(self._home / "tmp", ignore_errors=True)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def open_api(self, api_id: str) -> None:
        """Let the API's own address answer with this HTTP API."""
        httpx.put(f"{self.endpoint_url}{OPEN}{api_id}", trust_env=False).raise_for_status()

    def client(self, service: str) -> Any:
        """The boto3 client of a local service; closed with the services."""
        if service not in self._clients:
            self._clients[service] = local_client(service, self.endpoint_url, REGION, answer_seconds=_CALL_SECONDS)
        return self._clients[service]

    def put_metrics(self, namespace: str, data: list[dict[str, Any]]) -> None:
        """Put metric data into CloudWatch. boto3's errors tell that nothing of them was taken."""
        self.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)

    def _environment(self, temporary: Path) -> dict[str, str]:
        settings = {
            "AUTH": "false",
            "BIND_HOST": "127.0.0.1",
            "DOCKER_HOST": "unix:///nonexistent",  # it would tidy up other people's containers
            "GATEWAY_PORT": str(self.port),
            "IOT_MTLS_ENABLED": "0",
            "LAMBDA_EXECUTOR": "local",
            "LOG_LEVEL": "INFO",
            "MINISTACK_HOST": "localhost",
            "MINISTACK_REGION": REGION,
            "SFTP_ENABLED": "0",
        }
        return {
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
            **settings,
            ENGINE_SETTINGS: ",".join(settings),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "TMPDIR": str(temporary),
            "TZ": "UTC",
            **self._variables,
        }

    def _read(self, output: IO[bytes]) -> None:
        with output:
            for raw in output:
                try:
                    written = json.loads(raw)
                    self._on_output(FunctionOutput(written["function"], written["line"]))
                except (ValueError, KeyError, TypeError):
                    self._on_output(FunctionOutput("aws", raw.decode("utf-8", "replace").rstrip()))
