// @ts-check
import { toast } from '../announce.js';
import { $, onSubmit, open } from '../dom.js';
import { session } from '../session.js';
import { t } from '../texts.js';

const dialog = $('#again');

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
