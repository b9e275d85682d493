// @ts-check
import * as actions from '../actions.js';
import { $, attempt, confirm, on, say, t, toast } from '../dom.js';
import { address, go, route } from '../router.js';
import { store } from '../store.js';
import { choose, currentTask, dragTo, drop, focusList, focusRow, placeOf, rowHeight, step, tasks } from './list.js';
import { forget, hold, isMovable, readAgain, refresh } from './view.js';

/** @import { Task, Write } from '../types.d.ts' */
/** @typedef {Task | null} Chosen */

/** The distance in pixels by which a grip is moved before it drags its row. */
const THRESHOLD = 4;
const inTrash = () => route.name === 'trash';

/** Says what happened and offers to take it back. @param {string} text @param {Write} write @param {string} [key] */
export const offerUndo = (text, write, key = `write ${write.id}`) => toast(text, { run: () => undo(write), key });

/** Completes a task or opens it again. @param {Chosen} task @param {boolean} [onward] moves the focus to the next row */
export const complete = (task, onward = false) => attempt(async () => {
  if (!task || inTrash()) return;
  hold(task);
  const place = placeOf(task.id);
  const next = tasks[place + 1] ?? tasks[place - 1];
  if (onward && next) focusRow(next.id);
  const write = await actions.complete(task.id, !task.completed);
  offerUndo(t(task.completed ? 'said.open' : 'said.done', task), write);
});

/** Moves a task to the trash; in the trash, deletes it for good. @param {Chosen} task */
export const remove = (task) => attempt(async () => {
  if (task && !inTrash()) offerUndo(t('said.deleted', task), await actions.remove(task.id));
  if (!task || !inTrash() || !await confirm(t('purge.sure', task), t('purge'))) return;
  await actions.purge(task.id);
  forget(task.id);
  say(t('said.purged'));
});

/** Takes a task out of the trash. @param {Chosen} task */
export const restore = (task) => attempt(async () => {
  if (!task || !inTrash()) return;
  const write = await actions.restore(task);
  forget(task.id);
  offerUndo(t('said.restored', task), write);
});

/** Takes a write of this device back, the last one unless given. @param {Write} [write] */
export const undo = (write) => attempt(async () => {
  const undone = await actions.undo(write);
  toast(t(undone ? 'said.undone' : 'said.nothing'));
  if (inTrash()) await readAgain();
  refresh();
  if (document.activeElement === document.body && !focusRow(undone ? store.idOf(undone.task) : '')) focusList();
});

/** The move in progress: a repeated key moves the task on from where that one puts it. @type {Promise<unknown>} */
let moving = Promise.resolve();

/**
 * Moves a task in the order by hand.
 * @param {Chosen} task @param {string | number} to a place, or `up`, `down`, `top` or `end`
 */
export const move = (task, to) => attempt(() => (moving = moving.catch(() => {}).then(() => moveNow(task, to))));

/** @param {Chosen} task @param {string | number} to */
async function moveNow(task, to) {
  if (!task) return;
  if (!isMovable()) return toast(t('move.no'));
  const last = tasks.length - 1;
  const from = placeOf(task.id);
  const place = typeof to === 'number' ? to : { up: from - 1, down: from + 1, top: 0, end: last }[to] ?? from;
  const there = tasks[place]?.id;
  if (place === from || there === undefined) return;
  const ends = place === 0 ? { after: null } : place === last ? { before: null } : null;
  const write = await actions.move(task.id, ends ?? (place < from ? { before: there } : { after: there }));
  refresh();
  offerUndo(t('said.moved', { place: place + 1, last: last + 1 }), write, 'move');
}

/** Opens the editor. @param {Chosen} task */
export function edit(task) {
  if (task && !inTrash()) go(address('task', store.idOf(task.id)));
}

for (const [selector, run] of Object.entries({ check: complete, title: edit, restore, purge: remove })) {
  on('click', `#tasks button.${selector}`, (button) => run(tasks[placeOf(button.closest('li').dataset.id)] ?? null));
}
on('keydown', '#tasks li', (row, event) => {
  const by = /** @type {Record<string, number>} */ ({ Home: -tasks.length, End: tasks.length })[event.key];
  if (event.key === 'Enter' && event.target === row) edit(currentTask());
  if (!by) return;
  event.preventDefault();
  step(by);
});
on('click', '#empty-trash', () => attempt(async () => {
  if (!await confirm(t('trash.sure'), t('trash.empty'))) return;
  await actions.emptyTrash();
  await readAgain();
  focusList();
  say(t('said.purged'));
}));

on('click', '.grip', (grip, event) => {
  // The click that ends a drag opens no menu.
  if (grip.isDragged) event.preventDefault();
});
on('click', '#move button', (button) => move(currentTask(), button.value));

const top = () => $('#tasks').getBoundingClientRect().top;

on('pointerdown', '.grip', (grip, start) => {
  const { id } = grip.closest('li').dataset;
  const task = tasks[placeOf(id)];
  const offset = start.clientY - top() - placeOf(id) * rowHeight;
  grip.isDragged = false;

  /** @param {boolean} keep */
  const end = (keep) => {
    grip.onpointermove = grip.onpointerup = grip.onpointercancel = null;
    if (!grip.isDragged || !task) return;
    const place = placeOf(id);
    drop();
    refresh();
    if (keep) move(task, place);
  };

  grip.setPointerCapture(start.pointerId);
  /** @param {PointerEvent} event */
  grip.onpointermove = ({ clientY }) => {
    if (!grip.isDragged && Math.abs(clientY - start.clientY) < THRESHOLD) return;
    if (!grip.isDragged) choose(id);
    grip.isDragged = true;
    const y = Math.min(Math.max(clientY - top() - offset, 0), (tasks.length - 1) * rowHeight);
    dragTo(id, Math.round(y / rowHeight), y);
  };
  grip.onpointerup = () => end(true);
  grip.onpointercancel = () => end(false);
});
