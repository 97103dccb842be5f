import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import {
  createRepositoryBody,
  cutoffView,
  provisionedRepositoryView,
  repositoriesQuery,
  repositoryView,
  rotatedKeyView,
  rotateKeyBody,
  signingKeyView,
  updateRepositoryBody,
  type CreateRepositoryBody,
  type RepositoriesQuery,
  type RotateKeyBody,
  type UpdateRepositoryBody,
} from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { RepositoryKeys } from '@latchkey/credentials';
import { Repositories } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';

const repositoryPage = z.object({ items: z.array(repositoryView), next: z.string().nullable() });
const cutOffRepository = repositoryView.extend({ cutoff: cutoffView });

@ApiTags('Repositories')
@Controller('v1/repositories')
export class RepositoriesController {
  constructor(
    readonly repositories: Repositories,
    readonly keys: RepositoryKeys,
  ) {}

  @Post()
  @Route({
    does: 'Provisions a repository; everything about it works when this answers',
    status: 201,
    answers: provisionedRepositoryView,
    changes: true,
  })
  create(@CurrentActor() actor: Actor, @Body({ schema: createRepositoryBody }) body: CreateRepositoryBody) {
    return this.repositories.create(actor, body);
  }

  @Get()
  @Route({ does: 'Lists the repositories of the tenant', answers: repositoryPage })
  list(@CurrentActor() actor: Actor, @Query({ schema: repositoriesQuery }) query: RepositoriesQuery) {
    return this.repositories.list(actor, query);
  }

  @Get(':slug')
  @Route({ does: 'Reads one repository', answers: repositoryView })
  get(@CurrentActor() actor: Actor, @Param('slug') slug: string) {
    return this.repositories.get(actor, slug);
  }

  @Patch(':slug')
  @Route({ does: 'Changes settings of a repository', answers: repositoryView, changes: true })
  update(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Body({ schema: updateRepositoryBody }) body: UpdateRepositoryBody) {
    return this.repositories.update(actor, slug, body);
  }

  @Post(':slug/suspend')
  @Route({ does: 'Stops a repository: nothing of it is accepted from the answer on', answers: cutOffRepository, changes: true })
  suspend(@CurrentActor() actor: Actor, @Param('slug') slug: string) {
    return this.repositories.suspend(actor, slug);
  }

  @Post(':slug/resume')
  @Route({ does: 'Sets a suspended repository going again', answers: repositoryView, changes: true })
  resume(@CurrentActor() actor: Actor, @Param('slug') slug: string) {
    return this.repositories.resume(actor, slug);
  }

  @Delete(':slug')
  @Route({ does: 'Deletes a repository; it can be restored for 30 days', answers: cutOffRepository, changes: true })
  delete(@CurrentActor() actor: Actor, @Param('slug') slug: string) {
    return this.repositories.delete(actor, slug);
  }

  @Post(':slug/restore')
  @Route({ does: 'Restores a deleted repository', answers: repositoryView, changes: true })
  restore(@CurrentActor() actor: Actor, @Param('slug') slug: string) {
    return this.repositories.restore(actor, slug);
  }

  @Get(':slug/keys')
  @Route({
    does: 'Lists the keys that sign the tokens of a repository, signed them or will',
    answers: z.object({ items: z.array(signingKeyView), next: z.null() }),
  })
  async listKeys(@CurrentActor() actor: Actor, @Param('slug') slug: string) {
    return { items: await this.keys.list(actor, slug), next: null };
  }

  @Post(':slug/keys/rotate')
  @Route({
    does: 'Replaces the key that signs the tokens of a repository; a compromised one, and what it signed, ends when this answers',
    answers: rotatedKeyView,
    changes: true,
  })
  rotateKey(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Body({ schema: rotateKeyBody }) body: RotateKeyBody) {
    return this.keys.rotate(actor, slug, body);
  }
}
