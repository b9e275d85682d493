// @ts-check
/** Writes: their requests, and what they mean to the task of the service. */

import { newKey } from '../platform.js';
import { valuesOf } from '../store/effects.js';

/** @import * as T from '../types.d.ts' */

/** The fields that a person sees. The position is left out: the service may give all tasks new ones. */
const SEEN = /** @type {const} */ (['title', 'description', 'completed', 'due', 'priority', 'tags', 'repeat', 'repeat_from']);

/** The members of a write that goes out as a new request. */
export const unsent = () => ({
  key: newKey(), tried: null, isUncertain: false, request: null, theirs: null, problem: null,
  state: /** @type {const} */ ('waiting'),
});

/** @type {(write: T.Write, timezone: string) => T.WriteRequest} */
export function requestOf({ action, task }, timezone) {
  const { kind, ...members } = action;
  const path = `api/v1/tasks/${task}`;
  const zoned = `?timezone=${encodeURIComponent(timezone)}`;
  const place = action.kind === 'move' && { [action.side]: action.neighbour };
  const body = JSON.stringify(place || (action.kind === 'update' ? action.patch : members));
  /** @type {Record<T.Action['kind'], [string, string, string?]>} */
  const requests = {
    add: ['POST', 'api/v1/tasks/quick', body],
    update: ['PATCH', path + zoned, body],
    complete: ['PATCH', `${path}/complete${zoned}`, body],
    move: ['POST', `${path}/move`, body],
    remove: ['DELETE', path],
    restore: ['POST', `api/v1/trash/${task}/restore`],
    undo: ['POST', `api/v1/changes/${action.kind === 'undo' && action.undone.seq}/undo`],
  };
  return requests[kind];
}

/** Returns the task next to which a move puts another one. @param {T.Action} action */
export const neighbourOf = (action) => (action.kind === 'move' ? action.neighbour : null);

/** Returns `true` if the task is as the write wants it. @param {T.Action} action @param {T.Task} task */
export function isDone(action, task) {
  if (action.kind === 'complete') return task.completed === action.completed;
  if (action.kind !== 'update') return false;
  return Object.entries(valuesOf(action.patch)).every(([name, value]) => isEqual(Reflect.get(task, name), value));
}

/** Returns `true` if the write overwrites nothing that a person has not seen. @type {(action: T.Action, base: T.Task, present: T.Task) => boolean} */
export function isUntouched({ kind }, base, present) {
  if (kind === 'complete') return base.completed === present.completed;
  if (kind === 'move') return base.position === present.position;
  return SEEN.every((name) => isEqual(base[name], present[name]));
}

/** @param {unknown} one @param {unknown} other */
const isEqual = (one, other) => JSON.stringify(one) === JSON.stringify(other);
