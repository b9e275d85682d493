// @ts-check
import { $, clone, on } from '../dom.js';
import { store } from '../store.js';
import { fillRow, fillTrash } from './row.js';

/** @import { Task } from '../types.d.ts' */
/**
 * @typedef {object} Options
 * @property {((task: Task) => string) | null} group the heading of a task's group
 * @property {boolean} trash
 */

const list = $('#tasks');
/** The height of what may cover the lower end of the screen. */
const NOTICES = 80;
/** The tasks in the order in which they are shown. @type {Task[]} */
export let tasks = [];
/** The headings, each with the place of the task below it. @type {{place: number, text: string}[]} */
let headings = [];
/** The elements: rows and headings near the screen. @type {Map<string, any>} */
const nodes = new Map();
/** @type {Options} */
let options = { group: null, trash: false };
/** The row that keys act on. */
let current = '';
let headingHeight = 0;
export let rowHeight = 0;
/** The row that follows the pointer. @type {any} */
let held = null;

/** Returns where a task is in the list, or -1. @param {string} id */
export const placeOf = (id) => tasks.findIndex((task) => task.id === id);
/** @returns {Task | null} */
export const currentTask = () => tasks[placeOf(current)] ?? null;
/** Returns where a row begins. @param {number} place */
const topOf = (place) => place * rowHeight + headings.filter((heading) => heading.place <= place).length * headingHeight;

/** Shows these tasks. @param {Task[]} order @param {Options} given */
export function showTasks(order, given) {
  const row = document.activeElement?.closest('#tasks li');
  const place = Math.max(placeOf(current), 0);
  options = given;
  arrange(order);
  const now = placeOf(current);
  if (now < 0) current = tasks[Math.min(place, tasks.length - 1)]?.id ?? '';
  draw();
  if (row && !row.isConnected) focusList();
  else if (row && now !== place) reveal();
}

/** @param {Task[]} order */
function arrange(order) {
  if (!rowHeight) measure();
  const { group } = options;
  let text = '';
  tasks = order;
  headings = [];
  if (group) {
    tasks.forEach((task, place) => {
      const next = group(task);
      if (next !== text) headings.push({ place, text: next });
      text = next;
    });
  }
  list.style.height = `${topOf(tasks.length - 1) + rowHeight}px`;
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
  const first = all ? 0 : placeAt(top - innerHeight);
  const end = all ? tasks.length : placeAt(top + 2 * innerHeight) + 1;
  const here = placeOf(current);
  const places = tasks.slice(first, end).map((_, index) => first + index);
  if (here >= 0 && here < first) places.unshift(here);
  if (here >= end) places.push(here);

  /** @type {any} */
  const active = document.activeElement;
  const unused = new Set(nodes.keys());
  let next = list.firstElementChild;
  /** @param {string} key @param {() => any} make @param {number} y */
  const put = (key, make, y) => {
    const node = nodes.get(key) ?? make();
    nodes.set(key, node);
    unused.delete(key);
    if (node !== held) node.style.transform = `translateY(${y}px)`;
    if (node === next) next = next.nextElementSibling;
    else list.insertBefore(node, next);
    return node;
  };
  for (const place of places) {
    const task = tasks[place];
    if (!task) continue;
    const y = topOf(place);
    const text = headings.find((heading) => heading.place === place)?.text;
    if (text) put(`heading ${text}`, () => clone('heading', text), y - headingHeight);
    update(put(task.id, () => clone(options.trash ? 'trash' : 'row'), y), task, place);
  }
  for (const key of unused) {
    nodes.get(key).remove();
    nodes.delete(key);
  }
  if (active !== document.activeElement && list.contains(active)) active.focus({ preventScroll: true });
}

/** Returns the place of the first row that ends below `y`. @param {number} y */
function placeAt(y) {
  let low = 0;
  let high = tasks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (topOf(middle) + rowHeight < y) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param {any} node @param {Task} task @param {number} place */
function update(node, task, place) {
  const tab = task.id === current ? 0 : -1;
  // Words such as "today" change with the time.
  const shown = JSON.stringify([task, document.documentElement.lang, new Date().getMinutes()]);
  const isNew = node.shown !== shown;
  node.shown = shown;
  node.ariaSetSize = tasks.length;
  node.ariaPosInSet = place + 1;
  if (isNew && options.trash) fillTrash(node, task);
  else if (isNew) fillRow(node, task);
  node.classList.toggle('waiting', store.isWaiting(task.id));
  node.classList.toggle('failed', !!store.problemOf(task.id));
  if (!isNew && node.tabIndex === tab) return;
  for (const each of [node, ...node.querySelectorAll('button, a')]) each.tabIndex = tab;
}

/** Makes this the row that keys act on. @param {string} id */
export function choose(id) {
  if (id === current || placeOf(id) < 0) return;
  current = id;
  draw();
}

/** Moves the focus to a row. @param {string} id */
export function focusRow(id) {
  choose(id);
  const node = nodes.get(id);
  node?.focus({ preventScroll: true });
  reveal();
  return !!node;
}

/** Scrolls to the current row. */
function reveal() {
  const top = topOf(placeOf(current)) + list.getBoundingClientRect().top;
  const above = top - $('header').getBoundingClientRect().bottom;
  const below = top + rowHeight + NOTICES - innerHeight;
  if (above < 0) scrollBy(0, above);
  else if (below > 0) scrollBy(0, below);
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
  const order = tasks.filter((each) => each !== task);
  order.splice(place, 0, task);
  arrange(order);
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
