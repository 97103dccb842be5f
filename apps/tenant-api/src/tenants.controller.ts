import { Body, Controller, Get, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { createTenantBody, ownTenantView, type CreateTenantBody } from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { OwnTenants } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';

@ApiTags('Me')
@Controller('v1/me/tenants')
export class TenantsController {
  constructor(readonly tenants: OwnTenants) {}

  @Get()
  @Route({
    does: 'Lists the tenants of the person who is calling; Latchkey-Tenant says which one a call is for',
    answers: z.object({ items: z.array(ownTenantView), next: z.null() }),
  })
  async list(@CurrentActor() actor: Actor) {
    return { items: await this.tenants.list(actor), next: null };
  }

  @Post()
  @Route({
    does: 'Makes a tenant whose owner the caller is, where the installation lets members do that',
    status: 201,
    answers: ownTenantView,
    changes: true,
  })
  create(@CurrentActor() actor: Actor, @Body({ schema: createTenantBody }) body: CreateTenantBody) {
    return this.tenants.create(actor, body);
  }
}
