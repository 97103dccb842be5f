import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { consoleSlug } from '@latchkey/tenancy';
import type { Authority } from './authority.js';
import type { Issuer } from './issuer.js';

/** A password, or whatever else is one factor. */
const singleFactor = 'urn:latchkey:acr:single';
/** Two factors of different kinds, or a passkey whose device recognised the person. */
export const multiFactor = 'urn:latchkey:acr:mfa';

/** Weakest first. Discovery names them as `acr_values_supported`. */
export const acrValues = [singleFactor, multiFactor];

/** What the ways in which somebody proved who they are (`amr`, RFC 8176) come to (`acr`, OpenID Connect Core 1.0 §2). */
export function acrOf(amr: readonly string[]): string {
  return amr.includes('mfa') ? multiFactor : singleFactor;
}

/**
 * What an app's request asks for (`acr_values`, or `claims` with `acr`; OpenID Connect Core 1.0 §3.1.2.1 and §5.5.1.1): the
 * first value that is known here. Asked for is as good as demanded: whoever names it gets it, or nobody in.
 *
 * @throws UnmetAuthenticationRequirements when it insists on values of which none is known.
 */
export function wantedAcr(params: Record<string, unknown>): string | undefined {
  const { values, essential } = askedAcr(params);
  const known = values.find((value) => acrValues.includes(value));
  if (known === undefined && essential && values.length > 0)
    throw new errors.UnmetAuthenticationRequirements('none of the requested acr values is known here');
  return known;
}

function askedAcr({ acr_values: list, claims }: Record<string, unknown>): { values: string[]; essential: boolean } {
  const words = typeof list === 'string' ? list.split(' ').filter(Boolean) : [];
  const asked = typeof claims === 'string' ? acrClaim(claims) : undefined;
  if (!asked) return { values: words, essential: false };
  const named: unknown[] = Array.isArray(asked.values) ? asked.values : asked.value === undefined ? [] : [asked.value];
  return { values: named.length > 0 ? named.map(String) : words, essential: asked.essential === true };
}

function acrClaim(claims: string): { essential?: unknown; value?: unknown; values?: unknown } | undefined {
  try {
    // The library has refused what is no JSON before anybody gets here.
    const { id_token: idToken } = JSON.parse(claims) as { id_token?: { acr?: object | null } };
    return idToken?.acr ?? undefined;
  } catch {
    return undefined;
  }
}

/**
 * When somebody who has a session must prove more: the app asks for it, or it is demanded of them. These checks take the place
 * of the library's own, which want the very value and would ask for ever where nobody can give it.
 */
export function stepUpChecks(authority: Authority, issuer: Issuer): interactionPolicy.Check[] {
  const lacks = (ctx: KoaContextWithOIDC) => ctx.oidc.session?.accountId !== undefined && ctx.oidc.session.acr !== multiFactor;
  const say = 'End-User must prove a second factor';
  return [
    new interactionPolicy.Check('requested_acr', say, 'login_required', (ctx) => {
      const wanted = wantedAcr((ctx.oidc.params ?? {}) as Record<string, unknown>);
      return wanted === multiFactor && lacks(ctx);
    }),
    new interactionPolicy.Check('second_factor_forced', say, 'login_required', async (ctx) => {
      const { accountId } = ctx.oidc.session ?? {};
      return accountId !== undefined && lacks(ctx) && mustHaveSecondFactor(authority, issuer, Number(accountId));
    }),
  ];
}

/**
 * A refresh token is worth what its user proved when they signed in.
 *
 * @throws InvalidGrant when that was one factor and two are demanded by now. The token stays as it is.
 */
export async function refuseLesserProof(
  authority: Authority,
  issuer: Issuer,
  token: { accountId?: string | undefined; acr?: string | undefined } | undefined,
): Promise<void> {
  if (token?.accountId === undefined || token.acr === multiFactor) return;
  if (await mustHaveSecondFactor(authority, issuer, Number(token.accountId)))
    throw new errors.InvalidGrant('a second factor is demanded: the user must sign in again');
}

/** Whether the repository demands a second factor of this user; at the console, also whether a tenant does of its member. */
export async function mustHaveSecondFactor(authority: Authority, issuer: Issuer, userId: number): Promise<boolean> {
  if (issuer.secondFactor === 'forced') return true;
  return issuer.repository.slug === consoleSlug && authority.secondFactors.memberMustHave(issuer.repository.id, userId);
}
