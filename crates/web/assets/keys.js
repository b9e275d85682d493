// @ts-check
import { $, clone, isField, on, open, t } from './dom.js';
import { address, go } from './router.js';
import { currentTask, focusList, step } from './views/list.js';
import { complete, edit, move, remove, restore, undo } from './views/tasks.js';

/** A key and its action; the `id` is also that of its text. @typedef {{key: string, id: string, run: () => unknown}} Binding */

const WAIT_MS = 1500;
/** @param {string} selector */
const toField = (selector) => {
  $(selector).focus();
  $(selector).select();
};

/** All keys of the page. @type {Binding[]} */
const KEYS = [
  { key: 'a', id: 'add', run: () => toField('#add-text') },
  { key: '/', id: 'search', run: () => toField('#search') },
  { key: 'j', id: 'down', run: () => step(1) },
  { key: 'k', id: 'up', run: () => step(-1) },
  { key: 'x', id: 'complete', run: () => complete(currentTask(), true) },
  { key: 'e', id: 'edit', run: () => edit(currentTask()) },
  { key: '#', id: 'delete', run: () => remove(currentTask()) },
  { key: 'r', id: 'restore', run: () => restore(currentTask()) },
  { key: 'z', id: 'undo', run: () => undo() },
  { key: 'Alt+ArrowUp', id: 'move-up', run: () => move(currentTask(), 'up') },
  { key: 'Alt+ArrowDown', id: 'move-down', run: () => move(currentTask(), 'down') },
  ...Object.entries({ t: 'today', u: 'upcoming', a: 'all', d: 'done', r: 'trash', c: 'account' })
    .map(([letter, id]) => ({ key: `g ${letter}`, id, run: () => go(address(id)) })),
  { key: 'm', id: 'menu', run: () => $('#menu-button').click() },
  { key: '?', id: 'help', run: showHelp },
  { key: 'Escape', id: 'list', run: () => leave() },
];
/** The keys that wait for the next one. */
let before = '';
/** @type {number | undefined} */
let timer;
let leave = focusList;

function showHelp() {
  $('#help tbody').replaceChildren(...KEYS.map(({ key, id }) => {
    const row = clone('key');
    row.dataset.id = id;
    $('th', row).textContent = t(id);
    $('td', row).textContent = key.replace('+Arrow', ' ').replace('Up', '↑').replace('Down', '↓');
    return row;
  }));
  open($('#help'));
}

/** @param {KeyboardEvent} event */
function press(event) {
  const { key, altKey, target } = event;
  if (event.ctrlKey || event.metaKey || event.isComposing || $('dialog[open], :popover-open, .dragged, html[data-session=out]')) return;
  if (key !== 'Escape' && isField(target)) return;
  const name = altKey && key.startsWith('Arrow') ? `Alt+${key}` : key;
  const isOff = key.length === 1 && localStorage.getItem('taskhold-keys') === 'off';
  const pressed = before + (target instanceof HTMLLIElement && { ArrowDown: 'j', ArrowUp: 'k' }[name] || name);
  const run = KEYS.find((each) => each.key === pressed)?.run;
  clearTimeout(timer);
  before = '';
  if (run && !isOff) {
    event.preventDefault();
    run();
  } else if (KEYS.some((each) => each.key.startsWith(`${pressed} `))) {
    before = `${pressed} `;
    timer = setTimeout(() => { before = ''; }, WAIT_MS);
  }
}

/** Follows the keys from now on. @param {() => void} escape what Escape does */
export function startKeys(escape) {
  leave = escape;
  document.addEventListener('keydown', press);
  on('click', '[data-command]', ({ dataset }) => KEYS.find(({ id }) => id === dataset.command)?.run());
  const box = $('#keys-on');
  box.checked = localStorage.getItem('taskhold-keys') !== 'off';
  box.onchange = () => localStorage.setItem('taskhold-keys', box.checked ? 'on' : 'off');
}
