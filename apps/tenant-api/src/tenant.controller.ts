import { Body, Controller, Delete, Get, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  deletedTenantView,
  deleteTenantQuery,
  tenantView,
  transferOwnershipBody,
  updatedMemberView,
  updatedTenantView,
  updateTenantBody,
  type DeleteTenantQuery,
  type TransferOwnershipBody,
  type UpdateTenantBody,
} from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { Members, TenantDeletion, Tenants } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';

@ApiTags('Tenant')
@Controller('v1/tenant')
export class TenantController {
  constructor(
    readonly tenants: Tenants,
    readonly members: Members,
    readonly deletion: TenantDeletion,
  ) {}

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

  @Post('transfer')
  @Route({ does: 'Makes another member the owner, and the owner who calls a super admin', answers: updatedMemberView, changes: true })
  transfer(@CurrentActor() actor: Actor, @Body({ schema: transferOwnershipBody }) body: TransferOwnershipBody) {
    return this.members.transferOwnership(actor, body);
  }

  @Delete()
  @Route({
    does: 'Deletes the tenant: ends everything below it at once, for an owner in person who names it',
    answers: deletedTenantView,
    changes: true,
  })
  delete(@CurrentActor() actor: Actor, @Query({ schema: deleteTenantQuery }) query: DeleteTenantQuery) {
    return this.deletion.delete(actor, query);
  }
}
