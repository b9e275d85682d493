// @ts-check
/** Days, due dates and repeat rules, in the zone of the browser. */

export { repeatWords } from './dates/repeat.js';

/** @import { ParsedDue, Task } from './types.d.ts' */

const DUE = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:\d\d)(?:\[([^\]]+)\])?)?$/i;
const DAY = 86_400_000;

/** Returns the name of the browser's time zone, which requests send along. */
export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

/** Returns the day of an instant, such as `2026-12-01`. @param {number} [instant] */
export function today(instant = Date.now()) {
  const date = new Date(instant);
  const parts = [date.getFullYear(), date.getMonth() + 1, date.getDate()];
  return parts.map((part, place) => String(part).padStart(place ? 2 : 4, '0')).join('-');
}

/**
 * Returns a due date in the browser's zone; `null` if it has another form.
 * @param {string} due
 * @returns {ParsedDue | null}
 */
export function parseDue(due) {
  const match = DUE.exec(due);
  if (!match) return null;
  const [, date = '', time, offset = '', name = null] = match;
  if (!time) return { day: date, instant: null, wall: { date, time: '', zone: null } };
  const instant = Date.parse(`${date}T${time}${offset.toUpperCase()}`);
  return { day: today(instant), instant, wall: { date, time: time.slice(0, 5), zone: name ?? offset } };
}

/** @param {Task} task */
export function isOverdue(task) {
  const due = task.due && !task.completed ? parseDue(task.due) : null;
  if (!due) return false;
  return due.instant === null ? due.day < today() : due.instant < Date.now();
}

/**
 * Returns a due date as the service takes it, from the fields of the editor. An empty `time` gives a mere date.
 * @param {string} date
 * @param {string} time
 * @param {string} [zoneName] the name of a zone, or an offset
 */
export function makeDue(date, time, zoneName = zone()) {
  if (!time) return date;
  const wall = time.length === 5 ? `${time}:00` : time;
  if (/^(Z|[+-])/i.test(zoneName)) return `${date}T${wall}${zoneName}`;
  return `${date}T${wall}${offsetAt(Date.parse(`${date}T${wall}Z`), zoneName)}[${zoneName}]`;
}

/**
 * Returns the offset of a zone at a wall time. The offset of an instant is first guessed as that of the wall time in
 * UTC; of a time that clocks skip, the offset before the change results, which the service accepts.
 * @param {number} wall the wall time, as if it were UTC
 * @param {string} zoneName
 */
function offsetAt(wall, zoneName) {
  const before = offsetOf(wall - DAY, zoneName);
  const after = offsetOf(wall + DAY, zoneName);
  const matching = [before, after].find((offset) => offsetOf(wall - offset, zoneName) === offset);
  const minutes = Math.round((matching ?? before) / 60_000);
  const digits = [Math.abs(minutes) / 60, Math.abs(minutes) % 60].map((part) => String(Math.floor(part)).padStart(2, '0'));
  return `${minutes < 0 ? '-' : '+'}${digits.join(':')}`;
}

/** Returns the offset from UTC in milliseconds. @param {number} instant @param {string} zoneName */
function offsetOf(instant, zoneName) {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zoneName, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric',
    minute: 'numeric', second: 'numeric',
  });
  const parts = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(instant / 1000) * 1000;
}

/** The time of day 12:00 in UTC, so that no zone shifts the day. @param {string} day */
const noon = (day) => Date.parse(`${day}T12:00:00Z`);

/**
 * Returns a day in words: `today`, `tomorrow`, `Mon 7 Dec`.
 * @param {string} day
 * @param {string} lang
 */
export function dayWords(day, lang) {
  const distance = Math.round((noon(day) - noon(today())) / DAY);
  if (Math.abs(distance) <= 1) return new Intl.RelativeTimeFormat(lang, { numeric: 'auto' }).format(distance, 'day');
  const isThisYear = day.slice(0, 4) === today().slice(0, 4) || Math.abs(distance) < 180;
  return new Intl.DateTimeFormat(lang, {
    timeZone: 'UTC', weekday: 'short', day: 'numeric', month: 'short', ...(isThisYear ? {} : { year: 'numeric' }),
  }).format(noon(day));
}

/**
 * Returns a due date in words, in the browser's zone: `tomorrow, 09:00`.
 * @param {string} due
 * @param {string} lang
 */
export function dueWords(due, lang) {
  const parsed = parseDue(due);
  if (!parsed) return due;
  const words = dayWords(parsed.day, lang);
  if (parsed.instant === null) return words;
  return `${words}, ${new Intl.DateTimeFormat(lang, { timeStyle: 'short' }).format(parsed.instant)}`;
}

/**
 * Returns a due date in full words: `Tuesday, 1 December 2026 at 09:00`.
 * @param {string} due
 * @param {string} lang
 */
export function dueFull(due, lang) {
  const parsed = parseDue(due);
  if (!parsed) return due;
  if (parsed.instant === null) return new Intl.DateTimeFormat(lang, { timeZone: 'UTC', dateStyle: 'full' }).format(noon(parsed.day));
  return new Intl.DateTimeFormat(lang, { dateStyle: 'full', timeStyle: 'short' }).format(parsed.instant);
}

/**
 * Returns an instant in words: `today, 14:03`.
 * @param {string} time
 * @param {string} lang
 */
export function timeWords(time, lang) {
  const instant = Date.parse(time);
  return `${dayWords(today(instant), lang)}, ${new Intl.DateTimeFormat(lang, { timeStyle: 'short' }).format(instant)}`;
}
