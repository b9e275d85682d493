// @ts-check
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
  const places = /** @type {Record<string, unknown>} */ (values);
  return (places.n === 1 ? one : many).replace(/\{(\w+)\}/g, (_, name) => String(places[name] ?? ''));
}

/** Writes the texts into the elements that name them. @param {ParentNode} root */
export function fillTexts(root) {
  for (const [name, property] of Object.entries({ text: 'textContent', label: 'ariaLabel', hint: 'placeholder' })) {
    for (const element of /** @type {NodeListOf<any>} */ (root.querySelectorAll(`[data-${name}]`))) {
      element[property] = t(element.dataset[name]);
    }
  }
}

/** Returns what an error says to a person. @param {any} error @returns {string} */
export function errorText(error) {
  if (error.detail) return error.detail;
  if (error.name === 'Offline') return t('error.offline');
  console.error(error);
  return t('error.unknown');
}
