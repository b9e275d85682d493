// @ts-check
import { attempt, toast } from '../announce.js';
import { $, clone, isField, on, open } from '../dom.js';
import { outbox } from '../outbox.js';
import { t } from '../texts.js';
import { focusList } from './list.js';
import { valueText } from './values.js';

const FIELDS = ['title', 'description', 'due', 'priority', 'repeat', 'repeat_from', 'tags', 'completed'];
const dialog = $('#conflict');
/** The write whose conflict is shown. @type {number | null} */
let shown = null;
/** Writes whose conflicts the person put off. @type {Set<number>} */
const later = new Set();

/** Shows the first conflict, unless the person is busy. */
export function showConflict() {
  if ($('dialog[open]') || isField(document.activeElement)) return;
  const conflict = outbox.conflicts.find(({ write }) => !later.has(write.id));
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
  open(dialog, closed);
}

function closed() {
  const id = shown;
  if (id !== null) {
    later.add(id);
    const run = () => {
      later.delete(id);
      showConflict();
    };
    toast(t('conflict'), { label: t('choose'), stay: true, run });
  }
  focusList();
  showConflict();
}

on('click', '#conflict [value]', ({ value }) => attempt(async () => {
  if (shown !== null) await outbox.resolve(shown, value);
  shown = null;
  dialog.close();
}));
outbox.addEventListener('conflict', showConflict);
outbox.addEventListener('change', showConflict);
addEventListener('focusout', () => setTimeout(showConflict));
