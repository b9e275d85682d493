// @ts-check
/**
 * Hears of the changes of other devices. One visible tab of the browser reads the stream (Web Lock) and stores what has
 * changed; the other tabs learn it from the store. While hidden, a tab reads nothing.
 */

import { Offline, Problem, connection, open } from './api.js';
import { databaseName } from './database.js';
import { store } from './store.js';
import { pull } from './stream/pull.js';

/** The service sends something every 20 s: after this time the connection is dead. */
const SILENCE = 45_000;
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;

class Stream extends EventTarget {
  /** `true` while this tab reads the stream. */
  isLive = false;
  /** @type {string | null} */
  #userId = null;
  /** Ends the reading of this tab. @type {AbortController | null} */
  #reading = null;
  /** Ends the pause between two tries. */
  #wake = () => {};

  constructor() {
    super();
    document.addEventListener('visibilitychange', () => this.#follow());
    addEventListener('online', () => this.#wake());
    connection.addEventListener('change', () => {
      if (connection.isOnline) this.#wake();
    });
  }

  /** @param {string} userId */
  start(userId) {
    this.#userId = userId;
    this.#follow();
  }

  stop() {
    this.#userId = null;
    this.#follow();
  }

  #follow() {
    const userId = document.visibilityState === 'visible' ? this.#userId : null;
    if (userId === null) {
      this.#reading?.abort();
      this.#reading = null;
    } else if (!this.#reading) {
      const reading = new AbortController();
      this.#reading = reading;
      const { signal } = reading;
      const lock = `taskhold-stream:${databaseName(userId)}`;
      void navigator.locks.request(lock, { signal }, () => this.#read(userId, signal)).catch(() => {
        // The tab was hidden while another one was reading.
      });
    }
  }

  /** @param {string} userId @param {AbortSignal} signal */
  async #read(userId, signal) {
    let failures = 0;
    while (!signal.aborted) {
      let wait;
      try {
        await pull(userId);
        wait = await this.#listen(userId, signal, () => {
          failures = 0;
        });
      } catch (error) {
        wait = error instanceof Problem && error.retryAfter !== null ? error.retryAfter * 1000 : null;
        if (!signal.aborted && !(error instanceof Problem) && !(error instanceof Offline)) console.error(error);
      }
      this.#become(false);
      if (!signal.aborted) await this.#pause(wait ?? Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures), signal);
      failures += 1;
    }
  }

  /**
   * Reads the stream until it ends. Returns the milliseconds after which the service wants to be asked again.
   * @param {string} userId
   * @param {AbortSignal} stop
   * @param {() => void} onEvent
   * @returns {Promise<number | null>}
   */
  async #listen(userId, stop, onEvent) {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE);
    const signal = AbortSignal.any([stop, silence.signal]);
    let wait = null;
    try {
      const { body } = await open('GET', 'api/v1/changes/stream', { signal, as: userId });
      if (!body) return null;
      this.#become(true);
      for await (const line of lines(body)) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE);
        const [name, value = ''] = line.split(/: ?(.*)/s);
        if (name === 'retry') wait = Number(value);
        if (name !== 'data') continue;
        onEvent();
        if (JSON.parse(value).cursor !== store.feed.cursor) await pull(userId);
      }
    } finally {
      clearTimeout(timer);
    }
    return wait;
  }

  /** @param {number} milliseconds @param {AbortSignal} signal */
  async #pause(milliseconds, signal) {
    const timer = setTimeout(() => this.#wake(), milliseconds);
    const wake = () => this.#wake();
    signal.addEventListener('abort', wake);
    await new Promise((resolve) => {
      this.#wake = () => resolve(undefined);
    });
    clearTimeout(timer);
    signal.removeEventListener('abort', wake);
  }

  /** @param {boolean} isLive */
  #become(isLive) {
    if (this.isLive === isLive) return;
    this.isLive = isLive;
    this.dispatchEvent(new Event('change'));
  }
}

/** @param {ReadableStream<Uint8Array>} body */
async function* lines(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + decoder.decode(value, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
  }
}

export const stream = new Stream();
