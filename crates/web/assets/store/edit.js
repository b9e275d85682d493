// @ts-check
/** One transaction over the data of a user. */

import { result } from '../database.js';

/** @import * as T from '../types.d.ts' */

/** @type {T.Feed} */
export const NEW_FEED = { cursor: null, isReady: false, generation: 0, isStale: false };

/** The number of acknowledged writes that can be undone. */
const KEPT_SENT = 100;
/** The number of local ids that an open page may still use. */
const KEPT_IDS = 1000;

/** @type {(storeOf: T.StoreOf) => T.Edit} */
export function newEdit(storeOf) {
  const [tasks, writes, meta] = [storeOf('tasks'), storeOf('writes'), storeOf('meta')];
  let hasWritten = false;
  /** @type {<V>(key: string, otherwise: V) => Promise<V>} */
  const read = async (key, otherwise) => (await result(meta.get(key))) ?? otherwise;
  /** @type {T.Edit} */
  const edit = {
    tasks: new Map(),
    writes: null,
    renamed: [],
    feed: null,
    task: async (id) => (await result(tasks.get(id)))?.task ?? null,
    async putTask(id, task) {
      if (task) tasks.put({ id, generation: (edit.feed ??= await edit.readFeed()).generation, task });
      else tasks.delete(id);
      edit.tasks.set(id, task);
    },
    async dropOlder(generation) {
      for (const row of await result(tasks.getAll())) if (row.generation < generation) await edit.putTask(row.id, null);
    },
    readWrites: () => result(writes.getAll()),
    readWrite: (id) => result(writes.get(id)),
    async addWrite(write) {
      hasWritten = true;
      return { ...write, id: Number(await result(writes.add(write))) };
    },
    putWrite(write) {
      hasWritten = true;
      writes.put(write);
    },
    dropWrite(id) {
      hasWritten = true;
      writes.delete(id);
    },
    readFeed: () => read('feed', NEW_FEED),
    putFeed(feed) {
      meta.put(feed, 'feed');
      edit.feed = feed;
    },
    readSent: () => read('sent', []),
    putSent(sent) {
      meta.put(sent.slice(-KEPT_SENT), 'sent');
    },
    readRenamed: () => read('renamed', []),
    idOf: async (id) => new Map(await edit.readRenamed()).get(id) ?? id,
    async rename(local, real) {
      edit.renamed.push([local, real]);
      meta.put([...(await edit.readRenamed()), [local, real]].slice(-KEPT_IDS), 'renamed');
    },
    async finish() {
      if (hasWritten) edit.writes = await edit.readWrites();
    },
  };
  return edit;
}
