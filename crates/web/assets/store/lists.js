// @ts-check
/** Which tasks a view shows, and in which order. */

import { parseDue, today } from '../dates.js';
import { fold } from '../fold.js';

/** @import { Counts, Sort, Task, View } from '../types.d.ts' */

/**
 * What a task is found and sorted by, computed once for each state of a task.
 * @typedef {{text: string, title: string, tags: string[], day: string | null, due: string}} Facts
 */

/** @type {WeakMap<Task, Facts>} */
const known = new WeakMap();

const PRIORITIES = { high: 0, medium: 1, low: 2, none: 3 };
const collator = new Intl.Collator();

/** @param {Task} task @returns {Facts} */
function factsOf(task) {
  let facts = known.get(task);
  if (!facts) {
    const due = task.due ? parseDue(task.due) : null;
    facts = {
      text: fold(`${task.title}\n${task.description}`),
      title: task.title,
      tags: task.tags.map(fold),
      day: due?.day ?? null,
      // By day, on one day dates before times, times by instant; tasks without a due date last.
      due: due ? `${due.day} ${due.instant === null ? '' : String(due.instant + 1e15).padStart(17, '0')}` : '~',
    };
    known.set(task, facts);
  }
  return facts;
}

/**
 * Returns the tasks of a view in its order.
 * @param {Task[]} tasks in the order by hand
 * @param {View} view
 * @returns {Task[]}
 */
export function select(tasks, view) {
  const text = fold(view.text ?? '');
  const isInView = filterOf(view);
  const found = tasks.filter((task) => isInView(task) && (text === '' || factsOf(task).text.includes(text)));
  return sorted(found, view);
}

/** @param {View} view @returns {(task: Task) => boolean} */
function filterOf({ name, tag = '' }) {
  const day = today();
  const folded = fold(tag);
  switch (name) {
    case 'all': return (task) => !task.completed;
    case 'done': return (task) => task.completed;
    case 'search': return () => true;
    case 'tag': return (task) => !task.completed && factsOf(task).tags.includes(folded);
    case 'today': return (task) => isDueBy(task, day);
    case 'upcoming': return (task) => !task.completed && task.due !== null && !isDueBy(task, day);
  }
}

/** @param {Task} task @param {string} day */
function isDueBy(task, day) {
  if (task.completed || task.due === null) return false;
  const due = factsOf(task).day;
  return due !== null && due <= day;
}

/** Sorting is stable: equals keep the order by hand. @param {Task[]} tasks @param {View} view */
function sorted(tasks, { name, sort }) {
  if (sort) return tasks.sort(COMPARE[sort]);
  if (name === 'today' || name === 'upcoming') return tasks.sort(COMPARE.due);
  if (name === 'done') return tasks.sort((a, b) => descending(a.completed_at ?? '', b.completed_at ?? ''));
  if (name === 'search') return tasks.sort((a, b) => Number(a.completed) - Number(b.completed));
  return tasks;
}

/** @type {Record<Sort, (a: Task, b: Task) => number>} */
const COMPARE = {
  position: () => 0,
  due: (a, b) => descending(factsOf(b).due, factsOf(a).due),
  priority: (a, b) => PRIORITIES[a.priority] - PRIORITIES[b.priority],
  title: (a, b) => collator.compare(a.title, b.title),
  created_at: (a, b) => descending(a.created_at, b.created_at),
  updated_at: (a, b) => descending(a.updated_at, b.updated_at),
};

/** @param {string} a @param {string} b */
const descending = (a, b) => (a === b ? 0 : a < b ? 1 : -1);

/** Returns how many tasks each view has. @param {Task[]} tasks @returns {Counts} */
export function count(tasks) {
  const day = today();
  const now = Date.now();
  const counts = { today: 0, overdue: 0, upcoming: 0, all: 0, done: 0 };
  for (const task of tasks) {
    if (task.completed) counts.done += 1;
    else {
      counts.all += 1;
      if (task.due === null) continue;
      if (isDueBy(task, day)) counts.today += 1;
      else counts.upcoming += 1;
      if (isPast(task, day, now)) counts.overdue += 1;
    }
  }
  return counts;
}

/** @param {Task} task @param {string} day @param {number} now */
function isPast(task, day, now) {
  const due = task.due === null ? null : parseDue(task.due);
  if (!due) return false;
  return due.instant === null ? due.day < day : due.instant < now;
}

/**
 * Returns the tags of open tasks in alphabetical order, each in its first spelling and with the number of its tasks.
 * @param {Task[]} tasks
 * @returns {[string, number][]}
 */
export function countTags(tasks) {
  /** @type {Map<string, [string, number]>} */
  const counts = new Map();
  for (const task of tasks) {
    if (task.completed) continue;
    task.tags.forEach((tag, place) => {
      const key = factsOf(task).tags[place] ?? tag;
      const entry = counts.get(key);
      if (entry) entry[1] += 1;
      else counts.set(key, [tag, 1]);
    });
  }
  return [...counts.values()].sort(([a], [b]) => collator.compare(a, b));
}
