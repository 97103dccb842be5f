import { page, type Look } from './layout.js';

/**
 * Sends a browser on by a step of its own, without script. Browsers hold every redirect that follows a form to where its page
 * lets forms lead (CSP `form-action`), also those of the app at the end; from this page on they may be sent anywhere.
 */
export function onwardPage(look: Look, href: string): string {
  const { onward } = look.language.texts;
  return page(look, {
    title: onward.title,
    head: <meta http-equiv="refresh" content={`0;url=${href}`} />,
    children: (
      <>
        <h1>{onward.title}</h1>
        <p>
          <a href={href}>{onward.link}</a>
        </p>
      </>
    ),
  });
}
