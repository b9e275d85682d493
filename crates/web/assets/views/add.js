// @ts-check
import { add, understand } from '../actions.js';
import { $, clearErrors, clone, errorText, on, showError, t } from '../dom.js';
import { zone } from '../dates.js';
import { offerUndo } from './tasks.js';

/** @import { Field, Understood } from '../types.d.ts' */

const DRAFT = 'taskhold-draft-add';
const WAIT_MS = 150;
const form = $('#add');
const input = $('#add-text');
/** The fields that the text must not set: their words stay in the title. @type {Field[]} */
let except = [];
/** @type {number | undefined} */
let timer;

function changed() {
  sessionStorage.setItem(DRAFT, JSON.stringify({ text: input.value, except }));
  clearErrors(form);
  clearTimeout(timer);
  timer = undefined;
  if (input.value.trim()) timer = setTimeout(ask, WAIT_MS);
  else show([]);
}

async function ask() {
  const asked = timer;
  try {
    const { understood } = await understand(input.value, except);
    if (asked === timer) show(understood);
  } catch {
    // Offline, or not a task yet.
    if (asked === timer) show([]);
  }
}

/** @param {Understood[]} understood */
function show(understood) {
  const chips = $('#add-chips');
  chips.replaceChildren(...understood.map(({ field, text }) => {
    const chip = clone('chip', text);
    chip.dataset.field = field;
    chip.ariaLabel = t('refuse', { text });
    return chip;
  }));
  chips.hidden = !understood.length;
}

on('click', '#add-chips button', (chip) => {
  except.push(chip.dataset.field);
  input.focus();
  chip.remove();
  changed();
});
on('input', '#add-text', changed);
on('submit', '#add', async (_, event) => {
  event.preventDefault();
  const text = input.value;
  const options = { except, timezone: zone() };
  if (!text.trim()) return;
  setAdd('');
  try {
    offerUndo(t('said.added', { title: text }), await add(text, options));
  } catch (error) {
    setAdd(text, errorText(error));
  }
});

/** Puts a text into the field, and what was wrong with it. @param {string} text @param {string} [error] @param {Field[]} [refused] */
export function setAdd(text, error, refused = []) {
  input.value = text;
  except = refused;
  changed();
  if (error) showError(form, '', error);
  if (error) input.focus();
}

/** Goes on with the text of before a reload. */
export function restoreDraft() {
  const { text, except: refused } = JSON.parse(sessionStorage.getItem(DRAFT) ?? '{}');
  if (text) setAdd(text, '', refused);
}
