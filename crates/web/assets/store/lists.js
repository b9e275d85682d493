// @ts-check
/** Which tasks a view shows, and in which order. */

import { isOverdue, parseDue, today } from '../dates.js';
import { fold } from '../fold.js';

/** @import * as T from '../types.d.ts' */
/** @typedef {{text: string, tags: string[], day: string, due: string}} Facts */

/** What a task is found and sorted by. @type {WeakMap<T.Task, Facts>} */
const known = new WeakMap();
const PRIORITIES = { high: 0, medium: 1, low: 2, none: 3 };
/** After every day. */
const NEVER = '~';
const collator = new Intl.Collator();

/** @param {T.Task} task */
function factsOf(task) {
  let facts = known.get(task);
  if (!facts) {
    const { day, instant } = parseDue(task.due ?? '') ?? { day: NEVER, instant: null };
    const text = fold(`${task.title}\n${task.description}`);
    // By day, on one day dates before times, times by instant.
    const due = instant === null ? day : `${day} ${String(instant + 1e15).padStart(17, '0')}`;
    facts = { text, tags: task.tags.map(fold), day, due };
    known.set(task, facts);
  }
  return facts;
}

/** Returns the tasks of a view in its order, which is that of `tasks` among equals. @type {(tasks: T.Task[], view: T.View) => T.Task[]} */
export function select(tasks, { name, tag = '', text = '', sort = USUAL_SORT[name] }) {
  const day = today();
  const [tagged, searched] = [fold(tag), fold(text)];
  const found = tasks.filter((task) => {
    if (name !== 'search' && task.completed !== (name === 'done')) return false;
    const facts = factsOf(task);
    if (name === 'today' && facts.day > day) return false;
    if (name === 'upcoming' && (facts.day <= day || facts.day === NEVER)) return false;
    return (name !== 'tag' || facts.tags.includes(tagged)) && facts.text.includes(searched);
  });
  return found.sort(COMPARE[sort]);
}

/** @type {Record<T.ViewName, keyof typeof COMPARE>} */
const USUAL_SORT = { today: 'due', upcoming: 'due', all: 'position', done: 'completed_at', tag: 'position', search: 'completed' };

/** @param {string} a @param {string} b */
const ascending = (a, b) => (a === b ? 0 : a < b ? -1 : 1);

/** @satisfies {Record<string, (a: T.Task, b: T.Task) => number>} */
const COMPARE = {
  position: () => 0,
  completed: (a, b) => Number(a.completed) - Number(b.completed),
  due: (a, b) => ascending(factsOf(a).due, factsOf(b).due),
  priority: (a, b) => PRIORITIES[a.priority] - PRIORITIES[b.priority],
  title: (a, b) => collator.compare(a.title, b.title),
  created_at: (a, b) => ascending(b.created_at, a.created_at),
  updated_at: (a, b) => ascending(b.updated_at, a.updated_at),
  completed_at: (a, b) => ascending(b.completed_at ?? '', a.completed_at ?? ''),
};

/** @param {T.Task[]} tasks @returns {T.Counts} */
export function count(tasks) {
  const day = today();
  const counts = { today: 0, overdue: 0, upcoming: 0, all: 0, done: 0 };
  for (const task of tasks) {
    if (task.completed) counts.done += 1;
    else {
      counts.all += 1;
      if (task.due === null) continue;
      counts[factsOf(task).day <= day ? 'today' : 'upcoming'] += 1;
      if (isOverdue(task)) counts.overdue += 1;
    }
  }
  return counts;
}

/** Returns the tags of open tasks, each in its first spelling, with the number of its tasks. @param {T.Task[]} tasks */
export function countTags(tasks) {
  /** @type {Map<string, [string, number]>} */
  const counts = new Map();
  for (const task of tasks) {
    if (task.completed) continue;
    for (const tag of task.tags) {
      const key = fold(tag);
      counts.set(key, [counts.get(key)?.[0] ?? tag, (counts.get(key)?.[1] ?? 0) + 1]);
    }
  }
  return [...counts.values()].sort(([a], [b]) => collator.compare(a, b));
}
