// @ts-check
/** The log-in: who the user is, and the access token, which only the memory of the tabs has. */

import { Problem, request, root, tokenSource } from './api.js';
import { databaseName, deleteDatabase } from './database.js';
import { emitter } from './emitter.js';
import { locked } from './platform.js';

/** @import * as T from './types.d.ts' */

/** With this header the service keeps the refresh token in a cookie that no script can read. */
const PAGE = { 'Taskhold-Page': '1' };
const USER_KEY = `taskhold:${root.pathname}:user`;
const REFRESH_LOCK = `taskhold-refresh:${root.pathname}`;
/** A token that ends so soon could end on its way. */
const MARGIN = 30_000;
/** The milliseconds in which a token of another tab arrives. */
const HANDOVER = 50;
/** The user to whom the texts that are being typed in this tab belong. */
const TYPIST = 'taskhold-draft-user';

/** @type {{value: string, until: number, user: string} | null} */
let token = null;
/** @type {Promise<void> | null} */
let refreshing = null;

const channel = new BroadcastChannel(`taskhold-session:${root.pathname}`);
channel.onmessage = (/** @type {MessageEvent} */ { data }) => become(.../** @type {Parameters<typeof become>} */ (data));

/** @type {(path: string, body: object, keepalive?: boolean) => Promise<void>} */
async function enter(path, body, keepalive = false) {
  const isAnonymous = path !== 'password';
  const { body: grant } = await request('POST', `api/auth/${path}`, { body, headers: PAGE, keepalive, isAnonymous });
  const { id, email, name } = grant.user;
  // Of a refresh: the user may have left meanwhile.
  if (keepalive && session.user?.id !== id) return;
  const until = Date.now() + grant.expires_in * 1000 - MARGIN;
  tell('in', { id, email, name }, { value: grant.access_token, until, user: id });
}

export const session = emitter(/** @type {T.Session} */ ({
  user: null,
  state: 'starting',
  start() {
    const kept = localStorage.getItem(USER_KEY);
    // The first request shows whether the session still holds.
    become(kept ? 'in' : 'out', kept && JSON.parse(kept), null);
  },
  register: (account) => enter('register', account),
  logIn: (credentials) => enter('login', credentials),
  changePassword: (passwords) => enter('password', passwords),
  // A refresh in progress must not bring the cookie back.
  logOut: () => locked(REFRESH_LOCK, async () => {
    try {
      // Without the network nothing happens: the next person at this device could use the cookie.
      await request('POST', 'api/auth/logout', { body: {}, headers: PAGE, isAnonymous: true });
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
    }
    await forget();
  }),
  async deleteAccount(password) {
    await request('DELETE', 'api/auth/me', { body: { password }, headers: PAGE });
    await forget();
  },
}));

tokenSource.accessToken = async (as = session.user?.id, refused = '') => {
  if (session.state === 'in' && !usable(refused)) {
    refreshing ??= refresh(refused).finally(() => {
      refreshing = null;
    });
    await refreshing;
  }
  const present = usable(refused);
  // Another tab may have logged in as another user.
  if (session.state !== 'in' || present?.user !== as) throw new Problem({ status: 401 });
  return present?.value ?? '';
};

/** @param {string} refused */
const usable = (refused) => (token && token.value !== refused && token.until > Date.now() ? token : null);

/** One tab at a time refreshes, and tells the others. @param {string} refused */
async function refresh(refused) {
  await locked(REFRESH_LOCK, async () => {
    await new Promise((resolve) => setTimeout(resolve, HANDOVER));
    const id = session.user?.id;
    if (usable(refused) || session.state !== 'in') return;
    try {
      // The service takes a refresh token once: its answer must reach the cookies even if this tab is closed.
      await enter('refresh', {}, true);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === 401 && session.user?.id === id) tell('expired', session.user, null);
      // No other problem of this request is one of the request that needs the token.
      throw new Problem({ status: error.status === 401 ? 401 : 503, retryAfter: error.retryAfter });
    }
  });
}

async function forget() {
  const { user } = session;
  tell('out', null, null);
  if (user) await deleteDatabase(databaseName(user.id));
}

/** Changes the session of all tabs. @param {Parameters<typeof become>} change */
function tell(...change) {
  const [, user] = change;
  channel.postMessage(change);
  if (user) localStorage.setItem(USER_KEY, JSON.stringify(user));
  else localStorage.removeItem(USER_KEY);
  become(...change);
}

/** @type {(state: T.SessionState, user: T.User | null, newToken: typeof token) => void} */
function become(state, user, newToken) {
  const isNew = state !== session.state || user?.id !== session.user?.id;
  Object.assign(session, { state, user });
  token = newToken;
  const typist = sessionStorage.getItem(TYPIST);
  if (state === 'out' || (user && typist && typist !== user.id)) {
    // Texts that were being typed belong to the user who has left.
    for (const key of Object.keys(sessionStorage)) if (key.startsWith('taskhold-draft-')) sessionStorage.removeItem(key);
  }
  if (user) sessionStorage.setItem(TYPIST, user.id);
  if (isNew) session.emit('change');
}
