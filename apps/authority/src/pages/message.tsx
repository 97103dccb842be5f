import { page, type Look } from './layout.js';

export interface Message {
  title: string;
  text: string;
  /** For whoever has to find out what went wrong. */
  detail?: string;
  link?: { href: string; label: string };
}

/** A page that says one thing and may lead on. */
export function messagePage(look: Look, { title, text, detail, link }: Message): string {
  return page(look, {
    title,
    children: (
      <>
        <h1>{title}</h1>
        <p>{text}</p>
        {detail ? (
          <p class="hint">
            <code>{detail}</code>
          </p>
        ) : null}
        {link ? (
          <a class="button" href={link.href}>
            {link.label}
          </a>
        ) : null}
      </>
    ),
  });
}
