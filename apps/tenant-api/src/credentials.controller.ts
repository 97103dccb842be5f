import { Body, Controller, Delete, Get, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import {
  createdTenantCredentialView,
  createTenantCredentialBody,
  regeneratedSecretView,
  regenerateSecretBody,
  revokedSecretView,
  tenantCredentialView,
  type CreateTenantCredentialBody,
  type RegenerateSecretBody,
} from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { TenantCredentials } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';

@ApiTags('Tenant credentials')
@Controller('v1/credentials')
export class CredentialsController {
  constructor(readonly credentials: TenantCredentials) {}

  @Get()
  @Route({
    does: "Lists the tenant's credentials for this API, with their client IDs and without their secrets",
    answers: z.object({ items: z.array(tenantCredentialView), next: z.null() }),
  })
  async list(@CurrentActor() actor: Actor) {
    return { items: await this.credentials.list(actor), next: null };
  }

  @Post()
  @Route({
    does: 'Makes a credential that may do no more than whoever makes it; its secret is in this answer only',
    status: 201,
    answers: createdTenantCredentialView,
    changes: true,
  })
  create(@CurrentActor() actor: Actor, @Body({ schema: createTenantCredentialBody }) body: CreateTenantCredentialBody) {
    return this.credentials.create(actor, body);
  }

  @Post(':clientId/regenerate')
  @Route({
    does: 'Makes a new secret; the earlier ones and their tokens are lost when this answers, or after the overlap. Without one, or when a planned rotation is under way already, open invitations that were made with the credential are withdrawn',
    answers: regeneratedSecretView,
    changes: true,
  })
  regenerate(
    @CurrentActor() actor: Actor,
    @Param('clientId') clientId: string,
    @Body({ schema: regenerateSecretBody }) body: RegenerateSecretBody,
  ) {
    return this.credentials.regenerate(actor, clientId, body);
  }

  @Post(':clientId/rotations/:cutoffId/cancel')
  @Route({
    does: 'Cancels a planned rotation: the newer secret and its tokens are dead when this answers, the earlier one lives on. Open invitations that were made with the credential are withdrawn',
    answers: revokedSecretView,
    changes: true,
  })
  cancelRotation(@CurrentActor() actor: Actor, @Param('clientId') clientId: string, @Param('cutoffId') cutoffId: string) {
    return this.credentials.endRotation(actor, clientId, cutoffId, 'cancelled');
  }

  @Post(':clientId/rotations/:cutoffId/finish')
  @Route({
    does: 'Finishes a planned rotation before its time: the earlier secret and its tokens are dead when this answers. Open invitations that were made with the credential are withdrawn',
    answers: revokedSecretView,
    changes: true,
  })
  finishRotation(@CurrentActor() actor: Actor, @Param('clientId') clientId: string, @Param('cutoffId') cutoffId: string) {
    return this.credentials.endRotation(actor, clientId, cutoffId, 'finished');
  }

  @Delete(':clientId')
  @Route({
    does: 'Removes a credential with its secrets and tokens, and withdraws the open invitations that were made with it',
    answers: revokedSecretView,
    changes: true,
  })
  delete(@CurrentActor() actor: Actor, @Param('clientId') clientId: string) {
    return this.credentials.delete(actor, clientId);
  }
}
