import type { Violation } from './checker.js';
import type { FireResult } from './fire.js';

const shownViolations = 20;

/** The result in words, for a person. */
export function describeResult({ verdict, counts }: FireResult): string {
  const group = (prefix: string) =>
    Object.entries(counts)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, count]) => `  ${name.slice(prefix.length).padEnd(44)}${String(count).padStart(8)}`);
  const { violations, acceptedLive, refusedDead, unansweredDead, undecided, unanswered, closestMillis } = verdict;
  return [
    'Faults',
    ...group('fault '),
    'Cut-offs',
    ...group('act '),
    'Presentations, by process',
    ...group('node '),
    'Presentations, by way',
    ...group('way '),
    'No yes or no',
    ...group('unanswered: '),
    'Verdict',
    `  ${verdict.presentations} presentations: ${acceptedLive} of the living accepted, ${refusedDead} of the dead refused`,
    `  ${unanswered} were not answered with yes or no, ${unansweredDead} of them of the dead; ${undecided} overlapped a call about them`,
    `  the closest refusal was presented ${closestMillis?.toFixed(2) ?? '–'} ms after a cut-off had answered`,
    `  ${violations.length} violations`,
    ...violations.slice(0, shownViolations).map(describeViolation),
  ].join('\n');
}

function describeViolation({ kind, presentation, cutOff, afterMillis, duringOutage }: Violation): string {
  const { credential, node, way, answer, begin, end } = presentation;
  const why = cutOff ? `, ${afterMillis?.toFixed(2)} ms after "${cutOff.act}" of ${cutOff.thing} had answered` : '';
  const outage = duringOutage ? ', PostgreSQL away' : '';
  return `  ${kind}: ${credential} at ${node} by ${way} (${answer}), from ${begin.toFixed(1)} to ${end.toFixed(1)}${why}${outage}`;
}
