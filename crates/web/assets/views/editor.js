// @ts-check
import { update } from '../actions.js';
import { $, clearErrors, locale, on, onSubmit, open, showError, showProblem, t, toast } from '../dom.js';
import { makeDue, parseDue, repeatWords, today } from '../dates.js';
import { outbox } from '../outbox.js';
import { address, go, leaveTask } from '../router.js';
import { store } from '../store.js';
import { showHistory } from './compare.js';
import { focusList, focusRow } from './list.js';
import { offerUndo, remove } from './tasks.js';

/** @import { Patch, Task, Write } from '../types.d.ts' */
/** @typedef {Record<string, string>} Values */

const DRAFT = 'taskhold-draft-edit';
const dialog = $('#editor');
const form = $('#edit');
const inputs = form.elements;
/** The task as it was when the editor was opened. @type {Task | null} */
let base = null;
/** The fields as they were. @type {Values} */
let initial = {};
/** The write that failed and is edited again. @type {Write | null} */
let failed = null;
/** The task that is opened when its data are there. @type {string | null} */
let expected = null;

/** @returns {any} */
const read = () => Object.fromEntries(new FormData(form));
/** @param {string} text */
const tagsOf = (text) => text.split(',').map((tag) => tag.trim().replace(/^#/, '')).filter(Boolean);

/** @param {Values} values */
function write(values) {
  for (const [name, value] of Object.entries(values)) inputs[name].value = value;
  show();
}

/** The fields of a task. @param {Task} task @returns {Values} */
function valuesOf({ title, description, due, priority, repeat, repeat_from: from, tags }) {
  const { date = '', time = '' } = parseDue(due ?? '')?.wall ?? {};
  const isOther = !!repeat && !$(`option[value="${CSS.escape(repeat)}"]`, form);
  return {
    title, description, priority, due: date, time, tags: tags.join(', '), repeat: isOther ? 'other' : repeat ?? '',
    rule: isOther ? repeat : '', repeat_from: from,
  };
}

/** Shows the fields that the others ask for. */
function show() {
  const repeat = inputs.repeat.value;
  for (const element of form.querySelectorAll('[data-repeats]')) {
    element.hidden = !repeat || (element.dataset.repeats && repeat !== 'other');
  }
}

function changed() {
  if (base) sessionStorage.setItem(DRAFT, JSON.stringify({ base, initial, values: read() }));
  show();
}

/** Opens or closes the editor, as the address says. @param {string | null} id */
export function showTask(id) {
  expected = id;
  const task = id === null ? null : store.get(id);
  if (task) {
    openEditor(task);
  } else if (id === null) {
    dialog.close();
  } else if (store.ready) {
    toast(t('error.gone'));
    leaveTask();
  }
}

/** @param {Task} task */
function openEditor(task) {
  if (dialog.open) return;
  expected = null;
  base = task;
  for (const rule of form.querySelectorAll('[value^=FREQ]')) rule.textContent = repeatWords(rule.value, locale());
  clearErrors(form);
  write(valuesOf(task));
  initial = read();
  if (failed?.action.kind === 'update') write(valuesOf(Object.assign({ ...task }, failed.action.patch)));
  const draft = JSON.parse(sessionStorage.getItem(DRAFT) ?? '{}');
  if (draft.base?.id === task.id) {
    ({ base, initial } = draft);
    write(draft.values);
  }
  open(dialog, closed);
  inputs.title.focus();
  if (failed) showProblem(form, failed.problem);
}

function closed() {
  const draft = sessionStorage.getItem(DRAFT);
  const id = store.idOf(base?.id ?? '');
  sessionStorage.removeItem(DRAFT);
  base = failed = null;
  leaveTask();
  if (!focusRow(id)) focusList();
  if (!draft) return;
  toast(t('said.discarded'), {
    run() {
      sessionStorage.setItem(DRAFT, draft);
      go(address('task', id));
    },
  });
}

/** Closes the editor without a draft. */
function finish() {
  sessionStorage.removeItem(DRAFT);
  dialog.close();
}

/** Shows what is wrong with the fields, and returns whether something is. @param {Values} values */
function isWrong({ title = '', description = '', due, time, repeat, rule }) {
  /** @param {string} text @param {number} n */
  const tooLong = (text, n) =>
    [...text].length > n && t('error.long', { n, m: [...text].length });
  const wrong = Object.entries({
    title: title ? tooLong(title, 100) : t('error.title'),
    description: tooLong(description, 500),
    due: !due && (time || repeat) && t('error.date'),
    rule: repeat === 'other' && !rule?.trim() && t('error.rule'),
  }).filter(([, text]) => text);
  for (const [name, text] of wrong) showError(form, name, String(text));
  return wrong.length > 0;
}

/** Returns what the person changed. @param {Values} values @returns {Patch} */
function patchOf(values) {
  /** @param {string[]} names */
  const isChanged = (...names) => names.some((name) => values[name] !== initial[name]);
  const { due, time = '', repeat, rule = '', tags = '' } = values;
  const zone = parseDue(base?.due ?? '')?.wall.zone ?? undefined;
  return {
    ...Object.fromEntries(['title', 'description', 'priority', 'repeat_from'].filter((name) => isChanged(name)).map((name) => [name, values[name]])),
    ...(isChanged('due', 'time') && { due: due ? makeDue(due, time, zone) : null }),
    ...(isChanged('repeat', 'rule') && { repeat: (repeat === 'other' ? rule.trim() : repeat) || null }),
    ...(isChanged('tags') && { tags: tagsOf(tags) }),
  };
}

onSubmit('#edit', async (values) => {
  if (!base || isWrong(values)) return;
  const patch = patchOf(values);
  const { id, title } = base;
  const isSame = !Object.keys(patch).length;
  if (failed) await (isSame ? outbox.discard(failed.id) : outbox.retry(failed.id, { kind: 'update', patch }));
  else if (!isSame) offerUndo(t('said.saved', { title, ...patch }), await update(store.idOf(id), patch, base));
  finish();
});
on('input', '#edit', (_, { target }) => {
  if (target === inputs.repeat && target.value) inputs.due.value ||= today();
  changed();
});
inputs.history.onclick = () => base && showHistory(base);
inputs.delete.onclick = () => {
  const task = base;
  finish();
  remove(task);
};
store.addEventListener('change', () => expected !== null && showTask(expected));

/** Opens the editor with what could not be saved. @param {Write} write */
export function editAgain(write) {
  failed = write;
  go(address('task', store.idOf(write.task)));
}
