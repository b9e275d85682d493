// @ts-check
/** Reads the change feed into the store. */

import { Problem, request } from '../api.js';
import { databaseName } from '../database.js';
import { store } from '../store.js';

/** @import { Task } from '../types.d.ts' */
/** @typedef {{changed: Task[], removed: string[], cursor: string, has_more: boolean}} Page */

/**
 * Runs `body` while no other tab sends a write or reads the feed. Otherwise a page of the feed, read before a write and
 * stored after its answer, would take the write back on the screen.
 * @template T
 * @param {string} userId
 * @param {() => Promise<T>} body
 * @returns {Promise<T>}
 */
export function exclusively(userId, body) {
  return navigator.locks.request(`taskhold-data:${databaseName(userId)}`, body);
}

/** Reads what has changed. @param {string} userId */
export async function pull(userId) {
  while (await exclusively(userId, () => pullPage(userId)));
}

/**
 * Reads a page, and returns `true` if there are more. Only for callers of `exclusively`.
 * @param {string} userId
 * @returns {Promise<boolean>}
 */
export async function pullPage(userId) {
  if (store.userId !== userId) return false;
  const { cursor } = await store.change((edit) => edit.readFeed());
  const from = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
  try {
    const { body } = await request('GET', `api/v1/changes?limit=1000${from}`, { as: userId });
    await take(userId, body);
    return body.has_more;
  } catch (error) {
    const isUnknown = error instanceof Problem && (error.status === 410 || (error.status === 400 && cursor !== null));
    if (!isUnknown) throw error;
    await startOver(userId);
    return true;
  }
}

/** @param {string} userId @param {Page} page */
async function take(userId, { changed, removed, cursor, has_more }) {
  if (store.userId !== userId) return;
  await store.change(async (edit) => {
    const feed = await edit.readFeed();
    for (const task of changed) await edit.putTask(task);
    for (const id of removed) edit.dropTask(id);
    const isComplete = !has_more;
    if (isComplete && feed.isStale) await edit.dropOlder(feed.generation);
    edit.putFeed({ ...feed, cursor, isReady: feed.isReady || isComplete, isStale: feed.isStale && !isComplete });
  });
}

/** Forgets the cursor. What the next pass does not see is gone; until then it stays on the screen. @param {string} userId */
async function startOver(userId) {
  if (store.userId !== userId) return;
  await store.change(async (edit) => {
    const feed = await edit.readFeed();
    edit.putFeed({ ...feed, cursor: null, generation: feed.generation + 1, isStale: true });
  });
}
