// @ts-check
/** One transaction over the data of a user. */

import { result } from '../database.js';

/** @import { Stores } from '../database.js' */
/** @import { SentWrite, Task, Write } from '../types.d.ts' */

/**
 * Where the change feed was read to.
 * @typedef {{cursor: string | null, isReady: boolean, generation: number, isStale: boolean}} Feed
 */

/**
 * A stored task. `generation` tells the pass over the feed in which it was seen: after a pass from the start, tasks of
 * earlier ones are gone.
 * @typedef {{id: string, generation: number, task: Task}} Row
 */

/** @type {Feed} */
export const NEW_FEED = { cursor: null, isReady: false, generation: 0, isStale: false };

/** The number of sent writes that can be undone. */
const KEPT_SENT = 100;

export class Edit {
  #stores;
  /** The tasks that have changed. @type {Map<string, Task | null>} */
  tasks = new Map();
  /** All writes, if one has changed. @type {Write[] | null} */
  writes = null;
  /** Local and real ids. @type {[string, string][]} */
  renamed = [];
  /** @type {Feed | null} */
  feed = null;
  #hasWritten = false;
  /** @type {number | null} */
  #generation = null;

  /** @param {Stores} stores */
  constructor(stores) {
    this.#stores = stores;
  }

  /** @param {string} id @returns {Promise<Task | null>} */
  async task(id) {
    const row = await result(this.#store('tasks').get(id));
    return row?.task ?? null;
  }

  /** @param {Task} task */
  async putTask(task) {
    this.#generation ??= (await this.readFeed()).generation;
    this.#store('tasks').put({ id: task.id, generation: this.#generation, task });
    this.tasks.set(task.id, task);
  }

  /** @param {string} id */
  dropTask(id) {
    this.#store('tasks').delete(id);
    this.tasks.set(id, null);
  }

  /** Deletes the tasks that the last pass over the feed has not seen. @param {number} generation */
  async dropOlder(generation) {
    /** @type {Row[]} */
    const rows = await result(this.#store('tasks').getAll());
    for (const row of rows) if (row.generation < generation) this.dropTask(row.id);
  }

  /** @returns {Promise<Write[]>} */
  readWrites() {
    return result(this.#store('writes').getAll());
  }

  /** @param {number} id @returns {Promise<Write | undefined>} */
  readWrite(id) {
    return result(this.#store('writes').get(id));
  }

  /** @param {Omit<Write, 'id'>} write @returns {Promise<Write>} */
  async addWrite(write) {
    this.#hasWritten = true;
    const id = Number(await result(this.#store('writes').add(write)));
    return { ...write, id };
  }

  /** @param {Write} write */
  putWrite(write) {
    this.#hasWritten = true;
    this.#store('writes').put(write);
  }

  /** @param {number} id */
  dropWrite(id) {
    this.#hasWritten = true;
    this.#store('writes').delete(id);
  }

  /** @returns {Promise<Feed>} */
  async readFeed() {
    return (await result(this.#store('meta').get('feed'))) ?? NEW_FEED;
  }

  /** @param {Feed} feed */
  putFeed(feed) {
    this.#store('meta').put(feed, 'feed');
    this.feed = feed;
  }

  /** Returns the last acknowledged writes of this device, which undo takes back. @returns {Promise<SentWrite[]>} */
  async readSent() {
    return (await result(this.#store('meta').get('sent'))) ?? [];
  }

  /** @param {SentWrite[]} sent */
  putSent(sent) {
    this.#store('meta').put(sent.slice(-KEPT_SENT), 'sent');
  }

  /** Returns the present id of a task: the real one, if it has got one. @param {string} id @returns {Promise<string>} */
  async idOf(id) {
    return (await result(this.#store('meta').get(`id:${id}`))) ?? id;
  }

  /** @param {string} local @param {string} real */
  rename(local, real) {
    this.#store('meta').put(real, `id:${local}`);
    this.renamed.push([local, real]);
  }

  /** Completes what the memory needs to know. */
  async finish() {
    if (this.#hasWritten) this.writes = await this.readWrites();
  }

  /** @param {string} name */
  #store(name) {
    const store = this.#stores[name];
    if (!store) throw new Error(`There is no store ${name}.`);
    return store;
  }
}
