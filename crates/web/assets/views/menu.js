// @ts-check
import { attempt } from '../announce.js';
import { $, confirm, on } from '../dom.js';
import { outbox } from '../outbox.js';
import { session } from '../session.js';
import { fillTexts, language, setLanguage, t } from '../texts.js';

const { dataset } = document.documentElement;
const menu = $('#menu');

/** @param {() => void} redraw shows the present view again, in another language */
export function startMenu(redraw) {
  menu.addEventListener('beforetoggle', () => {
    $('.who', menu).textContent = session.user?.email;
    $(`#theme [value="${dataset.theme ?? ''}"]`).checked = true;
    $('#language').value = language;
  });
  on('change', '#theme input', ({ value }) => {
    if (value) dataset.theme = value;
    else delete dataset.theme;
    localStorage.setItem('taskhold-theme', value);
  });
  on('change', '#language', ({ value }) => {
    setLanguage(value);
    fillTexts(document);
    redraw();
  });
  on('click', '#menu a, #menu button', () => menu.hidePopover());
  on('click', '#log-out', () => attempt(async () => {
    const n = outbox.waiting;
    if (!n || await confirm(t('logout.sure', { n }), t('logout'))) await session.logOut();
  }));
}
