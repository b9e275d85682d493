"""Creates, lists, completes and deletes a task with a generated client: `client.py URL TOKEN`, with the package
`taskhold_client` on the path."""

import sys

from taskhold_client import AuthenticatedClient
from taskhold_client.api.tasks import complete_task, create_task, delete_task, list_tasks, read_task
from taskhold_client.models import Completion, NewTask, Problem, TaskAnswer, TaskList


def check_task_lifecycle(client):
    created = create_task.sync(client=client, body=NewTask(title="Buy milk", description="2 litres"))
    assert isinstance(created, TaskAnswer), created
    task = created.task
    assert (task.title, task.description, task.completed) == ("Buy milk", "2 litres", False), task

    listed = list_tasks.sync(client=client)
    assert isinstance(listed, TaskList), listed
    assert listed.tasks == [task] and listed.next_cursor is None, listed

    completed = complete_task.sync(task.id, client=client, body=Completion(completed=True))
    assert isinstance(completed, TaskAnswer), completed
    assert completed.task.completed and completed.task.updated_at > task.updated_at, completed

    deleted = delete_task.sync_detailed(task.id, client=client)
    assert deleted.status_code == 204, deleted
    missing = read_task.sync(task.id, client=client)
    assert isinstance(missing, Problem) and missing.error_code == "NOT_FOUND", missing


def main():
    url, token = sys.argv[1:]
    with AuthenticatedClient(base_url=url, token=token) as client:
        check_task_lifecycle(client)
    print("created, listed, completed, deleted")


if __name__ == "__main__":
    main()
