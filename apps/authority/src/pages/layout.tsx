import type { ComponentChildren } from 'preact';
import { render } from 'preact-render-to-string';
import type { Brand } from './brand.js';
import { stylesheet } from './stylesheet.js';
import type { Language } from './texts/choose.js';

/** Whose page it is and in which language. */
export interface Look {
  repositoryName: string;
  brand: Brand;
  language: Language;
  /** Characters that a new password must have at least. */
  shortestPassword: number;
}

export interface PageProps {
  /** Of the document; the repository's name follows. */
  title: string;
  /** More of the document's head. */
  head?: ComponentChildren;
  children: ComponentChildren;
}

/** A whole page as HTML. It works without script and names the repository that it belongs to. */
export function page({ repositoryName, brand, language }: Look, { title, head, children }: PageProps): string {
  const document = (
    <html lang={language.tag}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <meta name="color-scheme" content="light dark" />
        {head}
        <title>{`${title} · ${repositoryName}`}</title>
        <style dangerouslySetInnerHTML={{ __html: stylesheet }} />
        {brand.style ? <style dangerouslySetInnerHTML={{ __html: brand.style }} /> : null}
      </head>
      <body>
        <main>
          <header>
            {brand.logo ? (
              <img class="logo" src={brand.logo} alt="" />
            ) : (
              <p class="mark" aria-hidden="true">
                {repositoryName.slice(0, 1).toUpperCase()}
              </p>
            )}
            <p class="repository">{repositoryName}</p>
          </header>
          {children}
        </main>
      </body>
    </html>
  );
  return `<!doctype html>${render(document)}`;
}

/** A sentence whose every second part stands out. */
export function Sentence({ parts }: { parts: string[] }) {
  return <>{parts.map((part, index) => (index % 2 ? <strong key={index}>{part}</strong> : part))}</>;
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
  inputMode?: 'numeric';
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
  inputMode,
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
        inputMode={inputMode}
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

export interface NewPasswordProps {
  look: Look;
  /** Where "Password" alone would not tell it from the present one. */
  label?: string;
  faulty?: string | undefined;
  autofocus?: boolean;
}

/** Asks for a new password, twice: fields `password` and `again`. */
export function NewPassword({ look, label, faulty, autofocus = false }: NewPasswordProps) {
  const { label: usual, again, hint } = look.language.texts.newPassword;
  const field = { type: 'password', autocomplete: 'new-password', minLength: look.shortestPassword } as const;
  return (
    <>
      <Field
        {...field}
        label={label ?? usual}
        name="password"
        hint={hint(look.shortestPassword)}
        faulty={faulty === 'password'}
        autofocus={autofocus}
      />
      <Field {...field} label={again} name="again" faulty={faulty === 'again'} />
    </>
  );
}
