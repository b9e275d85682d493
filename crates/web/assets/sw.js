// @ts-check
/// <reference lib="webworker" />
/**
 * Keeps this version of the page, so that it opens without the network. The service writes the version into this file,
 * so each version has a worker and a cache of its own. A new worker waits until a page tells it to take over.
 */

/** The folder of this version's assets. */
const ASSETS = new URL('/page/@/', location.href);

const worker = /** @type {ServiceWorkerGlobalScope & typeof globalThis} */ (/** @type {unknown} */ (self));
const page = new URL(worker.registration.scope);
/** Another instance of the service can have another path of the same origin. */
const PREFIX = `taskhold:${page.pathname}:`;
const CACHE = PREFIX + ASSETS.pathname;

worker.addEventListener('install', (event) => event.waitUntil(fill()));
worker.addEventListener('activate', (event) => event.waitUntil(takeOver()));
worker.addEventListener('message', (event) => {
  if (event.data?.type === 'activate') void worker.skipWaiting();
});
worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  const isPage = request.mode === 'navigate' && url.origin === page.origin && url.pathname === page.pathname;
  const isAsset = url.href.startsWith(ASSETS.href);
  if (request.method !== 'GET' || !(isPage || isAsset)) return;
  if (isPage) event.waitUntil(worker.registration.update().catch(() => {}));
  const kept = caches.match(isPage ? page.href : request, { cacheName: CACHE });
  event.respondWith(kept.then((response) => response ?? fetch(request)));
});

async function fill() {
  const list = await fetch(new URL('files.json', ASSETS));
  if (!list.ok) throw new Error(`files.json: HTTP ${list.status}`);
  /** @type {string[]} */
  const files = await list.json();
  const cache = await caches.open(CACHE);
  // The page itself may have been kept from before; assets of a version never change.
  await cache.addAll([new Request(page, { cache: 'reload' }), ...files.map((file) => new Request(new URL(file, ASSETS)))]);
  const kept = await (await cache.match(page))?.text();
  if (!kept?.includes(ASSETS.pathname)) throw new Error('The page is of another version.');
}

async function takeOver() {
  const names = await caches.keys();
  const others = names.filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(others.map((name) => caches.delete(name)));
  await worker.clients.claim();
}
