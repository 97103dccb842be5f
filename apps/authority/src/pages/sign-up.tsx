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
export function newCustomerPage(look: Look, { action, address, ...form }: NewCustomerForm & { action: string; address: string }): string {
  const { newCustomer: texts } = look.language.texts;
  return page(look, {
    title: texts.title,
    children: (
      <>
        <h1>{texts.title}</h1>
        <p class="lead">
          <Sentence parts={texts.lead(address)} />
        </p>
        <form method="post" action={action}>
          <Fault>{form.fault}</Fault>
          <input type="hidden" name="login" value={address} autocomplete="username" />
          <Field label={texts.name} name="name" value={form.name} autocomplete="name" faulty={form.faulty === 'name'} autofocus />
          <Field
            label={texts.company}
            name="company"
            value={form.company}
            autocomplete="organization"
            hint={texts.companyHint}
            faulty={form.faulty === 'company'}
          />
          <NewPassword look={look} faulty={form.faulty} />
          <button type="submit">{texts.submit}</button>
        </form>
      </>
    ),
  });
}
