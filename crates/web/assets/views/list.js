// @ts-check
import { $, clone, on } from '../dom.js';
import { fillRow, fillTrash } from './row.js';

/** @import { Task } from '../types.d.ts' */
/** @typedef {{key: string, task: Task | null, text: string, y: number, index: number}} Entry */
/**
 * @typedef {object} Options
 * @property {(task: Task) => string} group the heading of a task's group
 * @property {(task: Task) => {waiting: boolean, failed: boolean}} state
 * @property {boolean} trash
 */

const list = $('#tasks');
/** All rows and headings; only those near the screen are elements. @type {Entry[]} */
let entries = [];
/** The tasks in the order in which they are shown. @type {Task[]} */
export let tasks = [];
/** @type {Map<string, number>} */
let places = new Map();
/** @type {Map<string, any>} */
const nodes = new Map();
/** @type {Options} */
let options = { group: () => '', state: () => ({ waiting: false, failed: false }), trash: false };
/** The row that keys act on. */
let current = '';
let headingHeight = 0;
export let rowHeight = 0;
/** The row that follows the pointer. @type {any} */
let held = null;

/** Returns where a task is in the list, or -1. @param {string} id */
export const placeOf = (id) => places.get(id) ?? -1;
/** @returns {Task | null} */
export const currentTask = () => tasks[placeOf(current)] ?? null;

/** Shows these tasks. @param {Task[]} order @param {Options} given */
export function showTasks(order, given) {
  const row = document.activeElement?.closest('#tasks li');
  const place = Math.max(placeOf(current), 0);
  if (options.trash !== given.trash) {
    nodes.clear();
    list.replaceChildren();
  }
  options = given;
  arrange(order);
  if (!places.has(current)) current = tasks[Math.min(place, tasks.length - 1)]?.id ?? '';
  draw();
  if (row && !row.isConnected) focusList();
}

/** @param {Task[]} order */
function arrange(order) {
  if (!rowHeight) measure();
  tasks = order;
  places = new Map(tasks.map(({ id }, index) => [id, index]));
  entries = [];
  let y = 0;
  let group = '';
  tasks.forEach((task, index) => {
    const text = options.group(task);
    if (text !== group) {
      group = text;
      entries.push({ key: `heading ${text}`, task: null, text, y, index });
      y += headingHeight;
    }
    entries.push({ key: task.id, task, text, y, index });
    y += rowHeight;
  });
  list.style.height = `${y}px`;
}

function measure() {
  const samples = [clone('row'), clone('heading')];
  list.append(...samples);
  [rowHeight = 0, headingHeight = 0] = samples.map(({ offsetHeight }) => offsetHeight);
  for (const sample of samples) sample.remove();
}

/** Renders the rows near the screen, and the current one. @param {boolean} [all] */
function draw(all = false) {
  const top = -list.getBoundingClientRect().top;
  const first = find(top - innerHeight);
  const end = find(top + 2 * innerHeight) + 1;
  const wanted = all ? [...entries] : entries.slice(first, end);
  const place = entries.findIndex(({ key }) => key === current);
  const entry = entries[place];
  if (entry && !wanted.includes(entry)) wanted.splice(place < first ? 0 : wanted.length, 0, entry);

  /** @type {any} */
  const active = document.activeElement;
  const keys = new Set(wanted.map(({ key }) => key));
  for (const [key, node] of nodes) {
    if (keys.has(key)) continue;
    node.remove();
    nodes.delete(key);
  }
  let next = list.firstElementChild;
  for (const each of wanted) {
    const node = nodes.get(each.key) ?? clone(each.task ? options.trash ? 'trash' : 'row' : 'heading', each.task ? undefined : each.text);
    nodes.set(each.key, node);
    update(node, each);
    if (node === next) next = next.nextElementSibling;
    else list.insertBefore(node, next);
  }
  if (active !== document.activeElement && list.contains(active)) active.focus({ preventScroll: true });
}

/** Returns the first entry that ends below `y`. @param {number} y */
function find(y) {
  let low = 0;
  let high = Math.max(entries.length - 1, 0);
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle]?.y ?? 0) + rowHeight < y) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param {any} node @param {Entry} entry */
function update(node, { key, task, y, index }) {
  if (node !== held) node.style.transform = `translateY(${y}px)`;
  if (!task) return;
  node.ariaSetSize = tasks.length;
  node.ariaPosInSet = index + 1;
  const state = options.state(task);
  // Words such as "today" change with the time.
  const shown = JSON.stringify([task, state, document.documentElement.lang, new Date().getMinutes()]);
  const tab = key === current ? 0 : -1;
  const isNew = node.shown !== shown;
  if (isNew && options.trash) fillTrash(node, task);
  else if (isNew) fillRow(node, task, state);
  node.shown = shown;
  if (!isNew && node.tabIndex === tab) return;
  for (const each of [node, ...node.querySelectorAll('button, a')]) each.tabIndex = tab;
}

/** Follows the ids that the service gives to new tasks. @param {[string, string][]} renamed */
export function rename(renamed) {
  for (const [before, after] of renamed) {
    const node = nodes.get(before);
    if (node && !nodes.has(after)) nodes.set(after, node);
    nodes.delete(before);
    if (current === before) current = after;
    places.set(after, placeOf(before));
  }
}

/** Makes this the row that keys act on. @param {string} id */
export function choose(id) {
  if (id === current || !places.has(id)) return;
  current = id;
  draw();
}

/** Moves the focus to a row. @param {string} id */
export function focusRow(id) {
  choose(id);
  const node = nodes.get(id);
  node?.focus({ preventScroll: true });
  node?.scrollIntoView({ block: 'nearest' });
  return !!node;
}

/** Moves the focus to the current row or, without one, to the heading. */
export function focusList() {
  if ($('#list-view').hidden || !focusRow(current)) $('#heading').focus({ preventScroll: true });
}

/** Moves the focus by rows. @param {number} by */
export function step(by) {
  const place = placeOf(current) + (list.contains(document.activeElement) ? by : 0);
  const task = tasks[Math.min(Math.max(place, 0), tasks.length - 1)];
  if (task) focusRow(task.id);
}

/** Shows a row elsewhere while it is dragged. @param {string} id @param {number} place @param {number} y */
export function dragTo(id, place, y) {
  const task = tasks[placeOf(id)];
  held = nodes.get(id);
  if (!held || !task) return;
  if (placeOf(id) !== place) {
    const order = tasks.filter((each) => each !== task);
    order.splice(place, 0, task);
    arrange(order);
  }
  held.style.transform = `translateY(${y}px)`;
  held.classList.add('dragged');
  draw();
}

/** Ends the dragging. */
export function drop() {
  held?.classList.remove('dragged');
  held = null;
  draw();
}

on('focusin', '#tasks li', (row) => choose(row.dataset.id));
addEventListener('scroll', () => draw(), { passive: true });
addEventListener('resize', () => {
  rowHeight = 0;
  arrange(tasks);
  draw();
});
addEventListener('beforeprint', () => draw(true));
addEventListener('afterprint', () => draw());
