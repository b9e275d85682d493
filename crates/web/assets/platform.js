// @ts-check
/** Replacements for what browsers offer only to pages that came by HTTPS or from this machine. */

/** The work of this tab that holds or awaits a lock. @type {Map<string, Promise<unknown>>} */
const held = new Map();

/**
 * Runs `body` while no other tab runs one under this name. Without Web Locks the tabs do not wait for each other: two
 * may then send the same write, which its key makes harmless.
 * @template V @param {string} name @param {() => Promise<V>} body @param {AbortSignal} [signal] gives up waiting
 * @returns {Promise<V>}
 */
export function locked(name, body, signal) {
  if (navigator.locks) return /** @type {Promise<any>} */ (navigator.locks.request(name, signal ? { signal } : {}, body));
  const run = (held.get(name) ?? Promise.resolve()).then(() => {
    signal?.throwIfAborted();
    return body();
  });
  held.set(name, run.catch(() => {}));
  return run;
}

/** Returns a random key. */
export const newKey = () =>
  crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-');
