import { Sentence, type Look } from './layout.js';

/** Other ways to sign in than here. */
export interface FederationOffer {
  providers: { name: string; href: string }[];
  /** Somebody has come back from a provider, and there is a user with their address. */
  connecting?: { provider: string; email: string; without: string };
}

/** Says above the form what signing in will do for somebody who has come back. */
export function Connecting({ look, offer }: { look: Look; offer: FederationOffer }) {
  const { federation } = look.language.texts;
  return offer.connecting ? (
    <div class="done notice" role="status">
      <p>
        <Sentence parts={federation.connect(offer.connecting.provider, offer.connecting.email, look.repositoryName)} />
      </p>
      <p>
        <a href={offer.connecting.without}>{federation.doNotConnect}</a>
      </p>
    </div>
  ) : null;
}

/** The buttons below the form. Links, since a form may not lead to wherever a provider sends people on. */
export function OtherWays({ look, offer }: { look: Look; offer: FederationOffer }) {
  const { federation } = look.language.texts;
  return offer.providers.length > 0 ? (
    <nav class="others" aria-label={federation.otherWays}>
      {offer.providers.map(({ name, href }) => (
        <a key={href} class="button quiet" href={href} rel="nofollow">
          {federation.signInWith(name)}
        </a>
      ))}
    </nav>
  ) : null;
}
