// @ts-check
import { toast } from '../announce.js';
import { connection } from '../api.js';
import { $, confirm } from '../dom.js';
import { outbox } from '../outbox.js';
import { store } from '../store.js';
import { t } from '../texts.js';
import { setAdd } from './add.js';
import { editAgain } from './editor.js';

/** @import { Write } from '../types.d.ts' */

/** The failed writes that were shown. @type {Set<number>} */
const told = new Set();

/** Says what waits and what failed, and whether the page is offline. */
export function showStatus() {
  const n = outbox.waiting;
  $('#status').textContent = [n > 0 && t('wait', { n }), !connection.isOnline && t('offline')].filter(Boolean).join(' · ');
  for (const write of outbox.failed) {
    if (!told.has(write.id)) tell(write);
    told.add(write.id);
  }
}

/** @param {Write} write */
function tell(write) {
  const { id, action, problem } = write;
  const title = action.kind === 'add' ? action.text : (store.get(write.task) ?? write.base)?.title;
  const canEdit = action.kind === 'update' && !!store.get(write.task);
  const isUnsure = problem?.error_code === 'MAYBE_ADDED';
  toast(t(isUnsure ? 'maybe' : 'failed', { title, detail: problem?.detail }), {
    stay: true,
    key: `write ${id}`,
    label: t(isUnsure ? 'choose' : canEdit || action.kind === 'add' ? 'edit' : 'close'),
    async run() {
      told.delete(id);
      if (canEdit) return editAgain(write);
      if (isUnsure) return await confirm(t('maybe', { title }), t('add')) ? outbox.retry(id) : outbox.discard(id);
      await outbox.discard(id);
      if (action.kind === 'add') setAdd(action.text, problem?.detail, action.except);
    },
  });
}

outbox.addEventListener('change', showStatus);
connection.addEventListener('change', showStatus);
