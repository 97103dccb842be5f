import { Fault, Field, NewPassword, page, Sentence, type Look } from './layout.js';

/** Asks who has no account yet for an address. */
export function signUpPage(
  look: Look,
  { action, portal, email, fault }: { action: string; portal: string; email?: string; fault?: string },
): string {
  const { signUp: texts } = look.language.texts;
  return page(look, {
    title: texts.title,
    children: (
      <>
        <h1>{texts.title}</h1>
        <p class="lead">{texts.lead}</p>
        <form method="post" action={action}>
          <Fault>{fault}</Fault>
          <Field label={texts.email} name="email" type="email" value={email} autocomplete="email" faulty={Boolean(fault)} autofocus />
          <button type="submit">{texts.submit}</button>
        </form>
        <p class="after">
          {texts.already} <a href={portal}>{texts.signIn}</a>
        </p>
      </>
    ),
  });
}

export interface NewCustomerForm {
  name?: string;
  company?: string;
  fault?: string;
  /** The field that the fault is about. */
  faulty?: string;
}

/** Asks whoever opened the link for everything else. */
export function newCustomerPage(
  look: Look,
  { action, address, knownAs, ...form }: NewCustomerForm & { action: string; address: string; knownAs?: string | undefined },
): string {
  const { newCustomer: texts } = look.language.texts;
  const title = knownAs === undefined ? texts.title : texts.back.title;
  return page(look, {
    title,
    children: (
      <>
        <h1>{title}</h1>
        <p class="lead">
          <Sentence parts={knownAs === undefined ? texts.lead(address) : texts.back.lead(knownAs)} />
        </p>
        <form method="post" action={action}>
          <Fault>{form.fault}</Fault>
          {knownAs === undefined ? (
            <>
              <input type="hidden" name="login" value={address} autocomplete="username" />
              <Field label={texts.name} name="name" value={form.name} autocomplete="name" faulty={form.faulty === 'name'} autofocus />
            </>
          ) : null}
          <Field
            label={texts.company}
            name="company"
            value={form.company}
            autocomplete="organization"
            hint={texts.companyHint}
            faulty={form.faulty === 'company'}
          />
          {knownAs === undefined ? <NewPassword look={look} faulty={form.faulty} /> : null}
          <button type="submit">{knownAs === undefined ? texts.submit : texts.back.submit}</button>
        </form>
      </>
    ),
  });
}
