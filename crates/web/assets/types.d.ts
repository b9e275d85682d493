/** A task, as the service sends it. */
export interface Task {
  id: string;
  title: string;
  description: string;
  completed: boolean;
  created_at: string;
  updated_at: string;
  user_id: string;
  etag: string;
  due: string | null;
  priority: Priority;
  tags: string[];
  repeat: string | null;
  repeat_from: "due" | "completion";
  position: string;
  completed_at: string | null;
  /** Of tasks in the trash only. */
  deleted_at?: string;
}

export type Priority = "none" | "low" | "medium" | "high";

/** The fields that an edit can set. `null` stands for the value of a new task. */
export interface Patch {
  title?: string;
  description?: string | null;
  due?: string | null;
  priority?: Priority | null;
  tags?: string[] | null;
  repeat?: string | null;
  repeat_from?: "due" | "completion" | null;
}

/** The place of a move: directly before or after a task; `null` is the end or the start of the list. */
export type Place = { before: string | null } | { after: string | null };

/** The fields that quick add can leave in the title. */
export type Field = "due" | "repeat" | "tags" | "priority";

/** A part of a quick-add text that sets a field; places count Unicode code points. */
export interface Understood {
  field: Field;
  text: string;
  start: number;
  end: number;
}

/** The action of a write. */
export type Action =
  | { kind: "add"; text: string; except: Field[]; timezone: string }
  | { kind: "update"; patch: Patch }
  | { kind: "complete"; completed: boolean }
  | { kind: "move"; side: "before" | "after"; neighbour: string | null }
  | { kind: "remove" }
  | { kind: "restore" }
  | { kind: "undo"; undone: Undone };

/** The write that an undo takes back. */
export interface Undone {
  /** `Write.id` of the write. */
  write: number;
  /** The number of its change; `null` until the service has answered the write. */
  seq: number | null;
  /** `undo` is never undone. */
  action: Action;
  /** The task before the write. */
  before: Task | null;
  /** The follow-up that the write created. */
  next: string | null;
}

/** A change of this device that the service has not acknowledged. */
export interface Write {
  /** The place in the queue. */
  id: number;
  action: Action;
  /** The task; `local:…` if the service does not know it. */
  task: string;
  /** The task as it was seen when the write was made; the write is sent with its `etag` as `If-Match`. `null` for a
   * creation, and while an earlier write of the same task waits: its answer is the base. */
  base: Task | null;
  key: string;
  /** Milliseconds since 1970. */
  made: number;
  /** The time of the first try with this key, or `null`. A write that was never tried had no effect. */
  tried: number | null;
  /** `true` if an earlier try may have had an effect that its key does not tell any more. */
  isUncertain: boolean;
  /** The request of the first try, which each later one repeats to the byte. */
  request: WriteRequest | null;
  state: "waiting" | "conflict" | "failed";
  /** Why the write failed. */
  problem: ProblemDetails | null;
  /** In a conflict: the task of the service, as the person sees it when choosing. */
  theirs: Task | null;
}

/** Method, path and body. */
export type WriteRequest = [string, string, string?];

/** A write as undo needs it. */
export interface SentWrite {
  id: number;
  task: string;
  /** The number of its change; `null` until the service has acknowledged the write. */
  seq: number | null;
  action: Action;
  before: Task | null;
  next: string | null;
}

/** A conflict, as its dialog shows it. */
export interface Conflict {
  /** The first of the task's waiting writes: the id for `outbox.resolve`. */
  write: Write;
  /** The task with all of its waiting writes; `null` if they delete it. */
  mine: Task | null;
  /** The task of the service. */
  theirs: Task;
}

export type ViewName = "today" | "upcoming" | "all" | "done" | "tag" | "search";

export type Sort = "position" | "due" | "priority" | "title" | "created_at" | "updated_at";

/** The tasks and the order of a list. */
export interface View {
  name: ViewName;
  /** Of `tag`: the tag, in any case. */
  tag?: string;
  /** Of `search`: the text. Of any other view: shows only tasks with this text. */
  text?: string;
  /** `today` and `upcoming`: `due` unless given; `done`: by the time of completion; others: `position`. */
  sort?: Sort;
}

export interface Counts {
  today: number;
  overdue: number;
  upcoming: number;
  all: number;
  done: number;
}

/** The members of a problem (RFC 9457) that the page uses. */
export interface ProblemDetails {
  /** 0 if the page itself found the problem. */
  status: number;
  /** Also `MAYBE_ADDED`: a creation whose outcome is unknown after a day, and `task` may be the one that it made. */
  error_code: string;
  detail: string;
  errors: { field: string; message: string }[];
  task: Task | null;
  /** Seconds. */
  retryAfter: number | null;
}

/** A user of the service. */
export interface User {
  id: string;
  email: string;
  name: string | null;
}

/** `in` as long as nothing shows that the session has ended; `expired`: it has, and the data is still here. */
export type SessionState = "starting" | "in" | "out" | "expired";

/** The log-in. The event `change` tells of another user or state, also if another tab changed it. */
export interface Session {
  user: User | null;
  state: SessionState;
  /** Goes on with the user that this device knows. */
  start(): void;
  register(account: { email: string; password: string; name?: string }): Promise<void>;
  logIn(credentials: { email: string; password: string }): Promise<void>;
  changePassword(passwords: { current_password: string; new_password: string; revoke_tokens?: boolean }): Promise<void>;
  /** Ends the log-in, and deletes what this device has of the user. Without the network it does nothing. */
  logOut(): Promise<void>;
  deleteAccount(password: string): Promise<void>;
}

export interface TokenSource {
  /** Returns an access token of the user `as` other than `refused`. Throws a problem 401 if there is none, and
   * `Offline` if nobody can tell. */
  accessToken(as?: string, refused?: string): Promise<string>;
}

export interface RequestOptions {
  /** A string or a blob is sent as it is. */
  body?: unknown;
  key?: string;
  ifMatch?: string;
  signal?: AbortSignal | undefined;
  headers?: Record<string, string>;
  /** Sends the request only as the user with this id. */
  as?: string;
  /** Sends no access token. */
  isAnonymous?: boolean;
  keepalive?: boolean;
}

export interface Answer {
  /** `any`: what the path returns. */
  body: any;
  /** `Change-Seq`. */
  seq: number | null;
  /** `true` if this is the first answer again, and the task may have changed since. */
  replayed: boolean;
}

/** Paths start from the page's address: `api/v1/tasks`. */
export type Open = (method: string, path: string, options?: RequestOptions) => Promise<Response>;
export type Request = (method: string, path: string, options?: RequestOptions) => Promise<Answer>;

export type StoreOf = (name: "tasks" | "writes" | "meta") => IDBObjectStore;

/** The database of one user on this device. */
export interface Database {
  /** Runs `body` in one transaction, and resolves when the transaction is durable. `body` may wait for requests of the
   * transaction only. */
  run<V>(mode: IDBTransactionMode, body: (storeOf: StoreOf) => Promise<V>): Promise<V>;
  close(): void;
}

/** The state of reading the change feed. */
export interface Feed {
  cursor: string | null;
  /** The number of the last change that this device knows of. */
  seq?: number;
  /** `true` if every task is here. */
  isReady: boolean;
  /** The number of the pass over the feed from its start. */
  generation: number;
  /** `true` until a later pass has seen everything: tasks of earlier generations may be gone. */
  isStale: boolean;
}

/** A stored task, and the pass over the feed in which it was seen. */
export interface Row {
  id: string;
  generation: number;
  task: Task;
}

/** Pairs of a local id and the real one. */
export type Renamed = [string, string][];

/** One transaction over the data of a user. */
export interface Edit {
  /** The tasks that have changed; `null` if they are gone. */
  tasks: Map<string, Task | null>;
  /** All writes, if one has changed. */
  writes: Write[] | null;
  renamed: Renamed;
  feed: Feed | null;
  task(id: string): Promise<Task | null>;
  putTask(id: string, task: Task | null): Promise<void>;
  dropOlder(generation: number): Promise<void>;
  readWrites(): Promise<Write[]>;
  readWrite(id: number): Promise<Write | undefined>;
  addWrite(write: Omit<Write, "id">): Promise<Write>;
  putWrite(write: Write): void;
  dropWrite(id: number): void;
  readFeed(): Promise<Feed>;
  putFeed(feed: Feed): void;
  /** The last acknowledged writes of this device, which undo takes back. */
  readSent(): Promise<SentWrite[]>;
  putSent(sent: SentWrite[]): void;
  /** Returns the real id of a task that has got one. */
  idOf(id: string): Promise<string>;
  readRenamed(): Promise<Renamed>;
  rename(local: string, real: string): Promise<void>;
  finish(): Promise<void>;
}

/** The tasks of the user on this device. The event `change` has `detail: {ids: Set<string> | null, renamed}`; `null`
 * stands for everything. The event `failure` tells that the browser keeps no data. */
/** An object that emits events. */
export type Emitter<M> = M & EventTarget & { emit(type: string, detail?: unknown): boolean };

export interface Store {
  userId: string | null;
  /** All writes that are not acknowledged, in their order. */
  writes: Write[];
  feed: Feed;
  /** `true` if every task of the user is here. */
  readonly ready: boolean;
  open(userId: string): Promise<void>;
  close(): void;
  /** Returns the present id of a task that had a local one. */
  idOf(id: string): string;
  /** Returns a task as it is shown. */
  get(id: string): Task | null;
  /** Returns the tasks as the service has them. */
  serverTasks(): Task[];
  list(view: View): Task[];
  counts(): Counts;
  tags(): [string, number][];
  /** Returns `true` if a write of the task is not acknowledged. */
  isWaiting(id: string): boolean;
  /** Returns why the creation of a task failed. */
  problemOf(id: string): ProblemDetails | null;
  /** Changes the data in one transaction, and then the memory of all tabs. Fails if the data is not that of `userId`. */
  change<V>(body: (edit: Edit) => Promise<V>, userId?: string): Promise<V>;
}

/** The queue of writes. Events: `change` (also of other tabs); `sent`, `failed`, `conflict` (of this tab, with
 * `detail: Settled`). */
export interface Outbox {
  /** The number of writes that are neither acknowledged nor failed. */
  readonly waiting: number;
  readonly failed: Write[];
  readonly conflicts: Conflict[];
  /** Starts to send, and resolves after the first attempt. */
  start(userId: string): Promise<void>;
  stop(): void;
  /** Stores a write. Fails if the device cannot keep it. `seen` is the task as the person saw it. */
  enqueue(action: Action, task: string, seen?: Task | null): Promise<Write>;
  /** Sends all waiting writes of the task on top of the other state, or drops them. */
  resolve(writeId: number, choice: "mine" | "theirs"): Promise<void>;
  /** Sends a failed write again, with another action if given. */
  retry(writeId: number, action?: Action): Promise<void>;
  /** Drops a failed write; of a creation, also what waits for it. */
  discard(writeId: number): Promise<void>;
  /** Takes a write of this device back, the last one unless given, and returns it. A write that was never sent leaves
   * the queue. */
  undo(writeId?: number): Promise<SentWrite | null>;
}

export interface Empty {
  kind: "empty";
}

export interface Later {
  kind: "later";
  /** Seconds. */
  wait: number | null;
}

/** The outcome of a write. `gone`: another tab has settled it, or it was undone. */
export interface Settled {
  kind: "sent" | "failed" | "conflict" | "again" | "gone";
  write: Write;
  task?: Task | null | undefined;
  next?: Task | null;
  seq?: number | null;
}

export type Outcome = Empty | Later | Settled;

/** The service's answer to a write. */
export interface Result {
  /** The task after the write. */
  answered: Task | null;
  /** Tasks as they are now; `null` if they are gone. */
  present: Map<string, Task | null>;
  /** The id of the follow-up. */
  next: string | null;
  seq: number | null;
}

export type Acknowledge = (edit: Edit, sent: Write, result: Result) => Promise<boolean>;
export type MeetConflict = (edit: Edit, sent: Write, present: Task) => Promise<Settled["kind"]>;
export type Fail = (edit: Edit, sent: Write, problem: ProblemDetails, present: Map<string, Task | null>) => Promise<Settled["kind"]>;
export type TakeOut = (edit: Edit, write: Write) => Promise<void>;
export type AddWrite = (edit: Edit, action: Action, task: string, seen: Task | null) => Promise<Write>;

export interface HistoryEntry {
  seq: number;
  at: string;
  kind: "created" | "updated" | "completed" | "reopened" | "moved" | "deleted" | "restored";
  by: string;
  fields: Partial<Record<keyof Task, { from: unknown; to: unknown }>>;
}

export interface PersonalToken {
  id: string;
  name: string;
  scopes: string[];
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
}

/** A log-in that can be refreshed. */
export interface LogIn {
  id: string;
  created_at: string;
  refreshed_at: string;
  expires_at: string;
}

export interface ImportReport {
  dry_run: boolean;
  imported: number;
  already_there: number;
  rejected: number;
  verified: number;
  rejections: { position: number; reason: string }[];
}

/** A due date in the browser's zone. */
export interface ParsedDue {
  /** `2026-12-01`. */
  day: string;
  /** The instant in milliseconds since 1970, or `null` for a mere date. */
  instant: number | null;
  /** The wall time that was asked for, in the due date's own zone: for the editor's fields. */
  wall: { date: string; time: string; zone: string | null };
}
