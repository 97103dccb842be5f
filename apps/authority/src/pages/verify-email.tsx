import { page, Sentence, type Look } from './layout.js';

/** Asks whoever opened the link whether address and account are theirs. */
export function verifyEmailPage(
  look: Look,
  { action, address, loginName }: { action: string; address: string; loginName: string },
): string {
  const { verifyEmail: texts } = look.language.texts;
  return page(look, {
    title: texts.title,
    children: (
      <>
        <h1>{texts.title}</h1>
        <p class="lead">
          <Sentence parts={texts.lead(address, loginName)} />
        </p>
        <form method="post" action={action}>
          <button type="submit">{texts.submit}</button>
        </form>
      </>
    ),
  });
}
