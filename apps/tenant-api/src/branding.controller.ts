import { Body, Controller, Delete, Param, Put } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { brandingView, logoBody, type LogoBody } from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { Logos } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';

@ApiTags('Repositories')
@Controller('v1/repositories/:slug/logo')
export class BrandingController {
  constructor(readonly logos: Logos) {}

  @Put()
  @Route({ does: 'Shows a logo on the sign-in pages of a repository', answers: brandingView, changes: true })
  set(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Body({ schema: logoBody }) body: LogoBody) {
    return this.logos.set(actor, slug, body);
  }

  @Delete()
  @Route({ does: 'Removes the logo from the sign-in pages of a repository', answers: brandingView, changes: true })
  remove(@CurrentActor() actor: Actor, @Param('slug') slug: string) {
    return this.logos.remove(actor, slug);
  }
}
