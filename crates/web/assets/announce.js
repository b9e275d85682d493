// @ts-check
import { $, clone } from './dom.js';
import { errorText, t } from './texts.js';

const TOAST_MS = 10_000;

/** Tells people with a screen reader what happened. @param {string} text */
export function say(text) {
  const live = $('#live');
  live.textContent = '';
  setTimeout(() => { live.textContent = text; }, 50);
}

/**
 * Shows what happened, with a button, for ten seconds, or longer while a person is at it.
 * @param {string} text @param {{label?: string, run?: () => void, stay?: boolean, key?: string | undefined}} [options] `key`: it
 * replaces the toast with the same key
 */
export function toast(text, { label = t('undo'), run, stay = false, key = text } = {}) {
  say(text);
  const element = clone('toast', text);
  if (run) {
    const act = clone('button', label);
    act.className = label === t('undo') ? 'undo' : 'act';
    act.onclick = () => {
      element.remove();
      run();
    };
    element.append(act);
  }
  const toasts = $('#toasts');
  element.dataset.key = key;
  $(`[data-key="${CSS.escape(key)}"]`, toasts)?.remove();
  toasts.append(element);
  const leave = () => {
    if (element.matches(':hover, :focus-within')) setTimeout(leave, 1000);
    else element.remove();
  };
  if (!stay) setTimeout(leave, TOAST_MS);
}

/** Does some work, and shows why it failed. @param {() => Promise<unknown>} work */
export const attempt = (work) => work().catch((error) => toast(errorText(error)));
