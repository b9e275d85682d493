// @ts-check

/**
 * Returns an event target with these members, and with `emit`.
 * @template {object} M @param {M} members
 */
export function emitter(members) {
  const target = Object.defineProperties(new EventTarget(), Object.getOwnPropertyDescriptors(members));
  const emit = (/** @type {string} */ type, /** @type {unknown} */ detail = null) =>
    target.dispatchEvent(new CustomEvent(type, { detail }));
  return /** @type {M & EventTarget & {emit: typeof emit}} */ (Object.assign(target, { emit }));
}
