import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import {
  createIdentityProviderBody,
  deletedIdentityProviderView,
  identityProviderView,
  pageQuery,
  updatedIdentityProviderView,
  updateIdentityProviderBody,
  type CreateIdentityProviderBody,
  type PageQuery,
  type UpdateIdentityProviderBody,
} from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { IdentityProviders } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';

const providerPage = z.object({ items: z.array(identityProviderView), next: z.string().nullable() });

@ApiTags('Identity providers of a repository')
@Controller('v1/repositories/:slug/identity-providers')
export class IdentityProvidersController {
  constructor(readonly providers: IdentityProviders) {}

  @Get()
  @Route({ does: 'Lists with whom people can sign in', answers: providerPage })
  list(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Query({ schema: pageQuery }) page: PageQuery) {
    return this.providers.list(actor, slug, page);
  }

  @Post()
  @Route({
    does: 'Lets people sign in with Google, GitHub or an OpenID provider',
    status: 201,
    answers: identityProviderView,
    changes: true,
  })
  create(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Body({ schema: createIdentityProviderBody }) body: CreateIdentityProviderBody,
  ) {
    return this.providers.create(actor, slug, body);
  }

  @Get(':providerId')
  @Route({ does: 'Reads one identity provider, without its secret', answers: identityProviderView })
  get(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('providerId') id: string) {
    return this.providers.get(actor, slug, id);
  }

  @Patch(':providerId')
  @Route({
    does: 'Changes an identity provider; disabling it ends the sessions that came from it',
    answers: updatedIdentityProviderView,
    changes: true,
  })
  update(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Param('providerId') id: string,
    @Body({ schema: updateIdentityProviderBody }) body: UpdateIdentityProviderBody,
  ) {
    return this.providers.update(actor, slug, id, body);
  }

  @Delete(':providerId')
  @Route({
    does: 'Removes an identity provider with its links to users, and ends the sessions that came from it',
    answers: deletedIdentityProviderView,
    changes: true,
  })
  delete(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('providerId') id: string) {
    return this.providers.delete(actor, slug, id);
  }
}
