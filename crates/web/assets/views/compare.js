// @ts-check
import { history as readHistory } from '../actions.js';
import { dayWords, parseDue, repeatWords, today } from '../dates.js';
import { $, attempt, clone, errorText, isField, locale, on, open, readAll, t } from '../dom.js';
import { outbox } from '../outbox.js';
import { store } from '../store.js';

/** @import { HistoryEntry, Task } from '../types.d.ts' */

const trail = $('#history');
const FIELDS = ['title', 'description', 'due', 'priority', 'repeat', 'repeat_from', 'tags', 'completed'];
const dialog = $('#conflict');
/** The write whose conflict is shown. @type {number | null} */
let shown = null;

/** Returns a due date in full words. @param {string} due */
export function dueFull(due) {
  const { day, instant } = parseDue(due) ?? { day: today(), instant: null };
  return instant === null
    ? new Date(day).toLocaleDateString(locale(), { dateStyle: 'full', timeZone: 'UTC' })
    : new Date(instant).toLocaleString(locale(), { dateStyle: 'full', timeStyle: 'short' });
}

/** Returns a past time in words, such as "today, 14:03". @param {string} iso */
export const timeWords = (iso) => `${dayWords(today(Date.parse(iso)), locale())}, ${
  new Date(iso).toLocaleTimeString(locale(), { timeStyle: 'short' })}`;

/** Returns the value of a task's field in words. @param {string} name @param {any} value @returns {string} */
export function valueText(name, value) {
  if (value === null || value === undefined || value.length === 0) return t('nothing');
  if (name === 'due') return dueFull(value);
  if (name === 'repeat') return repeatWords(value, locale());
  if (name === 'priority' || name === 'repeat_from') return t(`${name}.${value}`);
  if (name === 'completed') return t(value ? 'done' : 'open');
  return name === 'tags' ? `#${value.join(', #')}` : value;
}

/** Shows what happened to a task. @param {Task} task */
export async function showHistory(task) {
  const [list, failure] = [$('ol', trail), $('.error', trail)];
  list.replaceChildren();
  failure.textContent = '';
  open(trail);
  try {
    await readAll((cursor) => readHistory(store.idOf(task.id), cursor), ({ history }) => list.append(...history.map(line)));
  } catch (error) {
    failure.textContent = errorText(error);
  }
}

/** @param {HistoryEntry} entry */
function line({ at, kind, by, fields }) {
  const item = clone('line', t(`kind.${kind}`));
  /** @param {string} text */
  const add = (text) => item.append(clone('line', text).firstElementChild);
  add(`${timeWords(at)}, ${by === 'session' ? t('session') : by}`);
  for (const [name, { from, to }] of Object.entries(fields)) {
    if (kind === 'updated' && name !== 'position') add(`${t(name)}: ${valueText(name, from)} → ${valueText(name, to)}`);
  }
  return item;
}

/** Shows the first conflict, unless the person is busy. It stays until the person has chosen. */
export function showConflict() {
  if ($('dialog[open]') || isField(document.activeElement)) return;
  const conflict = outbox.conflicts[0];
  if (!conflict) return;
  /** @type {Record<string, any>} */
  const { mine, theirs } = conflict;
  const names = FIELDS.filter((name) => name === 'title' || (mine && JSON.stringify(mine[name]) !== JSON.stringify(theirs[name])));
  for (const [side, task] of Object.entries({ mine, theirs })) {
    $(`.${side} dl`, dialog).replaceChildren(...names.map((name) => {
      const pair = clone('pair');
      $('dt', pair).textContent = t(name);
      $('dd', pair).textContent = task ? valueText(name, task[name]) : t('conflict.deleted');
      return pair;
    }));
  }
  shown = conflict.write.id;
  open(dialog);
}

on('click', '#conflict [value]', ({ value }) => attempt(async () => {
  if (shown) await outbox.resolve(shown, value);
  dialog.close();
  // The dialog may have opened by itself, with nothing to go back to.
  const { activeElement } = document;
  if (activeElement === document.body || dialog.contains(activeElement)) $('#heading').focus();
}));
outbox.addEventListener('change', showConflict);
addEventListener('focusout', () => setTimeout(showConflict));
