// @ts-check
import { $, clone, locale, t } from '../dom.js';
import { dueWords, isOverdue, repeatWords } from '../dates.js';
import { address } from '../router.js';
import { dueFull, timeWords, valueText } from './compare.js';

/** @import { Task } from '../types.d.ts' */

/** Writes a task into its row. @param {any} row @param {Task} task */
export function fillRow(row, task) {
  const { title, due, repeat, tags, priority, completed } = task;
  row.dataset.id = task.id;
  row.dataset.priority = priority;
  row.classList.toggle('done', completed);
  const check = $('.check', row);
  check.ariaPressed = completed;
  check.ariaLabel = t('check', { title });
  $('.grip', row).ariaLabel = `${t('move')}: ${title}`;
  $('.title span', row).textContent = title;
  $('.title', row).title = title.length > 40 ? title : '';

  const meta = $('.meta', row);
  meta.replaceChildren();
  /** @param {string} kind @param {string} text @param {string} [full] */
  const show = (kind, text, full = '') => {
    const element = clone(kind, text);
    element.title = full;
    meta.append(element);
    return element;
  };
  if (due) {
    const isLate = isOverdue(task);
    const time = show('due', dueWords(due, locale()), (isLate ? `${t('overdue')}: ` : '') + dueFull(due));
    time.dateTime = due.split('[')[0];
    time.classList.toggle('overdue', isLate);
  }
  if (repeat) show('repeat', repeatWords(repeat, locale()));
  for (const tag of tags) show('tag', `#${tag}`).href = address('tag', tag);
  if (priority !== 'none') show('priority', valueText('priority', priority), `${t('priority')}: ${t(`priority.${priority}`)}`);
  row.classList.toggle('plain', !meta.firstChild);
  row.ariaLabel = [title, ...Array.from(meta.children, (each) => each.title || each.textContent)].join(', ');
}

/** Writes a deleted task into its row. @param {any} row @param {Task} task */
export function fillTrash(row, task) {
  const when = t('deleted', { when: timeWords(task.deleted_at ?? task.updated_at) });
  row.dataset.id = task.id;
  $('.title span', row).textContent = task.title;
  $('.meta', row).textContent = when;
  row.ariaLabel = `${task.title}, ${when}`;
}
