import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { InMemoryWebStorage, WebStorageStateStore } from 'oidc-client-ts';
import { AuthProvider, type AuthProviderProps } from 'react-oidc-context';
import { App } from './app';
import { latchkey } from './latchkey';

const settings: AuthProviderProps = {
  authority: latchkey.authority,
  client_id: latchkey.clientId,
  redirect_uri: latchkey.redirectUri,
  post_logout_redirect_uri: latchkey.redirectUri,
  // `offline_access` gives a refresh token, with which the sign-in is renewed silently; `sensenet` opens the repository.
  scope: 'openid profile email offline_access sensenet',
  // In memory, since a browser copies what it stores into a tab that is duplicated, and a refresh token that two tabs use looks stolen.
  userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
  // The code is of no use twice, and has no business in the address.
  onSigninCallback: () => window.history.replaceState({}, '', window.location.pathname),
  // Signing out ends the refresh token too.
  revokeTokensOnSignout: true,
  revokeTokenAdditionalContentTypes: ['text/plain'],
};

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <AuthProvider {...settings}>
      <App />
    </AuthProvider>
  </StrictMode>,
);
