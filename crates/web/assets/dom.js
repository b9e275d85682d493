// @ts-check
import { errorText, fillTexts } from './texts.js';

export { attempt, say, toast } from './announce.js';
export * from './texts.js';

/** Returns the element that a selector names. @param {string} selector @param {ParentNode} [root] @returns {any} */
export const $ = (selector, root = document) => root.querySelector(selector);

/** Returns a new element of the template with this id. @param {string} id @param {string} [text] @returns {any} */
export function clone(id, text) {
  const copy = $(`#t-${id}`).content.cloneNode(true);
  fillTexts(copy);
  const element = copy.firstElementChild;
  if (text !== undefined) ($('span, p, h2', element) ?? element).textContent = text;
  return element;
}

/**
 * Runs `run` for each event on an element that the selector names.
 * @param {string} type @param {string} selector @param {(element: any, event: any) => unknown} run
 */
export function on(type, selector, run) {
  document.addEventListener(type, (event) => {
    const element = event.target instanceof Element && event.target.closest(selector);
    if (element) run(element, event);
  });
}

/** Returns whether a person types in this element. @param {any} target */
export const isField = (target) => !!target?.matches?.('textarea, select, input:not([type=checkbox], [type=radio])');

/** Removes the errors of a form. @param {HTMLFormElement} form */
export function clearErrors(form) {
  for (const error of form.querySelectorAll('.error')) error.textContent = '';
  for (const input of form.querySelectorAll('[aria-invalid]')) input.ariaInvalid = null;
}

/** Shows an error beside its field, or else for the form. @param {HTMLFormElement} form @param {string} name @param {string} text */
export function showError(form, name, text) {
  /** @type {any} */
  const input = form.elements.namedItem(name);
  const id = `${form.id}-${name}-error`;
  let place = input ? document.getElementById(id) : $('.error[role=alert]', form);
  if (input) {
    if (!place) {
      place = Object.assign(document.createElement('p'), { id, className: 'error' });
      (input.closest('.field') ?? input).after(place);
    }
    if (!$('[aria-invalid]', form)) input.focus();
    input.ariaInvalid = 'true';
    input.setAttribute('aria-describedby', id);
  }
  place.textContent = text;
}

/** Shows all errors of a problem in a form. @param {HTMLFormElement} form @param {any} problem */
export function showProblem(form, problem) {
  for (const { field, message } of problem.errors ?? []) showError(form, field, message);
  if (!problem.errors?.length) showError(form, '', errorText(problem));
}

/**
 * Calls `send` with the fields of a form when it is submitted, and shows its problem.
 * @param {string} selector @param {(data: Record<string, any>, submitter: any) => unknown} send
 */
export function onSubmit(selector, send) {
  on('submit', selector, async (form, event) => {
    event.preventDefault();
    if (form.ariaBusy) return;
    form.ariaBusy = 'true';
    clearErrors(form);
    try {
      await send(Object.fromEntries(new FormData(form)), event.submitter);
    } catch (error) {
      showProblem(form, error);
    }
    form.ariaBusy = null;
  });
}

/** Reads all pages of a list. @param {(cursor?: any) => Promise<any>} read @param {(page: any) => void} take */
export async function readAll(read, take) {
  for (let cursor; cursor !== null;) {
    const page = await read(cursor);
    take(page);
    cursor = page.next_cursor;
  }
}

/** Opens a dialog. The focus goes back when it is closed. @param {HTMLDialogElement} dialog @param {() => void} [closed] */
export function open(dialog, closed) {
  if (dialog.open) return;
  dialog.onclose = () => closed?.();
  dialog.showModal();
}

/** Asks whether to go on. @param {string} text @param {string} label of the button @returns {Promise<boolean>} */
export function confirm(text, label) {
  const dialog = $('#confirm');
  $('p', dialog).textContent = text;
  $('[value=yes]', dialog).textContent = label;
  dialog.returnValue = '';
  return new Promise((resolve) => open(dialog, () => resolve(dialog.returnValue === 'yes')));
}
