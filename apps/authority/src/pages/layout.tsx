import type { ComponentChildren } from 'preact';
import { render } from 'preact-render-to-string';
import { stylesheet } from './stylesheet.js';

export interface PageProps {
  /** Of the document; the repository's name follows. */
  title: string;
  repositoryName: string;
  children: ComponentChildren;
}

/** A whole page as HTML. It works without script and names the repository that it belongs to. */
export function page({ title, repositoryName, children }: PageProps): string {
  const document = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <meta name="color-scheme" content="light dark" />
        <title>{`${title} · ${repositoryName}`}</title>
        <style dangerouslySetInnerHTML={{ __html: stylesheet }} />
      </head>
      <body>
        <main>
          <header>
            <p class="mark" aria-hidden="true">
              {repositoryName.slice(0, 1).toUpperCase()}
            </p>
            <p class="repository">{repositoryName}</p>
          </header>
          {children}
        </main>
      </body>
    </html>
  );
  return `<!doctype html>${render(document)}`;
}

/** What went wrong with a form, read aloud at once and linked from its fields. */
export function Fault({ children }: { children?: ComponentChildren }) {
  return children ? (
    <p id="fault" class="fault" role="alert">
      {children}
    </p>
  ) : null;
}

export interface FieldProps {
  label: string;
  name: string;
  type?: 'text' | 'email' | 'password';
  value?: string;
  autocomplete: string;
  hint?: string;
  faulty?: boolean;
  autofocus?: boolean;
  required?: boolean;
  minLength?: number;
}

export function Field({
  label,
  name,
  type = 'text',
  value,
  autocomplete,
  hint,
  faulty = false,
  autofocus = false,
  required = true,
  minLength,
}: FieldProps) {
  const described = [hint ? `${name}-hint` : '', faulty ? 'fault' : ''].filter(Boolean).join(' ');
  return (
    <div class="field">
      <label for={name}>{label}</label>
      <input
        id={name}
        name={name}
        // Preact's types tell inputs apart by a literal type.
        type={type as 'text'}
        value={value}
        autocomplete={autocomplete}
        autocapitalize="none"
        spellcheck={false}
        required={required}
        minLength={minLength}
        maxLength={256}
        autofocus={autofocus}
        aria-invalid={faulty || undefined}
        aria-describedby={described || undefined}
      />
      {hint ? (
        <p id={`${name}-hint`} class="hint">
          {hint}
        </p>
      ) : null}
    </div>
  );
}
