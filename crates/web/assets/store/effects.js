// @ts-check
/** Applies waiting writes to the tasks of the service, for the page to show. Nothing of this is stored. */

import { newKey } from '../platform.js';

/** @import * as T from '../types.d.ts' */

/** The values that `null` in a patch stands for. */
const EMPTY = {
  description: '', due: null, priority: /** @type {const} */ ('none'), tags: [], repeat: null,
  repeat_from: /** @type {const} */ ('due'),
};

/** @param {string} id */
export const isLocal = (id) => id.startsWith('local:');

export const newLocalId = () => `local:${newKey()}`;

/** Returns the tasks that writes change, as shown; `null` hides one. @type {(server: Map<string, T.Task>, writes: T.Write[]) => Map<string, T.Task | null>} */
export function effects(server, writes) {
  const shown = new Map();
  for (const { action, task: id, state, base, made } of writes) {
    // A failed creation stays: its text would be gone.
    if (state === 'failed' && action.kind !== 'add') continue;
    const task = shown.has(id) ? shown.get(id) : (server.get(id) ?? null);
    shown.set(id, apply(task, { action, task: id, base, made }));
    if (action.kind === 'undo' && action.undone.next) shown.set(action.undone.next, null);
  }
  return shown;
}

/** @type {(task: T.Task | null, write: Pick<T.Write, 'action' | 'task' | 'base' | 'made'>) => T.Task | null} */
export function apply(task, { action, task: id, base, made }) {
  const time = new Date(made).toISOString();
  if (action.kind === 'add') {
    return {
      id, title: action.text, ...EMPTY, completed: false, completed_at: null, created_at: time, updated_at: time,
      user_id: '', etag: '', position: '',
    };
  }
  if (action.kind === 'restore') return base;
  if (action.kind === 'undo') return undone(task, action.undone);
  if (action.kind === 'remove' || !task) return null;
  if (action.kind === 'update') return { ...task, ...valuesOf(action.patch) };
  if (action.kind === 'move' || task.completed === action.completed) return task;
  const { completed } = action;
  // The follow-up, which the service creates, takes the rule over.
  return { ...task, completed, completed_at: completed ? time : null, repeat: completed ? null : task.repeat };
}

/** Returns the values that a task gets by a patch. @param {T.Patch} patch @returns {Partial<T.Task>} */
export const valuesOf = (patch) =>
  Object.fromEntries(Object.entries(patch).map(([name, value]) => [name, value ?? Reflect.get(EMPTY, name)]));

/** @type {(task: T.Task | null, undone: T.Undone) => T.Task | null} */
function undone(task, { action, before }) {
  if (action.kind === 'add' || action.kind === 'restore') return null;
  if (action.kind === 'remove') return before;
  if (!task || !before) return task;
  const names = action.kind === 'complete' ? ['completed', 'completed_at', 'repeat'] : [];
  if (action.kind === 'update') names.push(...Object.keys(action.patch));
  return { ...task, ...Object.fromEntries(Object.entries(before).filter(([name]) => names.includes(name))) };
}

/** Returns the tasks in the order by hand, with the moves that wait. @type {(tasks: Iterable<T.Task>, writes: T.Write[]) => T.Task[]} */
export function inHandOrder(tasks, writes) {
  const ordered = [...tasks].sort(compareByHand);
  for (const { action, task: id, state } of writes) {
    if (action.kind !== 'move' || state === 'failed') continue;
    const from = ordered.findIndex((task) => task.id === id);
    const [task] = from < 0 ? [] : ordered.splice(from, 1);
    if (!task) continue;
    const neighbour = ordered.findIndex((other) => other.id === action.neighbour);
    const isAfter = action.side === 'after';
    const end = isAfter ? 0 : ordered.length;
    const place = neighbour < 0 ? from : neighbour + Number(isAfter);
    ordered.splice(action.neighbour === null ? end : place, 0, task);
  }
  return ordered;
}

/** @type {(a: T.Task, b: T.Task) => number} */
function compareByHand(a, b) {
  if (a.position !== b.position) return a.position < b.position ? -1 : 1;
  // New tasks of this device have no position yet: they come first, the newest before the others.
  if (!a.position && a.created_at !== b.created_at) return a.created_at < b.created_at ? 1 : -1;
  return a.id < b.id ? -1 : 1;
}
