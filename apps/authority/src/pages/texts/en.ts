import { peopleEn } from './people-en.js';

/**
 * Every text that a person meets at the authority. Other languages have the same shape. A list of parts is one sentence whose
 * second, fourth, … part stands out.
 */
export const en = {
  ...peopleEn,
  signIn: {
    title: 'Sign in',
    to: (repository: string, app: string) => ['to ', repository, ', for ', app],
    anApp: 'an app',
    login: 'User name or e-mail',
    password: 'Password',
    submit: 'Sign in',
    cancel: 'Cancel',
    wrong: 'User name or password is wrong.',
  },
  factors: {
    passkeyInstead: 'Sign in with a passkey',
    passkeyName: 'Passkey',
    prove: {
      title: 'One more step',
      submit: 'Continue',
      passkey: 'Use a passkey',
      recovery: 'Use a recovery code',
    },
    code: { label: 'Code', hint: 'The six digits that your authenticator app shows now.' },
    recovery: { label: 'Recovery code', hint: 'One of the ten codes that you were given. It works once.' },
    enrol: {
      title: 'Set up a second factor',
      why: (repository: string, app: string) => ['', repository, ' asks for more than a password before you go on to ', app, '.'],
      scan: 'Scan this picture with an authenticator app on your phone.',
      picture: 'QR code for an authenticator app. Its content stands below as text.',
      type: 'Or type this key into the app:',
      submit: 'Set up',
      passkey: 'Use a passkey instead',
    },
    codes: {
      title: 'Your recovery codes',
      keep: 'If you lose your phone or passkey, each of these codes lets you in once. Keep them where you keep important papers: they are not shown again.',
      shown: 'Your recovery codes were shown once. If you did not keep them, make new ones on your account page.',
      submit: 'I have kept them',
    },
    faults: {
      wrong: 'This code is wrong or was used before. Wait for the next one.',
      wait: (minutes: number) => `Too many wrong codes. Try again in ${minutes === 1 ? 'a minute' : `${minutes} minutes`}.`,
      passkey: 'That did not work. Try again, or choose another way.',
      passkeyAlone: 'No passkey was accepted. Try again, or sign in with your password.',
    },
  },
  invitation: {
    setPassword: { title: 'Set your password', submit: 'Set password' },
    createAccount: { title: 'Create your account', submit: 'Create account' },
    willSignInAs: (login: string) => ['You will sign in as ', login, '.'],
    willBe: (role: string) => ['You will be ', role, ' of the tenant that invited you.'],
    invited: 'You have been invited.',
    login: 'User name',
    name: 'Your name',
    email: 'E-mail',
    done: { title: 'You are all set', text: (login: string) => `You can now sign in as ${login}.`, portal: 'Go to the portal' },
    gone: { title: 'This link works no longer', text: 'The invitation was used or has run out. Ask whoever invited you for another.' },
    taken: { loginName: 'Another user has this user name. Choose another.', email: 'Another user has this e-mail address.' },
  },
  newPassword: {
    label: 'Password',
    again: 'Password again',
    hint: (shortest: number) => `${shortest} characters or more. A few words in a row are easy to remember and hard to guess.`,
    faults: {
      tooShort: (shortest: number) => `The password must have ${shortest} characters or more.`,
      tooLong: () => 'The password must have 256 characters or fewer.',
      common: () => 'Many people use this password, so it is tried first. Choose another.',
      repetitive: () => 'The password repeats or counts the same characters. Choose another.',
      personal: () => 'The password is made of your name, your address or the name of the repository. Choose another.',
    },
    different: 'The two passwords are not the same.',
  },
  faults: {
    login: 'A user name has no spaces, slashes, quotes or any of <>()?#%&*:|, and at most 100 characters.',
    name: 'Enter a name of at most 200 characters.',
    email: 'This is not an e-mail address.',
  },
  signOut: {
    title: 'Sign out',
    question: 'Sign out?',
    leaving: (app: string) => `You are leaving ${app}.`,
    about: 'You are about to sign out.',
    submit: 'Sign out',
    stay: 'Stay signed in',
    done: { title: 'You are signed out', text: 'You can close this page.' },
  },
  problem: {
    title: 'This did not work',
    request:
      'The app sent you here with a request that cannot be answered. Go back to it and try again; if that does not help, tell whoever runs it what stands below.',
    otherSite: 'The form was sent from another site. Open the page again and fill it in there.',
    noRepository: 'There is no active repository at this address.',
    unavailable: 'The authority cannot check credentials now. Try again in a moment.',
    failed: 'Something went wrong on our side.',
    startAgain: {
      title: 'Start again',
      text: 'You took too long, or have signed in in another window. Go back to the app and start again.',
    },
  },
};
