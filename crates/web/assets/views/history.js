// @ts-check
import { history as readHistory } from '../actions.js';
import { $, clone, on, open } from '../dom.js';
import { store } from '../store.js';
import { errorText, t } from '../texts.js';
import { timeWords, valueText } from './values.js';

/** @import { HistoryEntry, Task } from '../types.d.ts' */

const dialog = $('#history');
let id = '';
/** @type {string | undefined} */
let cursor;

/** Shows what happened to a task. @param {Task} task */
export function showHistory(task) {
  id = store.idOf(task.id);
  cursor = undefined;
  $('ol', dialog).replaceChildren();
  open(dialog);
  read();
}

async function read() {
  const failure = $('.error', dialog);
  const more = $('.more', dialog);
  failure.hidden = true;
  try {
    const page = await readHistory(id, cursor);
    $('ol', dialog).append(...page.history.map(line));
    cursor = page.next_cursor ?? undefined;
    more.hidden = !cursor;
  } catch (error) {
    failure.textContent = errorText(error);
    failure.hidden = false;
  }
}

/** @param {HistoryEntry} entry */
function line({ at, kind, by, fields }) {
  const item = clone('line', t(`kind.${kind}`));
  const add = (/** @type {string} */ text) => item.append(clone('line', text).firstElementChild);
  add(`${timeWords(at)}, ${by === 'session' ? t('session') : by}`);
  for (const [name, { from, to }] of Object.entries(fields)) {
    if (kind === 'updated' && name !== 'position') add(`${t(name)}: ${valueText(name, from)} → ${valueText(name, to)}`);
  }
  return item;
}

on('click', '#history .more', read);
