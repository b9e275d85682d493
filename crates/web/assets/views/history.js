// @ts-check
import { history as readHistory } from '../actions.js';
import { $, clone, errorText, open, readAll, t } from '../dom.js';
import { store } from '../store.js';
import { timeWords, valueText } from './values.js';

/** @import { HistoryEntry, Task } from '../types.d.ts' */

const dialog = $('#history');
/** Shows what happened to a task. @param {Task} task */
export async function showHistory(task) {
  const [list, failure] = [$('ol', dialog), $('.error', dialog)];
  list.replaceChildren();
  failure.textContent = '';
  open(dialog);
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
