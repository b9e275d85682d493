// @ts-check
/** Repeat rules in words. */

/** @typedef {{every: Record<string, [string, string]>, on: string, last: string, nth: (n: number) => string, times: string,
 *   until: string, and: string}} Words */

/** For each unit: `every` one, and every `N`. */
/** @type {Record<string, Words>} */
const WORDS = {
  en: {
    every: {
      DAILY: ['every day', 'every N days'], WEEKLY: ['every week', 'every N weeks'],
      MONTHLY: ['every month', 'every N months'], YEARLY: ['every year', 'every N years'],
    },
    on: 'on', last: 'last', times: 'N times', until: 'until', and: 'and',
    nth: (n) => `${n}${n % 100 > 10 && n % 100 < 14 ? 'th' : ['th', 'st', 'nd', 'rd'][n % 10] ?? 'th'}`,
  },
  de: {
    every: {
      DAILY: ['jeden Tag', 'alle N Tage'], WEEKLY: ['jede Woche', 'alle N Wochen'],
      MONTHLY: ['jeden Monat', 'alle N Monate'], YEARLY: ['jedes Jahr', 'alle N Jahre'],
    },
    on: 'am', last: 'letzten', times: 'N-mal', until: 'bis', and: 'und', nth: (n) => `${n}.`,
  },
};

/** Days of the week, of which 2024-01-01 was the first. */
const WEEKDAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'];

/**
 * Returns a rule in words: `every 2 weeks on Mon and Thu, 3 times`.
 * @param {string} rule
 * @param {string} lang
 */
export function repeatWords(rule, lang) {
  const words = /** @type {Words} */ (WORDS[lang.slice(0, 2)] ?? WORDS['en']);
  const parts = new Map(rule.toUpperCase().split(';').map((part) => /** @type {[string, string]} */ (part.split('='))));
  const unit = words.every[parts.get('FREQ') ?? ''];
  if (!unit) return rule;
  const interval = parts.get('INTERVAL') ?? '1';
  let text = interval === '1' ? unit[0] : unit[1].replace('N', interval);
  const days = [...list(parts.get('BYDAY')).map((day) => weekday(day, words, lang)),
    ...list(parts.get('BYMONTHDAY')).map((day) => numbered(Number(day), words))];
  if (days.length) text += ` ${words.on} ${new Intl.ListFormat(lang, { type: 'conjunction' }).format(days)}`;
  const count = parts.get('COUNT');
  if (count) text += `, ${words.times.replace('N', count)}`;
  const until = /^(\d{4})(\d\d)(\d\d)/.exec(parts.get('UNTIL') ?? '');
  if (until) {
    const day = Date.UTC(Number(until[1]), Number(until[2]) - 1, Number(until[3]));
    text += `, ${words.until} ${new Intl.DateTimeFormat(lang, { timeZone: 'UTC', dateStyle: 'medium' }).format(day)}`;
  }
  return text;
}

/** @param {string | undefined} value */
const list = (value) => (value ? value.split(',') : []);

/** @param {string} day such as `MO` or `-1FR` @param {Words} words @param {string} lang */
function weekday(day, words, lang) {
  const place = WEEKDAYS.indexOf(day.slice(-2));
  const format = new Intl.DateTimeFormat(lang, { timeZone: 'UTC', weekday: 'short' });
  const name = format.format(Date.UTC(2024, 0, 1 + place));
  const number = Number(day.slice(0, -2));
  return number ? `${numbered(number, words)} ${name}` : name;
}

/** @param {number} number negative from the end @param {Words} words */
function numbered(number, words) {
  if (number > 0) return words.nth(number);
  return number === -1 ? words.last : `${words.nth(-number)} ${words.last}`;
}
