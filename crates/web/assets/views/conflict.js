// @ts-check
import { $, attempt, clone, isField, on, open, t } from '../dom.js';
import { outbox } from '../outbox.js';
import { focusList } from './list.js';
import { valueText } from './values.js';

const FIELDS = ['title', 'description', 'due', 'priority', 'repeat', 'repeat_from', 'tags', 'completed'];
const dialog = $('#conflict');
/** The write whose conflict is shown. @type {number | null} */
let shown = null;

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
  open(dialog, focusList);
}

on('click', '#conflict [value]', ({ value }) => attempt(async () => {
  if (shown) await outbox.resolve(shown, value);
  dialog.close();
}));
outbox.addEventListener('change', showConflict);
addEventListener('focusout', () => setTimeout(showConflict));
