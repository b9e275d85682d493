// @ts-check
/** Sends one write and stores its answer. Each crash on the way leaves the write in the queue. */

import { Offline, Problem, request } from '../api.js';
import { zone } from '../dates.js';
import { isLocal } from '../store/effects.js';
import { store } from '../store.js';
import { pullPage } from '../stream/pull.js';
import { acknowledge, fail, meetConflict } from './settle.js';
import { isConditional, neighbourOf, requestOf, unsent } from './writes.js';

/** @import { Answer, Task, Write } from '../types.d.ts' */
/** @import { Edit } from '../store/edit.js' */

/**
 * What became of a try: `empty` if nothing can be sent.
 * @typedef {{kind: 'empty'}} Empty
 * @typedef {{kind: 'later', isOffline: boolean, wait: number | null}} Later
 * @typedef {{kind: 'sent', write: Write, task: Task | null, next: Task | null, seq: number | null}} Sent
 * @typedef {{kind: 'failed' | 'conflict' | 'again' | 'gone', write: Write}} Other
 * @typedef {Empty | Later | Sent | Other} Outcome
 */

/** The service keeps keys for 24 hours. */
const KEY_AGE = 23 * 3_600_000;
/** The clocks of the device and of the service may differ by this. */
const CLOCKS = 24 * 3_600_000;
/** After so many answers 500, a write counts as refused, so that the others can go on. */
const MAX_DEFECTS = 5;

/** @param {string} userId @returns {Promise<Outcome>} */
export async function sendNext(userId) {
  let write = await store.change(pick);
  if (!write) return { kind: 'empty' };
  try {
    if (hasOldKey(write)) {
      const found = write.action.kind === 'add' ? await findCreated(write, userId) : null;
      if (found) return await refuse(write, maybeAdded(found), new Map());
      const renewed = { ...write, ...unsent(), isUncertain: true };
      write = await store.change((edit) => mark(edit, renewed));
    }
    return await send(write, userId);
  } catch (error) {
    if (error instanceof Offline) return { kind: 'later', isOffline: true, wait: null };
    if (error instanceof Problem) return { kind: 'later', isOffline: false, wait: seconds(error.retryAfter) };
    throw error;
  }
}

/** Returns the first write that does not wait for another one or for the person. @param {Edit} edit */
async function pick(edit) {
  /** @type {Set<string>} */
  const blocked = new Set();
  for (const write of await edit.readWrites()) {
    if (write.state === 'waiting' && !isBlocked(write, blocked)) return hasOldKey(write) ? write : mark(edit, write);
    if (write.state !== 'failed' || write.action.kind === 'add') blocked.add(write.task);
  }
  return null;
}

/** @param {Write} write @param {Set<string>} blocked */
function isBlocked({ action, task }, blocked) {
  if (blocked.has(task) || (isLocal(task) && action.kind !== 'add')) return true;
  if (action.kind === 'undo') return action.undone.seq === null;
  const neighbour = action.kind === 'move' ? neighbourOf(action.place) : null;
  return neighbour !== null && (isLocal(neighbour) || blocked.has(neighbour));
}

/** @param {Write} write */
const hasOldKey = ({ tried }) => tried !== null && Date.now() - tried > KEY_AGE;

/** Stores, before the first try, that there was one. @param {Edit} edit @param {Write} write @returns {Promise<Write>} */
async function mark(edit, write) {
  if (write.tried !== null) return write;
  const base = write.base ?? (isConditional(write.action) ? await edit.task(write.task) : null);
  const marked = { ...write, base, tried: Date.now(), request: requestOf(write, zone()) };
  edit.putWrite(marked);
  return marked;
}

/** @param {Write} write @param {string} userId @returns {Promise<Outcome>} */
async function send(write, userId) {
  const { method, path, body } = write.request ?? requestOf(write, zone());
  const etag = isConditional(write.action) ? write.base?.etag : undefined;
  /** @type {Answer<{task?: Task, next?: Task} | null>} */
  let answer;
  try {
    answer = await request(method, path, { body, key: write.key, as: userId, ...(etag ? { ifMatch: etag } : {}) });
  } catch (error) {
    if (error instanceof Problem) return onProblem(write, error, userId);
    throw error;
  }
  return onAnswer(write, answer, userId);
}

/**
 * @param {Write} write
 * @param {Answer<{task?: Task, next?: Task} | null>} answer
 * @param {string} userId
 * @returns {Promise<Outcome>}
 */
async function onAnswer(write, { body, seq, replayed }, userId) {
  const { action } = write;
  const task = body?.task ?? null;
  const next = body?.next ?? null;
  const id = task?.id ?? write.task;
  /** @type {Map<string, Task | null>} */
  const present = new Map([[id, task]]);
  if (next) present.set(next.id, next);
  if (action.kind === 'undo' && action.undone.next) present.set(action.undone.next, null);
  // The first answer again tells an old state, and that of an undo does not tell whether the task is in the trash.
  if (replayed || action.kind === 'undo') {
    for (const other of present.keys()) present.set(other, await read(other, userId));
  }
  const answered = action.kind === 'undo' && !present.get(id) ? null : task;
  const result = { answered, present, next: next?.id ?? null, seq };
  const isMine = await store.change((edit) => acknowledge(edit, write, result));
  return isMine ? { kind: 'sent', write, task: present.get(id) ?? null, next, seq } : { kind: 'gone', write };
}

/** @param {Write} write @param {Problem} problem @param {string} userId @returns {Promise<Outcome>} */
async function onProblem(write, problem, userId) {
  const { action, task: id } = write;
  if (isTemporary(problem)) {
    const isDefect = problem.status === 500 && problem.error_code !== '';
    if (isDefect && write.defects + 1 >= MAX_DEFECTS) return refuse(write, problem, new Map());
    if (isDefect) await store.change((edit) => addDefect(edit, write.id));
    throw problem;
  }
  if (action.kind === 'add') return refuse(write, problem, new Map());
  const present = problem.task ?? (problem.status === 412 || problem.status === 404 ? await read(id, userId) : undefined);
  if (problem.status === 412 && present) {
    const kind = await store.change((edit) => meetConflict(edit, write, present));
    return kind === 'done' ? { kind: 'sent', write, task: present, next: null, seq: null } : { kind, write };
  }
  /** @type {Map<string, Task | null>} */
  const known = new Map(present === undefined ? [] : [[id, present]]);
  const isAsWanted = present !== undefined && (action.kind === 'remove' ? !present : action.kind === 'restore' && present);
  if (!isAsWanted) return refuse(write, problem, known);
  const result = { answered: present, present: known, next: null, seq: null };
  await store.change((edit) => acknowledge(edit, write, result));
  return { kind: 'sent', write, task: present, next: null, seq: null };
}

/** Returns `true` if the same request may succeed later. An answer without a code is a proxy's. @param {Problem} problem */
function isTemporary({ status, error_code }) {
  if (error_code === '' || status >= 500 || status === 401 || status === 408 || status === 429) return true;
  return status === 409 && error_code === 'CONFLICT';
}

/**
 * @param {Write} write
 * @param {Problem} problem
 * @param {Map<string, Task | null>} present
 * @returns {Promise<Outcome>}
 */
async function refuse(write, problem, present) {
  const isKept = await store.change((edit) => fail(edit, write, problem.details(), present));
  return { kind: isKept ? 'failed' : 'gone', write };
}

/** @param {Edit} edit @param {number} id */
async function addDefect(edit, id) {
  const write = await edit.readWrite(id);
  if (write) edit.putWrite({ ...write, defects: write.defects + 1 });
}

/** Returns a task as it is now; `null` if it is gone. @param {string} id @param {string} userId @returns {Promise<Task | null>} */
async function read(id, userId) {
  try {
    return (await request('GET', `api/v1/tasks/${id}`, { as: userId })).body.task;
  } catch (error) {
    if (error instanceof Problem && error.status === 404 && error.error_code) return null;
    throw error;
  }
}

/**
 * Returns a task that an old creation may have made: with the same title, created since, by no other write of this
 * device.
 * @param {Write} write
 * @param {string} userId
 */
async function findCreated({ action, tried }, userId) {
  if (action.kind !== 'add') return null;
  while (await pullPage(userId));
  const { text, except, timezone } = action;
  const understood = await request('POST', 'api/v1/tasks/quick', {
    body: { text, except, timezone, dry_run: true }, as: userId,
  }).catch((error) => {
    // A text that breaks a rule has made no task.
    if (error instanceof Problem && error.status === 422) return null;
    throw error;
  });
  const title = understood?.body.task.title;
  const since = new Date((tried ?? 0) - CLOCKS).toISOString();
  const own = new Set((await store.change((edit) => edit.readSent())).map((sent) => sent.task));
  return store.serverTasks().find((task) => task.title === title && task.created_at >= since && !own.has(task.id)) ?? null;
}

/** @param {Task} task */
function maybeAdded(task) {
  const detail = 'A task with this title was added since. It may be this one.';
  return new Problem({ status: 0, error_code: 'MAYBE_ADDED', detail, task });
}

/** @param {number | null} retryAfter */
const seconds = (retryAfter) => (retryAfter === null ? null : retryAfter * 1000);
