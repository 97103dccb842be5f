import { applyDecorators, HttpCode } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { z } from 'zod';

const problem = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'requestId'],
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    requestId: { type: 'string' },
    errors: {
      type: 'array',
      items: { type: 'object', required: ['pointer', 'detail'], properties: { pointer: { type: 'string' }, detail: { type: 'string' } } },
    },
  },
};

export interface RouteDescription {
  /** One sentence: what the call does. */
  does: string;
  /** The status of success. */
  status?: number;
  /** What success answers; nothing for 204. */
  answers?: z.ZodType;
  /** It changes something, so it takes an `Idempotency-Key`. */
  changes?: boolean;
}

/** What the OpenAPI document says of a route, and the status that success has. */
export function Route({ does, status = 200, answers, changes = false }: RouteDescription): MethodDecorator {
  return applyDecorators(
    HttpCode(status),
    ApiOperation({ summary: does }),
    ApiBearerAuth(),
    ApiResponse({ status, description: 'Success', ...(answers ? { standardSchema: answers } : {}) }),
    ApiResponse({
      status: 'default',
      description: 'A problem (RFC 9457)',
      content: { 'application/problem+json': { schema: problem as never } },
    }),
    ...(changes
      ? [
          ApiHeader({
            name: 'Idempotency-Key',
            required: false,
            description: 'The call is carried out at most once per key; a secret is never shown again',
          }),
        ]
      : []),
  );
}
