"""Compares a restored store with the acknowledged writes."""

from benchmark.processes import Failed

from .stores import seeded_id


def compare(titles, writes, size, taken_at):
    """Returns the number of lost writes. `titles` are the restored tasks, and `taken_at` is the time of the backup:
    a write that was acknowledged earlier must not be lost."""
    by_task = {}
    for write in writes:
        by_task.setdefault(write.id, []).append(write)

    lost = 0
    for id, of_task in by_task.items():
        lost += count_lost(titles.get(id), of_task, taken_at, is_seeded=of_task[0].title is None)

    untouched = {seeded_id(number) for number in range(size.tasks)} - by_task.keys()
    missing = untouched - titles.keys()
    if missing:
        raise Failed(f"{len(missing)} seeded tasks are missing, such as {min(missing)}")
    foreign = titles.keys() - untouched - by_task.keys()
    if foreign:
        raise Failed(f"{len(foreign)} tasks exist that no client wrote, such as {min(foreign)}")
    return lost


def count_lost(title, writes, taken_at, is_seeded):
    """Returns how many writes of a task, given in order, came after its restored state."""
    # Before its first write a seeded task has the title of the seed, and any other task does not exist.
    reached = 0
    if is_seeded:
        reached = int(title is None)
    elif title is not None:
        given = [write.title for write in writes]
        if title not in given:
            raise Failed(f"the task {writes[0].id} has a title that no client wrote: {title}")
        reached = given.index(title) + 1
    kept = sum(write.at < taken_at for write in writes)
    if reached < kept:
        raise Failed(f"a write of the task {writes[0].id} was acknowledged {taken_at - writes[kept - 1].at:.3f} s "
                     "before the backup was taken, and is not in it")
    return len(writes) - reached
