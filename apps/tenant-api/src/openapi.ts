import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { Config } from './config.js';

const description = `The control plane of Latchkey: repositories, their clients, secrets and users.

Every call takes an access token of the console's authority. Errors are problems (RFC 9457). Times are RFC 3339 in UTC.
A changing call takes an \`Idempotency-Key\`. A secret is in the one answer that made it.`;

/** Describes the API as OpenAPI 3.1, from the routes themselves. */
export function describeApi(app: NestFastifyApplication, config: Pick<Config, 'TENANT_API_URL'>): OpenAPIObject {
  const document = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Latchkey tenant API')
    .setDescription(description)
    .setVersion('1')
    .addServer(config.TENANT_API_URL)
    .addBearerAuth()
    .build();
  return SwaggerModule.createDocument(app, document);
}

/** The document at `/openapi.json` and a page to browse it at `/docs`. */
export function serveOpenApi(app: NestFastifyApplication, config: Config): void {
  SwaggerModule.setup('docs', app, () => describeApi(app, config), {
    jsonDocumentUrl: 'openapi.json',
    yamlDocumentUrl: 'openapi.yaml',
    customSiteTitle: 'Latchkey tenant API',
  });
}
