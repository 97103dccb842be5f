import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import {
  createdInvitationView,
  createInvitationBody,
  cutoffView,
  invitationView,
  membersQuery,
  memberView,
  pageQuery,
  revokedSecretView,
  updatedMemberView,
  updateMemberBody,
  type CreateInvitationBody,
  type MembersQuery,
  type PageQuery,
  type UpdateMemberBody,
} from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { MemberInvitations, Members } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';

@ApiTags('Members')
@Controller('v1/members')
export class MembersController {
  constructor(readonly members: Members) {}

  @Get()
  @Route({ does: 'Lists the members of the tenant', answers: z.object({ items: z.array(memberView), next: z.string().nullable() }) })
  list(@CurrentActor() actor: Actor, @Query({ schema: membersQuery }) page: MembersQuery) {
    return this.members.list(actor, page);
  }

  @Get(':memberId')
  @Route({ does: 'Reads one member', answers: memberView })
  get(@CurrentActor() actor: Actor, @Param('memberId') memberId: string) {
    return this.members.get(actor, memberId);
  }

  @Patch(':memberId')
  @Route({ does: "Changes a member's role; nobody gives a role above their own", answers: updatedMemberView, changes: true })
  update(@CurrentActor() actor: Actor, @Param('memberId') memberId: string, @Body({ schema: updateMemberBody }) body: UpdateMemberBody) {
    return this.members.update(actor, memberId, body);
  }

  @Delete(':memberId')
  @Route({
    does: 'Removes a member with their credential; members may remove themselves',
    answers: z.object({ cutoff: cutoffView.nullable().describe("The end of the member's credential; null if they had none") }),
    changes: true,
  })
  remove(@CurrentActor() actor: Actor, @Param('memberId') memberId: string) {
    return this.members.remove(actor, memberId);
  }

  @Delete(':memberId/credential')
  @Route({
    does: "Revokes another member's credential, where the tenant's policy lets others do that",
    answers: revokedSecretView,
    changes: true,
  })
  revokeCredential(@CurrentActor() actor: Actor, @Param('memberId') memberId: string) {
    return this.members.revokeCredential(actor, memberId);
  }
}

@ApiTags('Members')
@Controller('v1/invitations')
export class InvitationsController {
  constructor(readonly invitations: MemberInvitations) {}

  @Get()
  @Route({
    does: 'Lists the open invitations into the tenant',
    answers: z.object({ items: z.array(invitationView), next: z.string().nullable() }),
  })
  list(@CurrentActor() actor: Actor, @Query({ schema: pageQuery }) page: PageQuery) {
    return this.invitations.list(actor, page);
  }

  @Post()
  @Route({ does: 'Invites a person; the one-time link is in this answer only', status: 201, answers: createdInvitationView, changes: true })
  create(@CurrentActor() actor: Actor, @Body({ schema: createInvitationBody }) body: CreateInvitationBody) {
    return this.invitations.create(actor, body);
  }

  @Delete(':invitationId')
  @Route({ does: 'Withdraws an open invitation', status: 204, changes: true })
  withdraw(@CurrentActor() actor: Actor, @Param('invitationId') invitationId: string) {
    return this.invitations.withdraw(actor, invitationId);
  }
}
