// @ts-check
/** Reads the change feed into the store. */

import { Problem, known, request } from '../api.js';
import { databaseName } from '../database.js';
import { locked } from '../platform.js';
import { store } from '../store.js';

/** Returns the milliseconds to wait after so many failures. @param {number} failures */
export const backoff = (failures) => Math.min(30_000, 1000 * 2 ** failures);

/**
 * Runs `body` while no other tab sends a write or reads the feed. Otherwise a page that was read before a write and
 * stored after its answer would take the write back on the screen.
 * @template V @param {string} userId @param {() => Promise<V>} body @returns {Promise<V>}
 */
export const exclusively = (userId, body) => locked(`taskhold-data:${databaseName(userId)}`, body);

/** Reads all that has changed. @param {string} userId */
export async function pull(userId) {
  while (await exclusively(userId, () => pullPage(userId)));
}

/** Reads a page within `exclusively`, and returns `true` if there are more. @param {string} userId @returns {Promise<boolean>} */
export async function pullPage(userId) {
  const feed = await store.change((edit) => edit.readFeed(), userId);
  const from = feed.cursor ? `&cursor=${encodeURIComponent(feed.cursor)}` : '';
  try {
    const { body } = await request('GET', `api/v1/changes?limit=1000${from}`, { as: userId });
    const { changed, removed, cursor, has_more } = body;
    await store.change(async (edit) => {
      for (const task of changed) await edit.putTask(task.id, task);
      for (const id of removed) await edit.putTask(id, null);
      if (!has_more && feed.isStale) await edit.dropOlder(feed.generation);
      edit.putFeed({ ...feed, seq: known.seq, cursor, isReady: feed.isReady || !has_more, isStale: feed.isStale && has_more });
    }, userId);
    return has_more;
  } catch (error) {
    if (!(error instanceof Problem) || !feed.cursor || (error.status !== 410 && error.status !== 400)) throw error;
    // Tasks stay shown until a whole pass from the start has not returned them.
    const restarted = { ...feed, cursor: null, generation: feed.generation + 1, isStale: true };
    await store.change(async (edit) => edit.putFeed(restarted), userId);
    return true;
  }
}
