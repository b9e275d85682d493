// @ts-check
/** What an answer changes on the device. Each function runs in one transaction. */

import { isLocal } from '../store/effects.js';
import { isDone, isUntouched, neighbourOf, unsent, withNeighbour } from './writes.js';

/** @import { ProblemDetails, Task, Write } from '../types.d.ts' */
/** @import { Edit } from '../store/edit.js' */

/**
 * What the service said of a write.
 * @typedef {object} Result
 * @property {Task | null} answered the task after the write, as the answer has it
 * @property {Map<string, Task | null>} present tasks as they are now; `null` if they are gone
 * @property {string | null} next the follow-up
 * @property {number | null} seq
 */

/**
 * Takes an acknowledged write out of the queue. Does nothing if another tab has done so.
 * @param {Edit} edit
 * @param {Write} sent
 * @param {Result} result
 * @returns {Promise<boolean>}
 */
export async function acknowledge(edit, sent, { answered, present, next, seq }) {
  const write = await edit.readWrite(sent.id);
  if (!write) return false;
  for (const [id, task] of present) await putOrDrop(edit, id, task);
  const id = isLocal(write.task) && answered ? answered.id : write.task;
  if (id !== write.task) await rename(edit, write.task, id);
  await passOnBase(edit, { ...write, task: id }, answered);
  if (write.action.kind !== 'undo') await remember(edit, { ...write, task: id }, next, seq);
  edit.dropWrite(write.id);
  return true;
}

/**
 * Handles a write whose condition failed.
 * @param {Edit} edit
 * @param {Write} sent
 * @param {Task} present
 * @returns {Promise<'gone' | 'done' | 'again' | 'conflict'>}
 */
export async function meetConflict(edit, sent, present) {
  const write = await edit.readWrite(sent.id);
  if (!write) return 'gone';
  await edit.putTask(present);
  if (isDone(write.action, present)) {
    await passOnBase(edit, write, present);
    await drop(edit, [write]);
    return 'done';
  }
  // Of an uncertain write nobody knows whether the other state is its own effect.
  if (write.base && !write.isUncertain && isUntouched(write.action, write.base, present)) {
    edit.putWrite({ ...write, ...unsent(), base: present });
    return 'again';
  }
  edit.putWrite({ ...write, state: 'conflict', theirs: present });
  return 'conflict';
}

/**
 * Keeps a write that the service refuses, with its text, until the person decides.
 * @param {Edit} edit
 * @param {Write} sent
 * @param {ProblemDetails} problem
 * @param {Map<string, Task | null>} present
 */
export async function fail(edit, sent, problem, present) {
  const write = await edit.readWrite(sent.id);
  if (!write) return false;
  for (const [id, task] of present) await putOrDrop(edit, id, task);
  await passOnBase(edit, write, write.base);
  edit.putWrite({ ...write, state: 'failed', problem });
  return true;
}

/**
 * Takes a write out of the queue that has had no effect, with all that makes no sense without it.
 * @param {Edit} edit
 * @param {Write} write
 */
export async function takeOut(edit, write) {
  await passOnBase(edit, write, write.base);
  const writes = await edit.readWrites();
  const isNew = write.action.kind === 'add' && isLocal(write.task);
  await drop(edit, writes.filter((other) => other.id === write.id || (isNew && dependsOn(other, write.task))));
}

/** @param {Edit} edit @param {Write[]} writes */
export async function drop(edit, writes) {
  const ids = new Set(writes.map((write) => write.id));
  for (const id of ids) edit.dropWrite(id);
  for (const other of await edit.readWrites()) {
    if (other.action.kind === 'undo' && ids.has(other.action.undone.write)) edit.dropWrite(other.id);
  }
}

/** @param {Write} write @param {string} id */
export function dependsOn(write, id) {
  return write.task === id || (write.action.kind === 'move' && neighbourOf(write.action.place) === id);
}

/** @param {Edit} edit @param {string} id @param {Task | null} task */
async function putOrDrop(edit, id, task) {
  if (task) await edit.putTask(task);
  else edit.dropTask(id);
}

/** @param {Edit} edit @param {string} local @param {string} real */
async function rename(edit, local, real) {
  edit.rename(local, real);
  for (const write of await edit.readWrites()) {
    if (!dependsOn(write, local)) continue;
    edit.putWrite({
      ...write, task: write.task === local ? real : write.task, action: withNeighbour(write.action, local, real),
    });
  }
}

/**
 * Gives the next write of the same task the state on top of which it was made.
 * @param {Edit} edit
 * @param {Write} write
 * @param {Task | null} base
 */
async function passOnBase(edit, write, base) {
  if (!base) return;
  const writes = await edit.readWrites();
  const following = writes.find(({ id, task }) => id > write.id && task === write.task);
  if (following && !following.base) edit.putWrite({ ...following, base });
}

/**
 * Keeps an acknowledged write for undo, also for an undo that waits for its number already.
 * @param {Edit} edit
 * @param {Write} write
 * @param {string | null} next
 * @param {number | null} seq
 */
async function remember(edit, write, next, seq) {
  const undoing = (await edit.readWrites()).find(({ action }) => action.kind === 'undo' && action.undone.write === write.id);
  const { id, task, action, base: before } = write;
  if (undoing?.action.kind === 'undo') {
    if (seq === null) edit.dropWrite(undoing.id);
    else edit.putWrite({ ...undoing, action: { kind: 'undo', undone: { ...undoing.action.undone, seq, next, before } } });
  } else if (seq !== null) edit.putSent([...(await edit.readSent()), { id, task, seq, action, before, next }]);
}
