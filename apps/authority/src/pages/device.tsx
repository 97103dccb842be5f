import { Fault, Field, page, Sentence, type Look } from './layout.js';

/** Where a form goes, and the token that shows that it came from here. */
export interface DeviceForm {
  action: string;
  xsrf: string;
}

/** What the library's form holds; it comes without a look. */
export function deviceForm(form: string): DeviceForm {
  const [, action = ''] = /action="([^"]*)"/.exec(form) ?? [];
  const [, xsrf = ''] = /name="xsrf" value="([^"]*)"/.exec(form) ?? [];
  return { action, xsrf };
}

/** Asks for the code that a device shows (RFC 8628 §3.3). */
export function deviceCodePage(look: Look, { action, xsrf }: DeviceForm, fault?: string): string {
  const { device } = look.language.texts;
  return page(look, {
    title: device.title,
    children: (
      <>
        <h1>{device.title}</h1>
        <p class="lead">{device.enter}</p>
        <form method="post" action={action}>
          <Fault>{fault}</Fault>
          <input type="hidden" name="xsrf" value={xsrf} />
          <Field label={device.code} name="user_code" autocomplete="off" faulty={Boolean(fault)} autofocus />
          <button type="submit">{device.next}</button>
        </form>
      </>
    ),
  });
}

/** Asks whether it is this person's device, which somebody else may have made them believe (RFC 8628 §5.4). */
export function deviceConfirmPage(look: Look, { action, xsrf }: DeviceForm, { app, code }: { app: string; code: string }): string {
  const { device } = look.language.texts;
  return page(look, {
    title: device.title,
    children: (
      <>
        <h1>{device.question}</h1>
        <p class="lead">
          <Sentence parts={device.asks(app, look.repositoryName)} />
        </p>
        <p class="code">
          <code>{code}</code>
        </p>
        <p>{device.warning}</p>
        <form method="post" action={action}>
          <input type="hidden" name="xsrf" value={xsrf} />
          <input type="hidden" name="user_code" value={code} />
          <button type="submit" name="confirm" value="yes">
            {device.confirm}
          </button>
          <button type="submit" class="quiet" name="abort" value="yes">
            {device.deny}
          </button>
        </form>
      </>
    ),
  });
}
