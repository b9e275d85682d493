// @ts-check

/** Returns an event target with these members. @template {object} M @param {M} members */
export function emitter(members) {
  const target = Object.defineProperties(new EventTarget(), Object.getOwnPropertyDescriptors(members));
  return /** @type {M & EventTarget} */ (target);
}
