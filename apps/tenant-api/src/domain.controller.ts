import { Body, Controller, Delete, Get, Param, Post, Put } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { domainView, setDomainBody, type SetDomainBody } from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { CustomDomains } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';

@ApiTags('Domain of a repository')
@Controller('v1/repositories/:slug/domain')
export class DomainController {
  constructor(readonly domains: CustomDomains) {}

  @Get()
  @Route({ does: 'Reads the domain of a repository, and the DNS record that proves it', answers: domainView })
  get(@CurrentActor() actor: Actor, @Param('slug') slug: string) {
    return this.domains.get(actor, slug);
  }

  @Put()
  @Route({ does: 'Claims a domain for the authority of a repository', answers: domainView, changes: true })
  set(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Body({ schema: setDomainBody }) body: SetDomainBody) {
    return this.domains.set(actor, slug, body);
  }

  @Post('verify')
  @Route({ does: 'Looks for the DNS record; the authority answers at the domain when it is there', answers: domainView, changes: true })
  verify(@CurrentActor() actor: Actor, @Param('slug') slug: string) {
    return this.domains.verify(actor, slug);
  }

  @Delete()
  @Route({
    does: 'Gives the domain up: nothing answers there any more, and no token that was issued there is accepted',
    status: 204,
    changes: true,
  })
  remove(@CurrentActor() actor: Actor, @Param('slug') slug: string) {
    return this.domains.remove(actor, slug);
  }
}
