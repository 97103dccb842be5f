export { resolveActor } from './callers.js';
export { addTenant, audienceOf, Console, consoleSlug, install, type NewTenant, type InstallationOptions } from './installation.js';
export { createInvitation, Invitations, type Acceptance, type OpenInvitation } from './invitations.js';
export { provision, Repositories, type Blueprint, type RepositoriesOptions } from './repositories.js';
export { Tenants } from './tenants.js';
export { Users } from './users.js';
