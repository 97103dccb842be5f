import { All, Controller, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ContentService } from './content-service.js';

/** Every address that is not one of the app's own belongs to a repository. */
@Controller()
export class ODataController {
  constructor(readonly service: ContentService) {}

  @All('*')
  async serve(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.service.serve(request, reply);
  }
}
