import type { CommandRunner } from './command.ts';

/** How many checks or tests passed and failed. */
export interface Tally {
  passed: number;
  failed: number;
  skipped?: number;
}

/** One part of the whole test run. */
export interface Stage {
  name: string;
  run(commands: CommandRunner): Promise<Tally>;
}
