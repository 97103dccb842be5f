import { peopleDe } from './people-de.js';
import type { Texts } from './texts.js';

export const de: Texts = {
  ...peopleDe,
  signIn: {
    title: 'Anmelden',
    to: (repository, app) => ['bei ', repository, ', für ', app],
    anApp: 'eine App',
    login: 'Benutzername oder E-Mail',
    password: 'Passwort',
    submit: 'Anmelden',
    cancel: 'Abbrechen',
    wrong: 'Benutzername oder Passwort ist falsch.',
  },
  factors: {
    passkeyInstead: 'Mit Passkey anmelden',
    passkeyName: 'Passkey',
    prove: {
      title: 'Noch ein Schritt',
      submit: 'Weiter',
      passkey: 'Passkey verwenden',
      recovery: 'Wiederherstellungscode verwenden',
    },
    code: { label: 'Code', hint: 'Die sechs Ziffern, die Ihre Authenticator-App gerade zeigt.' },
    recovery: { label: 'Wiederherstellungscode', hint: 'Einer der zehn Codes, die Sie erhalten haben. Er gilt einmal.' },
    enrol: {
      title: 'Zweiten Faktor einrichten',
      why: (repository, app) => ['', repository, ' verlangt mehr als ein Passwort, bevor es weitergeht zu ', app, '.'],
      scan: 'Scannen Sie dieses Bild mit einer Authenticator-App auf Ihrem Telefon.',
      picture: 'QR-Code für eine Authenticator-App. Sein Inhalt steht darunter als Text.',
      type: 'Oder geben Sie diesen Schlüssel in die App ein:',
      submit: 'Einrichten',
      passkey: 'Stattdessen einen Passkey verwenden',
    },
    codes: {
      title: 'Ihre Wiederherstellungscodes',
      keep: 'Wenn Sie Telefon oder Passkey verlieren, kommen Sie mit jedem dieser Codes einmal hinein. Bewahren Sie sie bei Ihren wichtigen Unterlagen auf: Sie werden nicht noch einmal gezeigt.',
      shown:
        'Ihre Wiederherstellungscodes wurden einmal gezeigt. Wenn Sie sie nicht aufbewahrt haben, erzeugen Sie auf Ihrer Kontoseite neue.',
      submit: 'Ich habe sie aufbewahrt',
    },
    faults: {
      wrong: 'Dieser Code ist falsch oder wurde schon benutzt. Warten Sie auf den nächsten.',
      wait: (minutes) =>
        `Zu viele falsche Codes. Versuchen Sie es in ${minutes === 1 ? 'einer Minute' : `${minutes} Minuten`} noch einmal.`,
      passkey: 'Das hat nicht geklappt. Versuchen Sie es noch einmal oder wählen Sie einen anderen Weg.',
      passkeyAlone: 'Kein Passkey wurde angenommen. Versuchen Sie es noch einmal oder melden Sie sich mit Ihrem Passwort an.',
    },
  },
  federation: {
    onward: { title: 'Sie werden angemeldet', link: 'Weiter' },
    otherWays: 'Andere Wege, sich anzumelden',
    signInWith: (provider: string) => `Mit ${provider} anmelden`,
    connect: (provider: string, email: string, repository: string) => [
      'Sie kommen von ',
      provider,
      ' als ',
      email,
      `, und in ${repository} gibt es einen Benutzer mit dieser Adresse. Melden Sie sich einmal als dieser Benutzer an; dann sind Sie verbunden und können sich künftig mit ${provider} anmelden.`,
    ],
    doNotConnect: 'Ohne Verbinden anmelden',
    declined: (provider: string) => `${provider} hat nicht gesagt, wer Sie sind: Sie haben dort abgebrochen, oder es hat abgelehnt.`,
    failed: (provider: string) =>
      `${provider} ist gerade nicht erreichbar oder hat nicht richtig geantwortet. Versuchen Sie es gleich noch einmal, oder melden Sie sich anders an.`,
    noAddress: (provider: string) =>
      `${provider} hat keine E-Mail-Adresse von Ihnen genannt, die dort bestätigt ist; deshalb sind Sie hier nicht zu erkennen. Bestätigen Sie dort Ihre Adresse, oder melden Sie sich anders an.`,
    unknown: (provider: string) => `Sie sind bei ${provider} bekannt, haben hier aber kein Konto. Bitten Sie um eine Einladung.`,
    otherDomain: (provider: string) =>
      `Mit Ihrer Adresse bei ${provider} kann hier niemand selbst ein Konto anlegen. Bitten Sie um eine Einladung.`,
    disabled: () => 'Ihr Konto hier ist gesperrt. Wenden Sie sich an die Betreiber.',
    gone: 'Dieser Weg, sich anzumelden, wird nicht mehr angeboten.',
    back: 'Zurück zur Anmeldung',
  },
  invitation: {
    setPassword: { title: 'Passwort festlegen', submit: 'Passwort festlegen' },
    createAccount: { title: 'Konto anlegen', submit: 'Konto anlegen' },
    willSignInAs: (login) => ['Sie melden sich künftig als ', login, ' an.'],
    willBe: (role) => ['Sie erhalten beim einladenden Mandanten die Rolle ', role, '.'],
    invited: 'Sie wurden eingeladen.',
    login: 'Benutzername',
    name: 'Ihr Name',
    email: 'E-Mail',
    done: { title: 'Alles bereit', text: (login) => `Sie können sich jetzt als ${login} anmelden.`, portal: 'Zum Portal' },
    gone: {
      title: 'Dieser Link gilt nicht mehr',
      text: 'Die Einladung wurde benutzt oder ist abgelaufen. Bitten Sie um eine neue.',
    },
    taken: {
      loginName: 'Diesen Benutzernamen hat schon jemand. Wählen Sie einen anderen.',
      email: 'Diese E-Mail-Adresse hat schon jemand.',
    },
  },
  newPassword: {
    label: 'Passwort',
    again: 'Passwort wiederholen',
    hint: (shortest) => `Mindestens ${shortest} Zeichen. Ein paar Wörter hintereinander sind leicht zu merken und schwer zu erraten.`,
    faults: {
      tooShort: (shortest) => `Das Passwort muss mindestens ${shortest} Zeichen haben.`,
      tooLong: () => 'Das Passwort darf höchstens 256 Zeichen haben.',
      common: () => 'Dieses Passwort benutzen viele, es wird zuerst probiert. Wählen Sie ein anderes.',
      repetitive: () => 'Das Passwort wiederholt oder zählt dieselben Zeichen. Wählen Sie ein anderes.',
      personal: () => 'Das Passwort besteht aus Ihrem Namen, Ihrer Adresse oder dem Namen des Repositorys. Wählen Sie ein anderes.',
    },
    different: 'Die beiden Passwörter sind nicht gleich.',
  },
  faults: {
    login:
      'Ein Benutzername hat keine Leerzeichen, Schrägstriche, Anführungszeichen oder Zeichen wie <>()?#%&*:| und höchstens 100 Zeichen.',
    name: 'Geben Sie einen Namen mit höchstens 200 Zeichen ein.',
    email: 'Das ist keine E-Mail-Adresse.',
  },
  device: {
    title: 'Gerät verbinden',
    enter: 'Geben Sie den Code ein, den Ihr Gerät oder Ihre Kommandozeile zeigt.',
    code: 'Code',
    next: 'Weiter',
    question: 'Ist das Ihr Gerät?',
    asks: (app, repository) => ['', app, ' möchte in ', repository, ' in Ihrem Namen handeln. Dort steht dieser Code:'],
    warning:
      'Fahren Sie nur fort, wenn Sie das selbst begonnen haben und dort denselben Code sehen. Wer Ihnen diesen Code geschickt hat, wäre sonst als Sie angemeldet.',
    confirm: 'Ja, anmelden',
    deny: 'Nein, abbrechen',
    done: { title: 'Ihr Gerät ist angemeldet', text: 'Sie können diese Seite schließen und dort weitermachen.' },
    denied: { title: 'Das Gerät wurde nicht angemeldet', text: 'Sie können diese Seite schließen.' },
    wrong: 'Diesen Code gibt es nicht. Vielleicht ist er abgelaufen: Lassen Sie sich einen neuen zeigen.',
    used: 'Dieser Code wurde schon benutzt. Lassen Sie sich einen neuen zeigen.',
    missing: 'Geben Sie den Code ein.',
    slow: 'Von Ihrer Adresse kamen zu viele falsche Codes. Warten Sie eine Minute.',
  },
  signOut: {
    title: 'Abmelden',
    question: 'Abmelden?',
    leaving: (app) => `Sie verlassen ${app}.`,
    about: 'Sie sind dabei, sich abzumelden.',
    submit: 'Abmelden',
    stay: 'Angemeldet bleiben',
    done: { title: 'Sie sind abgemeldet', text: 'Sie können diese Seite schließen.' },
  },
  problem: {
    title: 'Das hat nicht geklappt',
    request:
      'Die App hat Sie mit einer Anfrage hierher geschickt, die nicht beantwortet werden kann. Gehen Sie zurück und versuchen Sie es noch einmal; hilft das nicht, geben Sie den Betreibern der App weiter, was unten steht.',
    otherSite: 'Das Formular kam von einer anderen Website. Öffnen Sie die Seite neu und füllen Sie es dort aus.',
    noRepository: 'Unter dieser Adresse gibt es kein aktives Repository.',
    unavailable: 'Zugangsdaten können gerade nicht geprüft werden. Versuchen Sie es gleich noch einmal.',
    failed: 'Auf unserer Seite ist etwas schiefgegangen.',
    startAgain: {
      title: 'Von vorn beginnen',
      text: 'Es hat zu lange gedauert, oder Sie haben sich in einem anderen Fenster angemeldet. Gehen Sie zurück zur App und beginnen Sie noch einmal.',
    },
  },
};
