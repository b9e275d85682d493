// @ts-check
/** What the views do. Writes resolve as soon as the device has stored them; the service hears of them later. */

import { open, request } from './api.js';
import { zone } from './dates.js';
import { outbox } from './outbox.js';
import { session } from './session.js';
import { newLocalId } from './store/effects.js';
import { store } from './store.js';
import { stream } from './stream.js';

/** @import { Field, HistoryEntry, ImportReport, Patch, PersonalToken, Place, Task, Understood } from './types.d.ts' */

/** Opens the data of the user whom this device knows, and follows each log-in and log-out, also of other tabs. */
export async function start() {
  session.addEventListener('change', () => void follow());
  session.start();
  await follow();
}

/** Changes of the session are followed one after the other. */
let followed = Promise.resolve();

function follow() {
  followed = followed.then(followSession).catch((error) => console.error(error));
  return followed;
}

async function followSession() {
  const userId = session.user?.id ?? null;
  if (userId !== store.userId) {
    stream.stop();
    outbox.stop();
    if (userId === null) store.close();
    else await store.open(userId);
  }
  if (session.state === 'in' && userId !== null) {
    // What waits goes out first, so that the feed does not show a creation beside its waiting write.
    void outbox.start(userId).then(() => stream.start(userId));
  } else {
    stream.stop();
    outbox.stop();
  }
}

/**
 * Adds a task by one line of text.
 * @param {string} text
 * @param {{except?: Field[], timezone?: string}} [options]
 */
export function add(text, { except = [], timezone = zone() } = {}) {
  return outbox.enqueue({ kind: 'add', text, except, timezone }, newLocalId());
}

/**
 * Changes fields of a task.
 * @param {string} id
 * @param {Patch} patch
 * @param {Task} [seen] the task as the person saw it before the edit: what others changed meanwhile is a conflict
 */
export const update = (id, patch, seen) => outbox.enqueue({ kind: 'update', patch }, id, seen);

/** @param {string} id @param {boolean} completed */
export const complete = (id, completed) => outbox.enqueue({ kind: 'complete', completed }, id);

/** @param {string} id @param {Place} place */
export const move = (id, place) => outbox.enqueue({ kind: 'move', place }, id);

/** Moves a task to the trash. @param {string} id */
export const remove = (id) => outbox.enqueue({ kind: 'remove' }, id);

/** Takes a task out of the trash. @param {Task} task as the trash lists it */
export function restore(task) {
  const { deleted_at, ...seen } = task;
  return outbox.enqueue({ kind: 'restore' }, task.id, seen);
}

/** Takes a write of this device back, the last one unless given. @param {{id: number}} [write] */
export const undo = (write) => outbox.undo(write?.id);

/** Takes a change of any device back, at once. @param {number} seq */
export async function undoChange(seq) {
  await request('POST', `api/v1/changes/${seq}/undo`, { key: crypto.randomUUID() });
}

/** Deletes a task of the trash for good. This never waits: it could be done long after it was meant. @param {string} id */
export async function purge(id) {
  await request('DELETE', `api/v1/trash/${id}`, { key: crypto.randomUUID() });
}

/** Deletes all tasks of the trash for good, at once as `purge` does. */
export async function emptyTrash() {
  await request('DELETE', 'api/v1/trash', { key: crypto.randomUUID() });
}

/**
 * Returns what quick add would understand.
 * @param {string} text
 * @param {Field[]} [except]
 * @param {AbortSignal} [signal]
 * @returns {Promise<{task: Task, understood: Understood[]}>}
 */
export async function understand(text, except = [], signal) {
  const body = { text, except, timezone: zone(), dry_run: true };
  return (await request('POST', 'api/v1/tasks/quick', { body, ...(signal ? { signal } : {}) })).body;
}

/** @param {string} id @param {string} [cursor] @returns {Promise<{history: HistoryEntry[], next_cursor: string | null}>} */
export const history = async (id, cursor) => read(`api/v1/tasks/${store.idOf(id)}/history`, cursor);

/** @param {string} [cursor] @returns {Promise<{tasks: Task[], next_cursor: string | null}>} */
export const trash = async (cursor) => read('api/v1/trash', cursor);

/** @param {string} path @param {string | undefined} cursor */
async function read(path, cursor) {
  const query = cursor ? `?cursor=${encodeURIComponent(cursor)}` : '';
  return (await request('GET', path + query)).body;
}

/** @returns {Promise<PersonalToken[]>} */
export const tokens = async () => (await request('GET', 'api/auth/tokens')).body.tokens;

/** @param {{name: string, scopes: string[], expires_in_days?: number}} token @returns {Promise<PersonalToken & {token: string}>} */
export const createToken = async (token) => (await request('POST', 'api/auth/tokens', { body: token })).body;

/** @param {string} id */
export async function revokeToken(id) {
  await request('DELETE', `api/auth/tokens/${id}`);
}

/** @returns {Promise<{id: string, created_at: string, refreshed_at: string, expires_at: string}[]>} */
export const sessions = async () => (await request('GET', 'api/auth/sessions')).body.sessions;

/** @param {string} id */
export async function endSession(id) {
  await request('DELETE', `api/auth/sessions/${id}`);
}

/** Returns all tasks as a file. @param {'console' | 'ndjson'} format @returns {Promise<Blob>} */
export async function exportTasks(format) {
  const query = `?format=${format}&timezone=${encodeURIComponent(zone())}`;
  return (await open('GET', `api/v1/export${query}`)).blob();
}

/**
 * Imports a file, or with `dryRun` reports what an import would do.
 * @param {Blob} file
 * @param {boolean} dryRun
 * @returns {Promise<ImportReport>}
 */
export async function importTasks(file, dryRun) {
  const isArray = (await file.slice(0, 1024).text()).trimStart().startsWith('[');
  const headers = { 'Content-Type': isArray ? 'application/json' : 'application/x-ndjson' };
  const query = `?timezone=${encodeURIComponent(zone())}&dry_run=${dryRun}`;
  // A large file may take longer than other requests.
  const signal = AbortSignal.timeout(600_000);
  return (await request('POST', `api/v1/import${query}`, { body: file, headers, signal })).body;
}
