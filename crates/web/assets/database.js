// @ts-check
/** IndexedDB by promises. */

import { root } from './api.js';

/** @import * as T from './types.d.ts' */

/** Other instances of the same origin have other databases. @param {string} userId */
export const databaseName = (userId) => `taskhold:${root.pathname}:${userId}`;

/** Returns the result of a request. @type {<V>(request: IDBRequest<V>) => Promise<V>} */
export const result = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

/** @param {string} name */
export const deleteDatabase = (name) => result(indexedDB.deleteDatabase(name));

/** @type {(name: string) => T.Database} */
export function openDatabase(name) {
  /** @type {Promise<IDBDatabase> | null} */
  let opened = null;
  let isClosed = false;

  function connect() {
    // A late answer must not create the database of a user who has logged out again.
    if (isClosed) throw new DOMException('The database is closed.', 'InvalidStateError');
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore('tasks', { keyPath: 'id' });
      request.result.createObjectStore('writes', { keyPath: 'id', autoIncrement: true });
      request.result.createObjectStore('meta');
    };
    // The next use connects again.
    const lost = () => {
      opened = null;
    };
    const connection = result(request);
    connection.then((database) => {
      database.onclose = lost;
      database.onversionchange = () => {
        database.close();
        lost();
      };
    }, lost);
    return connection;
  }

  return {
    async run(mode, body) {
      opened ??= connect();
      const transaction = (await opened).transaction(['tasks', 'writes', 'meta'], mode, { durability: 'strict' });
      const done = new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error ?? new DOMException('', 'AbortError'));
      });
      // `body` may throw first.
      done.catch(() => {});
      try {
        const value = await body((store) => transaction.objectStore(store));
        await done;
        return value;
      } catch (error) {
        try {
          transaction.abort();
        } catch {
          // It has ended.
        }
        throw error;
      }
    },
    close() {
      isClosed = true;
      void opened?.then((database) => database.close(), () => {});
    },
  };
}
