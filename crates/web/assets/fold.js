// @ts-check

/**
 * Returns a text as a search compares it, like the service's: without regard to case (`strasse` equals `Straße`) and to
 * how accents are composed. `İ` equals `i`; `ı` and `i` differ. @param {string} text
 */
export function fold(text) {
  // Most texts; much faster.
  if (/^[\0-\x7f]*$/.test(text)) return text.toLowerCase();
  // Upper case makes `ß` to `SS`; it would also make `ı` to `I`. A sigma is `σ` also at the end of a word.
  const parts = text.normalize('NFD').split('ı').map((part) => part.toLowerCase().toUpperCase().toLowerCase());
  return parts.join('ı').replaceAll('ς', 'σ').replace(/i(\p{M}*?)\u0307+/gu, 'i$1').normalize('NFC');
}
