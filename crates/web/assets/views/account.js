// @ts-check
import { createToken, endSession, exportTasks, importTasks, revokeToken, sessions, tokens } from '../actions.js';
import { $, attempt, clone, confirm, errorText, fillTexts, language, locale, on, onSubmit, open, say, setLanguage, showError, t, toast } from '../dom.js';
import { dayWords, today } from '../dates.js';
import { outbox } from '../outbox.js';
import { session } from '../session.js';
import { timeWords } from './compare.js';

/** @import { ImportReport } from '../types.d.ts' */

const { dataset: root } = document.documentElement;
const dialog = $('#again');
const menu = $('#menu');
const view = $('#account-view');
const secret = $('.secret', view);
const run = $('[value=import]', view);

/** Shows the account of the user. */
export function showAccount() {
  $('#who').textContent = [session.user?.name, session.user?.email].filter(Boolean).join(' · ');
  for (const form of view.querySelectorAll('form')) form.reset();
  secret.hidden = true;
  clearReport();
  showSessions();
  showTokens();
}

/**
 * Fills a list with lines that can be removed.
 * @template {{id: string}} T
 * @param {string} id @param {() => Promise<T[]>} read @param {(each: T) => string} words
 * @param {string} label @param {(id: string) => Promise<unknown>} remove
 */
async function fill(id, read, words, label, remove) {
  const list = $(`#${id}`);
  const lines = await read().then((all) => all.map((each) => {
    const line = clone('line', words(each));
    const end = clone('button', label);
    end.ariaLabel = `${label}: ${words(each)}`;
    end.onclick = () => attempt(async () => {
      await remove(each.id);
      line.remove();
      ($('button', list) ?? $('#heading')).focus();
      say(t('said.removed'));
    });
    line.append(end);
    return line;
  }), (error) => [clone('line', errorText(error))]);
  list.replaceChildren(...lines);
}

const showSessions = () => fill('sessions', sessions, ({ created_at: since, refreshed_at: last }) =>
  t('session.line', { since: timeWords(since), last: timeWords(last) }), t('logout'), endSession);
const showTokens = () => fill('tokens', tokens, ({ name, scopes, expires_at: end }) => {
  const scope = t(scopes.includes('tasks:write') ? 'token.write' : 'token.read');
  return t(end ? 'token.line' : 'token.open', { name, scope, end: end && dayWords(today(Date.parse(end)), locale()) });
}, t('revoke'), revokeToken);

onSubmit('#token-form', async ({ name, scopes, expires_in_days: days }) => {
  const { token } = await createToken({ name, scopes: [scopes], ...(days && { expires_in_days: Number(days) }) });
  secret.hidden = false;
  $('input', secret).value = token;
  $('input', secret).select();
  showTokens();
});
onSubmit('#password-form', async ({ current_password, new_password, revoke_tokens: revoke }) => {
  await session.changePassword({ current_password, new_password, revoke_tokens: !!revoke });
  showAccount();
  toast(t('password.changed'));
});
onSubmit('#delete-form', async ({ password }) => {
  if (await confirm(t('delete.sure'), t('delete.account'))) await session.deleteAccount(password);
});
on('click', '[data-export]', ({ dataset }) => attempt(async () => {
  const href = URL.createObjectURL(await exportTasks(dataset.export));
  Object.assign(document.createElement('a'), { href, download: `tasks.${dataset.export === 'ndjson' ? 'ndjson' : 'json'}` }).click();
}));

function clearReport() {
  run.hidden = true;
  $('.report', view).replaceChildren();
}

/** @param {ImportReport} report */
function showReport(report) {
  const lines = [t(report.dry_run ? 'import.dry' : 'import.done', report), ...report.rejections.map((each) => t('import.row', each))];
  $('.report', view).replaceChildren(...lines.map((text) => clone('line', text).firstElementChild));
}

onSubmit('#import-form', async ({ file }, { value }) => {
  if (!file.name) return showError($('#import-form'), 'file', t('error.file'));
  clearReport();
  const report = await importTasks(file, value !== 'import');
  showReport(report);
  run.hidden = !report.dry_run || !report.imported;
  if (!run.hidden) run.focus();
});
on('change', '#import-form', clearReport);

for (const selector of ['#login-form', '#again-form']) {
  onSubmit(selector, async ({ email, password }) => {
    await session.logIn({ email, password });
    $(selector).reset();
  });
}
onSubmit('#register-form', async ({ email, password, name }) => {
  await session.register({ email, password, ...(name && { name }) });
  $('#register-form').reset();
});

/** Asks for the password on top of the page while the session has ended. */
export function askAgain() {
  if (session.state !== 'expired') return dialog.close();
  const { email, password } = $('#again-form').elements;
  email.value = session.user?.email;
  open(dialog, () => {
    if (session.state === 'expired') toast(t('again'), { label: t('login'), run: askAgain, stay: true });
  });
  password.focus();
}

/** @param {() => void} redraw shows the present view again, in another language */
export function startMenu(redraw) {
  $(`#theme [value="${root.theme ?? ''}"]`).checked = true;
  $('#language').value = language;
  on('change', '#theme input', ({ value }) => {
    if (value) root.theme = value;
    else delete root.theme;
    localStorage.setItem('taskhold-theme', value);
  });
  on('change', '#language', ({ value }) => {
    setLanguage(value);
    fillTexts(document);
    redraw();
  });
  on('click', '#menu a, #menu button', () => menu.hidePopover());
  on('click', '#log-out', () => attempt(async () => {
    const n = outbox.waiting + outbox.failed.length;
    if (!n || await confirm(t('logout.sure', { n }), t('logout'))) await session.logOut();
  }));
}
