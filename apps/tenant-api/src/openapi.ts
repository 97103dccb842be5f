import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';
import type { Config } from './config.js';
import { examples } from './examples.js';

const description = `The control plane of Latchkey: repositories, their clients, secrets and users.

Every call takes an access token of the console's authority. Errors are problems (RFC 9457). Times are RFC 3339 in UTC.
A changing call takes an \`Idempotency-Key\`. A secret is in the one answer that made it.

Any call may be answered 401 (no good token), 403 (the role or the credential does not allow it), 404 (not there, or not the caller's),
429 and 503 (with \`Retry-After\`). What is wrong with a request is 400, with a pointer to each member; what the present state does not
allow is 409. The \`type\` of a problem is an address that says what to do.

Members of several tenants say which one they mean in the header \`Latchkey-Tenant\`; without it, it is the one that they joined first.`;

/** What the parameters mean that mean the same wherever they stand. */
const meanings: Record<string, string> = {
  slug: 'The slug of the repository',
  clientId: 'A client ID',
  id: "The user's id",
  memberId: "The member's id",
  invitationId: "The invitation's id",
  secretId: "The secret's id, as the list of secrets has it",
  keyId: "The API key's id",
  clientKeyId: "The public key's id, as the list of keys has it",
  cutoffId: 'The id of a cut-off, from the answer of the act that made it',
  webhookId: "The webhook's id",
  deliveryId: "The delivery's id",
  providerId: "The identity provider's id, which was chosen when it was added",
  sessionId: "The session's id, as the list of sessions has it",
  factor: '`totp` for the authenticator app, or the id of a passkey',
};

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
  for (const [schema, example] of examples) z.globalRegistry.add(schema, { ...z.globalRegistry.get(schema), examples: [example] });
  const described = SwaggerModule.createDocument(app, document);
  for (const methods of Object.values(described.paths)) {
    for (const { parameters = [] } of Object.values(methods) as { parameters?: { in: string; name: string; description?: string }[] }[]) {
      for (const parameter of parameters) {
        const meaning = parameter.in === 'path' ? meanings[parameter.name] : undefined;
        if (meaning !== undefined) parameter.description ??= meaning;
      }
    }
  }
  return described;
}

/** The document at `/openapi.json` and a page to browse it at `/docs`. */
export function serveOpenApi(app: NestFastifyApplication, config: Config): void {
  SwaggerModule.setup('docs', app, () => describeApi(app, config), {
    jsonDocumentUrl: 'openapi.json',
    yamlDocumentUrl: 'openapi.yaml',
    customSiteTitle: 'Latchkey tenant API',
  });
}
