// @ts-check
/** The log-in: who the user is, and the access token, which only the memory of the tabs has. */

import { Problem, request, root, send, takeTokensFrom } from './api.js';
import { databaseName, deleteDatabase } from './database.js';

/** @import { SessionState, User } from './types.d.ts' */
/** @typedef {{user: User, access_token: string, expires_in: number}} Grant */
/** @typedef {{value: string, until: number, user: string}} Token */

/** With this header the service keeps the refresh token in a cookie that no script can read. */
const PAGE = { 'Taskhold-Page': '1' };
const USER_KEY = `taskhold:${root.pathname}:user`;
const REFRESH_LOCK = `taskhold-refresh:${root.pathname}`;
/** A token that ends so soon could end on its way. */
const MARGIN = 30_000;
/** How long a token of another tab may take to arrive, milliseconds. */
const HANDOVER = 50;

class Session extends EventTarget {
  /** @type {User | null} */
  user = null;
  /** @type {SessionState} */
  state = 'starting';
  /** @type {Token | null} */
  #token = null;
  /** @type {Promise<string> | null} */
  #refreshing = null;
  #channel = new BroadcastChannel(`taskhold-session:${root.pathname}`);

  constructor() {
    super();
    this.#channel.onmessage = ({ data }) => this.#set(data.state, data.user, data.token);
    takeTokensFrom((as, refused) => this.accessToken(as, refused));
  }

  /** Goes on with the user that this device knows. The first request shows whether the session still holds. */
  start() {
    const kept = localStorage.getItem(USER_KEY);
    const user = kept === null ? null : JSON.parse(kept);
    this.#set(user ? 'in' : 'out', user, null);
  }

  /** @param {{email: string, password: string, name?: string}} account */
  async register(account) {
    const { body } = await send('POST', 'api/auth/register', { body: account, headers: PAGE });
    this.#adopt(body);
  }

  /** @param {{email: string, password: string}} credentials */
  async logIn(credentials) {
    const { body } = await send('POST', 'api/auth/login', { body: credentials, headers: PAGE });
    this.#adopt(body);
  }

  /**
   * Ends the log-in, and deletes what this device has of the user. Without the network it does nothing: the next
   * person at this device could use the cookie.
   */
  async logOut() {
    await send('POST', 'api/auth/logout', { body: {}, headers: PAGE }).catch((error) => {
      // It has ended before.
      if (!(error instanceof Problem) || error.status !== 401) throw error;
    });
    await this.#forget();
  }

  /** @param {{current_password: string, new_password: string, revoke_tokens?: boolean}} passwords */
  async changePassword(passwords) {
    const { body } = await request('POST', 'api/auth/password', { body: passwords, headers: PAGE });
    this.#adopt(body);
  }

  /** @param {string} password */
  async deleteAccount(password) {
    await request('DELETE', 'api/auth/me', { body: { password } });
    await this.#forget();
  }

  /**
   * Returns an access token other than `refused`. Throws a problem 401 if the session has ended or is another user's
   * than `as`, and `Offline` if nobody can tell.
   * @param {string} [as]
   * @param {string} [refused]
   */
  async accessToken(as, refused) {
    const user = as ?? this.user?.id;
    if (this.state !== 'in') throw new Problem({ status: 401 });
    const token = this.#usable(refused) ?? (await this.#refreshOnce(refused));
    // Another tab may have logged in as another user.
    if (this.#token?.value !== token || this.#token.user !== user) throw new Problem({ status: 401 });
    return token;
  }

  /** @param {string} [refused] */
  #usable(refused) {
    const token = this.#token;
    return token && token.value !== refused && token.until > Date.now() ? token.value : null;
  }

  /** @param {string} [refused] */
  #refreshOnce(refused) {
    this.#refreshing ??= this.#refresh(refused).finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  /** One tab at a time refreshes, and tells the others. @param {string} [refused] */
  #refresh(refused) {
    return navigator.locks.request(REFRESH_LOCK, async () => {
      await new Promise((resolve) => setTimeout(resolve, HANDOVER));
      const token = this.#usable(refused);
      if (token) return token;
      try {
        // The service takes a refresh token once: its answer must reach the cookies even if this tab is closed.
        const { body } = await send('POST', 'api/auth/refresh', { body: {}, headers: PAGE, keepalive: true });
        this.#adopt(body);
        return /** @type {Grant} */ (body).access_token;
      } catch (error) {
        if (error instanceof Problem && error.status === 401) this.#tell('expired', this.user, null);
        throw error;
      }
    });
  }

  /** @param {Grant} grant */
  #adopt(grant) {
    const { id, email, name } = grant.user;
    const until = Date.now() + grant.expires_in * 1000 - MARGIN;
    this.#tell('in', { id, email, name }, { value: grant.access_token, until, user: id });
  }

  async #forget() {
    const user = this.user;
    this.#tell('out', null, null);
    if (!user) return;
    // A tab that sleeps can hold the deletion up; the browser completes it later.
    const patience = new Promise((resolve) => setTimeout(resolve, 3000));
    await Promise.race([deleteDatabase(databaseName(user.id)), patience]);
  }

  /**
   * @param {SessionState} state
   * @param {User | null} user
   * @param {Token | null} token
   */
  #tell(state, user, token) {
    this.#channel.postMessage({ state, user, token });
    if (user) localStorage.setItem(USER_KEY, JSON.stringify(user));
    else localStorage.removeItem(USER_KEY);
    this.#set(state, user, token);
  }

  /**
   * @param {SessionState} state
   * @param {User | null} user
   * @param {Token | null} token
   */
  #set(state, user, token) {
    const isNew = state !== this.state || user?.id !== this.user?.id;
    this.state = state;
    this.user = user;
    this.#token = token;
    if (state === 'out') forgetDrafts();
    if (isNew) this.dispatchEvent(new Event('change'));
  }
}

/** Texts that were being typed belong to the user who has left. */
function forgetDrafts() {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith('taskhold-draft-')) sessionStorage.removeItem(key);
}

export const session = new Session();
