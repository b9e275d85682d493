// @ts-check
import { toast } from '../announce.js';
import { root } from '../api.js';
import { $ } from '../dom.js';
import { t } from '../texts.js';

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
