// @ts-check
/** Which tasks a view shows, and in which order. */

import { parseDue, today } from '../dates.js';
import { fold } from '../fold.js';

/** @import * as T from '../types.d.ts' */

/** After every day. */
const NEVER = '~';
const PRIORITIES = ['high', 'medium', 'low', 'none'];

/** Computes a value once for each state of a task. @template V @param {(task: T.Task) => V} compute */
function once(compute) {
  /** @type {WeakMap<T.Task, V>} */
  const known = new WeakMap();
  return (/** @type {T.Task} */ task) => {
    let value = known.get(task);
    if (value === undefined) known.set(task, (value = compute(task)));
    return value;
  };
}

const textOf = once(({ title, description }) => fold(`${title}\n${description}`));
const tagsOf = once(({ tags }) => tags.map(fold));
const titleOf = once(({ title }) => fold(title).normalize('NFD').replace(/\p{M}/gu, ''));
const dueOf = once(({ due }) => {
  const { day, instant } = parseDue(due ?? '') ?? { day: NEVER, instant: null };
  // By day, on one day dates before times, times by instant.
  return { day, instant, key: instant === null ? day : `${day} ${String(instant + 1e15).padStart(17, '0')}` };
});

/**
 * The keys that each order compares. Times are compared from the latest to the earliest.
 * @satisfies {Record<string, ((task: T.Task) => string | number) | null>}
 */
const KEYS = {
  position: null,
  completed: ({ completed }) => Number(completed),
  due: (task) => dueOf(task).key,
  priority: ({ priority }) => PRIORITIES.indexOf(priority),
  title: titleOf,
  created_at: ({ created_at }) => created_at,
  updated_at: ({ updated_at }) => updated_at,
  completed_at: ({ completed_at }) => completed_at ?? '',
};

/** @type {Partial<Record<T.ViewName, keyof typeof KEYS>>} */
const USUAL = { today: 'due', upcoming: 'due', done: 'completed_at', search: 'completed' };

/** Returns the tasks of a view in its order, which is that of `tasks` among equals. @type {(tasks: T.Task[], view: T.View) => T.Task[]} */
export function select(tasks, { name, tag = '', text = '', sort }) {
  const day = today();
  const [tagged, searched] = [fold(tag), fold(text)];
  const found = tasks.filter((task) => {
    if (name !== 'search' && task.completed !== (name === 'done')) return false;
    if (name === 'today' && (!task.due || dueOf(task).day > day)) return false;
    if (name === 'upcoming' && (!task.due || dueOf(task).day <= day)) return false;
    return (name !== 'tag' || tagsOf(task).includes(tagged)) && (!searched || textOf(task).includes(searched));
  });
  const order = sort ?? USUAL[name] ?? 'position';
  const keyOf = KEYS[order];
  if (!keyOf) return found;
  const sign = order.endsWith('_at') ? -1 : 1;
  const keyed = found.map((task) => ({ key: keyOf(task), task }));
  return keyed.sort((a, b) => (a.key === b.key ? 0 : a.key < b.key ? -sign : sign)).map(({ task }) => task);
}

/** @param {T.Task[]} tasks @returns {T.Counts} */
export function count(tasks) {
  const [day, now] = [today(), Date.now()];
  const counts = { today: 0, overdue: 0, upcoming: 0, all: 0, done: 0 };
  for (const task of tasks) {
    counts[task.completed ? 'done' : 'all'] += 1;
    if (task.completed || !task.due) continue;
    const due = dueOf(task);
    counts[due.day <= day ? 'today' : 'upcoming'] += 1;
    if (due.instant === null ? due.day < day : due.instant < now) counts.overdue += 1;
  }
  return counts;
}

/** Returns the tags of open tasks, each in its first spelling, with the number of its tasks. @param {T.Task[]} tasks */
export function countTags(tasks) {
  /** @type {Map<string, [string, number]>} */
  const counts = new Map();
  for (const task of tasks) {
    if (task.completed) continue;
    for (const [place, key] of tagsOf(task).entries()) {
      const [tag, number] = counts.get(key) ?? [task.tags[place] ?? key, 0];
      counts.set(key, [tag, number + 1]);
    }
  }
  return [...counts.values()].sort(([a], [b]) => a.localeCompare(b));
}
