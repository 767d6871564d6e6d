/// <reference lib="esnext.disposable" />

/** The environment variables that point Courier's SDKs at an environment. */
export interface Variables {
  COURIER_BASE_URL: string;
  COURIER_API_KEY: string;
  COURIER_AUTH_TOKEN: string;
  /** Where the daemon speaks https. Node reads it when a process starts. */
  NODE_EXTRA_CA_CERTS?: string;
}

export type Operator =
  | { equals: unknown }
  | { contains: unknown }
  | { matches: string }
  | { absent: boolean };

/** A value is compared as it is. */
export type Wanted = string | number | boolean | null | RegExp | Operator;
export interface WantedData {
  [name: string]: Wanted | WantedData | unknown[];
}

/** What a message is looked for by. All has to be so of one entry of the outbox. */
export interface Criteria {
  job_id?: string;
  message_id?: Wanted;
  recipient?: Wanted;
  channel?: Wanted;
  provider?: Wanted;
  address?: Wanted;
  subject?: Wanted;
  body?: Wanted;
  html?: Wanted;
  status?: Wanted;
  reason?: Wanted;
  error?: Wanted;
  data?: WantedData;
  /** A member further inside, such as `data.order.items.0.price`. */
  [data: `data.${string}`]: Wanted | undefined;
}

export interface WaitOptions {
  /** 10,000 unless given, 60,000 at most; 0 looks once. */
  timeoutMs?: number;
}
export interface MessageWaitOptions extends WaitOptions {
  /** Behind which message, by its id, or behind which cursor of the outbox it looks. */
  after?: string;
}

export interface Delivery {
  channel: string;
  provider: string;
  address: string | null;
  subject: string | null;
  body: string | null;
  html: string | null;
  /** What the provider would have been given. */
  request: unknown;
  [member: string]: unknown;
}

/** A message. Subject, body and the like are those of the delivery that was asked for, or of the first. */
export class Message {
  readonly raw: Record<string, unknown>;
  readonly delivery: Delivery;
  readonly deliveries: Delivery[];
  readonly messageId: string;
  readonly recipient: string;
  readonly status: string;
  readonly channel: string;
  readonly address: string | null;
  readonly subject: string | null;
  readonly body: string | null;
  readonly html: string | null;
  readonly request: any;
  readonly data: Record<string, any>;
  readonly links: string[];
  readonly codes: string[];
  /** The first link, or the first with this in it. Throws if there is none. */
  link(pattern?: string | RegExp): string;
  /** The likeliest one-time code. Throws if there is none. */
  code(): string;
}

export interface Job {
  job_id: string;
  kind: "BULK" | "SEND";
  status: "CREATED" | "PROCESSING" | "COMPLETED" | "ERROR";
  received: number;
  enqueued: number;
  failures: number;
  [member: string]: unknown;
}

export interface JournalRequest {
  number: number;
  method: string;
  path: string;
  status: number | null;
  [member: string]: unknown;
}

export interface Finding {
  check: string;
  level: "info" | "warn" | "error";
  count: number;
  advice: string;
  [member: string]: unknown;
}

export interface FaultState {
  fault_id: string;
  seen: number;
  fired: number;
  left: number | null;
  [member: string]: unknown;
}

export type Preset = "rate-limited" | "lost-answer" | "slow-ingest" | "oversize-502" | "flaky";

export interface FaultMembers {
  name?: string;
  method?: string;
  /** A route of Courier's, such as `/bulk/{job_id}`, or `*`. */
  path?: string;
  match?: { body_contains?: string; users_at_least?: number; headers?: Record<string, string> };
  /** The first request that is hit, counted from now; 1 unless given. */
  call?: number;
  times?: number | null;
  when?: "before" | "after";
  status?: number;
  headers?: Record<string, string>;
  body?: unknown;
  delay_ms?: number;
  answer?: "lost" | "cut" | "reset";
  percent?: number;
  seed?: number;
}

/** A fault that was set. */
export class Fault {
  readonly faultId: string;
  state(): Promise<FaultState>;
  /** Fails if it has hit nothing. */
  assertMet(): Promise<void>;
  remove(): Promise<void>;
}

export interface Clock {
  now(): Promise<Date>;
  /** Moves it forward: `"1h30m"`, or milliseconds. What that has led to is done when this is. */
  advance(by: string | number): Promise<{ now: string; advanced_ms: number; delayed_sent: number; [member: string]: unknown }>;
  freeze(): Promise<unknown>;
  run(): Promise<unknown>;
}

/** All of a test's own: an API key, and what the daemon holds for it. */
export class Environment {
  constructor(baseUrl: string, apiKey: string, ca?: string);
  readonly baseUrl: string;
  readonly apiKey: string;
  /** Where the daemon speaks https, the file with the certificate of its authority. */
  readonly ca?: string;
  readonly variables: Variables;
  readonly clock: Clock;
  /** The first message that fits, as soon as there is one. Throws `NotMet`, which says what came nearest. */
  waitForMessage(wanted?: Criteria, options?: MessageWaitOptions): Promise<Message>;
  /** Exactly so many messages, when nothing goes on any more. At most 100 of them are given. */
  waitForMessages(count: number, wanted?: Criteria, options?: MessageWaitOptions): Promise<Message[]>;
  /** No message that fits, when nothing goes on any more. */
  waitForNone(wanted?: Criteria, options?: MessageWaitOptions): Promise<void>;
  waitForJob(jobId: string, status?: Job["status"], options?: WaitOptions): Promise<Job>;
  settle(options?: WaitOptions): Promise<void>;
  outbox(filters?: Record<string, string | number | undefined>): Promise<Message[]>;
  message(messageId: string): Promise<Message>;
  jobs(status?: Job["status"]): Promise<Job[]>;
  requests(options?: { unmatched?: boolean; limit?: number }): Promise<JournalRequest[]>;
  doctor(): Promise<Finding[]>;
  fault(preset: Preset, given?: FaultMembers): Promise<Fault>;
  fault(given: FaultMembers): Promise<Fault>;
  outcome(status: string, given: { address?: string; recipient?: string; reason?: string; after?: string | number }): Promise<void>;
  happen(messageId: string, status: string, given?: { reason?: string }): Promise<void>;
  lifecycle(mode: "instant" | "paced" | "manual" | "hold" | "polls", given?: { per_second?: number; polls?: number; job_id?: string }): Promise<void>;
  step(jobId: string, users?: number): Promise<{ users: number; enqueued: number; failures: number; left: number; status: string }>;
  snapshot(name: string): Promise<void>;
  restore(name: string): Promise<void>;
  reset(): Promise<void>;
  /** The last requests, and the doctor's findings, as text. */
  report(): Promise<string>;
  /** Status and body of any request, under the environment's key. */
  call(method: string, path: string, body?: unknown, query?: Record<string, unknown>): Promise<{ status: number; body: any }>;
  /** The body of a success. Anything else is a `Refused`. */
  ask(method: string, path: string, body?: unknown, query?: Record<string, unknown>): Promise<any>;
}

/**
 * A daemon of its own: on a free port, with a file that is thrown away, and a clock that can be moved. It ends with the process
 * or thread that has started it, and before that by `stop()` or `await using`.
 */
export class Daemon implements AsyncDisposable {
  private constructor();
  readonly baseUrl: string;
  /** The id of its process. */
  readonly pid: number;
  /** With `--tls` the file with the certificate of its authority. */
  readonly ca?: string;
  /** The environment of a key, by default of a new one, which has nothing yet. */
  environment(apiKey?: string): Environment;
  /** The last lines of its log, from warnings on. */
  log(): string;
  /** How it has ended, with the last lines of its log; undefined while it runs. */
  ended(): string | undefined;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface StartOptions {
  /** Behind those that tests need. */
  flags?: string[];
  /** The daemon's file; that of `findBinary()` unless given. */
  binary?: string;
  /** How long it may take until it says its address; 30,000 unless given. */
  timeoutMs?: number;
  /** Told when it ends without having been stopped: how, with the last lines of its log. */
  onEnd?: (told: string) => void;
}
export function start(options?: StartOptions): Promise<Daemon>;
/** The daemon's file: BULKD_BINARY, that of the platform's package, or the one on the PATH. */
export function findBinary(): string;

/** What a test has waited for was not so. */
export class NotMet extends Error {
  readonly answer: { message: string; found: unknown; nearest: unknown[]; [member: string]: unknown };
}
/** The daemon has refused a request of the test bench. */
export class Refused extends Error {
  readonly status: number;
}

export function equals(value: unknown): Operator;
export function contains(part: unknown): Operator;
/** Without look-around and back references. */
export function matches(pattern: string | RegExp): Operator;
export function absent(): Operator;
export function present(): Operator;
