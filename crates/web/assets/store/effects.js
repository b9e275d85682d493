// @ts-check
/** What waiting writes do to the tasks of the service, as the page shows them. Nothing of this is stored. */

/** @import { Patch, Task, Undone, Write } from '../types.d.ts' */

/** The values that `null` in a patch stands for. */
const EMPTY = { description: '', due: null, priority: /** @type {const} */ ('none'), tags: [], repeat: null };

/** The begin of the id of a task that the service does not know. */
const LOCAL = 'local:';

/** @param {string} id */
export const isLocal = (id) => id.startsWith(LOCAL);

export const newLocalId = () => LOCAL + crypto.randomUUID();

/**
 * Returns the tasks that writes change, as shown; `null` hides a task. A failed write is not shown, except a creation,
 * whose text would be gone.
 * @param {Map<string, Task>} server
 * @param {Write[]} writes in their order
 * @returns {Map<string, Task | null>}
 */
export function effects(server, writes) {
  /** @type {Map<string, Task | null>} */
  const shown = new Map();
  for (const write of writes) {
    if (write.state === 'failed' && write.action.kind !== 'add') continue;
    const present = shown.get(write.task);
    shown.set(write.task, apply(present === undefined ? (server.get(write.task) ?? null) : present, write));
    if (write.action.kind === 'undo' && write.action.undone.next) shown.set(write.action.undone.next, null);
  }
  return shown;
}

/**
 * @param {Task | null} task
 * @param {Write} write
 * @returns {Task | null}
 */
export function apply(task, { action, task: id, base, made }) {
  switch (action.kind) {
    case 'add': return newTask(id, action.text, made);
    case 'restore': return base;
    case 'remove': return null;
    case 'undo': return undone(task, action.undone);
    case 'move': return task;
    case 'update': return task && { ...task, ...valuesOf(action.patch) };
    case 'complete': return task && completed(task, action.completed, made);
  }
}

/** Returns the fields of a patch with the values that a task gets. @param {Patch} patch @returns {Partial<Task>} */
export function valuesOf(patch) {
  const given = Object.entries(patch).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, value ?? (name === 'repeat_from' ? 'due' : Reflect.get(EMPTY, name))]));
}

/** @param {Task} task @param {boolean} isDone @param {number} at @returns {Task} */
function completed(task, isDone, at) {
  if (task.completed === isDone) return task;
  const changed = { ...task, completed: isDone, completed_at: isDone ? new Date(at).toISOString() : null };
  // The rule goes over to the follow-up, which the service creates.
  return isDone ? { ...changed, repeat: null } : changed;
}

/** @param {Task | null} task @param {Undone} undone @returns {Task | null} */
function undone(task, { action, before }) {
  if (action.kind === 'add' || action.kind === 'restore') return null;
  if (action.kind === 'remove') return before;
  if (!task || !before) return task;
  if (action.kind === 'complete') {
    return { ...task, completed: before.completed, completed_at: before.completed_at, repeat: before.repeat };
  }
  if (action.kind !== 'update') return task;
  const names = Object.keys(action.patch);
  return { ...task, ...Object.fromEntries(Object.entries(before).filter(([name]) => names.includes(name))) };
}

/** Returns a task as it is shown until the service has read its text. @param {string} id @param {string} text @param {number} made @returns {Task} */
function newTask(id, text, made) {
  const time = new Date(made).toISOString();
  return {
    id, title: text, ...EMPTY, completed: false, created_at: time, updated_at: time, user_id: '', etag: '',
    repeat_from: 'due', position: '', completed_at: null,
  };
}

/**
 * Returns the tasks in the order by hand, as the writes that move change it.
 * @param {Iterable<Task>} tasks
 * @param {Write[]} writes
 * @returns {Task[]}
 */
export function inHandOrder(tasks, writes) {
  const ordered = [...tasks].sort(compareByHand);
  for (const { action, task: id, state } of writes) {
    if (action.kind !== 'move' || state === 'failed') continue;
    const from = ordered.findIndex((task) => task.id === id);
    const [task] = from < 0 ? [] : ordered.splice(from, 1);
    if (task) ordered.splice(placeIn(ordered, action.place, from), 0, task);
  }
  return ordered;
}

/**
 * @param {Task[]} tasks
 * @param {import('../types.d.ts').Place} place
 * @param {number} otherwise if the neighbour is gone
 */
function placeIn(tasks, place, otherwise) {
  const isAfter = 'after' in place;
  const neighbour = isAfter ? place.after : place.before;
  if (neighbour === null) return isAfter ? 0 : tasks.length;
  const found = tasks.findIndex((task) => task.id === neighbour);
  if (found < 0) return otherwise;
  return isAfter ? found + 1 : found;
}

/** New tasks of this device have no position yet: they come first, the newest before the others. @param {Task} a @param {Task} b */
function compareByHand(a, b) {
  if (a.position !== b.position) return a.position < b.position ? -1 : 1;
  if (a.position === '' && a.created_at !== b.created_at) return a.created_at < b.created_at ? 1 : -1;
  return a.id < b.id ? -1 : 1;
}
