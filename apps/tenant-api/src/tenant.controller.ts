import { Body, Controller, Get, Patch } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { tenantView, updatedTenantView, updateTenantBody, type UpdateTenantBody } from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { Tenants } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';

@ApiTags('Tenant')
@Controller('v1/tenant')
export class TenantController {
  constructor(readonly tenants: Tenants) {}

  @Get()
  @Route({ does: 'Reads the tenant', answers: tenantView })
  get(@CurrentActor() actor: Actor) {
    return this.tenants.get(actor);
  }

  @Patch()
  @Route({ does: 'Changes the tenant; naming a webhook answers its signing secret once', answers: updatedTenantView, changes: true })
  update(@CurrentActor() actor: Actor, @Body({ schema: updateTenantBody }) body: UpdateTenantBody) {
    return this.tenants.update(actor, body);
  }
}
