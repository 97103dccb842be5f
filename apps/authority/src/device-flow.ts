import type { IncomingMessage } from 'node:http';
import type { Configuration, KoaContextWithOIDC } from 'oidc-provider';
import type { KnownRepository } from '@latchkey/credentials';
import type { Authority } from './authority.js';
import type { Guesser } from './guessing.js';
import type { Issuer } from './issuer.js';
import { deviceCodePage, deviceConfirmPage, deviceForm } from './pages/device.js';
import { pageHeaders } from './pages/headers.js';
import { messagePage } from './pages/message.js';
import { lookOf } from './people/visit.js';

/** How a device asks for tokens once somebody has entered its code elsewhere (RFC 8628 §3.4). */
export const deviceGrantType = 'urn:ietf:params:oauth:grant-type:device_code';

/** Where people enter the code, below the issuer. */
export const deviceCodePath = '/device';

type DeviceFlow = NonNullable<NonNullable<Configuration['features']>['deviceFlow']>;

/**
 * Signing a command line in, from a browser elsewhere (RFC 8628), with pages of ours. A setting of the repository, since
 * whoever sends somebody a code can talk them into entering it: the confirmation says what is at stake (§5.4).
 */
export function deviceFlow(authority: Authority, issuer: Issuer): DeviceFlow {
  const look = (ctx: KoaContextWithOIDC) => lookOf(issuer, ctx.req);
  const show = (ctx: KoaContextWithOIDC, html: string, status = 200) => {
    ctx.set(pageHeaders(issuer.brand));
    ctx.status = status;
    ctx.body = html;
  };
  return {
    enabled: true,
    // 20 consonants to the power of 8: 34 bits, good for ten minutes, and guessing is slowed by address (§5.1).
    charset: 'base-20',
    mask: '****-****',
    userCodeInputSource: async (ctx, form, _out, error) => {
      const { device } = look(ctx).language.texts;
      const fault = error as { name?: string; status?: number } | undefined;
      if (fault?.name === 'AbortedError') return show(ctx, messagePage(look(ctx), device.denied));
      const guesser = codeGuesser(authority, issuer.repository, ctx.req);
      if (fault?.name === 'NotFoundError') authority.guessing.failed(guesser);
      if (await authority.guessing.isGuesser(guesser)) return show(ctx, deviceCodePage(look(ctx), deviceForm(form), device.slow), 429);
      const texts: Record<string, string> = { NoCodeError: device.missing, AlreadyUsedError: device.used };
      return show(ctx, deviceCodePage(look(ctx), deviceForm(form), fault && (texts[fault.name ?? ''] ?? device.wrong)), fault ? 400 : 200);
    },
    userCodeConfirmSource: async (ctx, form, client, _deviceInfo, userCode) =>
      show(ctx, deviceConfirmPage(look(ctx), deviceForm(form), { app: client.clientName ?? client.clientId, code: userCode })),
    successSource: async (ctx) => show(ctx, messagePage(look(ctx), look(ctx).language.texts.device.done)),
  };
}

/** Who types codes, at one repository, as what is counted against guessing. */
export function codeGuesser(authority: Authority, repository: KnownRepository, request: IncomingMessage | undefined): Guesser {
  return { repositoryId: repository.id, clientId: 'user code', address: authority.addressOf(request) };
}

/**
 * Whoever posts a code without having opened the page before, or comes back from a sign-in that never began, has no session that
 * the library could keep its answer in, and it would fail. They are sent to the page.
 */
export async function beginWithTheCode(
  ctx: Pick<KoaContextWithOIDC, 'path' | 'method' | 'status' | 'redirect'>,
  issuer: Issuer,
  next: () => Promise<void>,
) {
  try {
    await next();
  } catch (error) {
    const { session } = (ctx as { oidc?: { session?: { exp?: number } } }).oidc ?? {};
    const wantsSession = ctx.path.startsWith(`${deviceCodePath}/`) || (ctx.path === deviceCodePath && ctx.method === 'POST');
    if (!wantsSession || !session || session.exp !== undefined) throw error;
    ctx.redirect(`${issuer.url}${deviceCodePath}`);
    ctx.status = 303;
  }
}
