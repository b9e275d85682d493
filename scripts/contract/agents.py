"""The checks of the Model Context Protocol that others wrote: its conformance suite, and a session of the Inspector."""

import http.client
import json
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmark.processes import Failed

CONFORMANCE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
INSPECTOR = "@modelcontextprotocol/inspector@2.12.0"

# The scenarios that apply, with the revisions that they are run for.
SCENARIOS = [
    ("server-initialize", "2025-11-25"),
    ("server-session-lifecycle", "2025-11-25"),
    ("ping", "2025-11-25"),
    ("tools-list", "2025-11-25"),
    ("tools-list", "2026-07-28"),
    ("dns-rebinding-protection", "2025-11-25"),
    ("dns-rebinding-protection", "2026-07-28"),
    ("server-stateless", "2026-07-28"),
    ("server-sse-multiple-streams", "2026-07-28"),
    ("caching", "2026-07-28"),
    ("http-header-validation", "2026-07-28"),
    ("input-required-result-unsupported-methods", "2026-07-28"),
]

# The checks in these scenarios that need what the service does not have. Any other failure is one.
NOT_APPLICABLE_CHECKS = {
    "tools that the suite calls by name": [
        "server-stateless:sep-2575-server-rejects-undeclared-capability",
        "server-stateless:sep-2575-missing-capability-http-400",
        "server-stateless:sep-2575-http-server-no-independent-requests-on-stream",
        "server-stateless:sep-2575-server-no-log-without-loglevel",
    ],
    "prompts and resources": [
        "caching:sep-2549-prompts-list-caching-hints",
        "caching:sep-2549-resources-list-caching-hints",
        "caching:sep-2549-resources-templates-list-caching-hints",
    ],
}

# The other scenarios, by what they need and the service does not have.
NOT_APPLICABLE = {
    "tools that the suite calls by name": r"tools-call-.*|json-schema-2020-12",
    "a tool whose arguments are repeated in headers": r"http-custom-header-server-validation",
    "resources": r"resources-.*|sep-2164-.*",
    "prompts": r"prompts-.*",
    "completion of arguments": r"completion-complete",
    "messages of a log to the client": r"logging-set-level",
    "questions to the client": r"elicitation-.*|input-required-result-.*",
    "streams": r"server-sse-polling",
    "extensions": r"tasks-.*|sep-2640-.*",
}


class WithToken(BaseHTTPRequestHandler):
    """Forwards each request with a token, which the suite cannot send."""

    protocol_version = "HTTP/1.1"
    upstream = token = None

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        client = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=30)
        client.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() != "connection":
                client.putheader(name, value)
        client.putheader("Authorization", f"Bearer {self.token}")
        client.endheaders(body)
        answer = client.getresponse()
        body = answer.read()
        client.close()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = forward

    def log_message(self, *_):
        pass


class Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Says nothing of clients that close their connections."""


def forwarding(port, upstream, token):
    """Starts a proxy on a port that adds a token to the requests for another one."""
    handler = type("Handler", (WithToken,), {"upstream": upstream, "token": token})
    server = Proxy(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def output(what, command, **options):
    """Runs a program and returns its output."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          **options)
    if done.returncode != 0:
        raise Failed(f"{what} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def check_scenarios(conformance, url, folder, environment):
    """Runs the scenarios that apply. Fails if the suite has one of which nobody has decided whether it does."""
    listed = output("conformance", [conformance, "list", "--server"], env=environment)
    names = re.findall(r"^  - (\S+)", listed, re.MULTILINE)
    run = {name for name, _ in SCENARIOS}
    undecided = [name for name in names if name not in run
                 and not any(re.fullmatch(pattern, name) for pattern in NOT_APPLICABLE.values())]
    if not names or undecided or not run <= set(names):
        raise Failed(f"the suite has other scenarios than this list: {undecided or listed}")
    expected = folder / "not-applicable.yml"
    checks = [check for checks in NOT_APPLICABLE_CHECKS.values() for check in checks]
    for name, revision in SCENARIOS:
        of_scenario = [check for check in checks if check.startswith(f"{name}:")]
        expected.write_text("server:" + "".join(f"\n  - {check}" for check in of_scenario) if of_scenario
                            else "server: []")
        output(f"{name} ({revision})", [
            conformance, "server", "--url", url, "--scenario", name, "--spec-version", revision,
            "--expected-failures", expected,
        ], env=environment, cwd=folder)
        print(f"conformance: {name} ({revision}) passed", flush=True)


def check_session(inspector, url, token, environment):
    """Does with the Inspector what a person would do."""
    base = [inspector, "--cli", url, "--transport", "http", "--header", f"Authorization: Bearer {token}"]

    def ask(*arguments):
        return json.loads(output("inspector", [*base, *arguments], env=environment))

    def call(tool, *pairs):
        arguments = [word for pair in pairs for word in ("--tool-arg", pair)]
        result = ask("--method", "tools/call", "--tool-name", tool, *arguments)
        if result.get("isError"):
            raise Failed(f"inspector: {tool}: {result}")
        return result["structuredContent"]

    def expect(condition, what):
        if not condition:
            raise Failed(f"inspector: {what}")

    # Fails if a schema is an obstacle to clients.
    tools = ask("--method", "tools/list", "--strict")["tools"]
    expect(len(tools) == 8, tools)
    added = call("add_task", "text=Buy milk tomorrow #home !high", "key=k1")
    task = added["task"]
    expect((task["title"], task["tags"], task["priority"]) == ("Buy milk", ["home"], "high"), added)
    expect(call("add_task", "text=Buy milk tomorrow #home !high", "key=k1") == added, "a repeated call")
    expect(call("list_tasks", "tag=[\"home\"]")["tasks"] == [task], "the list")
    changed = call("update_task", f"id={task['id']}", "title=Buy oat milk")["task"]
    expect(changed["title"] == "Buy oat milk" and changed["due"] == task["due"], changed)
    deleted = call("delete_tasks", f"ids=[\"{task['id']}\"]")
    expect(call("list_tasks")["tasks"] == [], "the list after the deletion")
    restored = call("undo", f"seq={deleted['seq']}")["task"]
    expect(restored["title"] == "Buy oat milk", restored)
    print("inspector: the session passed", flush=True)
