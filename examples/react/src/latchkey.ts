/** Which repository this app belongs to. The portal shows this file with your repository's values: put it here. */
export const latchkey = {
  authority: 'http://localhost:4100/your-repository',
  clientId: 'app_…',
  redirectUri: 'http://localhost:5173/',
  repositoryUrl: 'http://localhost:4200/your-repository',
};
