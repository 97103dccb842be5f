import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '@latchkey/runtime';
import { answerTo, unexpectedAnswer } from './answer.js';
import { send } from './content-service.js';
import { ODataFault, type FaultCode } from './odata/fault.js';

/** Answers what goes wrong before a request gets to the content service, such as a body that is too large. */
@Catch()
export class FaultFilter implements ExceptionFilter {
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const { id } = http.getRequest<FastifyRequest>();
    const answer = answerTo(asFault(error), undefined);
    if (!answer) this.#log.error({ err: error, requestId: id }, 'a request failed');
    send(http.getResponse<FastifyReply>(), answer ?? unexpectedAnswer(id));
  }
}

const codes: Record<number, FaultCode> = { 404: 'ResourceNotFound', 413: 'RequestTooLarge' };

function asFault(error: unknown): unknown {
  const status = error instanceof HttpException ? error.getStatus() : (error as { statusCode?: unknown }).statusCode;
  if (typeof status !== 'number' || status >= 500) return error;
  return new ODataFault(status, codes[status] ?? 'RequestError', status === 413 ? 'The body is too large.' : (error as Error).message);
}
