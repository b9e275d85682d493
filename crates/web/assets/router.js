// @ts-check
/** @typedef {{name: string, value: string}} Route */

const NAMES = ['today', 'upcoming', 'all', 'done', 'trash', 'tag', 'search', 'account', 'login', 'register'];
/** @type {{view: (route: Route) => void, task: (id: string | null) => void, first: () => string}} */
let handlers;
/** The view that is shown; under an open task, the one below it. @type {Route} */
export let route = { name: '', value: '' };
/** The page itself has opened the task. */
let opened = false;
/** A task is open over the view. */
let isOver = false;

/** Returns the address of a view. @param {string} name @param {string} [value] */
export const address = (name, value) => `#${name}${value ? `/${encodeURIComponent(value)}` : ''}`;

/** Opens an address. @param {string} hash @param {boolean} [replace] the present one */
export function go(hash, replace = false) {
  opened = !replace;
  if (replace) history.replaceState(null, '', hash);
  if (replace || location.hash === hash) read();
  else location.hash = hash;
}

/** Closes an open task. */
export function leaveTask() {
  if (!location.hash.startsWith('#task/')) return;
  if (opened) history.back();
  else go(address(route.name, route.value), true);
}

function read() {
  const [, name = '', value = ''] = /^#([^/]*)\/?(.*)$/s.exec(location.hash) ?? [];
  const isTask = name === 'task';
  let text = value;
  try { text = decodeURIComponent(value); } catch { /* The address is not encoded. */ }
  if (!isTask && !NAMES.includes(name)) return go(`#${handlers.first()}`, true);
  // A view whose task was closed is still there.
  const isBack = isOver && name === route.name && text === route.value;
  isOver = isTask;
  if (!isBack && (!isTask || !route.name)) {
    route = isTask ? { name: handlers.first(), value: '' } : { name, value: text };
    handlers.view(route);
  }
  handlers.task(isTask ? value : null);
}

/** Follows the address from now on. @param {typeof handlers} given */
export function startRouter(given) {
  handlers = given;
  addEventListener('popstate', read);
  read();
}
