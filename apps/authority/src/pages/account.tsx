import type { ComponentChild, ComponentChildren } from 'preact';
import { page, Sentence, type Look } from './layout.js';

/** The page of a person's own account. @param again where its reader signs in anew, when that has to come before changes. */
export function accountPage(
  look: Look,
  { loginName, again, sections }: { loginName: string; again: string | undefined; sections: ComponentChild[] },
): string {
  const { account: texts } = look.language.texts;
  return page(look, {
    title: texts.title,
    children: (
      <>
        <h1>{texts.title}</h1>
        <p class="lead">
          <Sentence parts={texts.signedInAs(loginName)} />
        </p>
        {again ? (
          <form method="post" action={again}>
            <p>{texts.fresh.text}</p>
            <button type="submit">{texts.fresh.submit}</button>
          </form>
        ) : null}
        {sections}
      </>
    ),
  });
}

/** A part of the page. */
export function Section({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** How something is ended: the form's address, the field that says which, what the button says, and says to those who do not see it. */
interface Ending {
  action: string;
  field?: [name: string, value: string];
  text: string;
  label: string;
}

/** Something of the person's, in a list of class `things`. @param end for whoever may end it here. */
export function Thing({ name, tag, hint, end }: { name: string; tag?: string | false; hint: string; end: Ending | false }) {
  return (
    <li>
      <div>
        <strong>{name}</strong> {tag ? <span class="tag">{tag}</span> : null}
        <p class="hint">{hint}</p>
      </div>
      {end ? (
        <form method="post" action={end.action}>
          {end.field ? <input type="hidden" name={end.field[0]} value={end.field[1]} /> : null}
          <button type="submit" class="quiet small" aria-label={end.label}>
            {end.text}
          </button>
        </form>
      ) : null}
    </li>
  );
}

/** What became of a change, read aloud at once. */
export function Said({ said }: { said: { done: string } | { fault: string } | undefined }) {
  if (!said) return null;
  return 'done' in said ? (
    <p class="done" role="status">
      {said.done}
    </p>
  ) : (
    <p id="fault" class="fault" role="alert">
      {said.fault}
    </p>
  );
}
