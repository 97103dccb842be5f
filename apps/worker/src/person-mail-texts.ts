import type { FactorDeed, MailData, PersonMailTemplate } from '@latchkey/jobs';
import { redact } from '@latchkey/runtime';
import type { MailText } from './mail-texts.js';

/** What a mail to a person is about beside its data. */
export interface PersonMailPlace {
  /** What people call the repository. */
  repository: string;
  /** Its issuer: every address in the mail lies below it. */
  issuer: string;
  /** What its link is, if the mail has one. */
  link?: string | undefined;
}

/** The paragraph in which the link stands. */
const theLink = Symbol('link');

type Paragraphs = (string | typeof theLink)[];
type Words = { [T in PersonMailTemplate]: (data: MailData<T>, place: PersonMailPlace) => { subject: string; paragraphs: Paragraphs } };

const moment = (iso: string) => `${iso.slice(0, 16).replace('T', ' ')} UTC`;

type FactorWords = Record<FactorDeed, { subject: (repository: string) => string; text: (login: string, repository: string) => string }>;

const factorsEn: FactorWords = {
  'totp-added': {
    subject: (at) => `An authenticator app was added to your account at ${at}`,
    text: (login, at) => `Signing in to your account ${login} at ${at} now takes a code of an authenticator app.`,
  },
  'totp-removed': {
    subject: (at) => `The authenticator app was removed from your account at ${at}`,
    text: (login, at) => `Signing in to your account ${login} at ${at} takes no code of an authenticator app any more.`,
  },
  'passkey-added': {
    subject: (at) => `A passkey was added to your account at ${at}`,
    text: (login, at) => `Your account ${login} at ${at} has a new passkey.`,
  },
  'passkey-removed': {
    subject: (at) => `A passkey was removed from your account at ${at}`,
    text: (login, at) => `Your account ${login} at ${at} has a passkey less.`,
  },
  'recovery-codes-renewed': {
    subject: (at) => `New recovery codes for your account at ${at}`,
    text: (login, at) => `Your account ${login} at ${at} has new recovery codes. The earlier ones work no longer.`,
  },
  'recovery-code-used': {
    subject: (at) => `A recovery code of your account at ${at} was used`,
    text: (login, at) => `Somebody signed in to your account ${login} at ${at} with a recovery code.`,
  },
  'guessed-at': {
    subject: (at) => `Wrong codes for your account at ${at}`,
    text: (login, at) => `Somebody who knows the password of your account ${login} at ${at} entered five wrong codes and was made to wait.`,
  },
};

const factorsDe: FactorWords = {
  'totp-added': {
    subject: (at) => `Ihr Konto bei ${at} hat jetzt eine Authenticator-App`,
    text: (login, at) => `Wer sich mit Ihrem Konto ${login} bei ${at} anmeldet, braucht jetzt einen Code einer Authenticator-App.`,
  },
  'totp-removed': {
    subject: (at) => `Die Authenticator-App Ihres Kontos bei ${at} wurde entfernt`,
    text: (login, at) => `Wer sich mit Ihrem Konto ${login} bei ${at} anmeldet, braucht keinen Code einer Authenticator-App mehr.`,
  },
  'passkey-added': {
    subject: (at) => `Ihr Konto bei ${at} hat einen neuen Passkey`,
    text: (login, at) => `Ihrem Konto ${login} bei ${at} wurde ein Passkey hinzugefügt.`,
  },
  'passkey-removed': {
    subject: (at) => `Ein Passkey Ihres Kontos bei ${at} wurde entfernt`,
    text: (login, at) => `Ihr Konto ${login} bei ${at} hat einen Passkey weniger.`,
  },
  'recovery-codes-renewed': {
    subject: (at) => `Neue Wiederherstellungscodes für Ihr Konto bei ${at}`,
    text: (login, at) => `Ihr Konto ${login} bei ${at} hat neue Wiederherstellungscodes. Die früheren gelten nicht mehr.`,
  },
  'recovery-code-used': {
    subject: (at) => `Ein Wiederherstellungscode Ihres Kontos bei ${at} wurde benutzt`,
    text: (login, at) => `Jemand hat sich mit Ihrem Konto ${login} bei ${at} durch einen Wiederherstellungscode angemeldet.`,
  },
  'guessed-at': {
    subject: (at) => `Falsche Codes für Ihr Konto bei ${at}`,
    text: (login, at) =>
      `Jemand, der das Passwort Ihres Kontos ${login} bei ${at} kennt, hat fünf falsche Codes eingegeben und muss nun warten.`,
  },
};

const en: Words = {
  'person.invited': ({ loginName }, { repository }) => ({
    subject: `Your invitation to ${repository}`,
    paragraphs: [
      loginName === null
        ? `You have been invited to ${repository}. Open this link within seven days to create your account:`
        : `You have been invited to ${repository}, where your user name is ${loginName}. Open this link within seven days to set your password:`,
      theLink,
      'It works once. If you did not expect it, you need not do anything.',
    ],
  }),
  'person.sign-up': ({ to }, { repository }) => ({
    subject: `Your new account at ${repository}`,
    paragraphs: [
      `Somebody, we hope you, wants to sign up at ${repository} with the address ${to.address}. Open this link within 24 hours to go on:`,
      theLink,
      'It works once. If you have an account with this address already, it tells you how to sign in. If it was not you, do nothing: without the link nothing comes of it.',
    ],
  }),
  'person.verify-email': ({ loginName }, { repository }) => ({
    subject: `Confirm your e-mail address for ${repository}`,
    paragraphs: [
      `The account ${loginName} at ${repository} gives this as its e-mail address. If the account is yours, open this link within 24 hours to confirm that the address is yours too:`,
      theLink,
      'If the account is not yours, do nothing: without the link the address counts for nothing.',
    ],
  }),
  'person.new-password': ({ loginName }, { repository }) => ({
    subject: `Set a new password for ${repository}`,
    paragraphs: [
      `Somebody, we hope you, has asked for a new password for the account ${loginName} at ${repository}. Open this link within 30 minutes to set it:`,
      theLink,
      'It works once. If it was not you, do nothing: your present password goes on working.',
    ],
  }),
  'person.password-changed': ({ loginName, at, address }, { repository, issuer }) => ({
    subject: `Your password for ${repository} was changed`,
    paragraphs: [
      `The password of your account ${loginName} at ${repository} was changed on ${moment(at)}${from(address)}. Everyone who was signed in with the earlier one was signed out.`,
      `If it was not you, set a new password now, and tell whoever runs ${repository}: ${issuer}/forgotten-password`,
    ],
  }),
  'person.email-changed': ({ loginName, at, address }, { repository }) => ({
    subject: `Your e-mail address for ${repository} was changed`,
    paragraphs: [
      `Your account ${loginName} at ${repository} has had another e-mail address since ${moment(at)}${from(address)}. Nothing about it is sent to this one any more.`,
      `If it was not you, tell whoever runs ${repository} now.`,
    ],
  }),
  'person.factors': ({ loginName, at, address, what, codesLeft }, { repository, issuer }) => ({
    subject: factorsEn[what].subject(repository),
    paragraphs: [
      `${factorsEn[what].text(loginName ?? '', repository)} It happened on ${moment(at)}${from(address)}.`,
      ...(what === 'recovery-code-used' ? [`${codesLeft} recovery codes are left.`] : []),
      `If it was not you, set a new password now, look at your account, and tell whoever runs ${repository}: ${issuer}/forgotten-password`,
    ],
  }),
  'person.tenant-deleted': ({ loginName, at, address, tenant, by }, { repository }) => ({
    subject: `Your tenant ${tenant} at ${repository} was deleted`,
    paragraphs: [
      `The owner ${by} deleted the tenant ${tenant} at ${repository} on ${moment(at)}${from(address)}. Its repositories, and every credential of it and of its members, ended at that moment. Your account ${loginName} stays.`,
      `Its content is kept for 30 days. If it was not meant to be deleted, tell whoever runs ${repository} before then.`,
    ],
  }),
  'person.new-device': ({ loginName, at, address, device }, { repository, issuer }) => ({
    subject: `New sign-in to ${repository}`,
    paragraphs: [
      `Somebody signed in to your account ${loginName} at ${repository} in a browser that had not been used for it before: ${device}, on ${moment(at)}${from(address)}.`,
      `If it was you, you need not do anything. If not, change your password, which ends every session: ${issuer}/account`,
    ],
  }),
};

const de: Words = {
  'person.invited': ({ loginName }, { repository }) => ({
    subject: `Ihre Einladung zu ${repository}`,
    paragraphs: [
      loginName === null
        ? `Sie wurden zu ${repository} eingeladen. Öffnen Sie innerhalb von sieben Tagen diesen Link, um Ihr Konto anzulegen:`
        : `Sie wurden zu ${repository} eingeladen; Ihr Benutzername dort ist ${loginName}. Öffnen Sie innerhalb von sieben Tagen diesen Link, um Ihr Passwort festzulegen:`,
      theLink,
      'Er gilt einmal. Wenn Sie ihn nicht erwartet haben, müssen Sie nichts tun.',
    ],
  }),
  'person.sign-up': ({ to }, { repository }) => ({
    subject: `Ihr neues Konto bei ${repository}`,
    paragraphs: [
      `Jemand, hoffentlich Sie, möchte sich mit der Adresse ${to.address} bei ${repository} registrieren. Öffnen Sie innerhalb von 24 Stunden diesen Link, um weiterzumachen:`,
      theLink,
      'Er gilt einmal. Wenn Sie mit dieser Adresse schon ein Konto haben, sagt er Ihnen, wie Sie sich anmelden. Wenn Sie es nicht waren, tun Sie nichts: Ohne den Link geschieht nichts.',
    ],
  }),
  'person.verify-email': ({ loginName }, { repository }) => ({
    subject: `Bestätigen Sie Ihre E-Mail-Adresse für ${repository}`,
    paragraphs: [
      `Das Konto ${loginName} bei ${repository} gibt diese E-Mail-Adresse an. Wenn das Konto Ihnen gehört, öffnen Sie innerhalb von 24 Stunden diesen Link, um zu bestätigen, dass auch die Adresse Ihnen gehört:`,
      theLink,
      'Wenn das Konto nicht Ihnen gehört, tun Sie nichts: Ohne den Link gilt die Adresse nicht.',
    ],
  }),
  'person.new-password': ({ loginName }, { repository }) => ({
    subject: `Neues Passwort für ${repository}`,
    paragraphs: [
      `Jemand, hoffentlich Sie, möchte ein neues Passwort für das Konto ${loginName} bei ${repository}. Öffnen Sie innerhalb von 30 Minuten diesen Link, um es festzulegen:`,
      theLink,
      'Er gilt einmal. Wenn Sie es nicht waren, tun Sie nichts: Ihr jetziges Passwort gilt weiter.',
    ],
  }),
  'person.password-changed': ({ loginName, at, address }, { repository, issuer }) => ({
    subject: `Ihr Passwort für ${repository} wurde geändert`,
    paragraphs: [
      `Das Passwort Ihres Kontos ${loginName} bei ${repository} wurde am ${moment(at)}${von(address)} geändert. Wer mit dem früheren angemeldet war, wurde abgemeldet.`,
      `Wenn Sie es nicht waren, legen Sie sofort ein neues fest und sagen Sie den Betreibern von ${repository} Bescheid: ${issuer}/forgotten-password`,
    ],
  }),
  'person.email-changed': ({ loginName, at, address }, { repository }) => ({
    subject: `Ihre E-Mail-Adresse für ${repository} wurde geändert`,
    paragraphs: [
      `Ihr Konto ${loginName} bei ${repository} hat seit ${moment(at)}${von(address)} eine andere E-Mail-Adresse. An diese hier geht nichts mehr dazu.`,
      `Wenn Sie es nicht waren, sagen Sie sofort den Betreibern von ${repository} Bescheid.`,
    ],
  }),
  'person.factors': ({ loginName, at, address, what, codesLeft }, { repository, issuer }) => ({
    subject: factorsDe[what].subject(repository),
    paragraphs: [
      `${factorsDe[what].text(loginName ?? '', repository)} Das war am ${moment(at)}${address === null ? '' : `, von der Adresse ${address}`}.`,
      ...(what === 'recovery-code-used' ? [`Es sind noch ${codesLeft} Wiederherstellungscodes übrig.`] : []),
      `Wenn Sie es nicht waren, legen Sie sofort ein neues Passwort fest, sehen Sie Ihr Konto durch und sagen Sie den Betreibern von ${repository} Bescheid: ${issuer}/forgotten-password`,
    ],
  }),
  'person.tenant-deleted': ({ loginName, at, address, tenant, by }, { repository }) => ({
    subject: `Ihr Mandant ${tenant} bei ${repository} wurde gelöscht`,
    paragraphs: [
      `Der Eigentümer ${by} hat den Mandanten ${tenant} bei ${repository} am ${moment(at)}${von(address)} gelöscht. Seine Repositorys und alle Zugangsdaten des Mandanten und seiner Mitglieder sind seitdem ungültig. Ihr Konto ${loginName} bleibt bestehen.`,
      `Die Inhalte werden noch 30 Tage aufbewahrt. Wenn das ein Irrtum war, sagen Sie vorher den Betreibern von ${repository} Bescheid.`,
    ],
  }),
  'person.new-device': ({ loginName, at, address, device }, { repository, issuer }) => ({
    subject: `Neue Anmeldung bei ${repository}`,
    paragraphs: [
      `Jemand hat sich mit Ihrem Konto ${loginName} bei ${repository} in einem Browser angemeldet, der dafür noch nicht benutzt wurde: ${device}, am ${moment(at)}${von(address)}.`,
      `Wenn Sie es waren, müssen Sie nichts tun. Wenn nicht, ändern Sie Ihr Passwort; das beendet jede Sitzung: ${issuer}/account`,
    ],
  }),
};

const words = { en, de };
const sentBy = {
  en: (repository: string) => `Sent by Latchkey for ${repository}.`,
  de: (repository: string) => `Gesendet von Latchkey für ${repository}.`,
};

const from = (address: string | null) => (address === null ? '' : `, from the address ${address}`);
const von = (address: string | null) => (address === null ? '' : `, von der Adresse ${address},`);

/**
 * Writes out a mail to one person, in their language. Whatever is shaped like a secret is blotted out, for people name things
 * as they like; but for the link, which is the only secret that a mail may carry.
 */
export function writePersonMail<T extends PersonMailTemplate>(template: T, data: MailData<T>, place: PersonMailPlace): MailText {
  const { subject, paragraphs } = words[data.language][template](data, place);
  const written = paragraphs.map((paragraph) => (paragraph === theLink ? (place.link ?? '') : redact(paragraph)));
  return {
    subject: redact(subject),
    text: `${[...written, `-- \n${redact(sentBy[data.language](place.repository))}`].join('\n\n')}\n`,
  };
}
