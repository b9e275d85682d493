// @ts-check
import { Offline } from './api.js';

/** For each id the text in English and German; `a|b`: `a` if `n` is 1. @type {Record<string, [string, string]>} */
const TEXTS = await (await fetch(new URL('texts.json', import.meta.url))).json();

/** The language of the page. */
export let language = (localStorage.getItem('taskhold-language') ?? navigator.language).startsWith('de') ? 'de' : 'en';
document.documentElement.lang = language;

/** The locale of dates: the one of the browser, if the page has its language. */
export const locale = () => navigator.languages.find((each) => each.startsWith(language)) ?? language;

/** Chooses the language. @param {string} chosen */
export function setLanguage(chosen) {
  language = document.documentElement.lang = chosen;
  localStorage.setItem('taskhold-language', chosen);
}

/** Returns a text with the values in its places. @param {string} id @param {object} [values] */
export function t(id, values = {}) {
  const [one = id, many = one] = TEXTS[id]?.[language === 'de' ? 1 : 0].split('|') ?? [];
  /** @type {any} */
  const places = values;
  return (places.n === 1 ? one : many).replace(/\{(\w+)\}/g, (_, name) => String(places[name] ?? ''));
}

/** Writes the texts into the elements that name them. @param {ParentNode} root */
export function fillTexts(root) {
  for (const [name, property] of Object.entries({ text: 'textContent', label: 'ariaLabel', hint: 'placeholder' })) {
    /** @type {NodeListOf<any>} */
    const elements = root.querySelectorAll(`[data-${name}]`);
    for (const element of elements) element[property] = t(element.dataset[name]);
  }
}

/** Returns what an error says to a person. @param {any} error @returns {string} */
export function errorText(error) {
  if (error.detail) return error.detail;
  if (error instanceof Offline) return t('error.offline');
  console.error(error);
  return t('error.unknown');
}
