"""The faults: each is caused, taken over by another machine, and mended."""

import json
import signal

from benchmark.processes import Failed


def switchover(cluster, load):
    """An operator moves the primary to another machine."""
    leader, standby = cluster.machine("leader"), cluster.machine("sync_standby")
    order = {"leader": leader.name, "candidate": standby.name}
    status, answer = cluster.ask(leader, "POST", "/switchover", order)
    if status != 200:
        raise Failed(f"Patroni refuses {json.dumps(order)}: {answer}")
    load.wait_for_progress()


def kill_postgres(cluster, load):
    """All processes of PostgreSQL end on the machine of the primary; Patroni goes on there."""
    leader = cluster.machine("leader")
    leader.kill("postgres")
    cluster.wait_for_successor(leader)
    load.wait_for_progress()


def kill_machine(cluster, load):
    """All processes end on the machine of the primary: PostgreSQL, Patroni and etcd."""
    leader = cluster.machine("leader")
    leader.kill()
    cluster.wait_for_successor(leader)
    load.wait_for_progress()
    cluster.start_machine(leader)


def pause_machine(cluster, load):
    """The machine of the primary stands still, and goes on as if nothing had happened."""
    leader = cluster.machine("leader")
    leader.signal(signal.SIGSTOP)
    cluster.wait_for_successor(leader)
    load.wait_for_progress()
    leader.signal(signal.SIGCONT)
    load.wait_for_progress()


def pause_postgres(cluster, load):
    """PostgreSQL and Patroni stand still on the machine of the primary, and go on; etcd does all the time."""
    leader = cluster.machine("leader")
    for name in ("patroni", "postgres"):
        leader.signal(signal.SIGSTOP, name)
    cluster.wait_for_successor(leader)
    load.wait_for_progress()
    for name in ("postgres", "patroni"):
        leader.signal(signal.SIGCONT, name)
    load.wait_for_progress()


def unplug_machine(cluster, load):
    """The machine of the primary is cut off from everything."""
    leader = cluster.machine("leader")
    leader.unplug()
    cluster.wait_for_successor(leader)
    load.wait_for_progress()
    leader.plug()
    load.wait_for_progress()


def part_machines(cluster, load):
    """The machine of the primary is cut off from the other two, and the service still reaches it."""
    leader = cluster.machine("leader")
    others = [machine for machine in cluster.machines if machine is not leader]
    for other in others:
        leader.cut_off_from(other)
    cluster.wait_for_successor(leader)
    load.wait_for_progress()
    for other in others:
        leader.connect_to(other)
    load.wait_for_progress()
