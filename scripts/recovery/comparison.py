"""What a restored store must hold, and what was lost with the one before."""

from benchmark.processes import Failed

from .stores import seeded_id


def compare(titles, writes, size, taken_at):
    """How many acknowledged writes are lost. `titles` is what was restored, `taken_at` the moment that
    the backup says to hold: a write acknowledged before is not among the lost ones."""
    by_task = {}
    for write in writes:
        by_task.setdefault(write.id, []).append(write)

    lost = 0
    for id, of_task in by_task.items():
        lost += lost_of(titles.get(id), of_task, taken_at, is_seeded=of_task[0].title is None)

    untouched = {seeded_id(number) for number in range(size.tasks)} - by_task.keys()
    missing = untouched - titles.keys()
    if missing:
        raise Failed(f"{len(missing)} seeded tasks are missing, such as {min(missing)}")
    foreign = titles.keys() - untouched - by_task.keys()
    if foreign:
        raise Failed(f"{len(foreign)} tasks are there that nobody wrote, such as {min(foreign)}")
    return lost


def lost_of(title, writes, taken_at, is_seeded):
    """How many writes of a task, in their order, came after the state that it is in."""
    # Before the first one a seeded task had a title that nobody gave it, and others were not there.
    reached = 0
    if is_seeded:
        reached = int(title is None)
    elif title is not None:
        given = [write.title for write in writes]
        if title not in given:
            raise Failed(f"the task {writes[0].id} has a title that nobody gave it: {title}")
        reached = given.index(title) + 1
    kept = sum(write.at < taken_at for write in writes)
    if reached < kept:
        raise Failed(f"a write of the task {writes[0].id} was acknowledged {taken_at - writes[kept - 1].at:.3f} s "
                     "before the backup was taken, and is not in it")
    return len(writes) - reached
