/**
 * Every error the tenant API can answer with. One entry is one problem type (RFC 9457 §3.1.1):
 * its page is `docs/problems/<type>.md`, and its `status` and `title` never vary.
 */
export const problems = {
  'invalid-request': { status: 400, title: 'The request is not valid' },
  'malformed-body': { status: 400, title: 'The body cannot be read' },
  unauthenticated: { status: 401, title: 'A valid access token is required' },
  forbidden: { status: 403, title: 'Your role does not allow this' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'method-not-allowed': { status: 405, title: 'This address does not take that method' },
  'slug-taken': { status: 409, title: 'The slug is taken' },
  'already-exists': { status: 409, title: 'It already exists' },
  conflict: { status: 409, title: 'Its present state does not allow this' },
  'idempotency-replayed': { status: 409, title: 'This call has already been carried out' },
  'secret-limit': { status: 409, title: 'The client has as many live secrets as it may have' },
  'quota-exceeded': { status: 409, title: 'A quota of the tenant is used up' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body must be JSON' },
  'idempotency-mismatch': { status: 422, title: 'The idempotency key belongs to another request' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Something went wrong on our side' },
  unavailable: { status: 503, title: 'A dependency cannot be reached' },
} as const satisfies Record<string, { status: number; title: string }>;

/** The name of a problem type: the last segment of the problem's `type` URI. */
export type ProblemType = keyof typeof problems;

/** One fault of a request body: a JSON pointer (RFC 6901) to it, and what is wrong there. */
export interface Fault {
  pointer: string;
  detail: string;
}

export interface ProblemOptions {
  /** What really happened. Goes to the log, never to the caller. */
  cause?: unknown;
  /** Every fault of the request at once, for `invalid-request`. */
  errors?: Fault[];
  /** Seconds after which a retry makes sense; becomes the `Retry-After` header. */
  retryAfterSeconds?: number;
}

/**
 * An expected failure with words for the caller. Anything else that is thrown is a bug and answers 500
 * without detail.
 */
export class Problem extends Error {
  readonly type: ProblemType;
  readonly errors: Fault[] | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(type: ProblemType, detail: string, options: ProblemOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Problem';
    this.type = type;
    this.errors = options.errors;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get status(): number {
    return problems[this.type].status;
  }
}
