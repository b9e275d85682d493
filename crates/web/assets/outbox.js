// @ts-check
/**
 * The queue of writes. A write is stored before it is shown, and stays stored until the service has acknowledged it.
 *
 * The writes are sent in their order, one at a time over all tabs (Web Lock). Each try of a write is the same request
 * with the same key, so that the service makes it once. The service keeps keys for a day. A write that was tried
 * longer ago without an answer gets a new key, and then
 * - an edit, a completion, a move and a deletion are safe by their `If-Match`: if the task has changed, either it is as
 *   the write wants it, or the person chooses;
 * - an undo and a restoration are safe because the service does them once only;
 * - a creation is sent only if no task with its title has been created since; else the person decides.
 */

import { connection } from './api.js';
import { sendNext } from './outbox/send.js';
import { drop, takeOut } from './outbox/settle.js';
import { neighbourOf, newWrite, unsent, withNeighbour } from './outbox/writes.js';
import { apply } from './store/effects.js';
import { store } from './store.js';
import { exclusively } from './stream/pull.js';

/** @import { Action, Conflict, SentWrite, Task, Write } from './types.d.ts' */
/** @import { Edit } from './store/edit.js' */
/** @import { Later } from './outbox/send.js' */
/** @typedef {'idle' | 'sending' | 'offline' | 'paused'} OutboxState */

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;

class Outbox extends EventTarget {
  /** @type {OutboxState} */
  state = 'idle';
  /** @type {string | null} */
  #userId = null;
  /** The run in progress. @type {Promise<void> | null} */
  #run = null;
  #isKicked = false;
  #failures = 0;
  /** `Retry-After` forbids another try before this time. */
  #notBefore = 0;
  #timer = 0;

  constructor() {
    super();
    addEventListener('online', () => this.kick());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.kick();
    });
    connection.addEventListener('change', () => {
      if (connection.isOnline && !this.#run) this.kick();
    });
    store.addEventListener('change', () => this.dispatchEvent(new Event('change')));
  }

  /** The number of writes that are neither acknowledged nor failed. */
  get waiting() {
    return store.writes.filter((write) => write.state !== 'failed').length;
  }

  get failed() {
    return store.writes.filter((write) => write.state === 'failed');
  }

  /** @returns {Conflict[]} */
  get conflicts() {
    return store.writes.flatMap((write) => {
      const { theirs } = write;
      if (write.state !== 'conflict' || !theirs) return [];
      const later = store.writes.filter(({ id, task }) => task === write.task && id >= write.id);
      return [{ write, theirs, mine: later.reduce(apply, /** @type {Task | null} */ (theirs)) }];
    });
  }

  /** Starts to send, and resolves after the first attempt. @param {string} userId */
  async start(userId) {
    this.#userId = userId;
    this.kick();
    await this.#run;
  }

  stop() {
    this.#userId = null;
    clearTimeout(this.#timer);
  }

  /** Tries to send now, or as soon as `Retry-After` allows. */
  kick() {
    if (this.#userId === null) return;
    clearTimeout(this.#timer);
    const wait = this.#notBefore - Date.now();
    if (wait > 0) this.#timer = setTimeout(() => this.kick(), wait);
    else if (this.#run) this.#isKicked = true;
    else {
      this.#run = this.#sendAll()
        .catch((error) => this.#onError(error))
        .finally(() => this.#ended());
    }
  }

  /**
   * Stores a write. Fails if the device cannot keep it.
   * @param {Action} action
   * @param {string} task
   * @param {Task | null} [seen] the task as the person saw it, if that may be another state than the present one
   * @returns {Promise<Write>}
   */
  async enqueue(action, task, seen = null) {
    const write = await store.change(async (edit) => {
      const id = await edit.idOf(task);
      const neighbour = action.kind === 'move' ? neighbourOf(action.place) : null;
      const known = neighbour ? withNeighbour(action, neighbour, await edit.idOf(neighbour)) : action;
      return edit.addWrite(newWrite(known, id, await baseOf(edit, action, id, seen)));
    });
    this.kick();
    return write;
  }

  /**
   * Ends a conflict as the person has chosen: sends all waiting writes of the task on top of the other state, or drops
   * them.
   * @param {number} writeId
   * @param {'mine' | 'theirs'} choice
   */
  async resolve(writeId, choice) {
    await store.change(async (edit) => {
      const write = await edit.readWrite(writeId);
      if (write?.state !== 'conflict') return;
      if (choice === 'mine') edit.putWrite({ ...write, ...unsent(), base: write.theirs });
      else await drop(edit, (await edit.readWrites()).filter(({ task }) => task === write.task));
    });
    this.kick();
  }

  /**
   * Sends a failed write again, with another action if given.
   * @param {number} writeId
   * @param {Action} [action]
   */
  async retry(writeId, action) {
    await store.change(async (edit) => {
      const write = await edit.readWrite(writeId);
      if (write?.state !== 'failed') return;
      // After an answer 500 the write may have had its effect, which the same key tells.
      const isSame = !action && (write.problem?.status ?? 0) >= 500;
      const fresh = isSame ? { defects: 0, state: /** @type {const} */ ('waiting') } : unsent();
      edit.putWrite({ ...write, ...fresh, action: action ?? write.action, problem: null });
    });
    this.kick();
  }

  /** Drops a failed write; of a creation, also what waits for it. @param {number} writeId */
  async discard(writeId) {
    await store.change(async (edit) => {
      const write = await edit.readWrite(writeId);
      if (write?.state === 'failed') await takeOut(edit, write);
    });
    this.kick();
  }

  /** Returns the write that `undo` without an argument takes back. @returns {Promise<SentWrite | Write | null>} */
  lastUndo() {
    return store.change((edit) => undoable(edit));
  }

  /**
   * Takes a write of this device back, the last one unless given, and returns it. A write that was never sent leaves
   * the queue.
   * @param {number} [writeId]
   * @returns {Promise<SentWrite | Write | null>}
   */
  async undo(writeId) {
    const undone = await store.change(async (edit) => {
      const last = await undoable(edit, writeId);
      if (!last) return null;
      if ('tried' in last && (last.tried === null || last.state !== 'waiting')) await takeOut(edit, last);
      else await queueUndo(edit, last);
      return last;
    });
    this.kick();
    return undone;
  }

  async #sendAll() {
    for (;;) {
      const userId = this.#userId;
      if (userId === null || store.userId !== userId) return;
      this.#isKicked = false;
      this.#become(store.writes.some((write) => write.state === 'waiting') ? 'sending' : 'idle');
      const outcome = await exclusively(userId, () => sendNext(userId));
      if (outcome.kind === 'empty') this.#become('idle');
      if (outcome.kind === 'later') this.#wait(outcome);
      else this.#failures = 0;
      if (outcome.kind === 'empty' || outcome.kind === 'later') return;
      if (outcome.kind === 'sent' || outcome.kind === 'failed' || outcome.kind === 'conflict') {
        this.dispatchEvent(new CustomEvent(outcome.kind, { detail: outcome }));
      }
    }
  }

  #ended() {
    this.#run = null;
    if (this.#isKicked) this.kick();
  }

  /** The device refused to store something, or the user has logged out meanwhile. @param {unknown} error */
  #onError(error) {
    if (this.#userId === null || store.userId !== this.#userId) return;
    console.error(error);
    this.#wait({ kind: 'later', isOffline: false, wait: null });
  }

  /** @param {Later} outcome */
  #wait({ isOffline, wait }) {
    this.#become(isOffline ? 'offline' : 'paused');
    const backoff = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures);
    this.#failures += 1;
    if (wait !== null) this.#notBefore = Date.now() + wait;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.kick(), wait ?? backoff);
    // What waits here is nowhere else: the browser shall not clear it away.
    void navigator.storage?.persist?.();
  }

  /** @param {OutboxState} state */
  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event('change'));
  }
}

/**
 * Returns the state on top of which a write is made; `null` if an earlier write will tell it.
 * @param {Edit} edit
 * @param {Action} action
 * @param {string} id
 * @param {Task | null} seen
 */
async function baseOf(edit, action, id, seen) {
  if (action.kind === 'add' || action.kind === 'restore') return seen;
  const present = await edit.task(id);
  if (seen?.etag && seen.etag !== present?.etag) return seen;
  const isFollowing = (await edit.readWrites()).some(({ task, state }) => task === id && state !== 'failed');
  return isFollowing ? null : present;
}

/**
 * Returns the last write of this device, or the given one, if it can be taken back.
 * @param {Edit} edit
 * @param {number} [writeId]
 * @returns {Promise<SentWrite | Write | null>}
 */
async function undoable(edit, writeId) {
  const writes = await edit.readWrites();
  const undone = new Set(writes.map(({ action }) => (action.kind === 'undo' ? action.undone.write : 0)));
  const candidates = [...(await edit.readSent()), ...writes]
    .filter(({ id, action }) => action.kind !== 'undo' && !undone.has(id) && (writeId === undefined || id === writeId));
  return candidates.reduce((last, next) => (last && last.id > next.id ? last : next), /** @type {SentWrite | Write | null} */ (null));
}

/** @param {Edit} edit @param {SentWrite | Write} last */
async function queueUndo(edit, last) {
  const { id: write, task, action } = last;
  const sent = 'tried' in last ? { seq: null, before: last.base, next: null } : { seq: last.seq, before: last.before, next: last.next };
  const undo = /** @type {const} */ ({ kind: 'undo', undone: { write, action, ...sent } });
  edit.putSent((await edit.readSent()).filter(({ id }) => id !== write));
  await edit.addWrite(newWrite(undo, task, await baseOf(edit, undo, task, null)));
}

export const outbox = new Outbox();
