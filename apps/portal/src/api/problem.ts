import type { Fault, ProblemType } from '@latchkey/contracts';

/** A call that failed: a problem that the API answered with, or `unreachable` when there was no answer. */
export class ApiProblem extends Error {
  readonly type: ProblemType | 'unreachable';
  readonly title: string;
  readonly requestId: string | undefined;
  readonly errors: readonly Fault[];

  constructor(
    type: ApiProblem['type'],
    title: string,
    detail: string,
    more: { requestId?: string; errors?: readonly Fault[]; cause?: unknown } = {},
  ) {
    super(detail, { cause: more.cause });
    this.name = 'ApiProblem';
    this.type = type;
    this.title = title;
    this.requestId = more.requestId;
    this.errors = more.errors ?? [];
  }

  /** Whether the same call may go through later. If it was a change, nobody knows whether it was carried out. */
  get isPassing(): boolean {
    return ['unreachable', 'unavailable', 'internal', 'too-many-requests'].includes(this.type);
  }
}

/** What a request that got no answer at all has met. */
export function unreachable(cause: unknown): ApiProblem {
  return new ApiProblem(
    'unreachable',
    'The server cannot be reached',
    'Check your connection, then try again. What you typed is still here.',
    { cause },
  );
}

/** Reads an answer that is no success; one that is no problem document comes from something in between. */
export function problemFrom(status: number, body: unknown): ApiProblem {
  if (isProblemDocument(body)) {
    const type = body.type.slice(body.type.lastIndexOf('/') + 1) as ProblemType;
    return new ApiProblem(type, body.title, body.detail, body);
  }
  return new ApiProblem(
    'unreachable',
    'The server did not answer as it should',
    `It answered with status ${status}. Try again in a moment.`,
  );
}

interface ProblemDocument {
  type: string;
  title: string;
  detail: string;
  requestId?: string;
  errors?: Fault[];
}

function isProblemDocument(body: unknown): body is ProblemDocument {
  const text = (name: string) => typeof (body as Record<string, unknown>)[name] === 'string';
  return typeof body === 'object' && body !== null && text('type') && text('title') && text('detail');
}

/** Whatever was thrown, as a problem. */
export function toProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  return new ApiProblem('internal', 'This page made a mistake', 'Reload the page and try again.', { cause: error });
}

/** Every fault by the path of its form field: `/redirectUris/0` (RFC 6901) becomes `redirectUris.0`. */
export function faultsByField(problem: ApiProblem): Record<string, string> {
  if (problem.type === 'slug-taken') return { slug: problem.message };
  const faults: Record<string, string> = {};
  for (const { pointer, detail } of problem.errors) {
    const path = pointer
      .split('/')
      .slice(1)
      .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
      .join('.');
    faults[path] = faults[path] === undefined ? detail : `${faults[path]}; ${detail}`;
  }
  return faults;
}
