import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem, problems, type Fault, type ProblemType } from '@latchkey/contracts';
import { isUnavailable } from '@latchkey/database';
import type { Logger } from '@latchkey/runtime';

/** Where a problem type is described. */
const typeUrl = (baseUrl: string, type: ProblemType) => `${baseUrl}/docs/problems/${type}`;

/**
 * Writes every failure as `application/problem+json` (RFC 9457). What is not a Problem is a bug: it is logged whole and
 * the caller gets a request id to quote.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #log: Logger;
  readonly #baseUrl: string;

  constructor(log: Logger, baseUrl: string) {
    this.#log = log;
    this.#baseUrl = baseUrl;
  }

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(thrown, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  answer(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const problem = toProblem(thrown);
    const { status, title } = problems[problem.type];
    if (status >= 500) this.#log.error({ requestId: request.id, err: problem.cause ?? problem }, title);
    else if (problem.cause !== undefined) this.#log.info({ requestId: request.id, err: problem.cause }, title);

    if (problem.retryAfterSeconds !== undefined) void reply.header('retry-after', problem.retryAfterSeconds);
    if (status === 401) void reply.header('www-authenticate', `Bearer realm="${this.#baseUrl}", error="invalid_token"`);
    void reply
      .status(status)
      .header('cache-control', 'no-store')
      .type('application/problem+json; charset=utf-8')
      .send({
        type: typeUrl(this.#baseUrl, problem.type),
        title,
        status,
        detail: problem.message,
        requestId: request.id,
        ...(problem.errors ? { errors: problem.errors } : {}),
      });
  }
}

/** What Fastify and Nest throw before a handler runs, by code or status. */
const ofFastify: Record<string, { type: ProblemType; detail: string }> = {
  FST_ERR_CTP_INVALID_JSON_BODY: { type: 'malformed-body', detail: 'The body is not JSON.' },
  FST_ERR_CTP_EMPTY_JSON_BODY: { type: 'malformed-body', detail: 'The body is empty, and its type is JSON.' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: { type: 'malformed-body', detail: 'The body is not as long as Content-Length says.' },
  FST_ERR_CTP_BODY_TOO_LARGE: { type: 'body-too-large', detail: 'A body may have 352 KiB at most.' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { type: 'unsupported-media-type', detail: 'Send application/json.' },
};
const ofStatus: Record<number, { type: ProblemType; detail: string }> = {
  400: { type: 'malformed-body', detail: 'The request cannot be read.' },
  404: { type: 'not-found', detail: 'There is nothing at this address.' },
  405: { type: 'method-not-allowed', detail: 'This address does not take that method.' },
  413: ofFastify['FST_ERR_CTP_BODY_TOO_LARGE'] as { type: ProblemType; detail: string },
  414: { type: 'not-found', detail: 'There is nothing at this address.' },
  415: ofFastify['FST_ERR_CTP_INVALID_MEDIA_TYPE'] as { type: ProblemType; detail: string },
};

function toProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  const { code, statusCode } = thrown as { code?: string; statusCode?: number };
  const status = thrown instanceof HttpException ? thrown.getStatus() : statusCode;
  const known = (code !== undefined && ofFastify[code]) || (status !== undefined && ofStatus[status]);
  if (known) return new Problem(known.type, known.detail);
  // After what Fastify blames on the caller: a body that breaks off is a lost connection, too, and not ours to the database.
  if (isUnavailable(thrown))
    return new Problem('unavailable', 'The database cannot do this now. Try again in a moment.', { cause: thrown, retryAfterSeconds: 1 });
  return new Problem('internal', 'This is our fault, and it has been written down. Quote the requestId when you ask about it.', {
    cause: thrown,
  });
}

interface SchemaIssue {
  message: string;
  path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined;
  /** Zod's: the members that the schema does not know. */
  keys?: string[];
}

/** Every fault of a body or query at once, each with a JSON pointer (RFC 6901). */
export function validationProblem(issues: readonly SchemaIssue[]): Problem {
  const errors = issues.flatMap((issue): Fault[] => {
    const path = (issue.path ?? []).map((segment) => String(typeof segment === 'object' ? segment.key : segment));
    const pointer = (more: string[]) =>
      [...path, ...more].map((segment) => `/${segment.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
    if (issue.keys) return issue.keys.map((key) => ({ pointer: pointer([key]), detail: 'is not a member of this request' }));
    return [{ pointer: pointer([]), detail: issue.message }];
  });
  return new Problem('invalid-request', `${errors.length === 1 ? 'One thing is' : `${errors.length} things are`} wrong with the request.`, {
    errors,
  });
}
