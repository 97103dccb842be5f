import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import {
  createdWebhookView,
  createWebhookBody,
  deliveryQuery,
  deliveryView,
  pageQuery,
  rotatedWebhookView,
  rotateWebhookBody,
  updateWebhookBody,
  webhookView,
  type CreateWebhookBody,
  type DeliveryQuery,
  type PageQuery,
  type RotateWebhookBody,
  type UpdateWebhookBody,
} from '@latchkey/contracts';
import type { Actor } from '@latchkey/access';
import { WebhookDeliveries, Webhooks } from '@latchkey/tenancy';
import { CurrentActor } from './authentication.js';
import { Route } from './describe-route.js';

@ApiTags('Webhooks')
@Controller('v1/repositories/:slug/webhooks')
export class WebhooksController {
  constructor(
    readonly webhooks: Webhooks,
    readonly deliveries: WebhookDeliveries,
  ) {}

  @Get()
  @Route({ does: 'Lists the webhooks of a repository', answers: z.object({ items: z.array(webhookView), next: z.string().nullable() }) })
  list(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Query({ schema: pageQuery }) page: PageQuery) {
    return this.webhooks.list(actor, slug, page);
  }

  @Post()
  @Route({ does: 'Adds a webhook, which answers its signing secret once', status: 201, answers: createdWebhookView, changes: true })
  create(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Body({ schema: createWebhookBody }) body: CreateWebhookBody) {
    return this.webhooks.create(actor, slug, body);
  }

  @Get(':webhookId')
  @Route({ does: 'Reads one webhook', answers: webhookView })
  get(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('webhookId') webhookId: string) {
    return this.webhooks.get(actor, slug, webhookId);
  }

  @Patch(':webhookId')
  @Route({ does: 'Changes a webhook; enabling clears what it was disabled for', answers: webhookView, changes: true })
  update(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Param('webhookId') webhookId: string,
    @Body({ schema: updateWebhookBody }) body: UpdateWebhookBody,
  ) {
    return this.webhooks.update(actor, slug, webhookId, body);
  }

  @Delete(':webhookId')
  @Route({ does: 'Removes a webhook with its signing secrets', status: 204, changes: true })
  async delete(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('webhookId') webhookId: string) {
    await this.webhooks.delete(actor, slug, webhookId);
  }

  @Post(':webhookId/test')
  @Route({ does: 'Sends the event webhook.test to this webhook; the deliveries say how it went', answers: deliveryView, changes: true })
  test(@CurrentActor() actor: Actor, @Param('slug') slug: string, @Param('webhookId') webhookId: string) {
    return this.deliveries.test(actor, slug, webhookId);
  }

  @Post(':webhookId/rotate')
  @Route({
    does: 'Makes a new signing secret; the earlier one signs beside it during the overlap',
    answers: rotatedWebhookView,
    changes: true,
  })
  rotate(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Param('webhookId') webhookId: string,
    @Body({ schema: rotateWebhookBody }) body: RotateWebhookBody,
  ) {
    return this.webhooks.rotate(actor, slug, webhookId, body);
  }

  @Get(':webhookId/deliveries')
  @Route({
    does: 'Lists what was sent to a webhook in the last 90 days, the latest first',
    answers: z.object({ items: z.array(deliveryView), next: z.string().nullable() }),
  })
  listDeliveries(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Param('webhookId') webhookId: string,
    @Query({ schema: deliveryQuery }) query: DeliveryQuery,
  ) {
    return this.deliveries.list(actor, slug, webhookId, query);
  }

  @Post(':webhookId/deliveries/:deliveryId/redeliver')
  @Route({ does: 'Sends an event again now, under its own id and with all its retries', answers: deliveryView, changes: true })
  redeliver(
    @CurrentActor() actor: Actor,
    @Param('slug') slug: string,
    @Param('webhookId') webhookId: string,
    @Param('deliveryId') deliveryId: string,
  ) {
    return this.deliveries.redeliver(actor, slug, webhookId, deliveryId);
  }
}
