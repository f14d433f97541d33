"""The child process with the local AWS services: `python -m scrapersky_local.engine API_PORT`, its settings in the env.

One ministack server listens on two ports: the AWS endpoint ($GATEWAY_PORT), and API_PORT where `/` is the HTTP API, as
a custom domain would have it. What functions write goes to standard output, one JSON object `{function, line}` a line.

ministack needs seams that it does not offer; they are private names of the version that this project pins, and
are looked for before anything starts.
"""

import asyncio
import importlib.metadata
import json
import os
import socketserver
import sys
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from contextvars import ContextVar
from functools import partial
from typing import IO, Any, NoReturn

from hypercorn.asyncio import serve
from hypercorn.config import Config

from scrapersky_local import engine_cloudwatch, engine_metrics, engine_templates
from scrapersky_local.processes import StackError
from scrapersky_local.queue_metrics import QueueGauges
from scrapersky_local.seams import MINISTACK, require

OPEN = "/_scrapersky/open/"
_UNAVAILABLE = b'{"message":"Service Unavailable"}'  # as the gateway of AWS says it

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Send = Callable[[Event], Awaitable[None]]
Receive = Callable[[], Awaitable[Event]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
OnAnswer = Callable[[str, int], None]


def require_ministack() -> None:
    """Raise StackError unless the installed ministack is the one whose private names are known."""
    installed = importlib.metadata.version("ministack")
    if installed != MINISTACK:
        raise StackError(f"the local stack is made for ministack {MINISTACK}, but {installed} is installed")


def as_api_request(scope: Scope, api_id: str) -> Scope:
    """A request to the API's own address as the engine wants it: the API's id before the path.

    The gateway's forwarding headers are set as AWS sets them, whatever the client sent.
    """
    prefix = f"/_aws/execute-api/{api_id}/$default"
    client = scope["client"] or ("127.0.0.1", 0)
    forwarded = {
        b"x-forwarded-for": client[0].encode(),
        b"x-forwarded-port": str(scope["server"][1]).encode(),
        b"x-forwarded-proto": scope["scheme"].encode(),
    }
    headers = [(name, value) for name, value in scope["headers"] if name.lower() not in forwarded]
    raw_path = scope.get("raw_path") or scope["path"].encode()
    return {
        **scope,
        "path": prefix + scope["path"],
        "raw_path": prefix.encode() + raw_path,
        "headers": [*headers, *forwarded.items()],
    }


class Front:
    """The engine's ASGI application, with one HTTP API at the root of `api_port`.

    The API's port answers 503 until `PUT OPEN/{api id}` at the AWS endpoint names the API. From then on `on_answer`
    hears the API's id and the status of each of its answers.
    """

    def __init__(self, engine: Application, api_port: int, on_answer: OnAnswer = lambda _api_id, _status: None) -> None:
        self._engine = engine
        self._api_port = api_port
        self._on_answer = on_answer
        self._api_id: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._engine(scope, receive, send)
        elif scope["server"][1] != self._api_port:
            if scope["method"] == "PUT" and scope["path"].startswith(OPEN):
                self._api_id = scope["path"].removeprefix(OPEN)
                await _answer(send, 204)
            else:
                await self._engine(scope, receive, send)
        elif self._api_id is None:
            await _answer(send, 503, (b"retry-after", b"1"), body=_UNAVAILABLE)
        else:
            await self._engine(as_api_request(scope, self._api_id), receive, self._heard(self._api_id, send))

    def _heard(self, api_id: str, send: Send) -> Send:
        async def send_and_tell(message: Event) -> None:
            if message["type"] == "http.response.start":
                self._on_answer(api_id, message["status"])
            await send(message)

        return send_and_tell


async def _answer(send: Send, status: int, *headers: tuple[bytes, bytes], body: bytes = b"") -> None:
    kind = [(b"content-type", b"application/json")] if body else []
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *kind, length]})
    await send({"type": "http.response.body", "body": body})


class _Tee:
    """A function's output, passed on line by line and shown on the way."""

    def __init__(self, stream: IO[bytes], function: str) -> None:
        self._stream = stream
        self._function = function

    def readline(self) -> bytes:
        line = self._stream.readline()
        if line:
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            sys.stdout.write(json.dumps({"function": self._function, "line": text}) + "\n")
            sys.stdout.flush()
        return line

    def close(self) -> None:
        self._stream.close()


def _service_name(config: dict[str, Any]) -> str:
    variables = (config.get("Environment") or {}).get("Variables") or {}
    return str(variables.get("POWERTOOLS_SERVICE_NAME") or config.get("FunctionName", "function"))


def adapt(worker: Any) -> None:
    """Put three seams into ministack's class of custom-runtime workers.

    Raises:
        StackError: the class is not the one of the pinned version.
    """
    seams = {
        "_pump_output": ["self", "stream", "log_queue"],
        "_build_handler_class": ["self", "generation", "pending"],
        "_drain_stderr_bounded": ["self", "first_line_wait", "idle_confirm", "hard_cap"],
    }
    require(worker, seams)
    pump, build, drain = (getattr(worker, name) for name in seams)

    def pump_and_show(self: Any, stream: Any, log_queue: Any) -> None:
        pump(self, _Tee(stream, _service_name(self.config)), log_queue)

    def build_prompt(self: Any, generation: int, pending: Any) -> type[socketserver.StreamRequestHandler]:
        """Without this the answer's header and body wait for each other's acknowledgement, 40 ms a call."""
        handler: type[socketserver.StreamRequestHandler] = build(self, generation, pending)
        handler.disable_nagle_algorithm = True
        handler.wbufsize = -1
        return handler

    def drain_briefly(
        self: Any, first_line_wait: float = 0.002, idle_confirm: float = 0.002, hard_cap: float = 0.05
    ) -> str:
        """A function that logs nothing would cost every call 50 ms of waiting for its log.

        All in seconds. The engine names the first itself when a function does not start within 10 s, and then calls it
        again.
        """
        text: str = drain(self, first_line_wait=first_line_wait, idle_confirm=idle_confirm, hard_cap=hard_cap)
        return text

    worker._pump_output = pump_and_show
    worker._build_handler_class = build_prompt
    worker._drain_stderr_bounded = drain_briefly


def limit_maps(stepfunctions: Any) -> None:
    """Let a distributed map have the concurrency that its `MaxConcurrencyPath` points to; ministack reads the literal.

    Raises:
        StackError: the module is not the one of the pinned version.
    """
    seams = {
        "_run_distributed_map": ["state_def", "raw_input", "effective", "iterator", "execution", "ctx"],
        "_resolve_path_or_ctx": ["path", "data", "ctx"],
    }
    require(stepfunctions, seams)
    run, resolve = (getattr(stepfunctions, name) for name in seams)

    def run_limited(
        state_def: dict[str, Any], raw_input: Any, effective: Any, iterator: Any, execution: Any, ctx: Any
    ) -> Any:
        path = state_def.get("MaxConcurrencyPath")
        limit = {} if path is None else {"MaxConcurrency": resolve(path, effective, ctx)}
        return run({**state_def, **limit}, raw_input, effective, iterator, execution, ctx)

    stepfunctions._run_distributed_map = run_limited


_BODY: ContextVar[bytes] = ContextVar("body", default=b"")


def adapt_gateway(gateway: Any) -> None:
    """Let the HTTP API's gateway hand on what ministack answers or changes by itself.

    An OPTIONS request finds its route where no CORS is configured; and a body that is not UTF-8 goes to the function in
    base64, as it is, whatever its type says.

    Raises:
        StackError: the module is not the one of the pinned version.
    """
    request = ["api_id", "stage", "path", "method", "headers", "body", "query_params"]
    context = ["authorizer_claims", "authorizer_scopes", "authorizer_lambda_context", "authorizer_iam"]
    owner = ["owner_account_id", "owner_region", "raw_query_string"]
    seams = {
        "_handle_execute_in_scope": [*request, *owner],
        "_invoke_lambda_proxy": ["integration", *request, "route_key", "path_params", *context, *owner],
        "_v2_request_body_is_text": ["content_type"],
    }
    require(gateway, seams)
    execute, invoke, is_text = (getattr(gateway, name) for name in seams)

    async def execute_any(api_id: str, stage: str, path: str, method: str, *rest: Any, **named: Any) -> Any:
        if method == "OPTIONS" and not (gateway._apis.get(api_id) or {}).get("corsConfiguration"):
            method = "options"  # no name that the gateway looks for
        return await execute(api_id, stage, path, method, *rest, **named)

    async def invoke_as_sent(
        integration: Any,
        api_id: str,
        stage: str,
        path: str,
        method: str,
        headers: Any,
        body: bytes,
        *rest: Any,
        **named: Any,
    ) -> Any:
        _BODY.set(body)
        return await invoke(integration, api_id, stage, path, method.upper(), headers, body, *rest, **named)

    def is_really_text(content_type: str | None) -> bool:
        return is_text(content_type) and _is_utf_8(_BODY.get())

    gateway._handle_execute_in_scope = execute_any
    gateway._invoke_lambda_proxy = invoke_as_sent
    gateway._v2_request_body_is_text = is_really_text


def _is_utf_8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


async def _serve(application: Any, ports: list[int], beside: Coroutine[Any, Any, NoReturn]) -> None:
    """Serve the ports, with `beside` running in the same loop."""
    config = Config()
    config.bind = [f"127.0.0.1:{port}" for port in ports]
    config.keep_alive_timeout = 75
    async with asyncio.TaskGroup() as tasks:  # what ends one of them ends the process, and so the stack
        tasks.create_task(beside)
        await serve(application, config, mode="asgi")


def main(api_port: int) -> None:
    """Serve until killed. The functions' processes end by themselves when this one is gone."""
    require_ministack()
    from ministack.app import app  # type: ignore[import-untyped]
    from ministack.core.lambda_runtime import ProvidedWorker  # type: ignore[import-untyped]
    from ministack.services import apigateway, cloudwatch, lambda_svc, sqs, stepfunctions  # type: ignore[import-untyped]
    from ministack.services.cloudformation import provisioners  # type: ignore[import-untyped]

    adapt(ProvidedWorker)
    adapt_gateway(apigateway)
    limit_maps(stepfunctions)
    metrics = engine_cloudwatch.Metrics(cloudwatch)
    engine_metrics.measure_functions(lambda_svc, metrics)
    engine_metrics.measure_executions(stepfunctions, metrics)
    engine_cloudwatch.know_composite_alarms(provisioners, cloudwatch)
    engine_templates.know_alarm_math(provisioners)
    engine_templates.leave_out_queries(provisioners)
    front = Front(app, api_port, partial(engine_metrics.measure_answer, metrics))
    looking = engine_metrics.look_around(metrics, sqs, QueueGauges())
    asyncio.run(_serve(front, [int(os.environ["GATEWAY_PORT"]), api_port], looking))


if __name__ == "__main__":
    main(int(sys.argv[1]))
