import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import {
  createUserBody,
  cutoffView,
  updateUserBody,
  userSessionView,
  usersQuery,
  userView,
  type CreateUserBody,
  type UpdateUserBody,
  type UsersQuery,
} from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { Users, UserSessions } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';
import { userId } from './user-id.js';

@ApiTags('Users of a repository')
@Controller('v1/repositories/:slug/users')
export class UsersController {
  constructor(
    readonly users: Users,
    readonly sessions: UserSessions,
  ) {}

  @Get()
  @Route({ does: 'Lists the users of a repository', answers: z.object({ items: z.array(userView), next: z.string().nullable() }) })
  list(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Query({ schema: usersQuery }) page: UsersQuery) {
    return this.users.list(actor, slug, page);
  }

  @Post()
  @Route({ does: 'Adds a user who can sign in at the repository', status: 201, answers: userView, changes: true })
  create(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Body({ schema: createUserBody }) body: CreateUserBody) {
    return this.users.create(actor, slug, body);
  }

  @Get(':id')
  @Route({ does: 'Reads one user', answers: userView })
  get(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('id') id: string) {
    return this.users.get(actor, slug, userId(id));
  }

  @Patch(':id')
  @Route({
    does: 'Changes a user; a new password or disabling ends older tokens',
    answers: userView.extend({ cutoff: cutoffView.optional() }),
    changes: true,
  })
  update(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Param('id') id: string,
    @Body({ schema: updateUserBody }) body: UpdateUserBody,
  ) {
    return this.users.update(actor, slug, userId(id), body);
  }

  @Delete(':id')
  @Route({
    does: 'Deletes a user into the trash of the repository; ends its tokens, sessions and API keys',
    answers: z.object({ cutoff: cutoffView }),
    changes: true,
  })
  delete(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('id') id: string) {
    return this.users.delete(actor, slug, userId(id));
  }

  @Post(':id/invite')
  @Route({ does: 'Makes a one-time link with which the user sets a password', answers: z.object({ link: z.url() }), changes: true })
  invite(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('id') id: string) {
    return this.users.invite(actor, slug, userId(id));
  }

  @Get(':id/sessions')
  @Route({ does: 'Lists where the user is signed in, at most 100 browsers', answers: z.object({ items: z.array(userSessionView) }) })
  listSessions(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('id') id: string) {
    return this.sessions.list(actor, slug, userId(id));
  }

  @Delete(':id/sessions/:sessionId')
  @Route({ does: 'Ends one session of the user, and the tokens that apps got in it', status: 204, changes: true })
  endSession(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('id') id: string, @Param('sessionId') sessionId: string) {
    return this.sessions.end(actor, slug, userId(id), sessionId);
  }

  @Post(':id/sign-out')
  @Route({
    does: 'Ends every session and token of the user, who can sign in again',
    answers: z.object({ cutoff: cutoffView }),
    changes: true,
  })
  signOut(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('id') id: string) {
    return this.sessions.signOut(actor, slug, userId(id));
  }
}
