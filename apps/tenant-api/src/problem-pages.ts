import { readFile } from 'node:fs/promises';
import { Controller, Get, Header, Param } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Problem, problems } from '@latchkey/contracts';
import { Public } from './authentication.js';

/** One page per problem type, in the repository's docs. */
export const problemPages = new URL('../../../docs/problems/', import.meta.url);

/** Where the `type` of a problem leads. */
@ApiExcludeController()
@Public()
@Controller('docs/problems')
export class ProblemPagesController {
  @Get(':type')
  @Header('content-type', 'text/plain; charset=utf-8')
  async read(@Param('type') type: string): Promise<string> {
    if (!Object.hasOwn(problems, type)) throw new Problem('not-found', 'There is no such problem type.');
    return readFile(new URL(`${type}.md`, problemPages), 'utf8');
  }
}
