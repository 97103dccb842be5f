import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import {
  clientKeyView,
  clientView,
  consumerView,
  createClientBody,
  createClientKeyBody,
  createdClientView,
  createSecretBody,
  newSecretView,
  pageQuery,
  regeneratedSecretView,
  regenerateSecretBody,
  revokedSecretView,
  secretView,
  updateClientBody,
  updatedClientView,
  type CreateClientBody,
  type CreateClientKeyBody,
  type CreateSecretBody,
  type PageQuery,
  type RegenerateSecretBody,
  type UpdateClientBody,
} from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { wellKnown } from '@latchkey/content';
import { ClientKeys, Clients, ClientSecrets } from '@latchkey/credentials';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';

@ApiTags('Clients and secrets')
@Controller('v1/repositories/:slug/clients')
export class ClientsController {
  constructor(
    readonly clients: Clients,
    readonly secrets: ClientSecrets,
    readonly keys: ClientKeys,
  ) {}

  @Get()
  @Route({
    does: 'Lists the clients of a repository, the earliest first, page by page',
    answers: z.object({ items: z.array(clientView), next: z.string().nullable() }),
  })
  list(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Query({ schema: pageQuery }) page: PageQuery) {
    return this.clients.list(actor, slug, page);
  }

  @Post()
  @Route({
    does: 'Adds a client, as many as the plan of the repository allows (else 409 quota-exceeded); a tool client comes with its first secret',
    status: 201,
    answers: createdClientView,
    changes: true,
  })
  create(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Body({ schema: createClientBody }) body: CreateClientBody) {
    return this.clients.create(actor, slug, body, wellKnown.publicAdmin);
  }

  @Get(':clientId')
  @Route({ does: 'Reads one client', answers: clientView })
  get(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('clientId') clientId: string) {
    return this.clients.get(actor, slug, clientId);
  }

  @Patch(':clientId')
  @Route({ does: 'Changes a client; its ID never changes', answers: updatedClientView, changes: true })
  update(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Param('clientId') clientId: string,
    @Body({ schema: updateClientBody }) body: UpdateClientBody,
  ) {
    const { userId, ...change } = body;
    return this.clients.update(actor, slug, clientId, {
      ...change,
      ...(userId === undefined ? {} : { userId: userId ?? wellKnown.publicAdmin }),
    });
  }

  @Delete(':clientId')
  @Route({ does: 'Removes a client with its secrets and tokens', answers: revokedSecretView, changes: true })
  delete(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('clientId') clientId: string) {
    return this.clients.delete(actor, slug, clientId);
  }

  @Get(':clientId/consumers')
  @Route({
    does: 'Lists who used which secret, from where and when, and who still presents one that has ended',
    answers: z.object({ items: z.array(consumerView), next: z.null() }),
  })
  async listConsumers(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('clientId') clientId: string) {
    return { items: await this.secrets.consumers(actor, slug, clientId), next: null };
  }

  @Get(':clientId/secrets')
  @Route({
    does: 'Lists the secret versions of a tool client, without their values',
    answers: z.object({ items: z.array(secretView), next: z.null() }),
  })
  async listSecrets(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('clientId') clientId: string) {
    return { items: await this.secrets.list(actor, slug, clientId), next: null };
  }

  @Post(':clientId/secrets')
  @Route({ does: 'Adds a secret beside the live ones', status: 201, answers: newSecretView, changes: true })
  createSecret(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Param('clientId') clientId: string,
    @Body({ schema: createSecretBody }) body: CreateSecretBody,
  ) {
    return this.secrets.create(actor, slug, clientId, body.expiresAt === undefined ? null : new Date(body.expiresAt));
  }

  @Post(':clientId/secrets/regenerate')
  @Route({
    does: 'Makes a new secret; the earlier ones and their tokens are dead when this answers, or after the overlap',
    answers: regeneratedSecretView,
    changes: true,
  })
  regenerate(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Param('clientId') clientId: string,
    @Body({ schema: regenerateSecretBody }) body: RegenerateSecretBody,
  ) {
    return this.secrets.regenerate(actor, slug, clientId, body);
  }

  @Post(':clientId/rotations/:cutoffId/cancel')
  @Route({
    does: 'Cancels a planned rotation: the newer secret and its tokens are dead when this answers, the earlier one lives on',
    answers: revokedSecretView,
    changes: true,
  })
  cancelRotation(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Param('clientId') clientId: string,
    @Param('cutoffId') cutoffId: string,
  ) {
    return this.secrets.endRotation(actor, slug, clientId, cutoffId, 'cancelled');
  }

  @Post(':clientId/rotations/:cutoffId/finish')
  @Route({
    does: 'Finishes a planned rotation before its time: the earlier secret and its tokens are dead when this answers',
    answers: revokedSecretView,
    changes: true,
  })
  finishRotation(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Param('clientId') clientId: string,
    @Param('cutoffId') cutoffId: string,
  ) {
    return this.secrets.endRotation(actor, slug, clientId, cutoffId, 'finished');
  }

  @Delete(':clientId/secrets/:secretId')
  @Route({ does: 'Ends one secret and its tokens now', answers: revokedSecretView, changes: true })
  revoke(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Param('clientId') clientId: string,
    @Param('secretId') secretId: string,
  ) {
    return this.secrets.revoke(actor, slug, clientId, secretId);
  }

  @Get(':clientId/keys')
  @Route({
    does: 'Lists the public keys with which a tool client proves who it is',
    answers: z.object({ items: z.array(clientKeyView), next: z.null() }),
  })
  async listKeys(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('clientId') clientId: string) {
    return { items: await this.keys.list(actor, slug, clientId), next: null };
  }

  @Post(':clientId/keys')
  @Route({ does: 'Adds a public key to a tool client (private_key_jwt)', status: 201, answers: clientKeyView, changes: true })
  addKey(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Param('clientId') clientId: string,
    @Body({ schema: createClientKeyBody }) body: CreateClientKeyBody,
  ) {
    return this.keys.add(actor, slug, clientId, body);
  }

  @Delete(':clientId/keys/:clientKeyId')
  @Route({ does: 'Ends one key of a tool client and its tokens now', answers: revokedSecretView, changes: true })
  revokeKey(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Param('clientId') clientId: string,
    @Param('clientKeyId') keyId: string,
  ) {
    return this.keys.revoke(actor, slug, clientId, keyId);
  }
}
