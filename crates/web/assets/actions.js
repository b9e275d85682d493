// @ts-check
/** The actions of the views. A write resolves as soon as the device has stored it, before it is sent. */

import { open, request } from './api.js';
import { zone } from './dates.js';
import { outbox } from './outbox.js';
import { newKey } from './platform.js';
import { session } from './session.js';
import { newLocalId } from './store/effects.js';
import { store } from './store.js';
import { stream } from './stream.js';

/** @import * as T from './types.d.ts' */

/** Opens the data of the user whom this device knows, and follows each log-in and log-out, also of other tabs. */
export async function start() {
  session.addEventListener('change', follow);
  session.start();
  await followed;
}

/** Changes of the session are followed one after the other. */
let followed = Promise.resolve();

function follow() {
  followed = followed.then(followSession).catch((error) => {
    // The browser keeps no data for this page.
    console.error(error);
    store.emit('failure', error);
  });
}

async function followSession() {
  const userId = session.user?.id ?? null;
  stream.stop();
  outbox.stop();
  if (userId === null) store.close();
  else if (userId !== store.userId) await store.open(userId);
  if (session.state !== 'in' || userId === null) return;
  // Waiting writes go out first: else the feed would show a created task beside the write that created it.
  void outbox.start(userId).then(() => {
    if (session.state === 'in' && session.user?.id === userId) stream.start(userId);
  });
}

/** @type {(text: string, options?: {except?: T.Field[], timezone?: string}) => Promise<T.Write>} */
export const add = (text, { except = [], timezone = zone() } = {}) =>
  outbox.enqueue({ kind: 'add', text, except, timezone }, newLocalId());

/** Edits a task as the person saw it, if given: what others changed meanwhile is a conflict. @type {(id: string, patch: T.Patch, seen?: T.Task) => Promise<T.Write>} */
export const update = (id, patch, seen) => outbox.enqueue({ kind: 'update', patch }, id, seen);

/** @param {string} id @param {boolean} completed */
export const complete = (id, completed) => outbox.enqueue({ kind: 'complete', completed }, id);

/** @param {string} id @param {T.Place} place */
export const move = (id, place) => {
  const [neighbour = null] = Object.values(place);
  return outbox.enqueue({ kind: 'move', side: 'after' in place ? 'after' : 'before', neighbour }, id);
};

/** @param {string} id */
export const remove = (id) => outbox.enqueue({ kind: 'remove' }, id);

/** @param {T.Task} task as the trash lists it */
export const restore = ({ deleted_at, ...task }) => outbox.enqueue({ kind: 'restore' }, task.id, task);

/** Takes a write of this device back, the last one unless given. @param {{id: number}} [write] */
export const undo = (write) => outbox.undo(write?.id);

// The following writes never wait: days later they would do more than was meant.

/** @param {string} path */
const deleteNow = (path) => request('DELETE', path, { key: newKey() });

/** @param {string} id */
export const purge = (id) => deleteNow(`api/v1/trash/${id}`);

export const emptyTrash = () => deleteNow('api/v1/trash');

/** Returns what quick add would make of a text. @type {(text: string, except?: T.Field[], signal?: AbortSignal) => Promise<{task: T.Task, understood: T.Understood[]}>} */
export async function understand(text, except = [], signal) {
  const body = { text, except, timezone: zone(), dry_run: true };
  return (await request('POST', 'api/v1/tasks/quick', { body, signal })).body;
}

/** @param {string} path @param {string | null} [cursor] */
const read = async (path, cursor) => (await request('GET', path + (cursor ? `?cursor=${encodeURIComponent(cursor)}` : ''))).body;

/** @type {(id: string, cursor?: string | null) => Promise<{history: T.HistoryEntry[], next_cursor: string | null}>} */
export const history = (id, cursor) => read(`api/v1/tasks/${store.idOf(id)}/history`, cursor);

/** @type {(cursor?: string | null) => Promise<{tasks: T.Task[], next_cursor: string | null}>} */
export const trash = (cursor) => read('api/v1/trash', cursor);

/** @type {() => Promise<T.PersonalToken[]>} */
export const tokens = async () => (await read('api/auth/tokens')).tokens;

/** @type {(token: {name: string, scopes: string[], expires_in_days?: number}) => Promise<T.PersonalToken & {token: string}>} */
export const createToken = async (token) => (await request('POST', 'api/auth/tokens', { body: token })).body;

/** @param {string} id */
export const revokeToken = (id) => request('DELETE', `api/auth/tokens/${id}`);

/** @type {() => Promise<T.LogIn[]>} */
export const sessions = async () => (await read('api/auth/sessions')).sessions;

/** @param {string} id */
export const endSession = (id) => request('DELETE', `api/auth/sessions/${id}`);

/** A large file may take longer than other requests. */
const unhurried = () => AbortSignal.timeout(600_000);

/** @param {'console' | 'ndjson'} format */
export const exportTasks = async (format) =>
  (await open('GET', `api/v1/export?format=${format}&timezone=${encodeURIComponent(zone())}`, { signal: unhurried() })).blob();

/** @param {Blob} file @param {boolean} dryRun @returns {Promise<T.ImportReport>} */
export async function importTasks(file, dryRun) {
  const isArray = (await file.slice(0, 1024).text()).trimStart().startsWith('[');
  const headers = { 'Content-Type': isArray ? 'application/json' : 'application/x-ndjson' };
  const path = `api/v1/import?timezone=${encodeURIComponent(zone())}&dry_run=${dryRun}`;
  return (await request('POST', path, { body: file, headers, signal: unhurried() })).body;
}
