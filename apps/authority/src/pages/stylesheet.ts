import { createHash } from 'node:crypto';
import { accent, paper } from '@latchkey/contracts';

/** The look of every page of the authority. Contrast is at least 4.5 to 1 in both schemes (WCAG 2.2 §1.4.3). */
export const stylesheet = `
:root { color-scheme: light dark; --ink: #1a2233; --soft: #55607a; --paper: ${paper.light}; --ground: #f2f4f8; --line: #8a94a8; --accent: ${accent.light}; --on-accent: #ffffff; --fault: #a81919; --fault-ground: #fdeeee; }
@media (prefers-color-scheme: dark) { :root { --ink: #eef1f8; --soft: #b3bdd1; --paper: ${paper.dark}; --ground: #10141d; --line: #76819a; --accent: ${accent.dark}; --on-accent: #0c1530; --fault: #ffb4b4; --fault-ground: #3b1c20; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem 1rem; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 26rem; padding: 2rem; background: var(--paper); border-radius: 0.75rem; box-shadow: 0 1px 3px rgb(0 0 0 / 0.2); overflow-wrap: anywhere; }
header { display: flex; align-items: center; gap: 0.75rem; margin-bottom: 1.5rem; }
header p { margin: 0; }
.mark { flex: none; width: 2.25rem; height: 2.25rem; display: grid; place-items: center; border-radius: 0.5rem; background: var(--accent); color: var(--on-accent); font-weight: 700; }
/* Many logos are drawn for white ground and would not be seen on a dark one. */
.logo { flex: none; max-width: 10rem; height: 2.5rem; padding: 0.125rem; border-radius: 0.375rem; background: #ffffff; object-fit: contain; }
.repository { font-weight: 600; }
h1 { margin: 0 0 0.25rem; font-size: 1.5rem; line-height: 1.25; }
.lead { margin: 0 0 1.5rem; color: var(--soft); }
.field { margin-bottom: 1.25rem; }
label { display: block; margin-bottom: 0.25rem; font-weight: 600; }
input { width: 100%; min-height: 2.75rem; padding: 0.5rem 0.75rem; border: 1px solid var(--line); border-radius: 0.5rem; background: transparent; color: inherit; font: inherit; }
input[aria-invalid] { border-color: var(--fault); }
.hint { margin: 0.25rem 0 0; color: var(--soft); font-size: 0.875rem; }
.fault { margin: 0 0 1.25rem; padding: 0.75rem 1rem; border-left: 4px solid var(--fault); border-radius: 0.25rem; background: var(--fault-ground); color: var(--fault); }
button, .button { display: block; width: 100%; min-height: 2.75rem; padding: 0.5rem 1rem; border: 1px solid var(--accent); border-radius: 0.5rem; background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 600; text-align: center; text-decoration: none; cursor: pointer; }
button.quiet, a.button.quiet { margin-top: 0.75rem; background: transparent; color: var(--accent); }
section { margin-top: 2rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }
h2 { margin: 0 0 1rem; font-size: 1.125rem; line-height: 1.25; }
section form + form, .things + form { margin-top: 1.5rem; }
dt { font-weight: 600; } dd { margin: 0 0 0.75rem; }
.things { margin: 0; padding: 0; list-style: none; }
.things li { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; justify-content: space-between; padding: 0.5rem 0; }
.things li > div { flex: 1 1 12rem; }
.things p { margin: 0; }
.tag { padding: 0.125rem 0.5rem; border: 1px solid var(--line); border-radius: 1rem; font-size: 0.8125rem; white-space: nowrap; }
button.small { width: auto; min-height: 2.25rem; margin: 0; padding: 0.25rem 0.75rem; white-space: nowrap; }
h1 + .fault, h1 + .done { margin-top: 1rem; }
.done { margin: 0 0 1.25rem; padding: 0.75rem 1rem; border-left: 4px solid var(--accent); border-radius: 0.25rem; background: var(--ground); }
.after { margin: 1.25rem 0 0; text-align: center; }
.after + .after { margin-top: 0.5rem; }
.after + form { margin-top: 1.25rem; }
.others > p { margin: 0; text-align: center; }
a { color: var(--accent); }
a.button { color: var(--on-accent); }
a.button.quiet { color: var(--accent); }
.others { margin-top: 1.5rem; padding-top: 0.75rem; border-top: 1px solid var(--line); }
.notice p { margin: 0; }
.notice p + p { margin-top: 0.5rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
code { font-size: 0.875rem; }
form + form, form + details, details + form { margin-top: 0.75rem; }
form + form button.quiet, details + form button.quiet { margin-top: 0; }
details summary { padding: 0.625rem 0; color: var(--accent); font-weight: 600; text-align: center; cursor: pointer; }
.qr { display: block; width: 100%; max-width: 15rem; margin: 0 auto 1rem; border-radius: 0.5rem; }
.secret { margin: 0.25rem 0 1.25rem; }
.codes { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: 0.5rem; margin: 0 0 1.5rem; padding: 0; list-style: none; }
.codes code { font-size: 1rem; }
.code code { font-size: 1.5rem; letter-spacing: 0.05em; }
@media (max-width: 26rem) { main { padding: 1.5rem; } }
`;

/** How a Content-Security-Policy names the one stylesheet that pages may have (CSP Level 3 §2.3.1). */
export const stylesheetHash = `'sha256-${createHash('sha256').update(stylesheet).digest('base64')}'`;
