// @ts-check
import { $, clone, open } from '../dom.js';
import { t } from '../texts.js';

/** @import { Binding } from '../keys.js' */

const SIGNS = { ArrowUp: '↑', ArrowDown: '↓', Escape: 'Esc', '+': ' ' };

/** Lists all keys. @param {Binding[]} table */
export function showHelp(table) {
  $('#help tbody').replaceChildren(...table.map(({ key, id, text }) => {
    const row = clone('key');
    row.dataset.id = id;
    $('th', row).textContent = t(text);
    $('td', row).append(...key.split(' ').flatMap((part) => {
      const kbd = document.createElement('kbd');
      kbd.textContent = Object.entries(SIGNS).reduce((name, [word, sign]) => name.replace(word, sign), part);
      return [kbd, ' '];
    }));
    return row;
  }));
  open($('#help'));
}
