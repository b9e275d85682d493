"""Three machines with PostgreSQL, Patroni and etcd, and HAProxy in front of them."""

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import time

from benchmark.postgres import programs
from benchmark.processes import Failed, run

from .machines import Machine, start_network

# HAProxy's port on loopback, which leads to the primary.
PORT = 5000
POSTGRES, PATRONI, ETCD, PEERS = 5432, 8008, 2379, 2380
# The longest time until all machines are one cluster again.
TIMEOUT_SECONDS = 120
POLL_SECONDS = 0.2

# docs/operations/failover.md explains these and the times of HAProxy.
PARAMETERS = {
    # A standby looks for its new primary this often; until one has found it, no synchronous write is acknowledged.
    "wal_retrieve_retry_interval": "500ms",
}

HAPROXY = """
defaults
    mode tcp
    timeout connect 2s
    timeout client 1h
    timeout server 1h
    timeout check 1s
listen primary
    bind 127.0.0.1:{port}
    option httpchk OPTIONS /primary
    http-check expect status 200
    default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
{servers}
"""


class Cluster:
    """The cluster. Its machines end with this program."""

    def __init__(self, folder, settings):
        self.folder, self.settings = folder, settings
        self.programs = programs()
        start_network()
        self.machines = [Machine(number, folder) for number in (1, 2, 3)]

    def start(self):
        """Starts all machines, and waits until they are one cluster."""
        for machine in self.machines:
            self._write_settings(machine)
            self.start_machine(machine)
        self._start_haproxy()
        self.wait_until_whole()

    def start_machine(self, machine):
        """Starts etcd and Patroni, which starts PostgreSQL."""
        url = f"http://{machine.address}"
        peers = ",".join(f"{peer.name}=http://{peer.address}:{PEERS}" for peer in self.machines)
        machine.start(
            "etcd", "--name", machine.name, "--data-dir", machine.folder / "etcd",
            "--listen-client-urls", f"{url}:{ETCD}", "--advertise-client-urls", f"{url}:{ETCD}",
            "--listen-peer-urls", f"{url}:{PEERS}", "--initial-advertise-peer-urls", f"{url}:{PEERS}",
            "--initial-cluster", peers, "--enable-v2", "--logger", "zap")
        machine.start("patroni", machine.folder / "patroni.yml")

    def _write_settings(self, machine):
        user = {"username": "postgres", "password": "unused"}
        settings = {
            "scope": "taskhold",
            "name": machine.name,
            "restapi": {"listen": f"{machine.address}:{PATRONI}", "connect_address": f"{machine.address}:{PATRONI}"},
            # With etcd's third protocol, Patroni 3.0.2 lets a primary that stood still take the lead back.
            "etcd": {"hosts": [f"{each.address}:{ETCD}" for each in self.machines]},
            "bootstrap": {
                "dcs": {**self.settings, "postgresql": {"use_pg_rewind": True, "parameters": PARAMETERS}},
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums"],
                "pg_hba": ["local all all trust", "host all all 10.77.0.0/24 trust",
                           "host replication all 10.77.0.0/24 trust"],
            },
            "postgresql": {
                "listen": f"{machine.address}:{POSTGRES}",
                "connect_address": f"{machine.address}:{POSTGRES}",
                "data_dir": str(machine.folder / "data"),
                "bin_dir": str(self.programs),
                "pgpass": str(machine.folder / "pgpass"),
                "authentication": {"superuser": user, "replication": user, "rewind": user},
                "parameters": {"unix_socket_directories": str(machine.folder)},
            },
        }
        # JSON is YAML.
        path = machine.folder / "patroni.yml"
        path.write_text(json.dumps(settings, indent=2))
        shutil.chown(path, "postgres")

    def _start_haproxy(self):
        servers = "\n".join(
            f"    server {machine.name} {machine.address}:{POSTGRES} check port {PATRONI}" for machine in self.machines)
        path = self.folder / "haproxy.cfg"
        path.write_text(HAPROXY.format(port=PORT, servers=servers))
        program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
        with open(self.folder / "haproxy.log", "w") as log:
            subprocess.Popen([program, "-db", "-f", str(path)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                             start_new_session=True)

    def url(self, database):
        return f"postgres://postgres@127.0.0.1:{PORT}/{database}"

    def sql(self, database, statement):
        """Executes a statement on the primary and returns the rows, with tabs between columns."""
        return run([self.programs / "psql", "--no-psqlrc", "-qAt", "-F", "\t", "-v", "ON_ERROR_STOP=1",
                    "-c", statement, self.url(database)])

    def ask(self, machine, method, path, body=None):
        """Sends a request to a Patroni and returns the status and the text of its answer."""
        client = http.client.HTTPConnection(machine.address, PATRONI, timeout=30)
        with contextlib.closing(client):
            client.request(method, path, None if body is None else json.dumps(body))
            answer = client.getresponse()
            return answer.status, answer.read().decode()

    def wait_for_successor(self, leader):
        """Waits until another machine leads than this one, which may be cut off."""
        others = [machine for machine in self.machines if machine is not leader]
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            leaders = [member["name"] for member in self.members(others) if member["role"] == "leader"]
            if leaders and leader.name not in leaders:
                return
            time.sleep(POLL_SECONDS)
        raise Failed(f"no other machine leads after {TIMEOUT_SECONDS} s")

    def members(self, asked=None):
        """Returns the members as a Patroni sees them, or nothing if none answers."""
        for machine in asked or self.machines:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError):
                return json.loads(self.ask(machine, "GET", "/cluster")[1])["members"]
        return []

    def machine(self, role):
        """Returns the machine with a role: `leader` or `sync_standby`."""
        names = [member["name"] for member in self.members() if member["role"] == role]
        if len(names) != 1:
            raise Failed(f"{len(names)} machines are {role}")
        return next(machine for machine in self.machines if machine.name == names[0])

    def is_synchronous(self):
        return json.loads(self.ask(self.machines[0], "GET", "/config")[1])["synchronous_mode"]

    def configure(self, settings):
        """Changes settings of the whole cluster."""
        status, answer = self.ask(self.machines[0], "PATCH", "/config", settings)
        if status != 200:
            raise Failed(f"Patroni refuses {settings}: {answer}")
        self.wait_until_whole()

    def wait_until_whole(self):
        """Waits until one machine leads and both others follow it, one of them synchronously if that is set."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            members = []
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError):
                members = self.members()
                if self._is_whole(members):
                    return
            time.sleep(POLL_SECONDS)
        raise Failed(f"the machines are not one cluster after {TIMEOUT_SECONDS} s: {members}")

    def _is_whole(self, members):
        roles = sorted(member["role"] for member in members)
        other = "sync_standby" if self.is_synchronous() else "replica"
        return (roles == sorted(["leader", "replica", other])
                and all(member["state"] in ("running", "streaming") for member in members)
                and len({member.get("timeline") for member in members}) == 1
                and self._streaming() == 2)

    def _streaming(self):
        try:
            return int(self.sql("postgres", "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"))
        except Failed:
            return 0
