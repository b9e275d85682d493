// @ts-check
/** The tasks of the user on this device: the state of the service, and the writes that wait. */

import { learn } from './api.js';
import { databaseName, openDatabase, result } from './database.js';
import { emitter } from './emitter.js';
import { NEW_FEED, newEdit } from './store/edit.js';
import { effects, inHandOrder } from './store/effects.js';
import { count, countTags, select } from './store/lists.js';

/** @import * as T from './types.d.ts' */

/** @type {T.Database | null} */
let database = null;
/** @type {BroadcastChannel | null} */
let channel = null;
/** @type {Map<string, T.Task>} */
let server = new Map();
/** @type {Map<string, string>} */
let renamedIds = new Map();
/** The shown tasks, until something changes. @type {{tasks: Map<string, T.Task | null>, ordered: T.Task[] | null} | null} */
let shown = null;

/** @type {T.Emitter<T.Store>} */
export const store = emitter(/** @type {T.Store} */ ({
  userId: null,
  writes: [],
  feed: NEW_FEED,
  get ready() {
    return store.feed.isReady;
  },
  async open(userId) {
    store.close();
    const name = databaseName(userId);
    store.userId = userId;
    database = openDatabase(name);
    channel = new BroadcastChannel(name);
    channel.onmessage = ({ data: [ids, renamed] }) => void read(ids, renamed);
    await read();
  },
  close() {
    database?.close();
    channel?.close();
    database = channel = null;
    Object.assign(store, { userId: null, writes: [], feed: NEW_FEED });
    server = new Map();
    renamedIds = new Map();
    changed(null, []);
  },
  idOf: (id) => renamedIds.get(id) ?? id,
  get(id) {
    const real = store.idOf(id);
    const task = show().tasks.get(real);
    return task === undefined ? (server.get(real) ?? null) : task;
  },
  serverTasks: () => [...server.values()],
  list: (view) => select(ordered(), view),
  counts: () => count(ordered()),
  tags: () => countTags(ordered()),
  isWaiting: (id) => store.writes.some(({ task }) => task === store.idOf(id)),
  problemOf(id) {
    return store.writes.find(({ task, state, action }) => task === id && state === 'failed' && action.kind === 'add')?.problem ?? null;
  },
  async change(body, userId) {
    const used = database;
    if (!used || (userId && userId !== store.userId)) throw new DOMException('The user has left.', 'InvalidStateError');
    const { value, edit } = await used.run('readwrite', async (storeOf) => {
      const edit = newEdit(storeOf);
      const value = await body(edit);
      await edit.finish();
      return { value, edit };
    });
    if (database === used) {
      channel?.postMessage([[...edit.tasks.keys()], edit.renamed]);
      take(edit.tasks, edit.writes ?? store.writes, edit.feed ?? store.feed, edit.renamed);
    }
    return value;
  },
}));

addEventListener('pageshow', ({ persisted }) => {
  // A page that was put away has heard nothing of the other tabs.
  if (persisted) void read();
});

/**
 * Reads everything, or what another tab has changed.
 * @type {(ids?: string[], renamed?: T.Renamed) => Promise<void>}
 */
async function read(ids, renamed) {
  const used = database;
  const found = await used?.run('readonly', async (storeOf) => {
    const edit = newEdit(storeOf);
    /** @type {T.Row[]} */
    const rows = ids ? [] : await result(storeOf('tasks').getAll());
    const tasks = new Map(rows.map(({ id, task }) => /** @type {[string, T.Task | null]} */ ([id, task])));
    for (const id of ids ?? []) tasks.set(id, await edit.task(id));
    return { tasks, writes: await edit.readWrites(), feed: await edit.readFeed(), renamed: renamed ?? (await edit.readRenamed()) };
  });
  if (!found || database !== used) return;
  if (!ids) server.clear();
  take(found.tasks, found.writes, found.feed, found.renamed, !ids);
}

/** @type {(tasks: Map<string, T.Task | null>, writes: T.Write[], feed: T.Feed, renamed: T.Renamed, isAll?: boolean) => void} */
function take(tasks, writes, feed, renamed, isAll = false) {
  const ids = new Set(tasks.keys());
  for (const [id, task] of tasks) {
    if (task) server.set(id, task);
    else server.delete(id);
  }
  for (const [local, real] of renamed) renamedIds.set(local, real);
  if (writes !== store.writes) for (const { task } of [...store.writes, ...writes]) ids.add(task);
  const isNew = isAll || ids.size > 0 || feed.isReady !== store.ready;
  Object.assign(store, { writes, feed });
  learn(feed.seq);
  if (isNew) changed(isAll ? null : ids, renamed);
}

/** @type {(ids: Set<string> | null, renamed: T.Renamed) => void} */
function changed(ids, renamed) {
  shown = null;
  store.emit('change', { ids, renamed });
}

/** @returns {NonNullable<typeof shown>} */
function show() {
  shown ??= { tasks: effects(server, store.writes), ordered: null };
  return shown;
}

function ordered() {
  const present = show();
  if (!present.ordered) {
    const tasks = [...new Map([...server, ...present.tasks]).values()].filter((task) => task !== null);
    present.ordered = inHandOrder(tasks, store.writes);
  }
  return present.ordered;
}
