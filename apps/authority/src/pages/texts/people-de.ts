import type { peopleEn } from './people-en.js';

/** What people read where they look after their account: in German. */
export const peopleDe: typeof peopleEn = {
  tooManyAttempts: {
    title: 'Zu viele Versuche',
    text: (minutes) =>
      `Es wurde zu oft versucht. Warten Sie ${minutes === 1 ? 'eine Minute' : `${minutes} Minuten`}, oder legen Sie per E-Mail ein neues Passwort fest.`,
    forgot: 'Neues Passwort festlegen',
  },
  tooManyRequests: {
    title: 'Zu viele Anfragen',
    text: (minutes) => `Aus Ihrem Netz kam zu viel. Warten Sie ${minutes === 1 ? 'eine Minute' : `${minutes} Minuten`}.`,
  },
  forgotten: {
    link: 'Passwort vergessen?',
    title: 'Neues Passwort festlegen',
    lead: 'Geben Sie Ihren Benutzernamen oder Ihre E-Mail-Adresse ein. Wir senden Ihnen einen Link, mit dem Sie ein neues Passwort festlegen.',
    submit: 'Link senden',
    sent: {
      title: 'Sehen Sie in Ihre E-Mails',
      text: 'Wenn es ein Konto mit diesem Namen oder dieser Adresse gibt, ist ein Link an dessen Adresse unterwegs. Er gilt 30 Minuten. Ein Konto bekommt höchstens drei in einer Stunde.',
    },
  },
  newPasswordByLink: {
    title: 'Neues Passwort festlegen',
    lead: (login) => ['Für Ihr Konto ', login, '. Wer dort angemeldet ist, wird abgemeldet.'],
    submit: 'Passwort festlegen',
    done: {
      title: 'Ihr Passwort ist festgelegt',
      text: (login) => `Melden Sie sich damit als ${login} an. Frühere Sitzungen sind beendet.`,
    },
    gone: {
      title: 'Dieser Link gilt nicht mehr',
      text: 'Er wurde benutzt oder ist abgelaufen. Fordern Sie einen neuen an.',
      again: 'Neuen Link anfordern',
    },
  },
  verifyEmail: {
    title: 'E-Mail-Adresse bestätigen',
    lead: (address, login) => ['Ist ', address, ' Ihre Adresse und ', login, ' Ihr Konto?'],
    submit: 'Bestätigen',
    done: { title: 'Ihre Adresse ist bestätigt', text: (address) => `${address} ist jetzt die Adresse Ihres Kontos.` },
    gone: {
      title: 'Dieser Link gilt nicht mehr',
      text: 'Er wurde benutzt oder ist abgelaufen. Fordern Sie auf der Seite Ihres Kontos einen neuen an.',
    },
    taken: {
      title: 'Die Adresse ist vergeben',
      text: 'Ein anderes Konto hat inzwischen diese Adresse. Nehmen Sie eine andere oder jenes Konto.',
    },
    toAccount: 'Ihr Konto',
  },
  account: {
    title: 'Ihr Konto',
    app: 'Ihr Konto',
    signedInAs: (login) => ['Angemeldet als ', login, '.'],
    signIn: 'Anmelden',
    cancelled: { title: 'Sie sind nicht angemeldet', text: 'Melden Sie sich an, um Ihr Konto zu sehen.' },
    fresh: {
      text: 'Um hier etwas zu ändern, melden Sie sich noch einmal an: Es ist länger als zehn Minuten her.',
      submit: 'Noch einmal anmelden',
    },
    saved: 'Gespeichert.',
    conflict: 'Das Konto wurde gleichzeitig geändert. Sehen Sie noch einmal nach.',
    password: {
      title: 'Passwort',
      present: 'Bisheriges Passwort',
      next: 'Neues Passwort',
      submit: 'Passwort ändern',
      hint: 'Meldet Sie überall ab, nur hier nicht.',
      none: 'Ihr Konto hat kein Passwort.',
      wrong: 'Das bisherige Passwort ist falsch.',
      done: 'Ihr Passwort ist geändert. Alles andere, was angemeldet war, ist abgemeldet.',
    },
    profile: {
      title: 'Name und E-Mail',
      name: 'Name',
      saveName: 'Namen speichern',
      email: 'E-Mail',
      saveEmail: 'Link an diese Adresse senden',
      verified: 'Bestätigt.',
      unverified: 'Noch nicht bestätigt.',
      none: 'Sie haben hier keine Adresse; ein vergessenes Passwort lässt sich deshalb nicht per E-Mail ersetzen.',
      sent: 'Ein Link ist an diese Adresse unterwegs. Sobald Sie ihn geöffnet haben, gilt sie hier als Ihre; bis dahin ändert sich nichts.',
      tooMany: 'Das waren drei Links in einer Stunde. Versuchen Sie es später noch einmal.',
    },
    sessions: {
      title: 'Wo Sie angemeldet sind',
      this: 'dieser Browser',
      lastUsed: (when) => `Zuletzt benutzt ${when}`,
      signedIn: (when) => `angemeldet ${when}`,
      from: (address) => `von ${address}`,
      end: 'Abmelden',
      endOf: (device) => `${device} abmelden`,
      everywhere: 'Überall abmelden',
      everywhereHint: 'Beendet jede Sitzung, auch diese, und den Zugriff jeder App auf Ihr Konto.',
      everywhereDone: { title: 'Sie sind überall abgemeldet', text: 'Keine App und kein Browser ist mehr in Ihrem Konto angemeldet.' },
      unknownDevice: 'ein unbekannter Browser',
      device: (browser, system) => `${browser} unter ${system}`,
    },
    apps: {
      title: 'Apps mit Zugriff auf Ihr Konto',
      none: 'Zurzeit keine.',
      since: (when) => `seit ${when}`,
      end: 'Zugriff beenden',
      endOf: (app) => `Zugriff von ${app} beenden`,
    },
  },
};
