// @ts-check
/** Changes of the device's data by the answer to a write. */

import { isLocal } from '../store/effects.js';
import { isDone, isUntouched, neighbourOf, unsent } from './writes.js';

/** @import * as T from '../types.d.ts' */

/** Takes an acknowledged write out of the queue, unless another tab has done so. @type {T.Acknowledge} */
export async function acknowledge(edit, sent, { answered, present, next, seq }) {
  const old = await edit.readWrite(sent.id);
  if (!old) return false;
  for (const [id, task] of present) await edit.putTask(id, task);
  const write = { ...old, task: isLocal(old.task) && answered ? answered.id : old.task };
  if (write.task !== old.task) await rename(edit, old.task, write.task);
  await passOn(edit, write, answered);
  if (seq) edit.putFeed({ ...(await edit.readFeed()), seq });
  const { id, task, action, base: before } = write;
  const undoing = await undoOf(edit, id);
  if (undoing?.action.kind === 'undo' && seq) {
    edit.putWrite({ ...undoing, action: { kind: 'undo', undone: { ...undoing.action.undone, seq, next, before } } });
  } else if (undoing) edit.dropWrite(undoing.id);
  else if (seq && action.kind !== 'undo') edit.putSent([...(await edit.readSent()), { id, task, seq, action, before, next }]);
  edit.dropWrite(id);
  return true;
}

/** Handles a write whose condition has failed. @type {T.MeetConflict} */
export async function meetConflict(edit, sent, present) {
  const write = await edit.readWrite(sent.id);
  if (!write) return 'gone';
  await edit.putTask(present.id, present);
  const isWanted = isDone(write.action, present);
  if (isWanted || (await undoOf(edit, write.id))) {
    await passOn(edit, write, present);
    await drop(edit, [write]);
    return isWanted ? 'sent' : 'gone';
  }
  // Of an uncertain write nobody knows whether the other state is its own effect.
  if (write.base && !write.isUncertain && isUntouched(write.action, write.base, present)) {
    edit.putWrite({ ...write, ...unsent(), base: present });
    return 'again';
  }
  edit.putWrite({ ...write, state: 'conflict', theirs: present });
  return 'conflict';
}

/** Keeps a write that the service refuses until the person decides. @type {T.Fail} */
export async function fail(edit, sent, problem, present) {
  const write = await edit.readWrite(sent.id);
  if (!write) return 'gone';
  for (const [id, task] of present) await edit.putTask(id, task);
  await passOn(edit, write, write.base);
  if (await undoOf(edit, write.id)) {
    await takeOut(edit, write);
    return 'gone';
  }
  edit.putWrite({ ...write, state: 'failed', problem: { ...problem } });
  return 'failed';
}

/** Takes a write that had no effect out of the queue, with all that makes no sense without it. @type {T.TakeOut} */
export async function takeOut(edit, write) {
  await passOn(edit, write, write.base);
  const isNew = isLocal(write.task) && write.action.kind === 'add';
  await drop(edit, (await edit.readWrites()).filter((other) => other.id === write.id || (isNew && needs(other, write.task))));
}

/** @type {(edit: T.Edit, writes: T.Write[]) => Promise<void>} */
export async function drop(edit, writes) {
  for (const { id } of writes) {
    edit.dropWrite(id);
    const undoing = await undoOf(edit, id);
    if (undoing) edit.dropWrite(undoing.id);
  }
}

/** @type {(edit: T.Edit, id: number) => Promise<T.Write | undefined>} */
const undoOf = async (edit, id) =>
  (await edit.readWrites()).find(({ action }) => action.kind === 'undo' && action.undone.write === id);

/** @param {T.Write} write @param {string} id */
const needs = ({ task, action }, id) => task === id || neighbourOf(action) === id;

/** @type {(edit: T.Edit, local: string, real: string) => Promise<void>} */
async function rename(edit, local, real) {
  await edit.rename(local, real);
  for (const write of await edit.readWrites()) {
    if (!needs(write, local)) continue;
    if (write.action.kind === 'move' && write.action.neighbour === local) write.action.neighbour = real;
    if (write.task === local) write.task = real;
    edit.putWrite(write);
  }
}

/** Gives the next write of the same task the state on top of which it was made. @type {(edit: T.Edit, write: T.Write, base: T.Task | null) => Promise<void>} */
async function passOn(edit, { id, task }, base) {
  const next = (await edit.readWrites()).find((other) => other.id > id && other.task === task);
  if (base && next && !next.base) edit.putWrite({ ...next, base });
}
