import { Body, Controller, Delete, Get, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { apiKeyView, createApiKeyBody, createdApiKeyView, cutoffView, type CreateApiKeyBody } from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { ApiKeys } from '@latchkey/credentials';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';
import { userId } from './user-id.js';

const ended = z.object({ cutoff: cutoffView.nullable().describe('null when there was no live key') });

@ApiTags('API keys')
@Controller('v1/repositories/:slug')
export class ApiKeysController {
  constructor(readonly apiKeys: ApiKeys) {}

  @Get('users/:id/api-keys')
  @Route({
    does: 'Lists the live API keys of a user, without their values',
    answers: z.object({ items: z.array(apiKeyView), next: z.null() }),
  })
  async list(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('id') id: string) {
    return { items: await this.apiKeys.list(actor, slug, userId(id)), next: null };
  }

  @Post('users/:id/api-keys')
  @Route({ does: 'Makes an API key that represents the user', status: 201, answers: createdApiKeyView, changes: true })
  create(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Param('id') id: string,
    @Body({ schema: createApiKeyBody }) body: CreateApiKeyBody,
  ) {
    return this.apiKeys.create(actor, slug, userId(id), body);
  }

  @Delete('users/:id/api-keys/:keyId')
  @Route({ does: 'Ends one API key; no node accepts it when this answers', answers: ended, changes: true })
  delete(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('id') id: string, @Param('keyId') keyId: string) {
    return this.apiKeys.delete(actor, slug, userId(id), keyId);
  }

  @Delete('users/:id/api-keys')
  @Route({ does: 'Ends all API keys of a user', answers: ended, changes: true })
  deleteAllOfUser(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('id') id: string) {
    return this.apiKeys.delete(actor, slug, userId(id));
  }

  @Delete('api-keys')
  @Route({ does: 'Ends all API keys of a repository', answers: ended, changes: true })
  deleteAll(@CurrentActor() actor: Actor, @Param('slug') slug: string) {
    return this.apiKeys.deleteAll(actor, slug);
  }
}
