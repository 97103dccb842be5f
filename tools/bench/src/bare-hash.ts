import { hashPassword } from '@latchkey/credentials';

/*
 * The yardstick of sign-ins: hashes passwords and does nothing else, four at a time as Node's thread pool does, for as many
 * seconds as its argument says, and prints how many there were each second.
 */
const seconds = Number(process.argv[2] ?? 5);
let hashes = 0;
const begun = performance.now();
const deadline = begun + seconds * 1_000;
await Promise.all(
  Array.from({ length: 4 }, async () => {
    while (performance.now() < deadline) {
      await hashPassword('correct horse battery staple');
      hashes++;
    }
  }),
);
process.stdout.write(String(hashes / ((performance.now() - begun) / 1_000)));
