// @ts-check
import { connection, root } from '../api.js';
import { $, t, toast } from '../dom.js';
import { outbox } from '../outbox.js';
import { store } from '../store.js';
import { setAdd } from './add.js';
import { editAgain } from './editor.js';

/** @import { Write } from '../types.d.ts' */

/** The failed writes that were shown. @type {Set<number>} */
const told = new Set();

/** Says what waits and what failed, and whether the page is offline. */
export function showStatus() {
  const n = outbox.waiting;
  $('#status').textContent = [n > 0 && t('wait', { n }), !connection.isOnline && t('offline')].filter(Boolean).join(' · ');
  for (const write of outbox.failed) {
    if (!told.has(write.id)) tell(write);
    told.add(write.id);
  }
}

/** @param {Write} write */
function tell(write) {
  const { id, action, problem } = write;
  const title = action.kind === 'add' ? action.text : (store.get(write.task) ?? write.base)?.title;
  const canEdit = action.kind === 'update' && !!store.get(write.task);
  const detail = problem?.error_code === 'MAYBE_ADDED' ? t('maybe') : problem?.detail;
  toast(t('failed', { title, detail }), {
    stay: true,
    key: `write ${id}`,
    label: t(canEdit || action.kind === 'add' ? 'edit' : 'close'),
    async run() {
      told.delete(id);
      if (canEdit) return editAgain(write);
      await outbox.discard(id);
      if (action.kind === 'add') setAdd(action.text, detail, action.except);
    },
  });
}

outbox.addEventListener('change', showStatus);
connection.addEventListener('change', showStatus);

/** @type {any} */
const { trustedTypes } = window;
/** Trusted Types let only a policy name the service worker. */
const policy = trustedTypes?.createPolicy('taskhold', { createScriptURL: String });

/** Lets the page open without the network, and tells of new versions. */
export async function startUpdates() {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  let isReplaced = serviceWorker.controller !== null;
  serviceWorker.addEventListener('controllerchange', () => {
    if (isReplaced) location.reload();
    isReplaced = true;
  });
  const script = new URL('sw.js', root).href;
  const registration = await serviceWorker.register(policy?.createScriptURL(script) ?? script, { scope: root.pathname });
  if (registration.waiting) offer(registration);
  registration.addEventListener('updatefound', () => {
    registration.installing?.addEventListener('statechange', () => {
      if (registration.waiting && serviceWorker.controller) offer(registration);
    });
  });
}

/** @param {ServiceWorkerRegistration} registration */
function offer(registration) {
  const run = () => registration.waiting?.postMessage({ type: 'activate' });
  toast(t('update'), { label: t('reload'), run, stay: true });
  document.addEventListener('visibilitychange', () => {
    if (document.hidden && !$('#add-text').value && !$('dialog[open]')) run();
  });
}
