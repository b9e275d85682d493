// @ts-check

/** The folder of this version's files. */
const FOLDER = "/page/@/";

addEventListener("install", (event) => {
  /** @type {ExtendableEvent} */ (event).waitUntil(caches.open(FOLDER));
});
