// @ts-check
/** Days, due dates and repeat rules, in the zone of the browser. */

/** @import * as T from './types.d.ts' */

const DUE = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d)([\d:.]*)(Z|[+-]\d\d:\d\d)(?:\[([^\]]+)\])?)?$/i;
const DAY = 86_400_000;

/** Returns the name of the browser's time zone. */
export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

/** @param {number} number @param {number} [length] */
const padded = (number, length = 2) => String(number).padStart(length, '0');

/** Returns the day of an instant, such as `2026-12-01`. @param {number} [instant] */
export function today(instant = Date.now()) {
  const date = new Date(instant);
  return `${padded(date.getFullYear(), 4)}-${padded(date.getMonth() + 1)}-${padded(date.getDate())}`;
}

/** @type {(due: string) => T.ParsedDue | null} */
export function parseDue(due) {
  const [match, date = '', time = '', seconds, offset = '', name = offset] = DUE.exec(due) ?? [];
  if (!match) return null;
  if (!time) return { day: date, instant: null, wall: { date, time, zone: null } };
  const instant = Date.parse(`${date}T${time}${seconds}${offset.toUpperCase()}`);
  return { day: today(instant), instant, wall: { date, time, zone: name } };
}

/** @param {T.Task} task */
export function isOverdue(task) {
  const due = task.completed ? null : parseDue(task.due ?? '');
  return !!due && (due.instant === null ? due.day < today() : due.instant < Date.now());
}

/** Returns a due date as the service takes it. @param {string} date @param {string} time @param {string} [zoneName] */
export function makeDue(date, time, zoneName = zone()) {
  if (!time) return date;
  const wall = `${date}T${time.padEnd(8, ':00')}`;
  return /^[Z+-]/i.test(zoneName) ? wall + zoneName : `${wall}${offsetAt(Date.parse(`${wall}Z`), zoneName)}[${zoneName}]`;
}

/** Returns the offset of a zone at a wall time, which is given as if it were UTC. @param {number} wall @param {string} zoneName */
function offsetAt(wall, zoneName) {
  // Of a repeated time, the first one counts; of a skipped one, the service accepts the offset before.
  const before = offsetOf(wall - DAY, zoneName);
  const offset = offsetOf(wall - before, zoneName) === before ? before : offsetOf(wall - offsetOf(wall, zoneName), zoneName);
  const minutes = Math.round(Math.abs(offset) / 60_000);
  return `${offset < 0 ? '-' : '+'}${padded(Math.floor(minutes / 60))}:${padded(minutes % 60)}`;
}

/** @param {number} instant @param {string} timeZone */
function offsetOf(instant, timeZone) {
  // Swedish dates are ISO 8601.
  const local = new Date(instant).toLocaleString('sv', { timeZone }).replace(' ', 'T');
  return Date.parse(`${local}Z`) - Math.floor(instant / 1000) * 1000;
}

/** No zone shifts this time to another day. @param {string} day */
const noon = (day) => Date.parse(`${day}T12:00:00Z`);

/** Returns a day in words: `today`, `Mon 7 Dec`. @param {string} day @param {string} lang */
export function dayWords(day, lang) {
  const distance = Math.round((noon(day) - noon(today())) / DAY);
  if (Math.abs(distance) < 2) return new Intl.RelativeTimeFormat(lang, { numeric: 'auto' }).format(distance, 'day');
  return new Date(noon(day)).toLocaleDateString(lang, {
    timeZone: 'UTC', weekday: 'short', day: 'numeric', month: 'short', ...(Math.abs(distance) > 180 && { year: 'numeric' }),
  });
}

/** Returns a due date in words: `tomorrow, 09:00`. @param {string} due @param {string} lang */
export function dueWords(due, lang) {
  const { day, instant } = parseDue(due) ?? { day: '', instant: null };
  if (!day) return due;
  const time = instant === null ? '' : `, ${new Date(instant).toLocaleTimeString(lang, { timeStyle: 'short' })}`;
  return dayWords(day, lang) + time;
}

const UNITS = { DAILY: 'day', WEEKLY: 'week', MONTHLY: 'month', YEARLY: 'year' };
/** Every unit, `every` so many of them, the `last` one. */
const ENGLISH = { DAILY: 'daily', WEEKLY: 'weekly', MONTHLY: 'monthly', YEARLY: 'yearly', every: 'every', last: 'last' };
const GERMAN = {
  DAILY: 'täglich', WEEKLY: 'wöchentlich', MONTHLY: 'monatlich', YEARLY: 'jährlich', every: 'alle', last: 'letzter',
};
/** @type {Partial<Record<Intl.LDMLPluralRule, string>>} */
const ORDINALS = { one: 'st', two: 'nd', few: 'rd' };

/** Returns a rule in words: `every 2 weeks: Mon and Thu, 3 ×`. @param {string} rule @param {string} lang */
export function repeatWords(rule, lang) {
  const part = Object.fromEntries(rule.toUpperCase().split(';').map((pair) => pair.split('=')));
  const frequency = /** @type {keyof typeof UNITS} */ (part.FREQ);
  const unit = UNITS[frequency];
  if (!unit) return rule;
  const words = isGerman(lang) ? GERMAN : ENGLISH;
  const interval = new Intl.NumberFormat(lang, { style: 'unit', unit, unitDisplay: 'long' }).format(part.INTERVAL ?? 1);
  const days = [part.BYDAY, part.BYMONTHDAY].flatMap((list) => list?.split(',') ?? []).map((day) => dayOfRule(day, lang));
  const list = days.length ? `: ${new Intl.ListFormat(lang).format(days)}` : '';
  const count = part.COUNT ? `, ${part.COUNT} ×` : '';
  const until = part.UNTIL?.replace(/^(\d{4})(\d\d)(\d\d).*/, '$1-$2-$3');
  const end = until ? ` – ${new Date(noon(until)).toLocaleDateString(lang, { timeZone: 'UTC', dateStyle: 'medium' })}` : '';
  return (part.INTERVAL ? `${words.every} ${interval}` : words[frequency]) + list + count + end;
}

/** @param {string} lang */
const isGerman = (lang) => lang.startsWith('de');

/** @param {string} day such as `MO`, `-1FR` or `15` @param {string} lang */
function dayOfRule(day, lang) {
  const number = Number.parseInt(day, 10);
  const place = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'].indexOf(day.slice(-2));
  // 2024 began on a Monday.
  const name = place < 0 ? '' : new Date(2024, 0, 1 + place).toLocaleDateString(lang, { weekday: 'short' });
  if (!number) return name;
  const rule = new Intl.PluralRules('en', { type: 'ordinal' }).select(Math.abs(number));
  const nth = number === -1 ? '' : Math.abs(number) + (isGerman(lang) ? '.' : (ORDINALS[rule] ?? 'th'));
  const last = number < 0 ? (isGerman(lang) ? GERMAN : ENGLISH).last : '';
  return [nth, last, name].filter(Boolean).join(' ');
}
