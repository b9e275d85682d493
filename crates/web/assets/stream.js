// @ts-check
/**
 * Hears of the changes of other devices. One visible tab of the browser reads the stream (Web Lock) and stores what has
 * changed; the other tabs learn it from the store. A hidden tab reads nothing.
 */

import { Problem, connection, learn, open } from './api.js';
import { databaseName } from './database.js';
import { locked } from './platform.js';
import { store } from './store.js';
import { backoff, pull } from './stream/pull.js';

/** The service sends something every 20 s: after this time the connection is dead. */
const SILENCE = 45_000;

/** @type {string | null} */
let userId = null;
/** @type {AbortController | null} */
let reading = null;
let failures = 0;
/** Ends the pause between two tries. */
let wake = () => {};

export const stream = {
  /** @param {string} user */
  start(user) {
    userId = user;
    follow();
  },
  stop() {
    userId = null;
    follow();
  },
};

document.addEventListener('visibilitychange', follow);
addEventListener('online', () => wake());
connection.addEventListener('change', () => wake());

function follow() {
  const user = document.hidden ? null : userId;
  if (user === null) {
    reading?.abort();
    reading = null;
  } else if (!reading) {
    reading = new AbortController();
    const { signal } = reading;
    signal.addEventListener('abort', () => wake());
    // Fails if the tab is hidden while another one reads.
    locked(`taskhold-stream:${databaseName(user)}`, () => read(user, signal), signal).catch(() => {});
  }
}

/** @param {string} user @param {AbortSignal} signal */
async function read(user, signal) {
  failures = 0;
  while (!signal.aborted) {
    let pause = backoff(failures);
    failures += 1;
    try {
      await pull(user);
      pause = (await listen(user, signal)) ?? backoff(0);
    } catch (error) {
      if (error instanceof Problem && error.retryAfter) pause = error.retryAfter * 1000;
      // The device could not store something.
      if (error instanceof DOMException && error.name !== 'AbortError') console.error(error);
    }
    if (signal.aborted) return;
    const timer = setTimeout(() => wake(), pause);
    await new Promise((resolve) => {
      wake = () => resolve(null);
    });
    clearTimeout(timer);
  }
}

/**
 * Reads the stream until it ends. Returns the milliseconds after which the service wants to be asked again.
 * @type {(user: string, stop: AbortSignal) => Promise<number | null>}
 */
async function listen(user, stop) {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE);
  let wait = null;
  try {
    const signal = AbortSignal.any([stop, silence.signal]);
    const { body } = await open('GET', 'api/v1/changes/stream', { signal, as: user });
    const reader = body?.getReader();
    const decoder = new TextDecoder();
    let rest = '';
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE);
      const lines = (rest + decoder.decode(part.value, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const [field, value = ''] = line.split(/: (.*)/);
        if (field === 'retry') wait = Number(value);
        if (field !== 'data') continue;
        failures = 0;
        const { cursor, seq } = JSON.parse(value);
        learn(seq);
        if (cursor !== store.feed.cursor) await pull(user);
      }
    }
  } finally {
    clearTimeout(timer);
  }
  return wait;
}
