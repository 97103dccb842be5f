/*
 * What a run writes down, one JSON line each, in no promised order. All times are milliseconds on the one monotonic clock of
 * the process that drives: it presents every credential and makes every call itself, so "began after it had answered" means
 * just that. No entry holds a secret.
 */

/** From when something was begun until its answer was seen. */
export interface Span {
  begin: number;
  end: number;
}

export type CredentialKind = 'secret' | 'tool-token' | 'user-token' | 'refresh-token' | 'session' | 'api-key' | 'tenant-token';

/** A credential that was issued to this run. */
export interface Issued extends Span {
  type: 'issued';
  credential: string;
  kind: CredentialKind;
  /** It works while all of these live. One that is revived is good again. */
  needs: string[];
  /** It carries the generations of these: once one of them has been cut off it stays dead, whatever is revived. */
  boundTo: string[];
  /** When it ends by itself. */
  expires?: number;
}

/**
 * How a call ended. `refused`: it changed nothing (4xx). `unknown`: no answer, or one that does not tell; it may have taken
 * effect at any time since it began, and may still.
 */
export type CallOutcome = 'done' | 'refused' | 'unknown';

/** A call that ends something. */
export interface CutOff extends Span {
  type: 'cut-off';
  act: string;
  /** What it ends: a secret version, a client, a user, a repository, a token. */
  thing: string;
  outcome: CallOutcome;
  /** Ends only what is bound to the thing; the thing itself lives on (a changed password). */
  boundOnly?: boolean;
  /** A planned end: the first moment at which it may come, and the one at which it has. */
  planned?: { earliest: number; latest: number };
}

/** A call that makes something that was cut off good again. */
export interface Revival extends Span {
  type: 'revival';
  act: string;
  thing: string;
  outcome: CallOutcome;
}

/**
 * A credential that was presented. `unanswered` is everything that says neither yes nor no: 503, 429, a lost connection, no
 * answer in time.
 */
export interface Presentation extends Span {
  type: 'presentation';
  credential: string;
  /** Which process it was presented to. */
  node: string;
  /** Where: `token`, `userinfo`, `odata`… */
  way: string;
  outcome: 'accepted' | 'refused' | 'unanswered';
  /** The status, or the error's code. */
  answer: string;
}

/** PostgreSQL was told to stop, until it served again. */
export interface Outage extends Span {
  type: 'outage';
}

/** Something was done to a process or its connection to the database. */
export interface Fault extends Span {
  type: 'fault';
  kind: string;
  target: string;
}

export type Entry = Issued | CutOff | Revival | Presentation | Outage | Fault;
