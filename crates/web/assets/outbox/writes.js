// @ts-check
/** Writes: their requests, and what they mean to the task of the service. */

import { valuesOf } from '../store/effects.js';

/** @import { Action, Place, Task, Write, WriteRequest } from '../types.d.ts' */

/** The fields that a person sees. The position is left out: the service may give all tasks new ones. */
const SEEN = /** @type {const} */ (['title', 'description', 'completed', 'due', 'priority', 'tags', 'repeat', 'repeat_from']);

/**
 * Returns a write that was not sent.
 * @param {Action} action
 * @param {string} task
 * @param {Task | null} base
 * @returns {Omit<Write, 'id'>}
 */
export function newWrite(action, task, base) {
  return { action, task, base, made: Date.now(), ...unsent(), problem: null };
}

/** Returns the members of a write that goes out as a new request. */
export function unsent() {
  return {
    key: crypto.randomUUID(), tried: null, defects: 0, isUncertain: false, request: null,
    state: /** @type {const} */ ('waiting'), theirs: null,
  };
}

/** Returns `true` if the write is sent with the `etag` of its base. @param {Action} action */
export const isConditional = ({ kind }) => kind === 'update' || kind === 'complete' || kind === 'move' || kind === 'remove';

/**
 * Returns the request of a write.
 * @param {Write} write
 * @param {string} timezone
 * @returns {WriteRequest}
 */
export function requestOf({ action, task }, timezone) {
  const path = `api/v1/tasks/${task}`;
  const zoned = `?timezone=${encodeURIComponent(timezone)}`;
  switch (action.kind) {
    case 'add': {
      const { text, except, timezone: meant } = action;
      return { method: 'POST', path: 'api/v1/tasks/quick', body: JSON.stringify({ text, except, timezone: meant }) };
    }
    case 'update': return { method: 'PATCH', path: path + zoned, body: JSON.stringify(action.patch) };
    case 'complete': {
      const { completed } = action;
      return { method: 'PATCH', path: `${path}/complete${zoned}`, body: JSON.stringify({ completed }) };
    }
    case 'move': return { method: 'POST', path: `${path}/move`, body: JSON.stringify(action.place) };
    case 'remove': return { method: 'DELETE', path, body: null };
    case 'restore': return { method: 'POST', path: `api/v1/trash/${task}/restore`, body: null };
    case 'undo': return { method: 'POST', path: `api/v1/changes/${action.undone.seq}/undo`, body: null };
  }
}

/** Returns the task next to which a move puts another one. @param {Place} place */
export const neighbourOf = (place) => ('after' in place ? place.after : place.before);

/** Returns the action with another id of the neighbour. @param {Action} action @param {string} from @param {string} to @returns {Action} */
export function withNeighbour(action, from, to) {
  if (action.kind !== 'move' || neighbourOf(action.place) !== from) return action;
  return { ...action, place: 'after' in action.place ? { after: to } : { before: to } };
}

/** Returns `true` if the task is as the write wants it: nothing is left to do. @param {Action} action @param {Task} task */
export function isDone(action, task) {
  if (action.kind === 'complete') return task.completed === action.completed;
  if (action.kind !== 'update') return false;
  return Object.entries(valuesOf(action.patch)).every(([name, value]) => isEqual(Reflect.get(task, name), value));
}

/**
 * Returns `true` if the write can go out on top of another state than its base without overwriting what a person has
 * not seen.
 * @param {Action} action
 * @param {Task} base
 * @param {Task} present
 */
export function isUntouched(action, base, present) {
  if (action.kind === 'complete') return base.completed === present.completed;
  if (action.kind === 'move') return base.position === present.position;
  return SEEN.every((name) => isEqual(base[name], present[name]));
}

/** @param {unknown} one @param {unknown} other */
const isEqual = (one, other) => JSON.stringify(one) === JSON.stringify(other);
