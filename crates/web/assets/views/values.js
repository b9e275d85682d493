// @ts-check
import { locale, t } from '../dom.js';
import { dayWords, parseDue, repeatWords, today } from '../dates.js';

/** Returns a due date in full words. @param {string} due */
export function dueFull(due) {
  const { day, instant } = parseDue(due) ?? { day: today(), instant: null };
  return instant === null
    ? new Intl.DateTimeFormat(locale(), { dateStyle: 'full', timeZone: 'UTC' }).format(new Date(day))
    : new Intl.DateTimeFormat(locale(), { dateStyle: 'full', timeStyle: 'short' }).format(instant);
}

/** Returns a past time in words, such as "today, 14:03". @param {string} iso */
export const timeWords = (iso) => `${dayWords(today(Date.parse(iso)), locale())}, ${
  new Intl.DateTimeFormat(locale(), { timeStyle: 'short' }).format(Date.parse(iso))}`;

/** Returns the value of a task's field in words. @param {string} name @param {any} value @returns {string} */
export function valueText(name, value) {
  if (value === null || value === undefined || value.length === 0) return t('nothing');
  if (name === 'due') return dueFull(value);
  if (name === 'repeat') return repeatWords(value, locale());
  if (name === 'priority' || name === 'repeat_from') return t(`${name}.${value}`);
  if (name === 'completed') return t(value ? 'done' : 'open');
  return name === 'tags' ? `#${value.join(', #')}` : value;
}
