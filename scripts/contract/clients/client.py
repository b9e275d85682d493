"""Does every operation with a generated client: `client.py URL TOKEN`, with the package `taskhold_client` on the
path."""

import json
import sys
import uuid
from http import HTTPStatus

from taskhold_client import AuthenticatedClient, Client
from taskhold_client.api.accounts import (
    change_password, delete_account, end_session, issue_token, list_sessions, list_tokens, log_in, log_out, read_account,
    refresh, register, revoke_token,
)
from taskhold_client.api.agents import mcp, mcp_metadata, mcp_metadata_at_root
from taskhold_client.api.operating import docs, docs_asset, health, live, metrics, openapi, ready
from taskhold_client.api.tasks import (
    complete_task, count_tasks, create_task, delete_task, empty_trash, export_tasks, import_tasks, list_tasks, list_trash,
    move_task, patch_task, purge_task, quick_add_task, read_changes, read_history, read_task, restore_task, stream_changes,
    undo_change, update_task,
)
from taskhold_client.models import (
    Completion, Credentials, DocsAssetName, ExportTasksFormat, Farewell, ImportedRowsItem, ListTasksSort, Logout, McpBody,
    PasswordChange, QuickAdd, RefreshToken, Registration, Scope, TaskDraft, TaskMove, TaskPatch, TaskUpdate, TokenDraft,
)

EMAIL, PASSWORD, NEW_PASSWORD = "python@example.org", "a lamp by the window", "two lamps by the door"


def check_tasks(client):
    key = str(uuid.uuid4())
    created = create_task.sync(client=client, body=TaskDraft(title="Buy milk"), idempotency_key=key).task
    assert (created.title, created.description, created.completed) == ("Buy milk", "", False), created
    again = create_task.sync_detailed(client=client, body=TaskDraft(title="Buy milk"), idempotency_key=key)
    assert again.parsed.task == created and again.headers["Idempotent-Replayed"] == "true", again
    broken = create_task.sync(client=client, body=TaskDraft(title=""))
    assert broken.errors[0].field == "title", broken

    updated = update_task.sync(created.id, client=client, body=TaskUpdate(title="Buy oat milk", completed=True)).task
    assert updated.title == "Buy oat milk" and updated.completed, updated
    patched = patch_task.sync(created.id, client=client, body=TaskPatch(description="2 litres")).task
    assert (patched.title, patched.description) == ("Buy oat milk", "2 litres"), patched
    cleared = patch_task.sync(created.id, client=client, body=TaskPatch(description=None)).task
    assert cleared.description == "", cleared
    stale = patch_task.sync(created.id, client=client, body=TaskPatch(title="x"), if_match=created.etag)
    assert stale.error_code == "PRECONDITION_FAILED" and stale.task == cleared, stale
    reopened = complete_task.sync(created.id, client=client, body=Completion(completed=False)).task
    toggled = complete_task.sync(created.id, client=client).task
    assert not reopened.completed and toggled.completed, toggled

    assert read_task.sync(created.id, client=client).task == toggled
    known = read_task.sync_detailed(created.id, client=client, if_none_match=toggled.etag)
    assert known.status_code == HTTPStatus.NOT_MODIFIED, known
    second = create_task.sync(client=client, body=TaskDraft(title="Call mum", completed=False)).task
    page = list_tasks.sync(client=client, limit=1, sort=ListTasksSort.CREATED_AT_DESCENDING)
    assert page.tasks == [second], page
    rest = list_tasks.sync(client=client, limit=1, cursor=page.next_cursor)
    assert rest.tasks == [toggled] and rest.next_cursor is None, rest
    found = list_tasks.sync(client=client, q="OAT", completed=True, limit=10, offset=0)
    assert found.tasks == [toggled] and list_tasks.sync(client=client).tasks == [second, toggled], found
    counts = count_tasks.sync(client=client, timezone="Europe/Berlin")
    assert (counts.total, counts.completed, counts.pending) == (2, 1, 1), counts
    assert (counts.overdue, counts.due_today) == (0, 0), counts
    moved = move_task.sync(second.id, client=client, body=TaskMove(after=uuid.UUID(str(created.id)))).task
    by_position = list_tasks.sync(client=client, sort=ListTasksSort.POSITION)
    assert by_position.tasks == [toggled, moved], by_position
    moved = move_task.sync(second.id, client=client, body=TaskMove(after=None)).task
    assert moved.position < toggled.position, moved
    check_export(client)
    check_import(client)
    check_quick_add(client)

    for task in (created, second):
        assert delete_task.sync_detailed(task.id, client=client).status_code == HTTPStatus.NO_CONTENT
    missing = read_task.sync(created.id, client=client)
    assert missing.error_code == "NOT_FOUND", missing


def check_quick_add(client):
    """Adds a task and deletes it."""
    text = QuickAdd(text="Pay rent tomorrow #home", timezone="Europe/Berlin", dry_run=True)
    shown = quick_add_task.sync(client=client, body=text)
    assert (shown.task.title, shown.task.tags) == ("Pay rent", ["home"]), shown
    text.dry_run, text.except_ = False, ["due"]
    added = quick_add_task.sync(client=client, body=text)
    assert (added.task.title, added.task.due) == ("Pay rent tomorrow", None), added
    assert [(part.field, part.start, part.end) for part in added.understood] == [("tags", 18, 23)], added
    assert delete_task.sync_detailed(added.task.id, client=client).status_code == HTTPStatus.NO_CONTENT


def check_import(client):
    rows = [ImportedRowsItem.from_dict(row) for row in ({"id": 1, "title": "Sow carrots"}, {"id": 2, "title": ""})]
    report = import_tasks.sync(client=client, body=rows, timezone="Europe/Berlin", dry_run=True)
    assert (report.dry_run, report.imported, report.rejected) == (True, 1, 1), report
    assert (report.rejections[0].position, report.rejections[0].id) == (2, "2"), report


def check_export(client):
    exported = export_tasks.sync(client=client, format_=ExportTasksFormat.CONSOLE, timezone="Europe/Berlin")
    assert [task.title for task in exported] == ["Buy oat milk", "Call mum"], exported
    # The function for the operation reads every answer as the first of its media types.
    lines = client.get_httpx_client().get("/api/v1/export", params={"format": ExportTasksFormat.NDJSON})
    assert [json.loads(line)["title"] for line in lines.text.splitlines()] == ["Buy oat milk", "Call mum"], lines


def check_changes(client):
    """Undoes a change and follows it, by the stream too."""
    known = read_changes.sync(client=client)
    assert (known.changed, known.has_more) == ([], False), known
    created = create_task.sync(client=client, body=TaskDraft(title="Water plants")).task
    patched = patch_task.sync_detailed(created.id, client=client, body=TaskPatch(title="Water roses"))
    seq = int(patched.headers["Change-Seq"])
    undone = undo_change.sync(seq, client=client).task
    assert undone.title == "Water plants", undone
    conflict = undo_change.sync(seq, client=client)
    assert conflict.error_code == "UNDO_CONFLICT" and conflict.task == undone, conflict
    changes = read_changes.sync(client=client, limit=10, cursor=known.cursor)
    assert (changes.changed, changes.removed, changes.has_more) == ([undone], [], False), changes
    # The function for the operation reads the answer to its end, which does not come.
    with client.get_httpx_client().stream(**stream_changes._get_kwargs(cursor=known.cursor)) as events:
        event = dict(line.split(": ", 1) for line, _ in zip(events.iter_lines(), range(3)))
    assert event["event"] == "change" and json.loads(event["data"]) == {"cursor": event["id"]}, event
    assert read_changes.sync(client=client, cursor=event["id"]).changed == [], event

    page = read_history.sync(created.id, client=client, limit=1)
    change = page.history[0]
    title = change.fields["title"]
    assert (change.kind, title.from_, title.to) == ("updated", "Water roses", "Water plants"), change
    rest = read_history.sync(created.id, client=client, cursor=page.next_cursor)
    assert [change.kind for change in rest.history] == ["updated", "created"] and rest.next_cursor is None, rest


def check_trash(client):
    """Expects that the trash has three tasks."""
    task = list_tasks.sync(client=client).tasks[0]
    assert delete_task.sync_detailed(task.id, client=client).status_code == HTTPStatus.NO_CONTENT
    page = list_trash.sync(client=client, limit=1)
    assert [deleted.id for deleted in page.tasks] == [task.id], page
    assert page.tasks[0].deleted_at > task.updated_at, page
    rest = list_trash.sync(client=client, cursor=page.next_cursor)
    assert len(rest.tasks) == 3 and rest.next_cursor is None, rest
    restored = restore_task.sync(task.id, client=client, idempotency_key=str(uuid.uuid4())).task
    assert restored.title == task.title, restored
    last = delete_task.sync_detailed(task.id, client=client)
    assert purge_task.sync_detailed(task.id, client=client).status_code == HTTPStatus.NO_CONTENT
    gone = undo_change.sync(int(last.headers["Change-Seq"]), client=client)
    assert gone.error_code == "NOT_FOUND", gone
    assert empty_trash.sync_detailed(client=client).status_code == HTTPStatus.NO_CONTENT
    assert list_trash.sync(client=client).tasks == []


def check_account(url):
    anonymous = Client(base_url=url)

    def client_of(grant):
        return AuthenticatedClient(base_url=url, token=grant.access_token)

    first = register.sync(client=anonymous, body=Registration(email=EMAIL, password=PASSWORD, name="Ben"))
    assert first.user.email == EMAIL and first.user.name == "Ben", first
    second = log_in.sync(client=anonymous, body=Credentials(email=EMAIL, password=PASSWORD))
    wrong = log_in.sync(client=anonymous, body=Credentials(email=EMAIL, password="wrong"))
    assert wrong.error_code == "UNAUTHORIZED", wrong
    assert read_account.sync(client=client_of(second)).user == first.user

    sessions = list_sessions.sync(client=client_of(second)).sessions
    assert len(sessions) == 2, sessions
    ended = end_session.sync_detailed(sessions[1].id, client=client_of(second))
    assert ended.status_code == HTTPStatus.NO_CONTENT, ended
    second = refresh.sync(client=anonymous, body=RefreshToken(refresh_token=second.refresh_token))
    draft = TokenDraft(name="laptop", scopes=[Scope.TASKSREAD], expires_in_days=30)
    issued = issue_token.sync(client=client_of(second), body=draft)
    assert issued.token.startswith("th_") and issued.scopes == [Scope.TASKSREAD], issued
    laptop = AuthenticatedClient(base_url=url, token=issued.token)
    assert read_account.sync(client=laptop).user == first.user
    refused = empty_trash.sync(client=laptop)
    assert refused.error_code == "INSUFFICIENT_SCOPE", refused
    assert [token.id for token in list_tokens.sync(client=client_of(second)).tokens] == [issued.id]
    revoked = revoke_token.sync_detailed(issued.id, client=client_of(second))
    assert revoked.status_code == HTTPStatus.NO_CONTENT, revoked
    change = PasswordChange(current_password=PASSWORD, new_password=NEW_PASSWORD)
    changed = change_password.sync(client=client_of(second), body=change)
    assert changed.user == first.user, changed

    logout = Logout(refresh_token=changed.refresh_token)
    assert log_out.sync_detailed(client=client_of(changed), body=logout).status_code == HTTPStatus.NO_CONTENT
    last = log_in.sync(client=anonymous, body=Credentials(email=EMAIL, password=NEW_PASSWORD))
    deleted = delete_account.sync_detailed(client=client_of(last), body=Farewell(password=NEW_PASSWORD))
    assert deleted.status_code == HTTPStatus.NO_CONTENT, deleted


def check_agents(client):
    introduction = McpBody.from_dict({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}})
    result = mcp.sync(client=client, body=introduction)["result"]
    assert result["protocolVersion"] == "2025-11-25", result
    for metadata in (mcp_metadata, mcp_metadata_at_root):
        assert metadata.sync(client=client)["resource"].endswith("/mcp")


def check_operating(client):
    assert health.sync(client=client).database == "connected"
    assert live.sync(client=client).status == "alive"
    assert ready.sync(client=client).status == "ready"
    assert "taskhold_build_info" in metrics.sync(client=client)
    assert openapi.sync(client=client)["openapi"] == "3.1.0"
    assert "<html" in docs.sync(client=client)
    assert docs_asset.sync(DocsAssetName.START_JS, client=client)


def main():
    url, token = sys.argv[1:]
    client = AuthenticatedClient(base_url=url, token=token)
    check_tasks(client)
    check_changes(client)
    check_trash(client)
    check_account(url)
    check_agents(client)
    check_operating(Client(base_url=url))


if __name__ == "__main__":
    main()
