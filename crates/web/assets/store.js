// @ts-check
/** The tasks of the user on this device: the state of the service, and the writes that wait. */

import { Database, databaseName, result } from './database.js';
import { Edit, NEW_FEED } from './store/edit.js';
import { effects, inHandOrder } from './store/effects.js';
import { count, countTags, select } from './store/lists.js';

/** @import { Counts, ProblemDetails, Task, View, Write } from './types.d.ts' */
/** @import { Feed, Row } from './store/edit.js' */
/** @typedef {{ids: Set<string> | null, renamed: [string, string][]}} StoreChange */

class Store extends EventTarget {
  /** The user whose data is open. @type {string | null} */
  userId = null;
  /** @type {Database | null} */
  #database = null;
  /** @type {BroadcastChannel | null} */
  #channel = null;
  /** @type {Map<string, Task>} */
  #server = new Map();
  /** @type {Write[]} */
  #writes = [];
  /** @type {Map<string, string>} */
  #renamed = new Map();
  /** @type {Feed} */
  #feed = NEW_FEED;
  /** What is shown, until something changes. @type {{effects: Map<string, Task | null>, ordered: Task[] | null} | null} */
  #shown = null;

  constructor() {
    super();
    // A page that was put away has heard nothing of the other tabs.
    addEventListener('pageshow', ({ persisted }) => {
      if (persisted) void this.#load();
    });
  }

  get isOpen() {
    return this.#database !== null;
  }

  /** `true` if every task of the user is here. */
  get ready() {
    return this.#feed.isReady;
  }

  /** All writes that are not acknowledged, in their order. */
  get writes() {
    return this.#writes;
  }

  /** @param {string} userId */
  async open(userId) {
    this.close();
    const name = databaseName(userId);
    this.userId = userId;
    this.#database = new Database(name);
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => void this.#follow(data.ids, data.renamed);
    await this.#load();
  }

  close() {
    this.#database?.close();
    this.#channel?.close();
    this.userId = this.#database = this.#channel = null;
    this.#server = new Map();
    this.#renamed = new Map();
    this.#writes = [];
    this.#feed = NEW_FEED;
    this.#changed(null, []);
  }

  /** Returns the present id of a task that had a local one. @param {string} id */
  idOf(id) {
    return this.#renamed.get(id) ?? id;
  }

  /** Returns a task as it is shown. @param {string} id */
  get(id) {
    const real = this.idOf(id);
    const shown = this.#show().effects.get(real);
    return shown === undefined ? (this.#server.get(real) ?? null) : shown;
  }

  /** Returns a task as the service has it. @param {string} id */
  serverTask(id) {
    return this.#server.get(id) ?? null;
  }

  /** Returns all tasks as the service has them. */
  serverTasks() {
    return [...this.#server.values()];
  }

  /** @param {View} view @returns {Task[]} */
  list(view) {
    return select(this.#ordered(), view);
  }

  /** @returns {Counts} */
  counts() {
    return count(this.#ordered());
  }

  /** @returns {[string, number][]} */
  tags() {
    return countTags(this.#ordered());
  }

  /** Returns `true` if a write of the task is not acknowledged. @param {string} id */
  isWaiting(id) {
    const real = this.idOf(id);
    return this.#writes.some((write) => write.task === real);
  }

  /** Returns why the creation of a task failed. @param {string} id @returns {ProblemDetails | null} */
  problemOf(id) {
    const failed = this.#writes.find((write) => write.task === id && write.state === 'failed');
    return failed?.action.kind === 'add' ? failed.problem : null;
  }

  /** @returns {Feed} */
  get feed() {
    return this.#feed;
  }

  /**
   * Changes the data in one transaction, and then the memory of all tabs. `body` may wait for the transaction only.
   * @template T
   * @param {(edit: Edit) => Promise<T>} body
   * @returns {Promise<T>}
   */
  async change(body) {
    const database = this.#database;
    if (!database) throw new DOMException('No user is logged in.', 'InvalidStateError');
    const [value, edit] = await database.run('readwrite', async (stores) => {
      const edit = new Edit(stores);
      const value = await body(edit);
      await edit.finish();
      return /** @type {[T, Edit]} */ ([value, edit]);
    });
    if (this.#database !== database) return value;
    this.#channel?.postMessage({ ids: [...edit.tasks.keys()], renamed: edit.renamed });
    this.#take(edit.tasks, edit.writes ?? this.#writes, edit.feed ?? this.#feed, edit.renamed);
    return value;
  }

  /** Reads everything. */
  async #load() {
    const database = this.#database;
    if (!database) return;
    const [rows, writes, feed, keys, ids] = await database.run('readonly', async ({ tasks, writes, meta }) => {
      if (!tasks || !writes || !meta) throw new Error('The database lacks a store.');
      const local = IDBKeyRange.bound('id:', 'id;');
      return Promise.all([
        result(/** @type {IDBRequest<Row[]>} */ (tasks.getAll())),
        result(/** @type {IDBRequest<Write[]>} */ (writes.getAll())),
        result(/** @type {IDBRequest<Feed | undefined>} */ (meta.get('feed'))),
        result(/** @type {IDBRequest<string[]>} */ (meta.getAllKeys(local))),
        result(/** @type {IDBRequest<string[]>} */ (meta.getAll(local))),
      ]);
    });
    if (this.#database !== database) return;
    this.#server = new Map(rows.map(({ id, task }) => [id, task]));
    this.#renamed = new Map(keys.map((key, place) => [key.slice('id:'.length), ids[place] ?? '']));
    this.#writes = writes;
    this.#feed = feed ?? NEW_FEED;
    this.#changed(null, []);
  }

  /**
   * Reads what another tab has changed.
   * @param {string[]} ids
   * @param {[string, string][]} renamed
   */
  async #follow(ids, renamed) {
    const database = this.#database;
    if (!database) return;
    const [rows, writes, feed] = await database.run('readonly', async ({ tasks, writes, meta }) => {
      if (!tasks || !writes || !meta) throw new Error('The database lacks a store.');
      return Promise.all([
        Promise.all(ids.map((id) => result(/** @type {IDBRequest<Row | undefined>} */ (tasks.get(id))))),
        result(/** @type {IDBRequest<Write[]>} */ (writes.getAll())),
        result(/** @type {IDBRequest<Feed | undefined>} */ (meta.get('feed'))),
      ]);
    });
    if (this.#database !== database) return;
    const tasks = ids.map((id, place) => /** @type {const} */ ([id, rows[place]?.task ?? null]));
    this.#take(new Map(tasks), writes, feed ?? NEW_FEED, renamed);
  }

  /**
   * @param {Map<string, Task | null>} tasks
   * @param {Write[]} writes
   * @param {Feed} feed
   * @param {[string, string][]} renamed
   */
  #take(tasks, writes, feed, renamed) {
    const ids = new Set(tasks.keys());
    for (const [id, task] of tasks) {
      if (task) this.#server.set(id, task);
      else this.#server.delete(id);
    }
    for (const [local, real] of renamed) this.#renamed.set(local, real);
    if (writes !== this.#writes) for (const write of [...this.#writes, ...writes]) ids.add(write.task);
    const isNew = ids.size > 0 || feed.isReady !== this.#feed.isReady;
    this.#writes = writes;
    this.#feed = feed;
    if (isNew) this.#changed(ids, renamed);
  }

  /**
   * @param {Set<string> | null} ids
   * @param {[string, string][]} renamed
   */
  #changed(ids, renamed) {
    this.#shown = null;
    /** @type {StoreChange} */
    const detail = { ids, renamed };
    this.dispatchEvent(new CustomEvent('change', { detail }));
  }

  #show() {
    this.#shown ??= { effects: effects(this.#server, this.#writes), ordered: null };
    return this.#shown;
  }

  #ordered() {
    const shown = this.#show();
    if (!shown.ordered) {
      const tasks = new Map(this.#server);
      for (const [id, task] of shown.effects) {
        if (task) tasks.set(id, task);
        else tasks.delete(id);
      }
      shown.ordered = inHandOrder(tasks.values(), this.#writes);
    }
    return shown.ordered;
  }
}

export const store = new Store();
