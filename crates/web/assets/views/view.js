// @ts-check
import * as actions from '../actions.js';
import { $, errorText, locale, on, readAll, say, t } from '../dom.js';
import { dayWords, parseDue, today } from '../dates.js';
import { route } from '../router.js';
import { session } from '../session.js';
import { store } from '../store.js';
import { focusList, placeOf, showTasks } from './list.js';

/** @import { Task } from '../types.d.ts' */

const STAY_MS = 1000;
const PAGES = ['account', 'login', 'register'];
const sort = $('#sort');
/** Tasks that stay where they are for a moment. @type {Map<string, {place: number, group: string}>} */
const held = new Map();
/** The words of days: to find them takes long. @type {Map<string, string>} */
let days = new Map();
let now = today();
/** @type {{tasks: Task[], known: boolean, error: string}} */
let trash = { tasks: [], known: false, error: '' };

/** Returns whether the list is ordered by hand. */
export const isMovable = () => route.name === 'all' && sort.value === 'position';

/** Returns the heading of a task's group. @param {Task} task */
function groupOf({ id, due }) {
  const kept = held.get(id);
  if (kept) return kept.group;
  const day = parseDue(due ?? '')?.day;
  if (!day) return '';
  if (route.name === 'today') return t(day < now ? 'overdue' : 'today');
  const words = days.get(day) ?? dayWords(day, locale());
  days.set(day, words);
  return words;
}

/** Keeps a task where it is for a second, so that a slip can be undone. @param {Task} task */
export function hold(task) {
  held.set(task.id, { place: placeOf(task.id), group: groupOf(task) });
  setTimeout(() => {
    held.delete(task.id);
    refresh();
  }, STAY_MS);
}

/** @returns {Task[]} */
function tasksOfView() {
  const { name, value } = route;
  if (name === 'trash') return trash.tasks;
  /** @type {any} */
  const view = { name, ...(name === 'tag' && { tag: value }), ...(name === 'search' && { text: value }), ...(name === 'all' && { sort: sort.value }) };
  const tasks = store.list(view);
  for (const [id, { place }] of [...held].sort(([, a], [, b]) => a.place - b.place)) {
    const task = store.get(id);
    if (task && !tasks.some((each) => each.id === id)) tasks.splice(place, 0, task);
  }
  return tasks;
}

/** Shows the present view as the data are now. @param {number} [since] from when on the time is measured */
export function refresh(since = performance.now()) {
  const { name } = route;
  if (!name || !session.user) return;
  if (!PAGES.includes(name)) show();
  performance.measure(name === 'search' ? 'filter' : 'list', { start: since });
  if (store.ready) document.documentElement.dataset.ready = 'true';
}

function show() {
  const { name, value } = route;
  const isTrash = name === 'trash';
  days = new Map();
  now = today();
  const tasks = tasksOfView();
  const n = tasks.length;
  const isKnown = isTrash ? trash.known : store.ready;
  $('#tasks').classList.toggle('movable', isMovable());
  showTasks(tasks, { group: ['today', 'upcoming'].includes(name) ? groupOf : null, trash: isTrash });
  const date = new Date().toLocaleDateString(locale(), { weekday: 'long', day: 'numeric', month: 'long' });
  $('#count').textContent = [name === 'today' && date, n > 0 && t('count', { n })].filter(Boolean).join(' · ');
  $('#loading').hidden = isKnown || n > 0;
  $('#empty').hidden = !isKnown || n > 0;
  const error = isTrash && trash.error;
  $('#empty p').textContent = error || t(`empty.${name}`, { value });
  $('#empty p + p').textContent = t(`hint.${error ? 'offline' : name}`, { value });
  $('#empty-trash').hidden = !isTrash || !n;
}

/** Reads the trash again. */
export async function readAgain() {
  /** @type {Task[]} */
  const tasks = [];
  let error = '';
  try {
    await readAll(actions.trash, (page) => tasks.push(...page.tasks));
  } catch (problem) {
    error = errorText(problem);
  }
  trash = { tasks, known: true, error };
  refresh();
}

/** Takes a task out of the trash that is shown. @param {string} id */
export function forget(id) {
  trash.tasks = trash.tasks.filter((task) => task.id !== id);
  refresh();
}

/** Shows the view that the address names. @param {boolean} focus moves the focus to the list */
export async function showView(focus) {
  const { name, value } = route;
  const since = performance.now();
  for (const id of PAGES) $(`#${id}-view`).hidden = id !== name;
  $('#list-view').hidden = PAGES.includes(name);
  $('#sort-field').hidden = name !== 'all';
  $('#empty-trash').hidden = true;
  $('#count').textContent = '';
  for (const link of document.querySelectorAll('nav a')) link.ariaCurrent = link.matches(`[href="#${name}"]`) ? 'page' : null;
  const title = name === 'tag' ? `#${value}` : name === 'search' && value ? t('search.for', { value }) : t(name);
  $('#heading').textContent = title;
  document.title = `${title} – Taskhold`;
  held.clear();
  if (focus) scrollTo(0, 0);
  refresh(since);
  if (name === 'trash') {
    trash.known = false;
    await readAgain();
  }
  if (focus || name === 'search') say([title, $('#count').textContent].filter(Boolean).join(', '));
  if (focus) focusList();
}

/** When the data changed that are not shown yet. */
let changed = 0;
store.addEventListener('change', () => {
  if (changed) return;
  changed = performance.now();
  requestAnimationFrame(() => {
    refresh(changed);
    changed = 0;
  });
});
on('change', '#sort', () => refresh());
setInterval(() => document.hidden || refresh(), 60_000);
