// @ts-check
/** IndexedDB by promises. */

import { root } from './api.js';

/** @typedef {Record<string, IDBObjectStore>} Stores */

/**
 * Returns the name of a user's database; other instances of the same origin have other ones.
 * @param {string} userId
 */
export const databaseName = (userId) => `taskhold:${root.pathname}:${userId}`;

/** The database of one user on this device. */
export class Database {
  /** @type {Promise<IDBDatabase> | null} */
  #opened = null;
  #name;
  /** Rejects further use, so that a late answer cannot create the database of a user who has logged out again. */
  #isClosed = false;

  /** @param {string} name */
  constructor(name) {
    this.#name = name;
  }

  /**
   * Runs `body` in one transaction, and resolves with its result when the transaction is durable. `body` may wait for
   * requests of the transaction only.
   * @template T
   * @param {'readonly' | 'readwrite'} mode
   * @param {(stores: Stores) => Promise<T>} body
   * @returns {Promise<T>}
   */
  async run(mode, body) {
    const database = await this.#open();
    const names = Array.from(database.objectStoreNames);
    const transaction = database.transaction(names, mode, { durability: 'strict' });
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error ?? new DOMException('', 'AbortError'));
    });
    // `body` may throw first.
    done.catch(() => {});
    try {
      const result = await body(Object.fromEntries(names.map((name) => [name, transaction.objectStore(name)])));
      await done;
      return result;
    } catch (error) {
      try {
        transaction.abort();
      } catch {
        // It has ended.
      }
      throw error;
    }
  }

  close() {
    this.#isClosed = true;
    void this.#opened?.then((database) => database.close()).catch(() => {});
  }

  #open() {
    if (this.#isClosed) throw new DOMException('The database is closed.', 'InvalidStateError');
    this.#opened ??= open(this.#name, () => {
      this.#opened = null;
    });
    return this.#opened;
  }
}

/**
 * Deletes a database. Other tabs close it when they are asked.
 * @param {string} name
 */
export function deleteDatabase(name) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = resolve;
    request.onerror = () => reject(request.error);
  });
}

/**
 * Returns the result of a request.
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
export function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * @param {string} name
 * @param {() => void} onLost called when the connection has ended; the next use opens another
 * @returns {Promise<IDBDatabase>}
 */
function open(name, onLost) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore('tasks', { keyPath: 'id' });
      request.result.createObjectStore('writes', { keyPath: 'id', autoIncrement: true });
      request.result.createObjectStore('meta');
    };
    request.onsuccess = () => {
      const database = request.result;
      database.onclose = onLost;
      database.onversionchange = () => {
        database.close();
        onLost();
      };
      resolve(database);
    };
    request.onerror = () => {
      onLost();
      reject(request.error);
    };
  });
}
