// @ts-check
import { start } from './actions.js';
import { $, attempt, fillTexts, on } from './dom.js';
import { startKeys } from './keys.js';
import { address, go, route, startRouter } from './router.js';
import { session } from './session.js';
import { store } from './store.js';
import { askAgain, showAccount, startMenu } from './views/account.js';
import { restoreDraft } from './views/add.js';
import { showConflict } from './views/compare.js';
import { showTask } from './views/editor.js';
import { focusList } from './views/list.js';
import { showStatus, startUpdates } from './views/status.js';
import { showView } from './views/view.js';

const { dataset } = document.documentElement;
const search = $('#search');
/** The address that is opened after the log-in. */
let wanted = '';
/** The address that was open before the search. */
let beforeSearch = '';
/** The id of the user whose tasks are shown. @type {string | undefined} */
let user;
/** The first view was chosen before all tasks were known. */
let isGuess = false;
/** A view was shown before: the next one takes the focus. */
let isStarted = false;

/** Returns the view that is shown first. */
function first() {
  if (session.state === 'out') return 'login';
  const { today, overdue } = store.counts();
  isGuess = !store.ready;
  return today + overdue > 0 ? 'today' : 'all';
}

/** @param {import('./router.js').Route} at */
function show({ name, value }) {
  const isEntry = name === 'login' || name === 'register';
  if (session.state === 'out' && !isEntry) {
    wanted = location.hash;
    return go('#login', true);
  }
  if (session.state !== 'out' && isEntry) return go(wanted || `#${first()}`, true);
  const isTyping = document.activeElement === search;
  if (!isTyping) search.value = name === 'search' ? value : '';
  if (name === 'account') showAccount();
  showView(isStarted && !isTyping);
  isStarted = true;
  if (isEntry) $(`#${name}-form input`).focus();
}

function leaveSearch() {
  search.value = '';
  go(beforeSearch || `#${first()}`, true);
}

function followSession() {
  const before = dataset.session;
  const { state, user: now } = session;
  dataset.session = state;
  if (user && user !== now?.id) {
    // Nothing that the former user has seen or typed stays.
    sessionStorage.clear();
    history.replaceState(null, '', '#');
    return location.reload();
  }
  user = now?.id;
  $('#menu .who').textContent = now?.email;
  askAgain();
  if (before === 'out' && state === 'in' && route.name) show(route);
}

on('input', '#search', () => {
  const isSearch = route.name === 'search';
  if (!isSearch) beforeSearch = location.hash;
  if (search.value) go(address('search', search.value), isSearch);
  else leaveSearch();
});
on('submit', '.search', (_, event) => {
  event.preventDefault();
  focusList();
});
store.addEventListener('change', () => {
  if (!isGuess || !store.ready) return;
  isGuess = false;
  if (route.name === 'all') go(`#${first()}`, true);
});

fillTexts(document);
startKeys(() => {
  if (route.name === 'search') leaveSearch();
  focusList();
});
startMenu(() => {
  showView(false);
  showStatus();
});
await attempt(start);
session.addEventListener('change', followSession);
followSession();
startRouter({ view: show, task: showTask, first });
restoreDraft();
showStatus();
showConflict();
await attempt(startUpdates);
