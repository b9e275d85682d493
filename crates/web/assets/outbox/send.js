// @ts-check
/** Sends one write and stores its answer. A crash on the way leaves the write in the queue. */

import { Offline, Problem, request } from '../api.js';
import { zone } from '../dates.js';
import { isLocal } from '../store/effects.js';
import { store } from '../store.js';
import { pullPage } from '../stream/pull.js';
import { acknowledge, fail, meetConflict } from './settle.js';
import { neighbourOf, requestOf, unsent } from './writes.js';

/** @import * as T from '../types.d.ts' */

/** The service keeps keys for 24 hours. */
const KEY_AGE = 23 * 3_600_000;
/** A write that is answered 500 after so many milliseconds counts as refused, so that the others can go on. */
const DEFECT_AGE = 60_000;

/** @type {(userId: string) => Promise<T.Outcome>} */
export async function sendNext(userId) {
  let write = await store.change(pick, userId);
  if (!write) return { kind: 'empty' };
  try {
    if (hasOldKey(write)) {
      const task = await findCreated(write, userId);
      if (task) return await refuse(write, userId, new Problem({ error_code: 'MAYBE_ADDED', task }));
      const renewed = { ...write, ...unsent(), isUncertain: true };
      write = await store.change((edit) => mark(edit, renewed), userId);
    }
    return await send(write, userId);
  } catch (error) {
    if (error instanceof Problem) return { kind: 'later', wait: error.retryAfter };
    if (error instanceof Offline) return { kind: 'later', wait: null };
    throw error;
  }
}

/** Returns the first write that waits neither for another one nor for the person. @type {(edit: T.Edit) => Promise<T.Write | null>} */
async function pick(edit) {
  /** @type {Set<string>} */
  const blocked = new Set();
  for (const write of await edit.readWrites()) {
    const { action, task, state } = write;
    const isNew = action.kind === 'add';
    const needed = [task, neighbourOf(action) ?? ''];
    const isBlocked = needed.some((id) => blocked.has(id) || (isLocal(id) && !isNew)) || (action.kind === 'undo' && !action.undone.seq);
    if (state === 'waiting' && !isBlocked) return hasOldKey(write) ? write : mark(edit, write);
    if (state !== 'failed' || isNew) blocked.add(task);
  }
  return null;
}

/** The clock may have been set back. @param {T.Write} write */
const hasOldKey = ({ tried }) => tried !== null && Math.abs(Date.now() - tried) > KEY_AGE;

/** Stores before the first try that there was one. @type {(edit: T.Edit, write: T.Write) => Promise<T.Write>} */
async function mark(edit, write) {
  if (write.tried) return write;
  const base = write.base ?? (await edit.task(write.task));
  const marked = { ...write, base, tried: Date.now(), request: requestOf(write, zone()) };
  edit.putWrite(marked);
  return marked;
}

/** @type {(write: T.Write, userId: string) => Promise<T.Outcome>} */
async function send(write, userId) {
  const { key, action, base, request: given } = write;
  const [method, path, body] = given ?? requestOf(write, zone());
  const isConditional = action.kind !== 'restore' && action.kind !== 'undo';
  const ifMatch = (isConditional && base?.etag) || '';
  let answer;
  try {
    answer = await request(method, path, { body, key, ifMatch, as: userId });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return onProblem(write, error, userId);
  }
  return onAnswer(write, answer, userId);
}

/** @type {(write: T.Write, answer: T.Answer, userId: string) => Promise<T.Outcome>} */
async function onAnswer(write, { body, seq, replayed }, userId) {
  const { task = null, next = null } = body ?? {};
  // Something else has answered, such as the page where one logs in to a network.
  if (!task && write.action.kind !== 'remove') throw new Offline();
  const undone = write.action.kind === 'undo' ? write.action.undone : null;
  const id = task?.id ?? write.task;
  const present = new Map([[id, task]]);
  if (next) present.set(next.id, next);
  if (undone?.next) present.set(undone.next, null);
  // The first answer again tells an old state, and that of an undo does not tell whether the task is in the trash.
  if (replayed || undone) for (const other of present.keys()) present.set(other, await read(other, userId));
  const result = { answered: undone ? (present.get(id) ?? null) : task, present, next: next?.id ?? null, seq };
  const isMine = await store.change((edit) => acknowledge(edit, write, result), userId);
  return { kind: isMine ? 'sent' : 'gone', write, task: present.get(id), next, seq };
}

/** @type {(write: T.Write, problem: Problem, userId: string) => Promise<T.Outcome>} */
async function onProblem(write, problem, userId) {
  const { status, error_code } = problem;
  const { action, task: id } = write;
  const isDefect = status === 500 && Date.now() - (write.tried ?? 0) > DEFECT_AGE;
  const isTemporary = (status >= 500 && !isDefect) || [401, 408, 429].includes(status) || error_code === 'CONFLICT';
  // An answer without a code is a proxy's.
  if (isTemporary || !error_code) throw problem;
  if (action.kind === 'add' || isDefect) return refuse(write, userId, problem);
  // The task of another problem may be in the trash.
  const present = (status === 412 && problem.task) || (await read(id, userId));
  if (status === 412 && present) {
    return { kind: await store.change((edit) => meetConflict(edit, write, present), userId), write, task: present };
  }
  const known = new Map([[id, present]]);
  const isWanted = status === 404 && ((action.kind === 'remove' && !present) || (action.kind === 'restore' && present));
  if (!isWanted) return refuse(write, userId, problem, known);
  const result = { answered: present, present: known, next: null, seq: null };
  await store.change((edit) => acknowledge(edit, write, result), userId);
  return { kind: 'sent', write, task: present };
}

/** @type {(write: T.Write, userId: string, problem: Problem, present?: Map<string, T.Task | null>) => Promise<T.Outcome>} */
async function refuse(write, userId, problem, present = new Map()) {
  return { kind: await store.change((edit) => fail(edit, write, problem, present), userId), write };
}

/** Returns a task as it is now; `null` if it is gone. @type {(id: string, userId: string) => Promise<T.Task | null>} */
async function read(id, userId) {
  try {
    return (await request('GET', `api/v1/tasks/${id}`, { as: userId })).body.task;
  } catch (error) {
    if (error instanceof Problem && error.error_code === 'NOT_FOUND') return null;
    throw error;
  }
}

/**
 * Returns a task that an old creation may have made: created since by no other write of this device, and with a title
 * out of the words of the text.
 * @type {(write: T.Write, userId: string) => Promise<T.Task | undefined>}
 */
async function findCreated({ action, tried }, userId) {
  if (action.kind !== 'add') return undefined;
  while (await pullPage(userId));
  // The clocks of the device and of the service may differ.
  const since = new Date((tried ?? 0) - KEY_AGE).toISOString();
  const own = new Set((await store.change((edit) => edit.readSent(), userId)).map(({ task }) => task));
  return store.serverTasks().find(({ id, title, created_at }) =>
    created_at >= since && !own.has(id) && title.split(' ').every((word) => action.text.includes(word)));
}
