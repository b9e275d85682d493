// @ts-check
/**
 * The queue of writes. A write is stored before it is shown, and stays stored until the service has acknowledged it.
 *
 * Writes are sent in their order, one at a time over all tabs (Web Lock). Each try of a write is the same request with
 * the same key, so that the service makes it once. The service keeps keys for a day. A write that was tried longer ago
 * without an answer gets a new key, and then
 * - an edit, a completion, a move and a deletion are safe by their `If-Match`: if the task has changed, either it is as
 *   the write wants it, or the person chooses;
 * - an undo and a restoration are safe because the service does them once only;
 * - a creation is sent only if no task out of its words was created since; else the person decides.
 */

import { connection } from './api.js';
import { emitter } from './emitter.js';
import { sendNext } from './outbox/send.js';
import { drop, takeOut } from './outbox/settle.js';
import { unsent } from './outbox/writes.js';
import { apply } from './store/effects.js';
import { store } from './store.js';
import { backoff, exclusively } from './stream/pull.js';

/** @import * as T from './types.d.ts' */

/** @type {string | null} */
let userId = null;
/** @type {Promise<void> | null} */
let run = null;
let isKicked = false;
let failures = 0;
let timer = 0;
/** `Retry-After` forbids another try before this time. */
let notBefore = 0;

export const outbox = emitter(/** @type {T.Outbox} */ ({
  get waiting() {
    return store.writes.filter(({ state }) => state !== 'failed').length;
  },
  get failed() {
    return store.writes.filter(({ state }) => state === 'failed');
  },
  get conflicts() {
    return store.writes.flatMap((write) => {
      const { id, task, state, theirs } = write;
      if (state !== 'conflict' || !theirs) return [];
      const later = store.writes.filter((other) => other.task === task && other.id >= id);
      return [{ write, theirs, mine: later.reduce(apply, /** @type {T.Task | null} */ (theirs)) }];
    });
  },
  async start(user) {
    userId = user;
    kick();
    await run;
  },
  stop() {
    userId = null;
    clearTimeout(timer);
  },
  enqueue(action, task, seen = null) {
    return queue(async (edit) => {
      const id = await edit.idOf(task);
      const isNextTo = action.kind === 'move' && action.neighbour;
      const known = isNextTo ? { ...action, neighbour: await edit.idOf(isNextTo) } : action;
      return addWrite(edit, known, id, seen);
    });
  },
  resolve(writeId, choice) {
    return queue(async (edit) => {
      const write = await edit.readWrite(writeId);
      if (write?.state !== 'conflict') return;
      if (choice === 'mine') edit.putWrite({ ...write, ...unsent(), base: write.theirs });
      else await drop(edit, (await edit.readWrites()).filter(({ task }) => task === write.task));
    });
  },
  retry(writeId, action) {
    return queue(async (edit) => {
      const write = await edit.readWrite(writeId);
      if (write?.state !== 'failed') return;
      edit.putWrite({ ...write, ...unsent(), action: action ?? write.action });
    });
  },
  discard(writeId) {
    return queue(async (edit) => {
      const write = await edit.readWrite(writeId);
      if (write?.state === 'failed') await takeOut(edit, write);
    });
  },
  undo(writeId) {
    return queue(async (edit) => {
      const last = await undoable(edit, writeId);
      if (!last) return null;
      const write = last.seq === null ? await edit.readWrite(last.id) : null;
      if (write && (write.tried === null || write.state !== 'waiting')) await takeOut(edit, write);
      else await addUndo(edit, last);
      return last;
    });
  },
}));

addEventListener('online', kick);
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) kick();
});
connection.addEventListener('change', () => {
  if (connection.isOnline && !run) kick();
});
store.addEventListener('change', () => outbox.emit('change'));

/** Changes the queue, and then tries to send. @type {<V>(body: (edit: T.Edit) => Promise<V>) => Promise<V>} */
async function queue(body) {
  const value = await store.change(body);
  kick();
  return value;
}

/** Tries to send now, or as soon as `Retry-After` allows. */
function kick() {
  if (userId === null) return;
  const wait = notBefore - Date.now();
  if (wait > 0) kickIn(wait);
  else if (run) isKicked = true;
  else run = sendAll().catch(onError).finally(onEnd);
}

/** @param {number} wait */
function kickIn(wait) {
  clearTimeout(timer);
  timer = setTimeout(kick, wait);
}

async function sendAll() {
  for (;;) {
    const user = userId;
    if (user === null || store.userId !== user) return;
    isKicked = false;
    const outcome = await exclusively(user, () => sendNext(user));
    if (outcome.kind === 'empty') return;
    if (outcome.kind === 'later') return tryLater(outcome.wait);
    failures = 0;
    outbox.emit(outcome.kind, outcome);
  }
}

function onEnd() {
  run = null;
  if (isKicked) kick();
}

/** The device could not store something, or the user has logged out meanwhile. @param {unknown} error */
function onError(error) {
  if (userId === null || store.userId !== userId) return;
  console.error(error);
  tryLater(null);
}

/** @param {number | null} seconds as `Retry-After` says */
function tryLater(seconds) {
  if (seconds) notBefore = Date.now() + seconds * 1000;
  kickIn(seconds ? seconds * 1000 : backoff(failures));
  failures += 1;
  // Asks the browser to keep the writes, of which there is no other copy.
  void navigator.storage?.persist?.();
}

/** Adds a write on top of the present state, of the one that the person saw, or of that which an earlier write will tell. @type {T.AddWrite} */
async function addWrite(edit, action, task, seen) {
  const present = await edit.task(task);
  const isFollowing = (await edit.readWrites()).some((write) => write.task === task && write.state !== 'failed');
  const isOther = seen?.etag && seen.etag !== present?.etag;
  const base = isOther ? seen : isFollowing ? null : present;
  return edit.addWrite({ ...unsent(), action, task, base, made: Date.now() });
}

/**
 * Returns the last write of this device, or the given one, if it can be taken back; a failed one has done nothing.
 * @type {(edit: T.Edit, id?: number) => Promise<T.SentWrite | undefined>}
 */
async function undoable(edit, id) {
  const writes = await edit.readWrites();
  const undone = new Set(writes.map(({ action }) => (action.kind === 'undo' ? action.undone.write : 0)));
  const waiting = writes.filter(({ action, state }) => action.kind !== 'undo' && state !== 'failed');
  const all = [...(await edit.readSent()), ...waiting.map((write) => ({ ...write, seq: null, before: write.base, next: null }))];
  return all.sort((a, b) => a.id - b.id).findLast((write) => !undone.has(write.id) && (!id || write.id === id));
}

/** @type {(edit: T.Edit, last: T.SentWrite) => Promise<void>} */
async function addUndo(edit, { id, task, action, seq, before, next }) {
  edit.putSent((await edit.readSent()).filter((sent) => sent.id !== id));
  await addWrite(edit, { kind: 'undo', undone: { write: id, action, seq, before, next } }, task, null);
}
