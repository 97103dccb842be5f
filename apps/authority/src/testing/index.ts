export { AppAndPerson, parameterOf, password, redirectUri, type Tokens } from './app-and-person.js';
export { CookieBrowser, hiddenField } from './cookie-browser.js';
