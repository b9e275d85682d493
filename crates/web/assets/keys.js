// @ts-check
import { $, isField, on } from './dom.js';
import { address, go } from './router.js';
import { showHelp } from './views/help.js';
import { currentTask, focusList, step, tasks } from './views/list.js';
import { complete, edit, move, remove, restore, undo } from './views/tasks.js';

/** What a key does; `text` is the id of its text. @typedef {{key: string, id: string, text: string, run: () => unknown}} Binding */

const WAIT_MS = 1500;
const toView = (/** @type {string} */ letter, /** @type {string} */ id) =>
  ({ key: `g ${letter}`, id, text: id, run: () => go(address(id)) });
const toField = (/** @type {string} */ selector) => {
  $(selector).focus();
  $(selector).select();
};

/** All keys of the page. @type {Binding[]} */
const KEYS = [
  { key: 'a', id: 'add', text: 'add', run: () => toField('#add-text') },
  { key: '/', id: 'search', text: 'search', run: () => toField('#search') },
  { key: 'j', id: 'down', text: 'key.down', run: () => step(1) },
  { key: 'k', id: 'up', text: 'key.up', run: () => step(-1) },
  { key: 'x', id: 'complete', text: 'key.complete', run: () => complete(currentTask(), true) },
  { key: 'e', id: 'edit', text: 'editor', run: () => edit(currentTask()) },
  { key: '#', id: 'delete', text: 'delete', run: () => remove(currentTask()) },
  { key: 'r', id: 'restore', text: 'key.restore', run: () => restore(currentTask()) },
  { key: 'z', id: 'undo', text: 'key.undo', run: () => undo() },
  { key: 'Alt+ArrowUp', id: 'move-up', text: 'key.moveup', run: () => move(currentTask(), 'up') },
  { key: 'Alt+ArrowDown', id: 'move-down', text: 'key.movedown', run: () => move(currentTask(), 'down') },
  toView('t', 'today'),
  toView('u', 'upcoming'),
  toView('a', 'all'),
  toView('d', 'done'),
  toView('r', 'trash'),
  toView('c', 'account'),
  { key: 'm', id: 'menu', text: 'menu', run: () => openMenu() },
  { key: '?', id: 'help', text: 'help', run: () => showHelp(KEYS) },
  { key: 'Escape', id: 'list', text: 'key.escape', run: () => leave() },
];
/** What moves inside of a list, as everywhere. @type {Record<string, () => void>} */
const ARROWS = { ArrowDown: () => step(1), ArrowUp: () => step(-1), Home: () => step(-tasks.length), End: () => step(tasks.length) };
/** The keys that wait for the next one. */
let before = '';
/** @type {number | undefined} */
let timer;
let leave = focusList;

function openMenu() {
  $('#menu').showPopover();
  $('#menu :checked').focus();
}

/** @param {KeyboardEvent} event */
function press(event) {
  const { key, altKey, target } = event;
  if (event.ctrlKey || event.metaKey || event.isComposing || $('dialog[open], :popover-open, .dragged, html[data-session=out]')) return;
  if (key !== 'Escape' && isField(target)) return;
  const name = altKey && key.startsWith('Arrow') ? `Alt+${key}` : key;
  const isOff = key.length === 1 && localStorage.getItem('taskhold-keys') === 'off';
  const arrow = target instanceof HTMLLIElement ? ARROWS[name] : undefined;
  const pressed = before + name;
  const run = arrow ?? KEYS.find((each) => each.key === pressed)?.run;
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
