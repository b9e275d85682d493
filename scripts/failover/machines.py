"""Machines of a cluster: network namespaces that a bridge connects, and the processes in them.

Everything is within the process and network namespaces of this program, and ends with it.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

from benchmark.processes import Failed, run

# The network of the machines. The bridge has the first address.
NETWORK = "10.77.0"
# An address of the link layer that no machine has.
NOWHERE = "02:00:00:00:00:01"
TIMEOUT_SECONDS = 10
POLL_SECONDS = 0.05


def start_network():
    """Connects the namespace of this program to the machines to come."""
    run(["ip", "link", "set", "lo", "up"])
    run(["ip", "link", "add", "machines", "type", "bridge"])
    run(["ip", "address", "add", f"{NETWORK}.1/24", "dev", "machines"])
    run(["ip", "link", "set", "machines", "up"])


class Machine:
    """A machine: its address, its folder, and its programs, which run as the user postgres."""

    def __init__(self, number, folder):
        self.name, self.address = f"machine{number}", f"{NETWORK}.{10 + number}"
        self.link, self.link_address = f"link{number}", f"02:00:00:00:01:{number:02}"
        self.folder = folder / self.name
        self.folder.mkdir()
        run(["chown", "postgres", self.folder])
        # The network lives as long as a process in it.
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], start_new_session=True)
        self._wait_for_network()
        self._connect()

    def _wait_for_network(self):
        ours = os.readlink("/proc/self/ns/net")
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            self.network = os.readlink(f"/proc/{self.holder.pid}/ns/net")
            if self.network != ours:
                return
            time.sleep(POLL_SECONDS)
        raise Failed(f"{self.name} got no network of its own")

    def _connect(self):
        run(["ip", "link", "add", self.link, "type", "veth", "peer", "name", "net", "address", self.link_address,
             "netns", self.holder.pid])
        run(["ip", "link", "set", self.link, "master", "machines", "up"])
        self.inside("ip", "link", "set", "lo", "up")
        self.inside("ip", "address", "add", f"{self.address}/24", "dev", "net")
        self.inside("ip", "link", "set", "net", "up")

    def _command(self, *command):
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *map(str, command)]

    def inside(self, *command):
        """Runs a program on the machine as root until it exits."""
        return run(self._command(*command))

    def start(self, *command):
        """Starts a program on the machine, whose log is in the machine's folder."""
        with open(self.folder / f"{Path(command[0]).name}.log", "a") as log:
            subprocess.Popen(self._command("runuser", "-u", "postgres", "--", *command), cwd=self.folder,
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def processes(self, name=None):
        """Returns the processes of the machine, or those with this name."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                is_ours = os.readlink(process / "ns/net") == self.network
                command = (process / "comm").read_text().strip()
            except OSError:
                # It has ended.
                continue
            if is_ours and int(process.name) != self.holder.pid and name in (None, command):
                found.append(int(process.name))
        return found

    def signal(self, number, name=None):
        """Sends a signal to all processes of the machine, or to those with this name."""
        for process in self.processes(name):
            try:
                os.kill(process, number)
            except ProcessLookupError:
                pass

    def kill(self, name=None):
        """Ends all processes of the machine, or those with this name, with `kill -9`."""
        # A stopped process starts no others.
        self.signal(signal.SIGSTOP, name)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while self.processes(name):
            self.signal(signal.SIGKILL, name)
            if time.monotonic() > deadline:
                raise Failed(f"processes of {self.name} do not end")
            time.sleep(POLL_SECONDS)

    def unplug(self):
        """Cuts the machine off from everything. Nobody is told: what is sent is lost."""
        run(["ip", "link", "set", self.link, "down"])

    def plug(self):
        """Connects the machine again."""
        run(["ip", "link", "set", self.link, "up"])

    def cut_off_from(self, other):
        """Loses what this machine and another one send to each other."""
        for sender, receiver in [(self, other), (other, self)]:
            sender.inside("ip", "neighbour", "replace", receiver.address, "lladdr", NOWHERE, "nud", "permanent",
                          "dev", "net")

    def connect_to(self, other):
        """Ends what `cut_off_from` began."""
        for sender, receiver in [(self, other), (other, self)]:
            sender.inside("ip", "neighbour", "del", receiver.address, "dev", "net")
