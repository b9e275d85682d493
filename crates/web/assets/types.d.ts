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

/** What a write does. */
export type Action =
  | { kind: "add"; text: string; except: Field[]; timezone: string }
  | { kind: "update"; patch: Patch }
  | { kind: "complete"; completed: boolean }
  | { kind: "move"; place: Place }
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
  /** The number of answers 500. */
  defects: number;
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

export interface WriteRequest {
  method: string;
  path: string;
  body: string | null;
}

/** A write that the service has acknowledged, as undo needs it. */
export interface SentWrite {
  id: number;
  task: string;
  seq: number;
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

/** What a list shows. */
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

export type SessionState = "starting" | "in" | "out" | "expired";

export interface Answer<T> {
  status: number;
  body: T;
  etag: string | null;
  /** `Change-Seq`. */
  seq: number | null;
  /** `true` if this is the first answer again, and the task may have changed since. */
  replayed: boolean;
}

export interface RequestOptions {
  /** A string is sent as it is. */
  body?: unknown;
  key?: string;
  ifMatch?: string;
  signal?: AbortSignal;
  /** Sends the request only as the user with this id. */
  as?: string;
  headers?: Record<string, string>;
}

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
