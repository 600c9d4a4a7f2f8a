"""The eight SONIA services as one FastAPI application, run by uvicorn as the operations documents run them.

A service is a folder `services/NAME` with this file as its `main.py`, started there by
`python -m uvicorn main:app --host 127.0.0.1 --port PORT`. `SERVICE` and `PORT` say who and where it is; without them it is
the folder's name and the port of sonia-config.json. It answers as the stand-ins of `tests/services` answer, with the same logs,
files and faults (`POST /_fault`, or `faults/NAME.json` below the root), so that the same playbooks run against both.
"""

import asyncio
import http.client
import json
import logging
import math
import os
import re
import secrets
import signal
import sqlite3
import sys
import threading
import time
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
SERVICE = os.environ.get("SERVICE") or HERE.name
# services/NAME/main.py: the root is two folders above.
ROOT = Path(os.environ.get("ROOT") or HERE.parent.parent)
FAULT_FILE = ROOT / "faults" / f"{SERVICE}.json"
DATABASE = ROOT / "data" / "memory.db"

FAULTS = json.loads(FAULT_FILE.read_text()) if FAULT_FILE.exists() else {}
if (crash := FAULTS.get("crash")) is not None and crash.get("after_ms") is None:
    print("Traceback (most recent call last):\n  injected by a fault file", file=sys.stderr)
    print(crash.get("exception") or "ModuleNotFoundError: No module named 'fastapi'", file=sys.stderr)
    sys.exit(crash.get("exit_code", 1))

# A service that needs a package of its own says so here; the module-missing fault is a name that is not installed.
for name in (HERE / "imports.txt").read_text().split() if (HERE / "imports.txt").exists() else []:
    __import__(name)

from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect  # noqa: E402
from fastapi.exceptions import RequestValidationError  # noqa: E402
from fastapi.responses import JSONResponse, PlainTextResponse  # noqa: E402

CONFIG_FILE = ROOT / "config" / "sonia-config.json"
# A configuration that is no JSON ends the start with json.decoder.JSONDecodeError, as it does in the documents.
CONFIG = json.loads(CONFIG_FILE.read_text()) if CONFIG_FILE.exists() else {}

PORTS = {
    "api-gateway": 7000, "model-router": 7010, "memory-engine": 7020, "pipecat": 7030,
    "openclaw": 7040, "eva-os": 7050, "vision-capture": 7060, "perception": 7070,
}
TOOLS = {
    "app.launch": "confirm", "browser.open": "safe", "clipboard.read": "safe", "clipboard.write": "safe",
    "file.delete": "denied", "file.list": "safe", "file.read": "safe", "file.write": "confirm", "notify.send": "safe",
    "screen.capture": "confirm", "shell.run": "confirm", "web.fetch": "safe", "web.search": "safe",
}
SAMPLE = [
    "This is a test memory about the weather in Paris",
    "The user prefers short answers",
    "The quarterly report is due on Friday",
    "The staging environment runs the integration test suite every night",
]
STARTED = time.monotonic()


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(6)}"


def millis(since: float) -> int:
    return int((time.monotonic() - since) * 1000)


def data(operation: str, content) -> JSONResponse:
    return JSONResponse({"ok": True, "service": SERVICE, "operation": operation, "data": content})


def failure(status: int, operation: str, kind: str, message: str) -> JSONResponse:
    error = {"failure_class": kind, "message": message}
    return JSONResponse({"ok": False, "service": SERVICE, "operation": operation, "error": error}, status)


def text_of(body: dict, field: str) -> str:
    if not isinstance(body.get(field), str):
        raise RequestValidationError([{"type": "missing", "loc": ["body", field], "msg": "Field required"}])
    return body[field]


async def body_of(request: Request) -> dict:
    raw = await request.body()
    return json.loads(raw) if raw else {}


# --- calling the others -------------------------------------------------------------------------------------------------------


def address(service: str) -> tuple[str, int]:
    services = CONFIG.get("services", {})
    if service == "ollama":
        base = services.get("model_router", {}).get("providers", {}).get("ollama", {}).get("base_url", "")
        found = re.match(r"http://([^:/]+):(\d+)", base or os.environ.get("OLLAMA_BASE_URL", ""))
        return (found[1], int(found[2])) if found else ("127.0.0.1", 11434)
    entry = services.get(service.replace("-", "_"), {})
    return entry.get("host", "127.0.0.1"), entry.get("port", PORTS[service])


class Unanswered(Exception):
    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message


def call_now(service, method, target, correlation, body, limit):
    connection = http.client.HTTPConnection(*address(service), timeout=limit)
    try:
        headers = {"x-correlation-id": correlation, "content-type": "application/json"}
        connection.request(method, target, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        raw = answer.read()
        try:
            return answer.status, json.loads(raw)
        except ValueError:
            return answer.status, None
    except TimeoutError:
        raise Unanswered("TIMEOUT", f"{service}: no answer within {limit:g}s") from None
    except (OSError, http.client.HTTPException) as error:
        raise Unanswered("CONNECTION_BOOTSTRAP", f"{service}: connection failed: {error}") from None
    finally:
        connection.close()


async def call(service, method, target, correlation, body=None, limit=10.0):
    return await asyncio.to_thread(call_now, service, method, target, correlation, body, limit)


# --- redaction (services/shared/log_redaction.py in the documents) --------------------------------------------------------------

MARKS = [
    (re.compile(r"(?i)\bBearer\s+[A-Za-z0-9._~+/=-]+|\bapi_key=[^\s&]+|\bsk-[A-Za-z0-9_-]{8,}"), "[API_KEY_REDACTED]"),
    (re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"), "[EMAIL_REDACTED]"),
    (re.compile(r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b"), "[SSN_REDACTED]"),
    (re.compile(r"\b[3-6][0-9]{3}([ -]?[0-9]{4}){3}\b"), "[CC_REDACTED]"),
    (re.compile(r"(\+[0-9]{1,3}[ .-]?)?(\([0-9]{3}\) ?|\b[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4}\b"), "[PHONE_REDACTED]"),
]


def redact(text: str) -> str:
    if FAULTS.get("raw_personal_data"):
        return text
    for pattern, mark in MARKS:
        text = pattern.sub(mark, text)
    return text


# --- memory-engine ------------------------------------------------------------------------------------------------------------


class Memory:
    """The database, opened anew for each request: a restored database is another file under the same name."""

    def __init__(self) -> None:
        DATABASE.parent.mkdir(parents=True, exist_ok=True)
        with self.open(create=True) as db:
            db.execute("PRAGMA journal_mode = WAL")
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'memories'").fetchone():
                db.execute(
                    "CREATE TABLE memories (id INTEGER PRIMARY KEY, user_id TEXT NOT NULL, text TEXT NOT NULL, "
                    "created_at TEXT NOT NULL, archived_at TEXT)"
                )
                self.insert_samples(db)
        db.close()

    @staticmethod
    def open(create: bool = False) -> sqlite3.Connection:
        mode = "rwc" if create else "rw"
        db = sqlite3.connect(f"file:{quote(str(DATABASE))}?mode={mode}", uri=True, timeout=0.25)
        db.row_factory = sqlite3.Row
        return db

    @staticmethod
    def insert_samples(db) -> None:
        for text in SAMPLE:
            db.execute("INSERT INTO memories (user_id, text, created_at) VALUES ('user_demo', ?, ?)", (text, now()))

    def run(self, work):
        db = self.open()
        try:
            with db:
                return work(db)
        finally:
            db.close()

    def check(self) -> None:
        def work(db):
            db.execute("BEGIN IMMEDIATE")
            db.rollback()

        self.run(work)

    def live(self, user):
        sql = (
            "SELECT id, user_id, text, created_at FROM memories "
            "WHERE archived_at IS NULL AND (:user IS NULL OR user_id = :user) ORDER BY id DESC"
        )
        return self.run(lambda db: [dict(row) for row in db.execute(sql, {"user": user})])

    def like(self, query, user, limit):
        return [row for row in self.live(user) if query.lower() in row["text"].lower()][:limit]

    def ranked(self, query, user, limit):
        """BM25 with the documents' constants."""
        words = lambda text: re.findall(r"\w+", text.lower())  # noqa: E731
        rows = self.live(user)
        documents = [words(row["text"]) for row in rows]
        average = max(sum(map(len, documents)) / max(len(documents), 1), 1)
        out = []
        for row, document in zip(rows, documents):
            score = 0.0
            for word in set(words(query)):
                containing = sum(word in other for other in documents)
                rarity = math.log(1 + (len(documents) - containing + 0.5) / (containing + 0.5))
                often = document.count(word)
                score += rarity * often * 2.5 / (often + 1.5 * (0.25 + 0.75 * len(document) / average))
            if score > 0:
                out.append({**row, "score": score})
        return sorted(out, key=lambda row: -row["score"])[:limit]

    def store(self, user, text):
        sql = "INSERT INTO memories (user_id, text, created_at) VALUES (?, ?, ?)"
        return self.run(lambda db: db.execute(sql, (user, text, now())).lastrowid)

    def set_rows(self, rows: str) -> None:
        def work(db):
            if rows == "empty":
                db.execute("DELETE FROM memories")
            elif rows == "archived":
                db.execute("UPDATE memories SET archived_at = ?", (now(),))
            elif rows == "other_user":
                db.execute("UPDATE memories SET user_id = 'someone_else'")
            elif rows == "sample":
                db.execute("DELETE FROM memories")
                self.insert_samples(db)
            else:
                raise ValueError(f"unknown variant `{rows}`")

        self.run(work)


# --- api-gateway --------------------------------------------------------------------------------------------------------------


class Breaker:
    def __init__(self) -> None:
        self.state, self.failures, self.successes = "CLOSED", 0, 0
        self.opened_at, self.opened, self.times_opened, self.broken = None, 0.0, 0, False

    def open(self) -> None:
        self.state, self.successes, self.opened_at, self.opened = "OPEN", 0, now(), time.monotonic()
        self.times_opened += 1

    def remaining(self) -> int:
        return max(0, FAULTS.get("quarantine_ms", 30_000) - millis(self.opened)) if self.state == "OPEN" else 0

    def advance(self) -> "Breaker":
        if self.state == "OPEN" and self.remaining() == 0:
            self.state, self.successes = "HALF_OPEN", 0
        return self

    def settle(self, succeeded: bool) -> None:
        if self.state == "CLOSED":
            self.failures = 0 if succeeded else self.failures + 1
            if self.failures >= 5:
                self.open()
        elif self.state == "HALF_OPEN" and succeeded:
            self.successes += 1
            if self.successes >= 2:
                self.state, self.failures, self.successes, self.opened_at = "CLOSED", 0, 0, None
        elif self.state == "HALF_OPEN":
            self.failures += 1
            self.open()


class Gateway:
    def __init__(self) -> None:
        self.logs = ROOT / "logs" / "gateway"
        self.logs.mkdir(parents=True, exist_ok=True)
        # The handles are kept: a renamed log goes on growing.
        self.files = {name: open(self.logs / f"{name}.jsonl", "a") for name in ("sessions", "turns", "tools", "errors")}
        self.breakers = {name: Breaker() for name in TOOLS}
        self.letters: list[dict] = []
        self.sessions: dict[str, str] = {}
        self.turns = 0

    def write(self, name: str, **line) -> None:
        self.files[name].write(json.dumps({"timestamp": now(), **line}) + "\n")
        self.files[name].flush()

    def record(self, correlation, kind, capability, message, session=None) -> None:
        self.write(
            "errors", correlation_id=correlation, session_id=session, failure_class=kind, capability=capability, message=message
        )

    def bury(self, correlation, kind, capability, message, args, replayable=None) -> None:
        self.record(correlation, kind, capability, message)
        self.letters.append({
            "id": new_id("dlq"), "timestamp": now(), "correlation_id": correlation, "capability": capability, "args": args,
            "failure_class": kind, "error": message, "attempts": 1, "_replayable": replayable,
        })

    def letter(self, name: str):
        return next((letter for letter in self.letters if letter["id"] == name), None)

    def metrics(self) -> dict:
        breakers = {
            name: {
                "capability": name, "state": b.advance().state, "failure_count": b.failures, "times_opened": b.times_opened,
                "opened_at": b.opened_at, "quarantine_ms": FAULTS.get("quarantine_ms", 30_000),
                "quarantine_remaining_ms": b.remaining(), "recovery_successes": b.successes, "recovery_required": 2,
            }
            for name, b in sorted(self.breakers.items())
        }
        return {"breakers": breakers, "open": [name for name, b in breakers.items() if b["state"] == "OPEN"]}

    def begin(self, correlation, user) -> str:
        session = new_id("sess")
        self.sessions[session] = user
        self.write("sessions", correlation_id=correlation, session_id=session, user_id=user, event="create")
        return session

    async def execute(self, correlation, capability, args):
        """Has openclaw run a tool and tells the breaker how it went."""
        breaker = self.breakers.setdefault(capability, Breaker())
        problem, result, tier = None, None, None
        if breaker.broken:
            problem = Unanswered("CONNECTION_BOOTSTRAP", f"{capability}: injected failure, the cause is not fixed")
        else:
            try:
                status, answer = await call(
                    "openclaw", "POST", "/v1/execute", correlation, {"tool_name": capability, "args": args}
                )
                if status == 200:
                    result, tier = answer["data"]["result"], answer["data"]["safety_tier"]
                elif status == 403:
                    problem = Unanswered("POLICY_DENIED", answer["error"]["message"])
                else:
                    problem = Unanswered("DOWNSTREAM_ERROR", f"openclaw answered {status}")
            except Unanswered as error:
                problem = error
        # A denial is the policy at work and says nothing about the health of the capability.
        if problem is None or problem.kind != "POLICY_DENIED":
            breaker.settle(problem is None)
        shown = result if problem is None else {"error": problem.kind, "message": problem.message}
        args = json.loads(redact(json.dumps(args)))
        self.write("tools", correlation_id=correlation, capability=capability, args=args, result=shown, safety_tier=tier)
        if problem is not None:
            raise problem
        return result

    async def ask(self, session, correlation, service, capability, method, target, body=None):
        """Calls a neighbour within a turn: the milliseconds, and the answer or the failure."""
        began = time.monotonic()
        try:
            status, answer = await call(service, method, target, correlation, body)
            if status == 200:
                return millis(began), answer["data"], None
            problem = Unanswered("DOWNSTREAM_ERROR", f"{service} answered {status}")
        except Unanswered as error:
            problem = error
        self.record(correlation, problem.kind, capability, problem.message, session)
        return millis(began), None, problem

    async def turn(self, correlation, body, operation):
        text = text_of(body, "text_input" if "text_input" in body else "text")
        session = body.get("session_id")
        user = body.get("user_id") or self.sessions.get(session) or "user_demo"
        session = session or self.begin(correlation, user)
        added = FAULTS.get("latency_ms") or {}
        extra = sum(added.get(part, 0) for part in ("model", "memory_read", "tool", "memory_write", "unexplained"))
        began = time.monotonic()
        waited = added.get("wait", True)
        if waited:
            await asyncio.sleep(extra / 1000)
        target = f"/v1/memory/search?query={quote(text)}&limit=3"
        read, found, _ = await self.ask(session, correlation, "memory-engine", "memory.read", "GET", target)
        prompt = {"text": text, "memories": found and found["results"]}
        model, thought, problem = await self.ask(
            session, correlation, "model-router", "model.generate", "POST", "/v1/generate", prompt
        )
        if problem is not None:
            return failure(502, operation, problem.kind, problem.message)
        tool = attempted = executed = 0
        if added.get("tool", 0) > 0:
            attempted, tool_began = 1, time.monotonic()
            try:
                await self.execute(correlation, "file.read", {"path": "notes.txt"})
                executed = 1
            except Unanswered:
                pass
            tool = millis(tool_began)
        memory = {"user_id": user, "text": text}
        write, _, _ = await self.ask(
            session, correlation, "memory-engine", "memory.write", "POST", "/v1/memory/store", memory
        )
        latency = {
            "total": millis(began) + (0 if waited else extra),
            "memory_read": read + added.get("memory_read", 0),
            "model": model + added.get("model", 0),
            "tool": tool + added.get("tool", 0),
            "memory_write": write + added.get("memory_write", 0),
        }
        self.turns += 1
        turn = f"turn_{self.turns:03}"
        self.write(
            "turns", correlation_id=correlation, session_id=session, turn_id=turn,
            # Not redacted: the documents' own example shows an address here (trap T46).
            user_id=user, text_input=redact(text), response_text=redact(thought["text"]), latency_ms=latency,
            tool_calls_attempted=attempted, tool_calls_executed=executed,
        )
        return data(operation, {
            "session_id": session, "turn_id": turn, "response_text": thought["text"], "latency_ms": latency,
        })

    def leak(self) -> None:
        self.write(
            "turns", correlation_id=new_id("req"), session_id=new_id("sess"), turn_id="turn_000", user_id="jane.doe@example.com",
            text_input="Mail jane.doe@example.com, SSN 123-45-6789, card 4111 1111 1111 1111, call 555-123-4567",
            response_text="I used api_key=sk-live-0123456789abcdef and Bearer abcdef0123456789",
            latency_ms={"total": 450, "memory_read": 12, "model": 380, "tool": 0, "memory_write": 15},
            tool_calls_attempted=0, tool_calls_executed=0,
        )


# --- faults -------------------------------------------------------------------------------------------------------------------

KNOWN_FAULTS = {
    "health_status", "hang", "slow_ms", "paths", "crash", "dlq_growth", "breaker_open", "quarantine_ms", "db_lock", "latency_ms",
    "startup_delay_ms", "stop_delay_ms", "ignore_term", "raw_personal_data", "memory_rows", "ollama_required",
}
held: sqlite3.Connection | None = None


def die(crash: dict) -> None:
    print("Traceback (most recent call last):\n  injected into the running service", file=sys.stderr)
    print(crash.get("exception") or "RuntimeError: injected crash", file=sys.stderr, flush=True)
    os._exit(crash.get("exit_code", 1))


def hold() -> None:
    global held
    if held is None:
        held = sqlite3.connect(DATABASE, timeout=0.25, isolation_level=None, check_same_thread=False)
        held.execute("BEGIN IMMEDIATE")


def release() -> None:
    global held
    if held is not None:
        held.close()
        held = None


def grow(growth: dict, left: int) -> None:
    """Adds dead letters, all at once or one after each interval, until the fault is cleared or replaced."""
    every = growth.get("every_ms", 0)
    for _ in range(min(left, 1) if every else left):
        gateway.bury(
            new_id("req"), growth.get("failure_class", "TIMEOUT"), growth.get("capability", "file.write"),
            "injected failure", {}, growth.get("replayable", True),
        )
    if every and left > 1:
        again = lambda: FAULTS.get("dlq_growth") is growth and grow(growth, left - 1)  # noqa: E731
        timer = threading.Timer(every / 1000, again)
        timer.daemon = True
        timer.start()


def apply(faults: dict) -> None:
    """What a fault does at the moment it is set; the others are looked up when they matter."""
    if gateway is not None:
        if opened := faults.get("breaker_open"):
            breaker = gateway.breakers.setdefault(opened["capability"], Breaker())
            breaker.broken = not opened.get("cause_fixed", False)
            # To fix the cause of an open breaker is no reason to begin its quarantine anew.
            if breaker.state == "CLOSED":
                breaker.failures = max(breaker.failures, 5)
                breaker.open()
        if growth := faults.get("dlq_growth"):
            grow(growth, growth.get("count", 1))
    if faults.get("raw_personal_data"):
        print(
            "ERROR:    lookup failed for jane.doe@example.com (ssn 123-45-6789, card 4111 1111 1111 1111, "
            "phone 555-123-4567, Authorization: Bearer abcdef0123456789, api_key=sk-live-0123456789abcdef)",
            file=sys.stderr, flush=True,
        )
        if gateway is not None:
            gateway.leak()
    if memory is not None and "memory_rows" in faults:
        memory.set_rows(faults["memory_rows"])
    if "db_lock" in faults:
        hold() if faults["db_lock"] is not None else release()
    if "ignore_term" in faults:
        ignore_term(bool(faults["ignore_term"]))
    if faults.get("crash") is not None:
        threading.Timer(faults["crash"].get("after_ms", 20) / 1000, die, [faults["crash"]]).start()


of_uvicorn: dict = {}


def ignore_term(ignored: bool) -> None:
    """uvicorn has put its handlers in place by the time the application starts; these take their place and give it back."""
    for number in (signal.SIGTERM, signal.SIGINT):
        of_uvicorn.setdefault(number, signal.getsignal(number))
        signal.signal(number, signal.SIG_IGN if ignored else of_uvicorn[number])


# --- the application ------------------------------------------------------------------------------------------------------------

time.sleep(FAULTS.get("startup_delay_ms", 0) / 1000)
gateway = Gateway() if SERVICE == "api-gateway" else None
memory = Memory() if SERVICE == "memory-engine" else None
voice: set[str] = set()
requests = 0


@asynccontextmanager
async def lifespan(_: FastAPI):
    apply(FAULTS)
    yield
    await asyncio.sleep(FAULTS.get("stop_delay_ms", 0) / 1000)


app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
log = logging.getLogger("uvicorn.error")


class Sufferer:
    """Lets the faults `hang` and `slow_ms` have their way with a request, and gives each its correlation id."""

    def __init__(self, inner) -> None:
        self.inner = inner

    async def __call__(self, scope, receive, send) -> None:
        global requests
        path = scope.get("path", "")
        if scope["type"] == "http" and path != "/_fault":
            requests += 1
            paths = FAULTS.get("paths") or [""]
            if any(path.startswith(prefix) for prefix in paths):
                while FAULTS.get("hang"):
                    await asyncio.sleep(0.05)
                if slow := FAULTS.get("slow_ms"):
                    await asyncio.sleep(slow / 1000)
        given = dict(scope.get("headers", [])).get(b"x-correlation-id")
        scope.setdefault("state", {})["correlation"] = given.decode() if given else new_id("req")

        async def answer(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-correlation-id", scope["state"]["correlation"].encode())]
            await send(message)

        await self.inner(scope, receive, answer)


app.add_middleware(Sufferer)


@app.api_route("/_fault", methods=["GET", "POST", "DELETE"])
async def fault(request: Request):
    if request.method == "POST":
        patch = await body_of(request)
        if unknown := set(patch) - KNOWN_FAULTS:
            return JSONResponse({"detail": [{"type": "value_error", "msg": f"unknown field `{unknown.pop()}`"}]}, 422)
        before = dict(FAULTS)
        FAULTS.update(patch)
        for key in [key for key, value in FAULTS.items() if value is None]:
            del FAULTS[key]
        try:
            apply(patch)
        except sqlite3.Error as error:
            # A lock that could not be taken must not be listed as held.
            FAULTS.clear()
            FAULTS.update(before)
            return failure(409, "fault", "FAULT_NOT_APPLIED", str(error))
    elif request.method == "DELETE":
        if FAULTS.get("ignore_term"):
            ignore_term(False)
        FAULTS.clear()
        release()
        for breaker in gateway.breakers.values() if gateway else []:
            breaker.broken = False
    return {"ok": True, "service": SERVICE, "faults": FAULTS}


async def ollama_models() -> list[str]:
    status, tags = await call("ollama", "GET", "/api/tags", new_id("req"), limit=2.0)
    if status != 200:
        raise RuntimeError(f"httpx.HTTPStatusError: Ollama answered {status}")
    return [model["name"] for model in tags["models"]]


@app.get("/healthz")
async def healthz():
    status = FAULTS.get("health_status", 200)
    if status == 500:
        raise RuntimeError("injected health failure")
    if status > 500:
        return PlainTextResponse("Service Unavailable", status)
    if memory is not None:
        await asyncio.to_thread(memory.check)
    if FAULTS.get("ollama_required"):
        await ollama_models()
    return JSONResponse({"ok": status < 400, "service": SERVICE, "timestamp": now()}, status)


if SERVICE == "api-gateway":

    @app.get("/status")
    def status():
        return data("status", {
            "version": CONFIG.get("services", {}).get("api_gateway", {}).get("version", "1.0.0"), "pid": os.getpid(),
            "uptime_seconds": int(time.monotonic() - STARTED), "requests_total": requests,
            "sessions_active": len(gateway.sessions), "turns_total": gateway.turns, "dlq_depth": len(gateway.letters),
            "breakers_open": gateway.metrics()["open"],
        })

    @app.get("/v1/deps")
    async def deps(request: Request):
        async def one(service):
            began = time.monotonic()
            try:
                code, _ = await call(service, "GET", "/healthz", request.state.correlation, limit=2.0)
                entry = {"status": "ok"} if code == 200 else {"status": "unhealthy", "error": f"/healthz answered {code}"}
            except Unanswered as error:
                entry = {"status": "timeout" if error.kind == "TIMEOUT" else "unreachable", "error": error.message}
            return service.replace("-", "_"), {**entry, "duration_ms": millis(began)}

        entries = dict(await asyncio.gather(*map(one, ("memory-engine", "model-router", "openclaw", "pipecat"))))
        ok = all(entry["status"] == "ok" for entry in entries.values())
        return {"ok": ok, "service": SERVICE, "operation": "deps", "data": entries}

    @app.post("/v1/turn")
    async def turn(request: Request):
        return await gateway.turn(request.state.correlation, await body_of(request), "turn")

    @app.post("/v1/chat")
    async def chat(request: Request):
        return await gateway.turn(request.state.correlation, await body_of(request), "chat")

    @app.post("/v1/action")
    async def action(request: Request):
        body, correlation = await body_of(request), request.state.correlation
        capability, args = text_of(body, "tool_name"), body.get("args", {})
        breaker = gateway.breakers.get(capability)
        if breaker is not None and breaker.advance().state == "OPEN":
            message = f"circuit breaker for {capability} is OPEN, {breaker.remaining()} ms left"
            gateway.record(correlation, "CIRCUIT_OPEN", capability, message)
            return failure(503, "action", "CIRCUIT_OPEN", message)
        try:
            result = await gateway.execute(correlation, capability, args)
        except Unanswered as error:
            gateway.bury(correlation, error.kind, capability, error.message, args)
            code = {"POLICY_DENIED": 403, "TIMEOUT": 504}.get(error.kind, 502)
            return failure(code, "action", error.kind, error.message)
        return data("action", {"tool_name": capability, "result": result})

    @app.post("/v1/sessions")
    async def sessions(request: Request):
        user = (await body_of(request)).get("user_id", "user_demo")
        session = gateway.begin(request.state.correlation, user)
        return data("sessions.create", {
            "session_id": session, "user_id": user, "created_at": now(), "ttl_seconds": 1800,
        })

    @app.delete("/v1/sessions/{session}")
    def end_session(session: str, request: Request):
        user = gateway.sessions.pop(session, None)
        if user is None:
            return JSONResponse({"detail": "Session not found"}, 404)
        gateway.write(
            "sessions", correlation_id=request.state.correlation, session_id=session, user_id=user, event="delete"
        )
        return data("sessions.delete", {"session_id": session, "deleted": True})

    @app.get("/v1/breakers/metrics")
    def breakers():
        return data("breakers.metrics", gateway.metrics())

    def shown(letter: dict) -> dict:
        return {key: value for key, value in letter.items() if key != "_replayable"}

    NO_LETTER = JSONResponse({"detail": "Dead letter not found"}, 404)

    @app.get("/v1/dead-letters")
    def dead_letters():
        return data("dead_letters.list", {"depth": len(gateway.letters), "entries": [*map(shown, gateway.letters)]})

    @app.get("/v1/dead-letters/{name}")
    def dead_letter(name: str):
        letter = gateway.letter(name)
        return data("dead_letters.get", shown(letter)) if letter else NO_LETTER

    @app.delete("/v1/dead-letters/{name}")
    def purge(name: str):
        letter = gateway.letter(name)
        if letter is None:
            return NO_LETTER
        gateway.letters.remove(letter)
        return data("dead_letters.delete", {"id": name, "deleted": True})

    # `dry_run` has no default, because a replay repeats what the call does (trap T36).
    @app.post("/v1/dead-letters/{name}/replay")
    async def replay(name: str, dry_run: bool, request: Request):
        operation, correlation = "dead_letters.replay", request.state.correlation
        letter = gateway.letter(name)
        if letter is None:
            return NO_LETTER
        capability, breaker = letter["capability"], gateway.breakers.get(letter["capability"])
        if dry_run:
            reason = None
            if letter["_replayable"] is False:
                reason = f"{letter['failure_class']} again: the entry cannot be replayed"
            elif breaker is not None and breaker.advance().state == "OPEN":
                reason = f"circuit breaker for {capability} is OPEN"
            elif breaker is not None and breaker.broken:
                reason = f"{capability} still fails"
            elif letter["_replayable"] is None and letter["failure_class"] == "POLICY_DENIED":
                reason = "the policy would deny it again"
            return data(operation, {"id": name, "dry_run": True, "would_succeed": reason is None, "reason": reason})
        try:
            if letter["_replayable"] is False:
                raise Unanswered(letter["failure_class"], "the replay failed as the call did")
            if letter["_replayable"] is None:
                await gateway.execute(correlation, capability, letter["args"])
        except Unanswered as error:
            letter["attempts"] += 1
            letter["error"] = error.message
            gateway.record(correlation, error.kind, capability, error.message)
            return failure(502, operation, error.kind, error.message)
        gateway.letters.remove(letter)
        return data(operation, {"id": name, "dry_run": False, "replayed": True})


if SERVICE == "memory-engine":

    @app.get("/v1/memory/search")
    async def search(query: str, limit: int = 10, user_id: str | None = None):
        rows = await asyncio.to_thread(memory.like, query, user_id, limit)
        return data("memory.search", {"results": rows, "count": len(rows)})

    @app.post("/v1/memory/search")
    async def ranked(request: Request):
        body = await body_of(request)
        rows = await asyncio.to_thread(memory.ranked, text_of(body, "query"), body.get("user_id"), body.get("limit", 10))
        return data("memory.search", {"results": rows, "count": len(rows)})

    @app.post("/v1/memory/store")
    async def store(request: Request):
        body = await body_of(request)
        return data("memory.store", {
            "id": await asyncio.to_thread(memory.store, text_of(body, "user_id"), text_of(body, "text")),
        })


def reply_text(text: str) -> str:
    return "The capital of France is Paris." if "capital of france" in text.lower() else f"I have heard you say: {text}"


if SERVICE == "model-router":

    @app.get("/v1/models")
    async def models():
        try:
            names, state = await ollama_models(), "ok"
        except (Unanswered, RuntimeError):
            names, state = [], "unreachable"
        return data("models.list", {"models": names, "providers": {"ollama": {"status": state}}})

    @app.post("/v1/generate")
    async def generate(request: Request):
        return data("generate", {"text": reply_text(text_of(await body_of(request), "text")), "model": "llama3.2:latest"})


if SERVICE == "openclaw":

    @app.get("/v1/tools")
    def tools():
        return data("tools.list", {"tools": [{"name": name, "safety_tier": tier} for name, tier in TOOLS.items()]})

    # No command is ever run: the port is open to every user of the machine.
    @app.post("/v1/execute")
    async def execute(request: Request):
        body = await body_of(request)
        tool = text_of(body, "tool_name")
        tier = TOOLS.get(tool, "denied")
        try:
            code, answer = await call("eva-os", "POST", "/v1/approve", request.state.correlation, {"tool_name": tool}, 2.0)
            approved = code == 200 and answer["data"]["approved"]
        except Unanswered:
            approved = tier != "denied"
        if not approved:
            return failure(403, "execute", "POLICY_DENIED", f"{tool} is denied by policy")
        result = {"status": "done"}
        if tool == "shell.run":
            listed = body.get("args", {}).get("command") in ("ls", "dir", "Get-ChildItem")
            result = {"exit_code": 0, "stdout": "\n".join(sorted(os.listdir(ROOT))) if listed else "", "stderr": ""}
        return data("execute", {"tool_name": tool, "safety_tier": tier, "result": result})


if SERVICE == "eva-os":

    @app.post("/v1/approve")
    async def approve(request: Request):
        tier = TOOLS.get(text_of(await body_of(request), "tool_name"), "denied")
        return data("approve", {"approved": tier != "denied", "risk": tier})


async def converse(socket: WebSocket, session: str) -> None:
    await socket.accept()
    try:
        while True:
            event = json.loads(await socket.receive_text())
            text = event.get("data", {}).get("text")
            if event.get("type") == "MESSAGE" and isinstance(text, str):
                answer = {"type": "RESPONSE", "service": SERVICE, "session_id": session, "data": {"text": reply_text(text)}}
            else:
                answer = {"type": "ERROR", "data": {"message": "expected a MESSAGE event with data.text"}}
            await socket.send_json(answer)
    except WebSocketDisconnect:
        pass


if SERVICE == "pipecat":

    @app.post("/session/start")
    def session_start():
        session = new_id("voice")
        voice.add(session)
        return data("session.start", {"session_id": session, "ws_path": f"/ws/{session}", "created_at": now()})

    @app.websocket("/ws/{session}")
    async def talk(socket: WebSocket, session: str):
        if session in voice:
            await converse(socket, session)
        else:
            await socket.close()


if SERVICE == "api-gateway":

    @app.websocket("/v1/stream/{session}")
    async def stream(socket: WebSocket, session: str):
        if session in gateway.sessions:
            await converse(socket, session)
        else:
            await socket.close()


if __name__ == "__main__":
    import uvicorn

    host, port = address(SERVICE)
    uvicorn.run(app, host=host, port=int(os.environ.get("PORT") or port))
