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

/** @type {(day: string, lang: string, options: Intl.DateTimeFormatOptions) => string} */
const format = (day, lang, options) => new Date(noon(day)).toLocaleDateString(lang, { timeZone: 'UTC', ...options });

/** Returns a day in words: `today`, `Mon 7 Dec`. @param {string} day @param {string} lang */
export function dayWords(day, lang) {
  const distance = Math.round((noon(day) - noon(today())) / DAY);
  if (Math.abs(distance) < 2) return new Intl.RelativeTimeFormat(lang, { numeric: 'auto' }).format(distance, 'day');
  const year = Math.abs(distance) > 180 ? { year: /** @type {const} */ ('numeric') } : {};
  return format(day, lang, { weekday: 'short', day: 'numeric', month: 'short', ...year });
}

/** Returns a due date in words: `tomorrow, 09:00`. @param {string} due @param {string} lang */
export function dueWords(due, lang) {
  const { day, instant } = parseDue(due) ?? { day: '', instant: null };
  if (!day) return due;
  const time = instant === null ? '' : `, ${new Date(instant).toLocaleTimeString(lang, { timeStyle: 'short' })}`;
  return dayWords(day, lang) + time;
}

const FREQUENCIES = ['DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'];
const UNITS = ['day', 'week', 'month', 'year'];
/** For each frequency, and for `every` several units and the `last` one. */
const ENGLISH = ['daily', 'weekly', 'monthly', 'yearly', 'every', 'last'];
const GERMAN = ['täglich', 'wöchentlich', 'monatlich', 'jährlich', 'alle', 'letzter'];
const WEEKDAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'];

/** Returns a rule in words: `every 2 weeks: Mon and Thu, 3 ×`. @param {string} rule @param {string} lang */
export function repeatWords(rule, lang) {
  const { FREQ, INTERVAL, BYDAY = '', BYMONTHDAY = '', COUNT, UNTIL } = /** @type {Record<string, string>} */ (
    Object.fromEntries(rule.toUpperCase().split(';').map((part) => part.split('='))));
  const words = lang.startsWith('de') ? GERMAN : ENGLISH;
  const place = FREQUENCIES.indexOf(FREQ ?? '');
  const unit = new Intl.NumberFormat(lang, { style: 'unit', unit: UNITS[place] ?? 'day', unitDisplay: 'long' });
  const days = `${BYDAY},${BYMONTHDAY}`.split(',').filter(Boolean).map((day) => dayOfRule(day, lang, words));
  const until = UNTIL?.replace(/^(\d{4})(\d\d)(\d\d).*/, '$1-$2-$3');
  return [
    INTERVAL ? `${words[4]} ${unit.format(Number(INTERVAL))}` : words[place],
    days.length && `: ${new Intl.ListFormat(lang).format(days)}`,
    COUNT && `, ${COUNT} ×`,
    until && ` – ${format(until, lang, { dateStyle: 'medium' })}`,
  ].filter(Boolean).join('');
}

/** @param {string} day such as `MO`, `-1FR` or `15` @param {string} lang @param {string[]} words */
function dayOfRule(day, lang, words) {
  const place = WEEKDAYS.indexOf(day.slice(-2));
  // 2024 began on a Monday.
  const name = place < 0 ? '' : new Date(2024, 0, 1 + place).toLocaleDateString(lang, { weekday: 'short' });
  const number = Number.parseInt(day, 10) || 0;
  const n = Math.abs(number);
  const suffix = words === GERMAN ? '.' : ((n < 4 || n > 20) && ['th', 'st', 'nd', 'rd'][n % 10]) || 'th';
  return [number && number !== -1 && n + suffix, number < 0 && words[5], name].filter(Boolean).join(' ');
}
