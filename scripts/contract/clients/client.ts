// Does every operation with openapi-fetch and the types of openapi-typescript: `node client.js URL TOKEN`.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Api = Client<paths>;
type Grant = components["schemas"]["Grant"];

const EMAIL = "typescript@example.org";
const PASSWORD = "a lamp by the window";
const NEW_PASSWORD = "two lamps by the door";

/** Returns the data of a successful answer. */
function ok<T>(answer: { data?: T; error?: unknown; response: Response }): NonNullable<T> {
  assert(answer.data, `${answer.response.status} ${JSON.stringify(answer.error)}`);
  return answer.data;
}

async function checkTasks(api: Api) {
  const header = { "Idempotency-Key": randomUUID() };
  const created = ok(await api.POST("/api/v1/tasks", { params: { header }, body: { title: "Buy milk" } })).task;
  assert.deepEqual([created.title, created.description, created.completed], ["Buy milk", "", false]);
  const again = await api.POST("/api/v1/tasks", { params: { header }, body: { title: "Buy milk" } });
  assert.equal(again.response.headers.get("Idempotent-Replayed"), "true");
  const broken = await api.POST("/api/v1/tasks", { body: { title: "" } });
  assert.equal(broken.error?.error_code, "VALIDATION_ERROR");

  const path = { id: created.id };
  const updated = ok(
    await api.PUT("/api/v1/tasks/{id}", { params: { path }, body: { title: "Buy oat milk", completed: true } }),
  ).task;
  assert(updated.completed);
  const patched = ok(await api.PATCH("/api/v1/tasks/{id}", { params: { path }, body: { description: "2 litres" } })).task;
  assert.deepEqual([patched.title, patched.description], ["Buy oat milk", "2 litres"]);
  const cleared = ok(await api.PATCH("/api/v1/tasks/{id}", { params: { path }, body: { description: null } })).task;
  assert.equal(cleared.description, "");
  const stale = await api.PATCH("/api/v1/tasks/{id}", {
    params: { path, header: { "If-Match": created.etag } },
    body: { title: "x" },
  });
  assert(stale.error && "task" in stale.error);
  assert.deepEqual(stale.error.task, cleared);
  const reopened = ok(
    await api.PATCH("/api/v1/tasks/{id}/complete", { params: { path }, body: { completed: false } }),
  ).task;
  const toggled = ok(await api.PATCH("/api/v1/tasks/{id}/complete", { params: { path } })).task;
  assert.deepEqual([reopened.completed, toggled.completed], [false, true]);

  assert.deepEqual(ok(await api.GET("/api/v1/tasks/{id}", { params: { path } })).task, toggled);
  const known = await api.GET("/api/v1/tasks/{id}", { params: { path, header: { "If-None-Match": toggled.etag } } });
  assert.equal(known.response.status, 304);
  const second = ok(await api.POST("/api/v1/tasks", { body: { title: "Call mum", completed: false } })).task;
  const page = ok(await api.GET("/api/v1/tasks", { params: { query: { limit: 1, sort: "-created_at" } } }));
  assert.deepEqual(page.tasks, [second]);
  assert(page.next_cursor);
  const rest = ok(await api.GET("/api/v1/tasks", { params: { query: { limit: 1, cursor: page.next_cursor } } }));
  assert.deepEqual(rest, { tasks: [toggled], next_cursor: null });
  const query = { q: "OAT", completed: true, limit: 10, offset: 0 };
  assert.deepEqual(ok(await api.GET("/api/v1/tasks", { params: { query } })).tasks, [toggled]);
  assert.deepEqual(ok(await api.GET("/api/v1/tasks")).tasks, [second, toggled]);
  const stats = { total: 2, completed: 1, pending: 1, overdue: 0, due_today: 0 };
  assert.deepEqual(ok(await api.GET("/api/v1/tasks/stats", { params: { query: { timezone: "Europe/Berlin" } } })), stats);
  const moved = ok(
    await api.POST("/api/v1/tasks/{id}/move", { params: { path: { id: second.id } }, body: { after: created.id } }),
  ).task;
  const byPosition = ok(await api.GET("/api/v1/tasks", { params: { query: { sort: "position" } } }));
  assert.deepEqual(byPosition.tasks, [toggled, moved]);
  const first = ok(
    await api.POST("/api/v1/tasks/{id}/move", { params: { path: { id: second.id } }, body: { after: null } }),
  ).task;
  assert(first.position < toggled.position);
  await checkExport(api);
  await checkImport(api);
  await checkQuickAdd(api);

  for (const { id } of [created, second]) {
    assert.equal((await api.DELETE("/api/v1/tasks/{id}", { params: { path: { id } } })).response.status, 204);
  }
  const missing = await api.GET("/api/v1/tasks/{id}", { params: { path } });
  assert.equal(missing.error?.error_code, "NOT_FOUND");
}

/** Adds a task and deletes it. */
async function checkQuickAdd(api: Api) {
  const text = { text: "Pay rent tomorrow #home", timezone: "Europe/Berlin" };
  const shown = ok(await api.POST("/api/v1/tasks/quick", { body: { ...text, dry_run: true } }));
  assert.deepEqual([shown.task.title, shown.task.tags], ["Pay rent", ["home"]]);
  const added = ok(await api.POST("/api/v1/tasks/quick", { body: { ...text, except: ["due"] } }));
  assert.deepEqual([added.task.title, added.task.due], ["Pay rent tomorrow", null]);
  assert.deepEqual(added.understood, [{ field: "tags", text: "#home", start: 18, end: 23 }]);
  const path = { id: added.task.id };
  assert.equal((await api.DELETE("/api/v1/tasks/{id}", { params: { path } })).response.status, 204);
}

async function checkImport(api: Api) {
  const body = [{ id: 1, title: "Sow carrots" }, { id: 2, title: "" }];
  const query = { timezone: "Europe/Berlin", dry_run: true };
  const report = ok(await api.POST("/api/v1/import", { params: { query }, body }));
  assert.deepEqual([report.dry_run, report.imported, report.rejected], [true, 1, 1]);
  assert.deepEqual([report.rejections[0]?.position, report.rejections[0]?.id], [2, "2"]);
}

async function checkExport(api: Api) {
  const titles = ["Buy oat milk", "Call mum"];
  const exported = ok(await api.GET("/api/v1/export", { params: { query: { timezone: "Europe/Berlin" } } }));
  assert(Array.isArray(exported));
  assert.deepEqual(exported.map((task) => task.title), titles);
  const lines = ok(await api.GET("/api/v1/export", { params: { query: { format: "ndjson" } }, parseAs: "text" }));
  assert.deepEqual(lines.trimEnd().split("\n").map((line) => JSON.parse(line).title), titles);
}

/** Undoes a change and follows it, by the stream too. */
async function checkChanges(api: Api) {
  const known = ok(await api.GET("/api/v1/changes"));
  assert.deepEqual([known.changed, known.has_more], [[], false]);
  const { task } = ok(await api.POST("/api/v1/tasks", { body: { title: "Water plants" } }));
  const path = { id: task.id };
  const patched = await api.PATCH("/api/v1/tasks/{id}", { params: { path }, body: { title: "Water roses" } });
  const change = { seq: Number(patched.response.headers.get("Change-Seq")) };
  const undone = ok(await api.POST("/api/v1/changes/{seq}/undo", { params: { path: change } })).task;
  assert.equal(undone.title, "Water plants");
  const conflict = await api.POST("/api/v1/changes/{seq}/undo", { params: { path: change } });
  assert.equal(conflict.error?.error_code, "UNDO_CONFLICT");
  const query = { limit: 10, cursor: known.cursor };
  const { cursor, ...changes } = ok(await api.GET("/api/v1/changes", { params: { query } }));
  assert.deepEqual(changes, { changed: [undone], removed: [], has_more: false });
  const event = await firstEvent(api, known.cursor);
  assert.match(event, /^id: .+\nevent: change\ndata: \{.+\}\n\n$/);
  assert(event.includes(`"cursor":"${cursor}"`));

  const page = ok(await api.GET("/api/v1/tasks/{id}/history", { params: { path, query: { limit: 1 } } }));
  const fields = { title: { from: "Water roses", to: "Water plants" } };
  assert.deepEqual(page.history.map(({ kind, fields }) => [kind, fields]), [["updated", fields]]);
  assert(page.next_cursor);
  const rest = ok(
    await api.GET("/api/v1/tasks/{id}/history", { params: { path, query: { cursor: page.next_cursor } } }),
  );
  assert.deepEqual(rest.history.map(({ kind }) => kind), ["updated", "created"]);
}

/** Reads from the endless answer until an event has arrived. */
async function firstEvent(api: Api, cursor: string) {
  const stream = ok(
    await api.GET("/api/v1/changes/stream", { params: { query: { cursor } }, parseAs: "stream" }),
  );
  const decoder = new TextDecoder();
  let text = "";
  for await (const part of stream) {
    text += decoder.decode(part, { stream: true });
    if (text.endsWith("\n\n")) break;
  }
  return text;
}

/** Expects that the trash has three tasks. */
async function checkTrash(api: Api) {
  const task = ok(await api.GET("/api/v1/tasks")).tasks[0];
  assert(task);
  const params = { path: { id: task.id } };
  assert.equal((await api.DELETE("/api/v1/tasks/{id}", { params })).response.status, 204);
  const page = ok(await api.GET("/api/v1/trash", { params: { query: { limit: 1 } } }));
  assert.deepEqual(page.tasks.map(({ deleted_at, ...deleted }) => deleted), [task]);
  assert(page.next_cursor);
  const rest = ok(await api.GET("/api/v1/trash", { params: { query: { cursor: page.next_cursor } } }));
  assert.deepEqual([rest.tasks.length, rest.next_cursor], [3, null]);
  assert.equal(ok(await api.POST("/api/v1/trash/{id}/restore", { params })).task.title, task.title);
  assert.equal((await api.DELETE("/api/v1/tasks/{id}", { params })).response.status, 204);
  assert.equal((await api.DELETE("/api/v1/trash/{id}", { params })).response.status, 204);
  assert.equal((await api.DELETE("/api/v1/trash")).response.status, 204);
  assert.deepEqual(ok(await api.GET("/api/v1/trash")).tasks, []);
}

async function checkAccount(baseUrl: string) {
  const anonymous = createClient<paths>({ baseUrl });
  const of = (grant: Grant) =>
    createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${grant.access_token}` } });
  const logIn = async (password: string) => anonymous.POST("/api/auth/login", { body: { email: EMAIL, password } });

  const body = { email: EMAIL, password: PASSWORD, name: "Ben" };
  const { user } = ok(await anonymous.POST("/api/auth/register", { body }));
  assert.deepEqual([user.email, user.name], [EMAIL, "Ben"]);
  const login = ok(await logIn(PASSWORD));
  assert.equal((await logIn("wrong")).error?.error_code, "UNAUTHORIZED");
  assert.deepEqual(ok(await of(login).GET("/api/auth/me")).user, user);

  const { sessions } = ok(await of(login).GET("/api/auth/sessions"));
  assert.equal(sessions.length, 2);
  const session = sessions[1]?.id ?? "";
  const ended = await of(login).DELETE("/api/auth/sessions/{session}", { params: { path: { session } } });
  assert.equal(ended.response.status, 204);
  const refreshed = ok(
    await anonymous.POST("/api/auth/refresh", { body: { refresh_token: login.refresh_token ?? "" } }),
  );
  const draft = { name: "laptop", scopes: ["tasks:read" as const], expires_in_days: 30 };
  const issued = ok(await of(refreshed).POST("/api/auth/tokens", { body: draft }));
  assert.match(issued.token, /^th_/);
  const laptop = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${issued.token}` } });
  assert.deepEqual(ok(await laptop.GET("/api/auth/me")).user, user);
  assert.equal((await laptop.DELETE("/api/v1/trash")).error?.error_code, "INSUFFICIENT_SCOPE");
  assert.equal(ok(await of(refreshed).GET("/api/auth/tokens")).tokens[0]?.id, issued.id);
  const token = { params: { path: { token: issued.id } } };
  assert.equal((await of(refreshed).DELETE("/api/auth/tokens/{token}", token)).response.status, 204);
  const change = { current_password: PASSWORD, new_password: NEW_PASSWORD };
  const changed = ok(await of(refreshed).POST("/api/auth/password", { body: change }));

  const logout = { refresh_token: changed.refresh_token ?? "" };
  assert.equal((await of(changed).POST("/api/auth/logout", { body: logout })).response.status, 204);
  const last = ok(await logIn(NEW_PASSWORD));
  const deleted = await of(last).DELETE("/api/auth/me", { body: { password: NEW_PASSWORD } });
  assert.equal(deleted.response.status, 204);
}

async function checkAgents(api: Api) {
  const body = { jsonrpc: "2.0", id: 1, method: "initialize", params: {} };
  const answer = ok(await api.POST("/mcp", { body })) as { result?: { protocolVersion?: string } };
  assert.equal(answer.result?.protocolVersion, "2025-11-25");
  for (const path of ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"] as const) {
    const metadata = ok(await api.GET(path)) as { resource?: string };
    assert.match(metadata.resource ?? "", /\/mcp$/);
  }
}

async function checkOperating(api: Api) {
  assert.equal(ok(await api.GET("/health")).database, "connected");
  assert.equal(ok(await api.GET("/health/live")).status, "alive");
  assert.equal(ok(await api.GET("/health/ready")).status, "ready");
  assert.match(ok(await api.GET("/metrics", { parseAs: "text" })), /taskhold_build_info/);
  assert.equal((ok(await api.GET("/openapi.json")) as { openapi?: unknown }).openapi, "3.1.0");
  assert.match(ok(await api.GET("/docs", { parseAs: "text" })), /<html/);
  assert(ok(await api.GET("/docs/{name}", { params: { path: { name: "start.js" } }, parseAs: "text" })));
}

const [baseUrl, token] = process.argv.slice(2);
assert(baseUrl && token);
const api = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
await checkTasks(api);
await checkChanges(api);
await checkTrash(api);
await checkAccount(baseUrl);
await checkAgents(api);
await checkOperating(createClient<paths>({ baseUrl }));
